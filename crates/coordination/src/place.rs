//! Where a claim is counted: the same place in memory and in Redis.

use std::{fmt, time::Duration};

use aws_lc_rs::digest::{SHA256, digest};
use domain::ResourceId;

use crate::{Claim, Denied, Rule, Unit};

/// Slots of a ring that are summed: the period's 64, and one because an interval cuts the oldest one.
pub(crate) const RING_SLOTS: u64 = 65;
/// One second, in microseconds: what a cell weighs in GCRA's levels.
pub(crate) const SECOND: u64 = 1_000_000;
/// What a request is told that finds every slot taken, in microseconds.
pub(crate) const SLOT_WAIT: u64 = SECOND;
/// The largest number a rule may have; keeps sums in 32 bits and Redis's doubles exact.
const MAX_COUNT: u64 = 1_000_000_000;
/// The longest that a lease or a record of health lasts.
pub(crate) const MAX_TTL: Duration = Duration::from_secs(86_400);
/// The longest time a rule may have: three years, far from where doubles lose microseconds.
const MAX_MICROS: u64 = 100_000_000_000_000;

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
    Ring { width: u64 },
    Gcra,
    Slots,
}

/// A rule in the numbers that are computed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Algorithm {
    /// At most `n` in a ring of slots `width` microseconds wide.
    Ring { n: u64, width: u64 },
    /// `rate` cells a second, `burst` at once.
    Gcra { rate: u64, burst: u64 },
    /// At most `n` at once, each for `ttl` microseconds.
    Slots { n: u64, ttl: u64 },
}

impl Algorithm {
    pub(crate) fn of(rule: &Rule) -> Self {
        match *rule {
            Rule::Ring { n, period } => {
                Self::Ring { n: n.min(MAX_COUNT), width: micros(period).div_ceil(RING_SLOTS - 1) }
            }
            // A rate of nothing is a bucket that holds nothing; it spares everybody a division by zero.
            Rule::Gcra { per_second: 0, .. } => Self::Gcra { rate: 1, burst: 0 },
            Rule::Gcra { per_second, burst } => {
                Self::Gcra { rate: per_second.min(MAX_COUNT), burst: burst.min(MAX_COUNT) }
            }
            Rule::Slots { n, ttl } => Self::Slots { n: n.min(MAX_COUNT), ttl: micros(ttl) },
        }
    }
}

/// A claim that not even an untouched limit has room for, told apart because waiting does not help it.
///
/// Past this, a cost is at most a limit's number, so no sum overflows.
pub(crate) fn beyond(claims: &[KeyedClaim<'_>]) -> Option<Denied> {
    let wait = |placed: &KeyedClaim<'_>| match placed.measure {
        Algorithm::Ring { n, width } => (placed.cost > n).then_some(width * (RING_SLOTS - 1)),
        Algorithm::Gcra { burst, .. } => (placed.cost > burst).then_some(SECOND),
        Algorithm::Slots { n, .. } => (n == 0).then_some(SLOT_WAIT),
    };
    claims.iter().find_map(|placed| Some(placed.denied(wait(placed)?)))
}

/// Half of a text's SHA-256.
pub(crate) fn short(text: &str) -> u128 {
    let mut half = [0; 16];
    half.copy_from_slice(&digest(&SHA256, text.as_bytes()).as_ref()[..16]);
    u128::from_be_bytes(half)
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX).clamp(1, MAX_MICROS)
}

impl CounterKey {
    pub(crate) fn of(claim: &Claim, measure: &Algorithm) -> Self {
        let subject = if claim.subject.is_empty() { 0 } else { short(&claim.subject) };
        let shape = match *measure {
            Algorithm::Ring { width, .. } => Shape::Ring { width },
            Algorithm::Gcra { .. } => Shape::Gcra,
            Algorithm::Slots { .. } => Shape::Slots,
        };
        Self { tenant: claim.tenant, limit: claim.limit, subject, shape, unit: claim.unit }
    }
}

/// The Redis key.
impl fmt::Display for CounterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{{}}}:", self.tenant)?;
        match self.shape {
            Shape::Ring { width } => write!(f, "ring.{width}")?,
            Shape::Gcra => f.write_str("gcra")?,
            Shape::Slots => f.write_str("slots")?,
        }
        if self.unit == Unit::Tokens {
            f.write_str(".tokens")?;
        }
        write!(f, ":{}:{:032x}", self.limit, self.subject)
    }
}

/// A claim and where it is counted.
#[derive(Clone, Copy)]
pub(crate) struct KeyedClaim<'a> {
    pub(crate) claim: &'a Claim,
    pub(crate) place: CounterKey,
    pub(crate) measure: Algorithm,
    pub(crate) cost: u64,
}

impl<'a> KeyedClaim<'a> {
    pub(crate) fn new(claim: &'a Claim, rule: &Rule) -> Self {
        let measure = Algorithm::of(rule);
        Self { claim, place: CounterKey::of(claim, &measure), measure, cost: claim.cost }
    }

    pub(crate) fn denied(&self, micros: u64) -> Denied {
        Denied {
            limit: self.claim.limit,
            retry_after: Duration::from_micros(micros),
            kind: self.claim.kind(),
        }
    }
}

/// Every place once, so that a limit named twice is not charged twice.
pub(crate) fn distinct(claims: &[Claim]) -> Vec<KeyedClaim<'_>> {
    let mut places: Vec<KeyedClaim<'_>> = Vec::with_capacity(claims.len());
    for claim in claims {
        let placed = KeyedClaim::new(claim, &claim.rule);
        match places.iter_mut().find(|earlier| earlier.place == placed.place) {
            Some(earlier) => earlier.cost = earlier.cost.max(placed.cost),
            None => places.push(placed),
        }
    }
    places
}
