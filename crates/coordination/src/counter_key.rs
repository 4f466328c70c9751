//! Where a claim is counted: the same place in memory and in Redis.

use std::{fmt, time::Duration};

use aws_lc_rs::digest::{SHA256, digest};
use domain::ResourceId;

use crate::{Claim, Denied, Level, Rule, Unit};

/// Slots of a ring that are summed: the period's 64, and one because an interval cuts the oldest one.
pub(crate) const WINDOW_SLOTS: u64 = 65;
/// One second, in microseconds: what a cell weighs in GCRA's levels.
pub(crate) const SECOND: u64 = 1_000_000;
/// What a request is told that finds every slot taken, in microseconds.
pub(crate) const SLOT_WAIT: u64 = SECOND;
/// The largest number a rule may have; keeps sums in 32 bits and Redis's doubles exact.
const MAX_COUNT: u64 = 1_000_000_000;
/// The largest cost of a claim on a window with debt.
const MAX_COST: u64 = 1_000_000_000;
/// The longest that a lease or a record of health lasts.
pub(crate) const MAX_TTL: Duration = Duration::from_secs(86_400);
/// The longest time a rule may have and a client is told: three years, far from where doubles lose microseconds.
pub(crate) const MAX_MICROS: u64 = 100_000_000_000_000;

/// Where a claim is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct CounterKey {
    tenant: ResourceId,
    limit: ResourceId,
    /// Half of a SHA-256: bounded whatever clients send, and no user's name is stored.
    subject: u128,
    shape: Shape,
    unit: Unit,
}

/// What is kept there. A ring of another period is another ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Shape {
    SlidingWindow { width: u64 },
    DebtWindow { width: u64 },
    Gcra,
    Concurrency,
}

/// A rule in the numbers that are computed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Algorithm {
    /// At most `n` in a ring of slots `width` microseconds wide.
    SlidingWindow { n: u64, width: u64 },
    /// The same, with what is beyond it carried.
    DebtWindow { n: u64, width: u64 },
    /// `rate` cells a second, `burst` at once.
    Gcra { rate: u64, burst: u64 },
    /// At most `n` at once, each for `ttl` microseconds.
    Concurrency { n: u64, ttl: u64 },
}

impl Algorithm {
    pub(crate) fn of(rule: &Rule) -> Self {
        match *rule {
            Rule::SlidingWindow { n, period } => {
                Self::SlidingWindow { n: n.min(MAX_COUNT), width: micros(period).div_ceil(WINDOW_SLOTS - 1) }
            }
            Rule::DebtWindow { n, period } => Self::DebtWindow {
                n: n.clamp(1, MAX_COUNT),
                width: micros(period).div_ceil(WINDOW_SLOTS - 1),
            },
            // A rate of nothing is a bucket that holds nothing; it spares everybody a division by zero.
            Rule::Gcra { per_second: 0, .. } => Self::Gcra { rate: 1, burst: 0 },
            Rule::Gcra { per_second, burst } => {
                Self::Gcra { rate: per_second.min(MAX_COUNT), burst: burst.min(MAX_COUNT) }
            }
            Rule::Concurrency { n, ttl } => Self::Concurrency { n: n.min(MAX_COUNT), ttl: micros(ttl) },
        }
    }
}

/// A claim that not even an untouched limit has room for, told apart because waiting does not help it.
///
/// Past this, a cost is at most a limit's number, or [`MAX_COST`], so no sum overflows.
pub(crate) fn exceeds_limit(claims: &[KeyedClaim<'_>]) -> Option<Denied> {
    let wait = |keyed: &KeyedClaim<'_>| match keyed.algorithm {
        Algorithm::SlidingWindow { n, width } => (keyed.cost > n).then_some(width * (WINDOW_SLOTS - 1)),
        Algorithm::DebtWindow { .. } => None,
        Algorithm::Gcra { burst, .. } => (keyed.cost > burst).then_some(SECOND),
        Algorithm::Concurrency { n, .. } => (n == 0).then_some(SLOT_WAIT),
    };
    claims.iter().find_map(|keyed| Some(keyed.denied(wait(keyed)?)))
}

/// Half of a text's SHA-256.
pub(crate) fn short_digest(text: &str) -> u128 {
    let mut half = [0; 16];
    half.copy_from_slice(&digest(&SHA256, text.as_bytes()).as_ref()[..16]);
    u128::from_be_bytes(half)
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX).clamp(1, MAX_MICROS)
}

