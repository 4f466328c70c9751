//! A place at a target: at once, or after a short wait where nobody else is left.

#[cfg(test)]
mod tests;

use policy::{
    Refused, Target, Waiting, WhyNot,
    live::{Bounds, Clock, InFlight, TargetState},
};
use tokio::{
    select,
    sync::oneshot,
    time::{Instant, sleep_until},
};

use crate::{attempt::Turn, gateway::Gateway, meter::Meter, observe::Wait, pipeline::Ask};

/// Why a request got no place at a target that it would have waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TurnedAway {
    /// There was no room to wait.
    Full,
    /// Its turn would not have come in time.
    TooLate,
    /// It had to make room.
    Displaced,
    /// It waited in vain.
    Timeout,
}

impl TurnedAway {
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
    gateway: &Gateway,
    ask: &Ask,
    meter: &mut Meter,
    turn: &mut Turn<'_>,
) -> Result<InFlight, WhyNot> {
    let target = &turn.planned.target;
    let Some(limit) = turn.planned.concurrent else { return Ok(target.state.begin()) };
    if let Some(place) = target.state.try_begin(limit) {
        return Ok(place);
    }
    if !turn.last {
        return Err(WhyNot::Busy);
    }
    let (begun, queue) = (Instant::now(), ask.plan.terms.queue);
    let until = turn.deadline.min(begun + queue.wait.std());
    let (tenant, priority) = meter.class();
    let who = Waiting { tenant, priority, deadline: gateway.at(until) };
    let bounds = Bounds { limit, length: queue.length };
    let mut told = Told { gateway, target, begun, turned_away: None };
    let got = wait(&target.state, (who, until), bounds, || gateway.clock()).await;
    told.turned_away = got.as_ref().err().copied();
    let waited = begun.elapsed();
    meter.wait(waited);
    turn.first_content = turn.deadline.min(turn.first_content + waited);
    got.map_err(|_| WhyNot::Busy)
}

/// Waits in line until a moment, which is the waiter's deadline by the line's clock.
async fn wait(
    state: &TargetState,
    (who, until): (Waiting, Instant),
    bounds: Bounds,
    clock: impl FnOnce() -> Clock,
) -> Result<InFlight, TurnedAway> {
    let (give, place) = oneshot::channel();
    let give = Box::new(|place| give.send(place));
    let in_line = state.wait(who, bounds, clock, give).map_err(|refused| match refused {
        Refused::Full => TurnedAway::Full,
        Refused::TooLate => TurnedAway::TooLate,
    })?;
    // Time first: a place that comes too late goes on to the next, who may still have some.
    let got = select! {
        biased;
        () = sleep_until(until) => Err(TurnedAway::Timeout),
        got = place => got.map_err(|_| match Instant::now() < until {
            true => TurnedAway::Displaced,
            false => TurnedAway::Timeout,
        }),
    };
    drop(in_line);
    got
}

/// Tells observers of a wait when it has ended, also by a client that hung up.
struct Told<'a> {
    gateway: &'a Gateway,
    target: &'a Target,
    begun: Instant,
    turned_away: Option<TurnedAway>,
}

impl Drop for Told<'_> {
    fn drop(&mut self) {
        let Self { gateway, target, begun, turned_away } = *self;
        let at_once = matches!(turned_away, Some(TurnedAway::Full | TurnedAway::TooLate));
        let lasted = (!at_once).then(|| begun.elapsed());
        for observer in &gateway.observers {
            observer.waited(&Wait { target, lasted, turned_away });
        }
    }
}
