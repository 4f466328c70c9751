//! A concurrency limiter with a wait queue: counts requests in flight, and hands a slot that becomes free to the next
//! request that waits for one.

use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU32, AtomicUsize, Ordering::SeqCst},
    },
};

use crate::{
    queue::{EnqueueError, Queue, Ticket, WaitRequest},
    time::Micros,
};

/// Tells the time, on the clock by which deadlines are given.
pub type Clock = Arc<dyn Fn() -> Micros + Send + Sync>;

/// Hands a slot to a waiter, which returns it if it no longer wants it. It is called under the queue's lock, so it must
/// neither wait nor drop the slot. If it is dropped uncalled, the waiter had to leave.
pub type Handoff = Box<dyn FnOnce(ConcurrencyPermit) -> Result<(), ConcurrencyPermit> + Send>;

/// The limits under which a request may begin or wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueLimits {
    /// It may begin while fewer requests are in flight.
    pub limit: u32,
    /// It may wait beside fewer than so many others.
    pub length: u32,
}

/// How many requests are in flight; clones count together.
#[derive(Clone, Debug, Default)]
pub(super) struct ConcurrencyLimiter(Arc<Shared>);

/// What clones share.
#[derive(Debug, Default)]
struct Shared {
    /// This and the queue's count of waiters are sequentially consistent: a request that returns its slot and sees no
    /// waiter did so before any later waiter looked for a slot.
    count: AtomicU32,
    /// Created by the first request that had to wait.
    queue: OnceLock<Box<WaitQueue>>,
}

/// A request in flight, until this is dropped; then its slot goes to the next waiter.
#[derive(Debug)]
#[must_use = "the request counts only as long as this is held"]
pub struct ConcurrencyPermit(Option<Arc<Shared>>);

/// A request that waits; it leaves the queue when this is dropped.
#[derive(Debug)]
#[must_use = "dropped, the request leaves the queue"]
pub struct WaitGuard {
    shared: Arc<Shared>,
    ticket: Ticket,
}

impl ConcurrencyLimiter {
    pub(super) fn begin(&self) -> ConcurrencyPermit {
        self.0.count.fetch_add(1, SeqCst);
        ConcurrencyPermit(Some(Arc::clone(&self.0)))
    }

    /// Begins unless `limit` requests are in flight already, or others wait, which would be overtaken.
    pub(super) fn try_begin(&self, limit: u32) -> Option<ConcurrencyPermit> {
        if self.waiting() > 0 { None } else { self.0.try_begin(limit) }
    }

    pub(super) fn count(&self) -> u32 {
        self.0.count.load(SeqCst)
    }

    /// How many requests wait.
    pub(super) fn waiting(&self) -> usize {
        self.0.queue.get().map_or(0, |queue| queue.waiting())
    }

    /// Waits for a slot, which is given to `handoff`, perhaps before this returns.
    pub(super) fn wait(
        &self,
        request: WaitRequest,
        limits: QueueLimits,
        clock: impl FnOnce() -> Clock,
        handoff: Handoff,
    ) -> Result<WaitGuard, EnqueueError> {
        let queue = self.0.queue.get_or_init(|| Box::new(WaitQueue::new(clock())));
        let ticket = queue.join(request, limits, handoff, &self.0)?;
        Ok(WaitGuard { shared: Arc::clone(&self.0), ticket })
    }
}

impl Shared {
    fn try_begin(self: &Arc<Self>, limit: u32) -> Option<ConcurrencyPermit> {
        let more = |count: u32| (count < limit).then(|| count + 1);
        self.count.fetch_update(SeqCst, SeqCst, more).ok().map(|_| ConcurrencyPermit(Some(Arc::clone(self))))
    }
}

impl ConcurrencyPermit {
    /// Returns the slot without serving the queue, for a caller that is serving it already.
    fn give_back(mut self) {
        if let Some(shared) = self.0.take() {
            shared.count.fetch_sub(1, SeqCst);
        }
    }
}

impl Drop for ConcurrencyPermit {
    fn drop(&mut self) {
        if let Some(shared) = self.0.take() {
            shared.count.fetch_sub(1, SeqCst);
            if let Some(queue) = shared.queue.get() {
                queue.serve(&shared);
            }
        }
    }
}

impl Drop for WaitGuard {
    fn drop(&mut self) {
        if let Some(queue) = self.shared.queue.get() {
            queue.leave(self.ticket);
        }
    }
}

/// The queue of one target.
struct WaitQueue {
    /// As many as the queue holds; read without its lock.
    waiting: AtomicUsize,
    clock: Clock,
    queue: Mutex<Queue<Waiter>>,
}

struct Waiter {
    limit: u32,
    handoff: Handoff,
}

impl WaitQueue {
    fn new(clock: Clock) -> Self {
        Self { waiting: AtomicUsize::new(0), clock, queue: Mutex::default() }
    }

    fn waiting(&self) -> usize {
        self.waiting.load(SeqCst)
    }

    fn lock(&self) -> MutexGuard<'_, Queue<Waiter>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Joins, and serves the queue: perhaps the last slot was returned before anything waited.
    fn join(
        &self,
        request: WaitRequest,
        limits: QueueLimits,
        handoff: Handoff,
        shared: &Arc<Shared>,
    ) -> Result<Ticket, EnqueueError> {
        let mut queue = self.lock();
        let length = usize::try_from(limits.length).unwrap_or(usize::MAX);
        let waiter = Waiter { limit: limits.limit, handoff };
        let pushed = queue.push(request, waiter, length, (self.clock)());
        // Before slots are looked for: from here on a request that returns its slot sees that there is a waiter.
        self.waiting.store(queue.len(), SeqCst);
        let (ticket, displaced) = pushed?;
        self.serve_locked(&mut queue, shared);
        drop(queue);
        drop(displaced);
        Ok(ticket)
    }

    /// Hands free slots to the requests that wait.
    fn serve(&self, shared: &Arc<Shared>) {
        if self.waiting() > 0 {
            self.serve_locked(&mut self.lock(), shared);
        }
    }

    fn serve_locked(&self, queue: &mut Queue<Waiter>, shared: &Arc<Shared>) {
        let now = (self.clock)();
        loop {
            let mut too_low = 0;
            let next = queue.take(now, |waiter| {
                // If a higher limit leaves no room, neither does this one.
                if waiter.limit <= too_low {
                    return None;
                }
                let slot = shared.try_begin(waiter.limit);
                if slot.is_none() {
                    too_low = waiter.limit;
                }
                slot
            });
            let Some((waiter, slot)) = next else { break };
            if let Err(unwanted) = (waiter.handoff)(slot) {
                unwanted.give_back();
            }
        }
        self.waiting.store(queue.len(), SeqCst);
    }

    fn leave(&self, ticket: Ticket) {
        let mut queue = self.lock();
        let left = queue.remove(ticket);
        self.waiting.store(queue.len(), SeqCst);
        drop(queue);
        drop(left);
    }
}

impl fmt::Debug for WaitQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WaitQueue").field("waiting", &self.waiting()).finish_non_exhaustive()
    }
}
