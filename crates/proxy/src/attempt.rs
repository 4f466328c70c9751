//! The attempts: one target after the other until one answers, nothing repeated once content was relayed.

mod cascade;
mod failure;
mod keys;
mod opening;
mod prepare;
mod probing;
mod send;
mod slot;
mod walk;

use std::{sync::Arc, time::Duration};

use domain::{Action, AttemptOutcome, FailureClass};
use policy::{PlannedTarget, SkipReason};
use tokio::time::{Instant, sleep};

use self::{
    failure::AttemptError,
    keys::{CredentialSelector, Selection},
    send::try_once,
    slot::acquire_slot,
    walk::FailoverState,
};
pub(crate) use self::{
    failure::by_status,
    opening::{UpstreamBody, has_ended, output_estimate},
    probing::probe,
    send::UpstreamResponse,
};
use crate::{
    error::GatewayError,
    health::{AttemptPermit, ClientDeadline, CredentialLease, HalfOpenPermit, OutcomeReporter},
    meter::Meter,
    request::LlmRequest,
    state::ProxyState,
};

/// Most attempts of one request: each one costs, and takes room in the spool, whatever the route lists.
const MAX_ATTEMPTS: usize = 32;
/// How soon after sending a connection ends that the provider had closed before. One that ends later was working.
const STALE_WITHIN: Duration = Duration::from_secs(1);

/// One target's turn: until when, and what has been tried there.
pub(crate) struct TargetTurn<'a> {
    pub(crate) planned: &'a PlannedTarget,
    /// When the whole request must have ended.
    pub(crate) deadline: Instant,
    /// Until when this target has to show content.
    pub(crate) first_content: Instant,
    /// Whether no other target could still be tried.
    pub(crate) last: bool,
    /// The first attempt of the turn finds out whether the target is back.
    pub(crate) trial: Option<HalfOpenPermit>,
}

/// Tries the plan's targets in order.
///
/// # Errors
/// What the client is told when none answered.
pub(crate) async fn first_success(
    gateway: &Arc<ProxyState>,
    ask: &LlmRequest,
    meter: &mut Meter,
) -> Result<UpstreamResponse, GatewayError> {
    let timeouts = &ask.plan.terms.timeouts;
    let total = ask.options.timeout.map_or(timeouts.total.std(), |asked| asked.min(timeouts.total.std()));
    let deadline = Instant::now() + total;
    let mut walk = FailoverState::default();
    for (position, planned) in ask.plan.attempts.iter().enumerate() {
        let trial = match walk.may(planned, gateway.now()) {
            Ok(trial) => trial,
            Err(why) => {
                meter.pass_over(planned, why);
                continue;
            }
        };
        let left = ask.plan.attempts.len() - position;
        let now = Instant::now();
        let first_content = now + patience(ask, planned, deadline.saturating_duration_since(now), left);
        let turn = TargetTurn { planned, deadline, first_content, last: left == 1, trial };
        let before = meter.attempts().len();
        let tried = match try_target(gateway, ask, meter, turn).await {
            Ok(tried) => tried,
            Err(_) if walk.has_answer() => break,
            Err(trouble) => return Err(trouble),
        };
        match tried {
            TargetOutcome::Answered(answer) if answer.rejected => {
                walk.rejected(answer, meter);
                if Instant::now() >= deadline || spent(meter) {
                    break;
                }
            }
            TargetOutcome::Answered(answer) => return Ok(*answer),
            TargetOutcome::SkippedTarget(why) => meter.pass_over(planned, why),
            TargetOutcome::Failed(failure) => {
                if meter.attempts().len() == before {
                    meter.pass_over(planned, SkipReason::Unusable(failure.detail.clone()));
                }
                let stop =
                    matches!(action(ask, &failure), Some(Action::Stop)) && !cascade::edits(ask, planned);
                walk.failed(planned, *failure);
                if stop || Instant::now() >= deadline || spent(meter) {
                    break;
                }
            }
        }
    }
    walk.end(ask, meter)
}

/// How a target's turn ended.
enum TargetOutcome {
    Answered(Box<UpstreamResponse>),
    /// Nothing was sent.
    SkippedTarget(SkipReason),
    Failed(Box<AttemptError>),
}

impl TargetOutcome {
    /// Not tried, or not again after a failure.
    fn not(why: SkipReason, last: Option<AttemptError>) -> Self {
        last.map_or(Self::SkippedTarget(why), |failure| Self::Failed(Box::new(failure)))
    }
}

impl TargetTurn<'_> {
    /// Where the client gives less time than the route. A stream's first content has the route's own bound as long as
    /// that is the sooner one: silence for so long is the target's fault, whatever the client says.
    fn haste(&self, ask: &LlmRequest) -> ClientDeadline {
        let total = ask.plan.terms.timeouts.total.std();
        let whole = ask.options.timeout.is_some_and(|asked| asked < total);
        let streams = ask.facts.stream && cascade::condition(ask, self.planned).is_none();
        ClientDeadline {
            before_content: whole && !(streams && self.first_content < self.deadline),
            total: whole,
        }
    }
}

