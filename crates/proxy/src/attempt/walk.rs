//! What a request remembers from target to target, and when it may ask the same one again.

use std::{sync::Arc, time::Duration};

use domain::{Action, AttemptOutcome, FailureClass};
use policy::{PlannedTarget, SkipReason, Target, health::Micros};
use tokio::time::Instant;

use super::{HalfOpenPermit, TargetTurn, UpstreamResponse, failure::AttemptError, pause};
use crate::{
    error::GatewayError,
    meter::{AttemptRef, Meter},
    request::LlmRequest,
    state::ProxyState,
};

/// The first wait before a repeat; each further one is twice as long, drawn between half and all of it.
const FIRST_WAIT: Duration = Duration::from_millis(100);
/// A provider that wants to be left alone for longer is not waited for.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// What is remembered.
#[derive(Default)]
pub(super) struct FailoverState {
    last: Option<AttemptError>,
    /// The target with the largest context that the request was too long for.
    too_long_for: Option<Arc<Target>>,
    /// The last whole answer that was not accepted, and whose it is: better than none.
    rejected: Option<Box<(UpstreamResponse, AttemptRef)>>,
}

impl FailoverState {
    /// Whether a target may be tried now, and whether that is its trial.
    pub(super) fn may(
        &self,
        planned: &PlannedTarget,
        now: Micros,
    ) -> Result<Option<HalfOpenPermit>, SkipReason> {
        let context = |target: &Target| target.spec.context;
        if let Some(tried) = &self.too_long_for
            && let (Some(had), Some(has)) = (context(tried), context(&planned.target))
            && has <= had
        {
            return Err(SkipReason::ContextNotLarger);
        }
        still(planned, now)
    }

    /// A target failed.
    pub(super) fn failed(&mut self, planned: &PlannedTarget, failure: AttemptError) {
        if failure.outcome == AttemptOutcome::ContextTooLong {
            let context = |target: &Arc<Target>| target.spec.context;
            let larger = self.too_long_for.as_ref().is_none_or(|had| context(had) < context(&planned.target));
            if larger {
                self.too_long_for = Some(Arc::clone(&planned.target));
            }
        }
        self.last = Some(failure.after(self.last.take()));
    }

    /// A target answered, and that was not good enough.
    pub(super) fn rejected(&mut self, answer: Box<UpstreamResponse>, meter: &Meter) {
        self.rejected = Some(Box::new((*answer, meter.last_attempt())));
    }

    /// Whether there is an answer for want of a better one.
    pub(super) fn has_answer(&self) -> bool {
        self.rejected.is_some() || self.last.as_ref().is_some_and(|failure| failure.answer.is_some())
    }

    /// What the client gets where no answer was good: one that was not accepted, else one that says that a filter
    /// refused the prompt, or why there is none.
    pub(super) fn end(
        mut self,
        ask: &LlmRequest,
        meter: &mut Meter,
    ) -> Result<UpstreamResponse, GatewayError> {
        let blocked = self.last.as_mut().and_then(|failure| failure.answer.take());
        if let Some(answer) = self.rejected.or(blocked) {
            let (answer, kept) = *answer;
            meter.answer_with(kept);
            return Ok(answer);
        }
        let none = || AttemptError::passed_over(meter.passed_over());
        let passed = ask.plan.passed_over.iter().chain(meter.passed_over());
        Err(self.last.unwrap_or_else(none).trouble(meter.attempts(), passed))
    }
}

/// Until when at most the request stays at a target whose filter refuses its prompt inside an answer; `None`: it does not
/// go on, and that answer is one like any.
pub(super) fn sends_on(ask: &LlmRequest, turn: &TargetTurn<'_>) -> Option<Instant> {
    let goes_on = match ask.plan.terms.action(FailureClass::ContentFilter) {
        Action::Stop => false,
        Action::NextTarget | Action::LargerContext => !turn.last,
        Action::NextKey | Action::Retry => true,
    };
    (goes_on && ask.api.generates()).then_some(turn.first_content)
}

/// Whether a target may still be used, and whether that is its trial.
fn still(planned: &PlannedTarget, now: Micros) -> Result<Option<HalfOpenPermit>, SkipReason> {
    policy::still(planned, now).map(|trial| trial.then(|| HalfOpenPermit::new(&planned.target)))
}

/// Whether the same target is asked again, perhaps as its trial; waits before it if so.
pub(super) async fn repeat(
    (gateway, ask): (&ProxyState, &LlmRequest),
    meter: &mut Meter,
    turn: &mut TargetTurn<'_>,
    (repeats, retry_after): (u32, Option<Duration>),
) -> bool {
    let retry = &ask.plan.terms.retry;
    if repeats >= retry.attempts {
        return false;
    }
    let wait = match retry_after {
        Some(asked) if asked > LONGEST_WAIT => return false,
        Some(asked) if !asked.is_zero() => asked,
        _ => drawn(FIRST_WAIT.saturating_mul(1 << repeats.min(6)), gateway.live.draw()),
    };
    if Instant::now() + wait >= turn.first_content
        || !turn.planned.target.state.repeat(gateway.now(), retry.budget)
    {
        return false;
    }
    pause(meter, wait).await;
    // Meanwhile others may have found it dead.
    let still = still(turn.planned, gateway.now());
    still.map(|trial| turn.trial = trial).is_ok()
}

/// Between half of a wait and all of it, so that those who failed together do not come back together.
fn drawn(wait: Duration, draw: u64) -> Duration {
    let half = wait / 2;
    let spread = u64::try_from(half.as_micros()).unwrap_or(u64::MAX).max(1);
    half + Duration::from_micros(draw % spread)
}
