//! Times to the first token of one sort over a window, and whether those of one target are better than another's.

use std::time::Duration;

/// From 1 ms to 20 min, each a tenth longer than the one before.
pub(super) const BUCKETS: usize = 150;
const GROWTH: f64 = 1.1;
const SHORTEST: f64 = 0.001;
/// One has to be better than another by this much,
const MARGIN: Duration = Duration::from_millis(20);
/// and by one in so many parts;
const PART: u32 = 5;
/// with fewer samples than this of both together by two thirds, which chance does not often do.
const FEW: u64 = 8;
/// The natural logarithm of 1,000: a difference that chance makes more often than once in so many looks is none.
const SURE: f64 = 6.907_755_278_982_137;

/// The bucket of a time; shorter and longer ones than there are buckets for count in the first and the last.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the buckets")]
pub(super) fn bucket(ttft: Duration) -> usize {
    let steps = (ttft.as_secs_f64().max(SHORTEST) / SHORTEST).ln() / GROWTH.ln();
    (steps as usize).min(BUCKETS - 1)
}

/// A bucket's geometric middle.
pub(super) fn middle(bucket: usize) -> Duration {
    let steps = i32::try_from(bucket).unwrap_or_default();
    Duration::from_secs_f64(SHORTEST * GROWTH.powi(steps) * GROWTH.sqrt())
}

/// Whether one time is better than another by a fifth and by 20 ms.
pub(in crate::health) fn is_less(fast: Duration, slow: Duration) -> bool {
    fast <= slow - slow / PART && fast + MARGIN <= slow
}

/// Samples by buckets.
pub(super) struct Samples(pub(super) [u64; BUCKETS]);

impl Samples {
    pub(super) fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    /// The bucket of the 95th percentile, and how many samples are in it or before.
    pub(super) fn p95(&self) -> Option<(usize, u64)> {
        let wanted = (self.total() * 95).div_ceil(100);
        let mut sum = 0;
        let found = self.0.iter().position(|count| {
            sum += count;
            wanted > 0 && sum >= wanted
        });
        found.map(|bucket| (bucket, sum))
    }

    /// Whether they are better than another's by more than chance may do. Of few samples the slowest is no slow one:
    /// were percentiles of so few compared with those of many, a target with few requests would always be the faster.
    pub(super) fn are_better(&self, other: &Self) -> bool {
        let (Some((own, upto)), Some((theirs, _))) = (self.p95(), other.p95()) else { return false };
        let few = self.total() + other.total() < FEW;
        let (fast, slow) = (middle(own), middle(theirs));
        if !is_less(fast, slow) || (few && fast > slow / 3) {
            return false;
        }
        let below: u64 = other.0.iter().take(own + 1).sum();
        below == 0 || (!few && self.is_unlikely(upto, below, other.total()))
    }

    /// Whether `upto` of these would hardly ever be so fast, were they drawn from those others of which `below` of `of`
    /// are (Chernoff's bound of the binomial distribution).
    #[allow(clippy::cast_precision_loss, reason = "counts of minutes")]
    fn is_unlikely(&self, upto: u64, below: u64, of: u64) -> bool {
        let total = self.total();
        let (share, chance) = (upto as f64 / total as f64, below as f64 / of as f64);
        if share <= chance {
            return false;
        }
        let rest = if upto < total { (1.0 - share) * ((1.0 - share) / (1.0 - chance)).ln() } else { 0.0 };
        total.min(of) as f64 * (share * (share / chance).ln() + rest) > SURE
    }
}
