//! How much usage waits for the ledger: the numbers behind the metrics.

use std::{
    sync::atomic::{AtomicI64, AtomicU64, Ordering},
    time::Duration,
};

/// Events written but not acknowledged.
#[derive(Debug, Default)]
pub(crate) struct Backlog {
    events: AtomicU64,
    /// End of the oldest one in microseconds since the Unix epoch; 0: none known.
    oldest_us: AtomicI64,
}

impl Backlog {
    /// Before an event is written: the reporter may read it the moment it is.
    pub(crate) fn writing(&self, at_us: i64) {
        self.events.fetch_add(1, Ordering::AcqRel);
        let _ = self.oldest_us.compare_exchange(0, at_us, Ordering::AcqRel, Ordering::Relaxed);
    }

    /// The event was not written after all.
    pub(crate) fn failed(&self) {
        self.acked(1);
    }

    /// Events left by earlier processes.
    pub(crate) fn found(&self, events: u64) {
        self.events.fetch_add(events, Ordering::AcqRel);
    }

    /// What the oldest event turned out to be.
    pub(crate) fn oldest(&self, at_us: i64) {
        self.oldest_us.store(at_us, Ordering::Release);
    }

    /// The ledger has so many more.
    pub(crate) fn acked(&self, events: u64) {
        if events > 0 && self.events.fetch_sub(events, Ordering::AcqRel) == events {
            self.oldest_us.store(0, Ordering::Release);
        }
    }

    /// How many wait.
    pub(crate) fn events(&self) -> u64 {
        self.events.load(Ordering::Acquire)
    }

    /// How long the oldest has waited; nothing where no event waits.
    pub(crate) fn age(&self, now_us: i64) -> Option<Duration> {
        match self.oldest_us.load(Ordering::Acquire) {
            0 => None,
            at => Some(Duration::from_micros(u64::try_from(now_us.saturating_sub(at)).unwrap_or(0))),
        }
    }
}
