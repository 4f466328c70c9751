//! Counts of requests that are under way, given back when the guard is dropped, and the line of those that wait.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicU32, Ordering::SeqCst},
};

use super::line::{Clock, Handoff, QueueLimits, WaitGuard, WaitQueue};
use crate::queue::{EnqueueError, WaitRequest};

/// How many requests are under way; clones count together.
#[derive(Clone, Debug, Default)]
pub(super) struct ConcurrencyLimiter(Arc<ConcurrencyCount>);

/// What clones share.
#[derive(Debug, Default)]
pub(super) struct ConcurrencyCount {
    /// This and the line's count of waiters are sequentially consistent: who gives a place back and sees nobody
    /// wait did so before somebody who came to wait looked for a place.
    count: AtomicU32,
    /// There from the first request on that had to wait.
    line: OnceLock<Box<WaitQueue>>,
}

/// A request that is under way until this is dropped; who waits for its place gets it then.
#[derive(Debug)]
#[must_use = "the request counts only as long as this is held"]
pub struct ConcurrencyPermit(Option<Arc<ConcurrencyCount>>);

impl ConcurrencyLimiter {
    pub(super) fn begin(&self) -> ConcurrencyPermit {
        self.0.count.fetch_add(1, SeqCst);
        ConcurrencyPermit(Some(Arc::clone(&self.0)))
    }

    /// Begins unless `limit` are under way already, or somebody waits, who would be overtaken.
    pub(super) fn try_begin(&self, limit: u32) -> Option<ConcurrencyPermit> {
        if self.waiting() > 0 { None } else { self.0.try_begin(limit) }
    }

    pub(super) fn count(&self) -> u32 {
        self.0.count.load(SeqCst)
    }

    /// How many wait.
    pub(super) fn waiting(&self) -> usize {
        self.0.line.get().map_or(0, |line| line.waiting())
    }

    /// Waits in line for a place, which is handed to `give`, perhaps before this returns.
    pub(super) fn wait(
        &self,
        who: WaitRequest,
        bounds: QueueLimits,
        clock: impl FnOnce() -> Clock,
        give: Handoff,
    ) -> Result<WaitGuard, EnqueueError> {
        let line = self.0.line.get_or_init(|| Box::new(WaitQueue::new(clock())));
        let ticket = line.join(who, bounds, give, &self.0)?;
        Ok(WaitGuard { counted: Arc::clone(&self.0), ticket })
    }
}

impl ConcurrencyCount {
    pub(super) fn line(&self) -> Option<&WaitQueue> {
        self.line.get().map(|line| &**line)
    }

    pub(super) fn try_begin(self: &Arc<Self>, limit: u32) -> Option<ConcurrencyPermit> {
        let more = |count: u32| (count < limit).then(|| count + 1);
        self.count.fetch_update(SeqCst, SeqCst, more).ok().map(|_| ConcurrencyPermit(Some(Arc::clone(self))))
    }
}

impl ConcurrencyPermit {
    /// Gives the place back without a look at the line, for whoever is looking at it already.
    pub(super) fn give_back(mut self) {
        if let Some(counted) = self.0.take() {
            counted.count.fetch_sub(1, SeqCst);
        }
    }
}

impl Drop for ConcurrencyPermit {
    fn drop(&mut self) {
        if let Some(counted) = self.0.take() {
            counted.count.fetch_sub(1, SeqCst);
            if let Some(line) = counted.line() {
                line.serve(&counted);
            }
        }
    }
}
