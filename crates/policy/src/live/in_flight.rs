//! Counts of requests that are under way, given back when the guard is dropped.

use std::sync::{
    Arc,
    atomic::{
        AtomicU32,
        Ordering::{AcqRel, Acquire},
    },
};

/// How many requests are under way; clones count together.
#[derive(Clone, Debug, Default)]
pub(super) struct Gauge(Arc<AtomicU32>);

/// A request that is under way until this is dropped.
#[derive(Debug)]
#[must_use = "the request counts only as long as this is held"]
pub struct InFlight(Gauge);

impl Gauge {
    pub(super) fn begin(&self) -> InFlight {
        self.0.fetch_add(1, AcqRel);
        InFlight(self.clone())
    }

    /// Begins unless `limit` are under way already.
    pub(super) fn try_begin(&self, limit: u32) -> Option<InFlight> {
        let more = |count: u32| (count < limit).then(|| count + 1);
        self.0.fetch_update(AcqRel, Acquire, more).ok().map(|_| InFlight(self.clone()))
    }

    pub(super) fn count(&self) -> u32 {
        self.0.load(Acquire)
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, AcqRel);
    }
}
