//! Requests that wait for a place at one target: who gives one back hands it to the next of them.

use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};

use super::{ConcurrencyPermit, Micros, in_flight::ConcurrencyCount};
use crate::queue::{EnqueueError, Queue, Ticket, WaitRequest};

/// Tells the time, on the clock by which deadlines are given.
pub type Clock = Arc<dyn Fn() -> Micros + Send + Sync>;

/// Takes a place for a waiter; hands it back where nobody wants it any more. Called under the line's lock: it must
/// neither wait nor drop the place. Dropped uncalled, the waiter had to leave.
pub type Handoff = Box<dyn FnOnce(ConcurrencyPermit) -> Result<(), ConcurrencyPermit> + Send>;

/// What a request may wait for, and beside how many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueLimits {
    /// It may begin while fewer are under way.
    pub limit: u32,
    /// It may wait beside fewer than so many others.
    pub length: u32,
}

/// The line of one target.
pub(super) struct WaitQueue {
    /// As many as the queue holds; read without its lock.
    waiting: AtomicUsize,
    clock: Clock,
    queue: Mutex<Queue<Waiter>>,
}

struct Waiter {
    limit: u32,
    give: Handoff,
}

/// A request that waits in line; dropped, it leaves.
#[derive(Debug)]
#[must_use = "dropped, the request leaves the line"]
pub struct WaitGuard {
    pub(super) counted: Arc<ConcurrencyCount>,
    pub(super) ticket: Ticket,
}

impl WaitQueue {
    pub(super) fn new(clock: Clock) -> Self {
        Self { waiting: AtomicUsize::new(0), clock, queue: Mutex::default() }
    }

    pub(super) fn waiting(&self) -> usize {
        self.waiting.load(SeqCst)
    }

    fn queue(&self) -> MutexGuard<'_, Queue<Waiter>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Joins, and serves whoever can be served: perhaps the last place was given back before anybody waited.
    pub(super) fn join(
        &self,
        who: WaitRequest,
        bounds: QueueLimits,
        give: Handoff,
        counted: &Arc<ConcurrencyCount>,
    ) -> Result<Ticket, EnqueueError> {
        let mut queue = self.queue();
        let length = usize::try_from(bounds.length).unwrap_or(usize::MAX);
        let waiter = Waiter { limit: bounds.limit, give };
        let pushed = queue.push(who, waiter, length, (self.clock)());
        // Now, before places are looked for: whoever gives one back from here on sees that somebody waits.
        self.waiting.store(queue.len(), SeqCst);
        let (ticket, displaced) = pushed?;
        self.serve_from(&mut queue, counted);
        drop(queue);
        drop(displaced);
        Ok(ticket)
    }

    /// Hands places that are free to those that wait.
    pub(super) fn serve(&self, counted: &Arc<ConcurrencyCount>) {
        if self.waiting() > 0 {
            self.serve_from(&mut self.queue(), counted);
        }
    }

    fn serve_from(&self, queue: &mut Queue<Waiter>, counted: &Arc<ConcurrencyCount>) {
        let now = (self.clock)();
        loop {
            let mut too_little = 0;
            let next = queue.take(now, |waiter| {
                // What was not enough for a higher limit is not enough for this one.
                if waiter.limit <= too_little {
                    return None;
                }
                let place = counted.try_begin(waiter.limit);
                if place.is_none() {
                    too_little = waiter.limit;
                }
                place
            });
            let Some((waiter, place)) = next else { break };
            if let Err(unwanted) = (waiter.give)(place) {
                unwanted.give_back();
            }
        }
        self.waiting.store(queue.len(), SeqCst);
    }

    fn leave(&self, ticket: Ticket) {
        let mut queue = self.queue();
        let left = queue.remove(ticket);
        self.waiting.store(queue.len(), SeqCst);
        drop(queue);
        drop(left);
    }
}

impl Drop for WaitGuard {
    fn drop(&mut self) {
        if let Some(line) = self.counted.line() {
            line.leave(self.ticket);
        }
    }
}

impl fmt::Debug for WaitQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Line").field("waiting", &self.waiting()).finish_non_exhaustive()
    }
}
