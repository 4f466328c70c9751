//! Slots at targets with a concurrency limit: taken at once, or after a short wait where no other target is left.

#[cfg(test)]
mod tests;

use policy::{
    EnqueueError, Target, WaitRequest,
    health::{Clock, ConcurrencyPermit, QueueLimits, TargetState},
};
use tokio::{
    select,
    sync::oneshot,
    time::{Instant, sleep_until},
};

use crate::{
    context::{QueueOutcome, QueueRejection, QueueWait},
    meter::QueueClass,
    state::ProxyState,
};

/// What a request wants at a target that may be busy.
pub(crate) struct SlotRequest<'a> {
    pub(crate) target: &'a Target,
    pub(crate) limits: QueueLimits,
    pub(crate) class: QueueClass,
    /// How long the request may wait, if it may: it does not where another target is left.
    pub(crate) wait_until: Option<Instant>,
}

/// Why a request got no slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SlotError {
    /// None was free, and the request was not to wait.
    Busy,
    /// The request was to wait, and got none all the same.
    Rejected(QueueRejection),
}

/// Takes a slot at a target, and reports the wait for it, if there was one, to the observers.
///
/// # Errors
/// Why the request got none.
pub(crate) async fn acquire_slot(
    proxy: &ProxyState,
    request: SlotRequest<'_>,
) -> Result<ConcurrencyPermit, SlotError> {
    let SlotRequest { target, limits, class, wait_until } = request;
    if let Some(permit) = target.state.try_begin(limits.limit) {
        return Ok(permit);
    }
    let Some(until) = wait_until else { return Err(SlotError::Busy) };
    let mut report = QueueWaitReport { proxy, target, begun: Instant::now(), end: WaitEnd::Abandoned };
    let waiter = WaitRequest { tenant: class.tenant, priority: class.priority, deadline: proxy.at(until) };
    let slot = wait(&target.state, waiter, until, limits, || proxy.clock()).await;
    report.end = match &slot {
        Ok(_) => WaitEnd::Admitted,
        Err(reason) => WaitEnd::Rejected(*reason),
    };
    slot.map_err(SlotError::Rejected)
}

/// Waits in the queue until a moment, which is the waiter's deadline by the queue's clock.
async fn wait(
    state: &TargetState,
    waiter: WaitRequest,
    until: Instant,
    limits: QueueLimits,
    clock: impl FnOnce() -> Clock,
) -> Result<ConcurrencyPermit, QueueRejection> {
    let (handoff, slot) = oneshot::channel();
    let handoff = Box::new(|slot| handoff.send(slot));
    let in_line = state.wait(waiter, limits, clock, handoff).map_err(|refused| match refused {
        EnqueueError::Full => QueueRejection::Full,
        EnqueueError::TooLate => QueueRejection::TooLate,
    })?;
    // Time first: a slot that comes too late goes on to the next waiter, which may still have time.
    let slot = select! {
        biased;
        () = sleep_until(until) => Err(QueueRejection::Timeout),
        slot = slot => slot.map_err(|_| match Instant::now() < until {
            true => QueueRejection::Displaced,
            false => QueueRejection::Timeout,
        }),
    };
    drop(in_line);
    slot
}

/// Tells observers of a wait when it has ended, also where the client hung up.
struct QueueWaitReport<'a> {
    proxy: &'a ProxyState,
    target: &'a Target,
    begun: Instant,
    end: WaitEnd,
}

/// How a wait ended; a client that hangs up drops the report as it began.
#[derive(Clone, Copy)]
enum WaitEnd {
    Abandoned,
    Admitted,
    Rejected(QueueRejection),
}

impl Drop for QueueWaitReport<'_> {
    fn drop(&mut self) {
        let waited = self.begun.elapsed();
        let outcome = match self.end {
            WaitEnd::Admitted => QueueOutcome::Admitted { waited },
            WaitEnd::Abandoned => QueueOutcome::Abandoned { waited },
            WaitEnd::Rejected(reason @ (QueueRejection::Full | QueueRejection::TooLate)) => {
                QueueOutcome::NotQueued(reason)
            }
            WaitEnd::Rejected(reason) => QueueOutcome::Rejected { reason, waited },
        };
        for observer in &*self.proxy.observers {
            observer.waited(&QueueWait { target: self.target, outcome });
        }
    }
}
