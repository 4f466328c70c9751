//! A place at a target: at once, or after a short wait where nobody else is left.

#[cfg(test)]
mod tests;

use domain::{Priority, ResourceId};
use policy::{
    EnqueueError, Target, WaitRequest,
    health::{Clock, ConcurrencyPermit, QueueLimits, TargetState},
};
use tokio::{
    select,
    sync::oneshot,
    time::{Instant, sleep_until},
};

use crate::{gateway::ProxyState, observe::QueueWait};

/// Why a request got no place at a target that it would have waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum QueueRejection {
    /// There was no room to wait.
    Full,
    /// Its turn would not have come in time.
    TooLate,
    /// It had to make room.
    Displaced,
    /// It waited in vain.
    Timeout,
}

impl QueueRejection {
    pub(crate) const ALL: [Self; 4] = [Self::Full, Self::TooLate, Self::Displaced, Self::Timeout];

    /// As metrics call it.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::TooLate => "too_late",
            Self::Displaced => "displaced",
            Self::Timeout => "timeout",
        }
    }
}

/// What a request wants at a target that may be busy.
pub(crate) struct SlotRequest<'a> {
    pub(crate) target: &'a Target,
    pub(crate) limits: QueueLimits,
    /// Its tenant and priority.
    pub(crate) class: (ResourceId, Priority),
    /// Until when the request may wait. `None` if it may not, because another target is left.
    pub(crate) wait_until: Option<Instant>,
}

/// Takes a slot at a target, and reports the wait for it, if there was one.
///
/// # Errors
/// Why there is none; no reason where the request was not to wait.
pub(crate) async fn acquire_slot(
    gateway: &ProxyState,
    request: SlotRequest<'_>,
) -> Result<ConcurrencyPermit, Option<QueueRejection>> {
    let SlotRequest { target, limits, class: (tenant, priority), wait_until } = request;
    if let Some(slot) = target.state.try_begin(limits.limit) {
        return Ok(slot);
    }
    let Some(until) = wait_until else { return Err(None) };
    let who = WaitRequest { tenant, priority, deadline: gateway.at(until) };
    let mut told = QueueWaitReport { gateway, target, begun: Instant::now(), turned_away: None };
    let got = wait(&target.state, (who, until), limits, || gateway.clock()).await;
    told.turned_away = got.as_ref().err().copied();
    got.map_err(Some)
}

/// Waits in line until a moment, which is the waiter's deadline by the line's clock.
async fn wait(
    state: &TargetState,
    (who, until): (WaitRequest, Instant),
    bounds: QueueLimits,
    clock: impl FnOnce() -> Clock,
) -> Result<ConcurrencyPermit, QueueRejection> {
    let (give, place) = oneshot::channel();
    let give = Box::new(|place| give.send(place));
    let in_line = state.wait(who, bounds, clock, give).map_err(|refused| match refused {
        EnqueueError::Full => QueueRejection::Full,
        EnqueueError::TooLate => QueueRejection::TooLate,
    })?;
    // Time first: a place that comes too late goes on to the next, who may still have some.
    let got = select! {
        biased;
        () = sleep_until(until) => Err(QueueRejection::Timeout),
        got = place => got.map_err(|_| match Instant::now() < until {
            true => QueueRejection::Displaced,
            false => QueueRejection::Timeout,
        }),
    };
    drop(in_line);
    got
}

/// Tells observers of a wait when it has ended, also by a client that hung up.
struct QueueWaitReport<'a> {
    gateway: &'a ProxyState,
    target: &'a Target,
    begun: Instant,
    turned_away: Option<QueueRejection>,
}

impl Drop for QueueWaitReport<'_> {
    fn drop(&mut self) {
        let Self { gateway, target, begun, turned_away } = *self;
        let at_once = matches!(turned_away, Some(QueueRejection::Full | QueueRejection::TooLate));
        let lasted = (!at_once).then(|| begun.elapsed());
        for observer in &gateway.observers {
            observer.waited(&QueueWait { target, lasted, turned_away });
        }
    }
}
