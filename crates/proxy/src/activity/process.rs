//! The requests and streams that the process serves, counted by guards.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

/// Counts what is under way, and knows whether the process has given up waiting for it.
#[derive(Debug, Default)]
pub(crate) struct ProcessActivity {
    in_flight: AtomicUsize,
    streams: AtomicUsize,
    /// The drain time is over: requests that are dropped from now on are aborted by this side.
    aborting: AtomicBool,
}

/// A request among those in flight; it counts until this is dropped.
#[derive(Debug)]
#[must_use = "dropping the permit ends the request's share of the in-flight limit"]
pub(crate) struct InFlightPermit(Arc<ProcessActivity>);

impl Drop for InFlightPermit {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A stream that is being relayed; it counts until this is dropped.
#[derive(Debug)]
#[must_use = "dropping the guard ends the stream's share of the count"]
pub(crate) struct ActiveStreamGuard(Arc<ProcessActivity>);

impl Drop for ActiveStreamGuard {
    fn drop(&mut self) {
        self.0.streams.fetch_sub(1, Ordering::Relaxed);
    }
}

impl ProcessActivity {
    /// One more request, unless as many are in flight as may be.
    pub(crate) fn acquire_in_flight(self: &Arc<Self>, limit: usize) -> Option<InFlightPermit> {
        let permit = InFlightPermit(Arc::clone(self));
        (self.in_flight.fetch_add(1, Ordering::Relaxed) < limit).then_some(permit)
    }

    /// One more stream.
    pub(crate) fn begin_stream(self: &Arc<Self>) -> ActiveStreamGuard {
        self.streams.fetch_add(1, Ordering::Relaxed);
        ActiveStreamGuard(Arc::clone(self))
    }

    /// Requests in flight.
    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// Streams that are being relayed.
    pub(crate) fn streams(&self) -> usize {
        self.streams.load(Ordering::Relaxed)
    }

    /// From now on requests that are dropped are aborted by this side.
    pub(crate) fn begin_abort(&self) {
        self.aborting.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_aborting(&self) -> bool {
        self.aborting.load(Ordering::Relaxed)
    }
}
