//! Time to the first token: a histogram over a sliding window, and the peak that fades.

use std::{
    sync::{
        OnceLock,
        atomic::{
            AtomicU16, AtomicU64,
            Ordering::{AcqRel, Acquire, Relaxed},
        },
    },
    time::Duration,
};

use super::Micros;

/// Length of a slot, and how many are kept: two minutes and a little.
const SLOT: Micros = 2_000_000;
const SLOTS: usize = 64;
/// From 1 ms to 20 min, each a tenth longer than the one before.
const BUCKETS: usize = 150;
const GROWTH: f64 = 1.1;
const SHORTEST: f64 = 0.001;
/// So many requests say something about the slowest twentieth of them.
const ENOUGH: u64 = 5;
/// A bucket's count stops here, well before it would go round.
const FULL: u16 = u16::MAX - 1_000;

/// Samples of the last two minutes.
#[derive(Debug, Default)]
pub(super) struct Ttft(OnceLock<Box<[Slot; SLOTS]>>);

#[derive(Debug)]
struct Slot {
    /// Which slot of time it counts, plus one; 0: none yet.
    number: AtomicU64,
    probes: AtomicU16,
    buckets: [AtomicU16; BUCKETS],
}

impl Slot {
    fn empty() -> Self {
        let buckets = std::array::from_fn(|_| AtomicU16::new(0));
        Self { number: AtomicU64::new(0), probes: AtomicU16::new(0), buckets }
    }

    /// Turns to a new slot of time. A sample that another thread counts meanwhile may be lost: of a percentile
    /// that is no matter.
    fn turn(&self, number: u64) -> bool {
        let held = self.number.load(Acquire);
        if held < number && self.number.compare_exchange(held, number, AcqRel, Acquire).is_ok() {
            self.probes.store(0, Relaxed);
            self.buckets.iter().for_each(|bucket| bucket.store(0, Relaxed));
        }
        held <= number
    }
}

impl Ttft {
    pub(super) fn observe(&self, ttft: Duration, probe: bool, now: Micros) {
        let slots = self.0.get_or_init(|| Box::new(std::array::from_fn(|_| Slot::empty())));
        let number = now / SLOT + 1;
        let Some(slot) = slots.get(place(number)).filter(|slot| slot.turn(number)) else { return };
        let counts = [slot.buckets.get(bucket(ttft)), Some(&slot.probes).filter(|_| probe)];
        for count in counts.into_iter().flatten().filter(|count| count.load(Relaxed) < FULL) {
            count.fetch_add(1, Relaxed);
        }
    }

    pub(super) fn p95(&self, now: Micros, window: Micros) -> Option<Duration> {
        let slots = self.0.get()?;
        let newest = now / SLOT + 1;
        let oldest = now.saturating_sub(window) / SLOT + 1;
        let within = |slot: &&Slot| (oldest..=newest).contains(&slot.number.load(Acquire));
        let mut sums = [0_u64; BUCKETS];
        let mut probes = 0_u64;
        for slot in slots.iter().filter(within) {
            probes += u64::from(slot.probes.load(Relaxed));
            for (sum, bucket) in sums.iter_mut().zip(&slot.buckets) {
                *sum += u64::from(bucket.load(Relaxed));
            }
        }
        let total: u64 = sums.iter().sum();
        if total == 0 || (probes == 0 && total < ENOUGH) {
            return None;
        }
        let mut left = (total * 95).div_ceil(100);
        let found = sums.iter().position(|sum| {
            let here = left <= *sum;
            left = left.saturating_sub(*sum);
            here
        });
        found.map(middle)
    }
}

fn place(number: u64) -> usize {
    usize::try_from(number).unwrap_or_default() % SLOTS
}

/// The bucket of a time; shorter and longer ones than there are buckets for count in the first and the last.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the buckets")]
fn bucket(ttft: Duration) -> usize {
    let steps = (ttft.as_secs_f64().max(SHORTEST) / SHORTEST).ln() / GROWTH.ln();
    (steps as usize).min(BUCKETS - 1)
}

/// A bucket's geometric middle.
fn middle(bucket: usize) -> Duration {
    let steps = i32::try_from(bucket).unwrap_or_default();
    Duration::from_secs_f64(SHORTEST * GROWTH.powi(steps) * GROWTH.sqrt())
}

/// How fast a peak fades, in seconds: to a third in ten.
const FADE: f64 = 10.0;
/// What a target is taken for that was never measured, in seconds.
const UNMEASURED: f32 = 1.0;
/// What a peak fades to, in seconds: then the requests under way alone decide.
const FLOOR: f64 = 0.001;

/// Exponentially weighted moving average that takes a peak at once.
#[derive(Debug, Default)]
pub(super) struct PeakEwma(
    /// Seconds as the bits of an `f32`, then the ms of the clock it was set at, so that both change together.
    AtomicU64,
);

impl PeakEwma {
    pub(super) fn observe(&self, ttft: Duration, now: Micros) {
        let sample = ttft.as_secs_f32().max(f32::MIN_POSITIVE);
        let next = |held| {
            let (last, kept) = unpack(held, now);
            let faded = if held == 0 { sample } else { sample + (last - sample) * kept };
            Some(pack(if sample > last { sample } else { faded }, now))
        };
        let _ = self.0.fetch_update(Relaxed, Relaxed, next);
    }

    pub(super) fn seconds(&self, now: Micros) -> f64 {
        let held = self.0.load(Relaxed);
        if held == 0 {
            return UNMEASURED.into();
        }
        let (last, kept) = unpack(held, now);
        f64::from(last * kept).max(FLOOR)
    }
}

/// The time when it was set, and how much of it is kept by now.
#[allow(clippy::cast_possible_truncation, reason = "the halves of a word; a share between 0 and 1")]
fn unpack(held: u64, now: Micros) -> (f32, f32) {
    let age = stamp(now).wrapping_sub(held as u32);
    // Set by a clock that was read a little later: no age.
    let age = if age > u32::MAX / 2 { 0 } else { age };
    (f32::from_bits((held >> 32) as u32), (-(f64::from(age) / 1_000.0) / FADE).exp() as f32)
}

fn pack(seconds: f32, now: Micros) -> u64 {
    u64::from(seconds.to_bits()) << 32 | u64::from(stamp(now))
}

/// Milliseconds, going round after 49 days.
fn stamp(now: Micros) -> u32 {
    u32::try_from(now / 1_000 % (1 << 32)).unwrap_or_default()
}
