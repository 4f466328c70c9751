//! What decides while the store is lost: each limit's own policy, at once and without I/O.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use domain::Timestamp;

use crate::charge::Charged;
use crate::counter_key::KeyedClaim;
use crate::local_backend::{self, LocalBackend};
use crate::{OnOutage, Refusal, Rule};

/// Whether the store is lost, and what was decided without it since the process started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// Since when the store is lost and policies are in force; `None` while it answers.
    pub lost_since: Option<Timestamp>,
    /// How often it was lost.
    pub outages: u64,
    /// Requests refused by a `closed` limit.
    pub closed: u64,
    /// Requests admitted under at least one `open` limit.
    pub open: u64,
    /// Requests admitted under at least one `bounded` limit.
    pub bounded: u64,
    /// Requests refused because a replica's own amount was used up.
    pub bounded_denied: u64,
    /// Concurrency slots held at this moment.
    pub slots_held: u64,
    /// Slots that did not fit in the queue of those to return; they come free when they expire.
    pub returns_dropped: u64,
    /// Corrections of estimates that the store did not get.
    pub corrections_dropped: u64,
    /// Records of health that the other replicas were not told: too long, too many at once, or the store was lost.
    pub records_dropped: u64,
}

/// Counts what [`Status`] reports about outages of the store.
#[derive(Debug, Default)]
pub(crate) struct OutageStats {
    /// When it was lost last, in microseconds since the Unix epoch.
    since: AtomicI64,
    times: AtomicU64,
    closed: AtomicU64,
    open: AtomicU64,
    bounded: AtomicU64,
    bounded_denied: AtomicU64,
    records_dropped: AtomicU64,
}

impl OutageStats {
    pub(crate) fn begin(&self) {
        self.since.store(Timestamp::now().micros(), Relaxed);
        self.times.fetch_add(1, Relaxed);
    }

    /// How often the store was lost.
    pub(crate) fn times(&self) -> u64 {
        self.times.load(Relaxed)
    }

    pub(crate) fn drop_records(&self, how_many: usize) {
        self.records_dropped.fetch_add(how_many as u64, Relaxed);
    }

    /// The part of the status that is known here.
    pub(crate) fn status(&self, lost: bool) -> Status {
        Status {
            lost_since: lost.then(|| Timestamp::from_micros(self.since.load(Relaxed))),
            outages: self.times.load(Relaxed),
            closed: self.closed.load(Relaxed),
            open: self.open.load(Relaxed),
            bounded: self.bounded.load(Relaxed),
            bounded_denied: self.bounded_denied.load(Relaxed),
            records_dropped: self.records_dropped.load(Relaxed),
            ..Status::default()
        }
    }
}

/// Decides without the store: a closed limit refuses, bounded ones are charged to this replica alone.
pub(crate) fn decide(
    local: &Arc<LocalBackend>,
    stats: &OutageStats,
    claims: &[KeyedClaim<'_>],
) -> Result<(local_backend::SlotLeases, Charged), Refusal> {
    if let Some(closed) = claims.iter().find(|keyed| keyed.claim.on_outage == OnOutage::Closed) {
        stats.closed.fetch_add(1, Relaxed);
        return Err(Refusal::StoreUnavailable { limit: closed.claim.limit });
    }
    let bounded: Vec<KeyedClaim<'_>> = claims.iter().filter_map(own_share).collect();
    let admitted = local.acquire(&bounded).inspect_err(|_| {
        stats.bounded_denied.fetch_add(1, Relaxed);
    })?;
    if !bounded.is_empty() {
        stats.bounded.fetch_add(1, Relaxed);
    }
    if bounded.len() < claims.len() {
        stats.open.fetch_add(1, Relaxed);
    }
    Ok(admitted)
}

/// The claim with this replica's amount in place of the limit's.
fn own_share<'a>(keyed: &KeyedClaim<'a>) -> Option<KeyedClaim<'a>> {
    let OnOutage::Bounded { per_replica: n } = keyed.claim.on_outage else { return None };
    let rule = match keyed.claim.rule {
        Rule::SlidingWindow { period, .. } => Rule::SlidingWindow { n, period },
        Rule::DebtWindow { period, .. } => Rule::DebtWindow { n, period },
        Rule::Gcra { .. } => Rule::SlidingWindow { n, period: Duration::from_secs(1) },
        Rule::Concurrency { ttl, .. } => Rule::Concurrency { n, ttl },
    };
    Some(KeyedClaim { cost: keyed.cost, ..KeyedClaim::new(keyed.claim, &rule) })
}