impl CounterKey {
    /// The tenant with which it lies in one slot of a Redis cluster.
    pub(crate) const fn tenant(&self) -> ResourceId {
        self.tenant
    }

    pub(crate) fn of(claim: &Claim, algorithm: &Algorithm) -> Self {
        let subject = if claim.subject.is_empty() { 0 } else { short_digest(&claim.subject) };
        let shape = match *algorithm {
            Algorithm::SlidingWindow { width, .. } => Shape::SlidingWindow { width },
            Algorithm::DebtWindow { width, .. } => Shape::DebtWindow { width },
            Algorithm::Gcra { .. } => Shape::Gcra,
            Algorithm::Concurrency { .. } => Shape::Concurrency,
        };
        Self { tenant: claim.tenant, limit: claim.limit, subject, shape, unit: claim.unit }
    }
}

/// The Redis key.
impl fmt::Display for CounterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{{}}}:", self.tenant)?;
        match self.shape {
            Shape::SlidingWindow { width } => write!(f, "ring.{width}")?,
            Shape::DebtWindow { width } => write!(f, "debt.{width}")?,
            Shape::Gcra => f.write_str("gcra")?,
            Shape::Concurrency => f.write_str("slots")?,
        }
        if self.unit != Unit::Requests {
            write!(f, ".{}", self.unit.as_str())?;
        }
        write!(f, ":{}:{:032x}", self.limit, self.subject)
    }
}

/// A claim and where it is counted.
#[derive(Clone, Copy)]
pub(crate) struct KeyedClaim<'a> {
    pub(crate) claim: &'a Claim,
    pub(crate) key: CounterKey,
    pub(crate) algorithm: Algorithm,
    pub(crate) cost: u64,
}

impl<'a> KeyedClaim<'a> {
    pub(crate) fn new(claim: &'a Claim, rule: &Rule) -> Self {
        let algorithm = Algorithm::of(rule);
        let cost = match algorithm {
            Algorithm::DebtWindow { .. } => claim.cost.min(MAX_COST),
            _ => claim.cost,
        };
        Self { claim, key: CounterKey::of(claim, &algorithm), algorithm, cost }
    }

    /// How full the limit is that now counts so many units.
    pub(crate) fn level(&self, used: u64) -> Level {
        let (most, window) = self.size();
        let micros = match self.algorithm {
            Algorithm::SlidingWindow { width, .. } => WINDOW_SLOTS * width,
            Algorithm::DebtWindow { n, width } => (WINDOW_SLOTS * width).saturating_mul(used.div_ceil(n)),
            Algorithm::Gcra { rate, .. } => (used * SECOND).div_ceil(rate),
            Algorithm::Concurrency { .. } => 0,
        };
        let full_in = Duration::from_micros(micros.min(MAX_MICROS));
        Level { limit: self.claim.limit, kind: self.claim.kind(), most, used, window, full_in }
    }

    pub(crate) fn denied(&self, micros: u64) -> Denied {
        let (most, window) = self.size();
        let retry_after = Duration::from_micros(micros);
        Denied { limit: self.claim.limit, most, window, retry_after, kind: self.claim.kind() }
    }

    /// How many units there are in all, and in what time.
    fn size(&self) -> (u64, Duration) {
        match (self.algorithm, self.claim.rule) {
            (
                Algorithm::SlidingWindow { n, .. } | Algorithm::DebtWindow { n, .. },
                Rule::SlidingWindow { period, .. } | Rule::DebtWindow { period, .. },
            ) => (n, period),
            (Algorithm::SlidingWindow { n, width } | Algorithm::DebtWindow { n, width }, _) => {
                (n, Duration::from_micros(width * (WINDOW_SLOTS - 1)))
            }
            (Algorithm::Gcra { burst, .. }, _) => (burst, Duration::from_secs(1)),
            (Algorithm::Concurrency { n, .. }, _) => (n, Duration::ZERO),
        }
    }
}

/// Every place once, so that a limit named twice is not charged twice.
pub(crate) fn deduplicate(claims: &[Claim]) -> Vec<KeyedClaim<'_>> {
    let mut keyed_claims: Vec<KeyedClaim<'_>> = Vec::with_capacity(claims.len());
    for claim in claims {
        let keyed = KeyedClaim::new(claim, &claim.rule);
        match keyed_claims.iter_mut().find(|earlier| earlier.key == keyed.key) {
            Some(earlier) => earlier.cost = earlier.cost.max(keyed.cost),
            None => keyed_claims.push(keyed),
        }
    }
    keyed_claims
}