/// Whether the request has had all its attempts.
fn spent(meter: &Meter) -> bool {
    meter.attempts().len() >= MAX_ATTEMPTS
}

/// What the route wants done about a failure; `None`: only what is not the route's to decide.
fn action(ask: &LlmRequest, failure: &AttemptError) -> Option<Action> {
    FailureClass::of(failure.outcome).map(|class| ask.plan.terms.action(class))
}

/// How long one target may take to show content, of the time that is left.
///
/// A stream has the route's bound. A plain answer comes whole, after all of it was generated, and so does one that is
/// judged first: it gets an even share of what is left, so that a silent target leaves time for the next.
fn patience(ask: &LlmRequest, planned: &PlannedTarget, left: Duration, targets_left: usize) -> Duration {
    if ask.facts.stream && cascade::condition(ask, planned).is_none() {
        return left.min(ask.plan.terms.timeouts.first_token.std());
    }
    left / u32::try_from(targets_left.max(1)).unwrap_or(u32::MAX)
}

/// Whether an attempt failed as on a pooled connection that the provider had closed before.
fn was_stale(failure: &AttemptError, after: Duration) -> bool {
    failure.before_head && failure.outcome == AttemptOutcome::Cut && after < STALE_WITHIN
}

/// Tries one target: with one key after the other, and again after a wait where no other target is left.
async fn try_target(
    gateway: &Arc<ProxyState>,
    ask: &LlmRequest,
    meter: &mut Meter,
    mut turn: TargetTurn<'_>,
) -> Result<TargetOutcome, GatewayError> {
    let mut keys = CredentialSelector::new(turn.planned, ask, turn.last);
    let (mut reconnected, mut repeats) = (false, 0);
    let mut last: Option<AttemptError> = None;
    loop {
        // The place first: who waits for one must not keep a key from others.
        let in_flight = match acquire_slot(gateway, ask, meter, &mut turn).await {
            Ok(in_flight) => in_flight,
            Err(why) => return Ok(TargetOutcome::not(why, last)),
        };
        let signer = match keys.next(gateway, meter.request()).await {
            Selection::Sign(signer) => signer,
            Selection::NoneLeft(why) => return Ok(TargetOutcome::not(why, last)),
        };
        // Not sooner: whom nothing is sent to has no share in the budget of repeats.
        if last.is_none() {
            turn.planned.target.state.first(gateway.now());
        }
        let seat = AttemptPermit {
            in_flight,
            trial: turn.trial.take(),
            client_deadline: turn.haste(ask),
            probe: false,
        };
        let begun = Instant::now();
        let failure = match try_once(gateway, ask, meter, (&turn, signer, seat)).await? {
            Ok(answer) => return Ok(TargetOutcome::Answered(Box::new(answer))),
            Err(failure) => failure,
        };
        // Before it is one with those of other keys: each rests as long as its own answer said.
        keys.failed(gateway, &failure);
        let failure = failure.after(last.take());
        if Instant::now() >= turn.first_content || spent(meter) {
            return Ok(TargetOutcome::Failed(Box::new(failure)));
        }
        // A pooled connection that the provider closed just now looks like a cut before the head: once more, on a
        // fresh connection, which is no repeat.
        if !reconnected && was_stale(&failure, begun.elapsed()) {
            reconnected = true;
            last = Some(failure);
            continue;
        }
        let again = match action(ask, &failure) {
            Some(Action::NextKey) if keys.has_more(gateway) => true,
            Some(Action::NextKey | Action::Retry) if turn.last => {
                keys.start_over();
                repeats += 1;
                walk::repeat((gateway, ask), meter, &mut turn, (repeats, failure.retry_after)).await
            }
            _ => false,
        };
        if !again {
            return Ok(TargetOutcome::Failed(Box::new(failure)));
        }
        last = Some(failure);
    }
}

/// Waits before a repeat; what is waited for is not the gateway's own share.
async fn pause(meter: &mut Meter, wait: Duration) {
    let waiting = Instant::now();
    sleep(wait).await;
    meter.wait(waiting.elapsed());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_provider_that_worked_on_it_is_not_asked_twice() {
        let failed = |before_head, outcome| AttemptError { before_head, ..AttemptError::new(outcome, "") };
        let at_once = Duration::from_millis(20);
        assert!(was_stale(&failed(true, AttemptOutcome::Cut), at_once));
        assert!(!was_stale(&failed(true, AttemptOutcome::Cut), STALE_WITHIN));
        assert!(!was_stale(&failed(false, AttemptOutcome::Cut), at_once));
        assert!(!was_stale(&failed(true, AttemptOutcome::Timeout), at_once));
    }
}
