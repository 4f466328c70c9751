//! A place at a target: at once, or after a short wait where nobody else is left.

#[cfg(test)]
mod tests;

use policy::{
    EnqueueError, SkipReason, Target, WaitRequest,
    health::{Clock, ConcurrencyPermit, QueueLimits, TargetState},
};
use tokio::{
    select,
    sync::oneshot,
    time::{Instant, sleep_until},
};

use crate::{
    attempt::TargetTurn, gateway::ProxyState, meter::Meter, observe::QueueWait, pipeline::LlmRequest,
};

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

/// Takes a place at a turn's target; what was waited for it does not count as the target's time.
pub(crate) async fn enter(
    gateway: &ProxyState,
    ask: &LlmRequest,
    meter: &mut Meter,
    turn: &mut TargetTurn<'_>,
) -> Result<ConcurrencyPermit, SkipReason> {
    let target = &turn.planned.target;
    let Some(limit) = turn.planned.concurrent else { return Ok(target.state.begin()) };
    if let Some(place) = target.state.try_begin(limit) {
        return Ok(place);
    }
    if !turn.last {
        return Err(SkipReason::Busy);
    }
    let (begun, queue) = (Instant::now(), ask.plan.terms.queue);
    let until = turn.deadline.min(begun + queue.wait.std());
    let (tenant, priority) = meter.class();
    let who = WaitRequest { tenant, priority, deadline: gateway.at(until) };
    let bounds = QueueLimits { limit, length: queue.length };
    let mut told = QueueWaitReport { gateway, target, begun, turned_away: None };
    let got = wait(&target.state, (who, until), bounds, || gateway.clock()).await;
    told.turned_away = got.as_ref().err().copied();
    let waited = begun.elapsed();
    meter.wait(waited);
    turn.first_content = turn.deadline.min(turn.first_content + waited);
    got.map_err(|_| SkipReason::Busy)
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
