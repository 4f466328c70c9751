//! The attempts: one target after the other until one answers, nothing repeated once content was relayed.

mod failure;
mod opening;
mod prepare;
mod send;

use std::{sync::Arc, time::Duration};

use domain::AttemptOutcome;
use policy::{Credential, Planned, Verdict, verdict};
use tokio::time::Instant;

use self::{failure::Failure, send::try_once};
pub(crate) use self::{
    opening::{Kind, has_ended, output_estimate},
    send::Answer,
};
use crate::{gateway::Gateway, meter::Meter, pipeline::Ask, reply::Trouble};

/// Most attempts of one request: each one costs, and takes room in the spool, whatever the route lists.
const MAX_ATTEMPTS: usize = 32;
/// How soon after sending a connection ends that the provider had closed before. One that ends later was working.
const STALE_WITHIN: Duration = Duration::from_secs(1);

/// One try: where, with which credential, until when.
pub(crate) struct Try<'a> {
    pub(crate) planned: &'a Planned,
    pub(crate) credential: Option<&'a Arc<Credential>>,
    /// When the whole request must have ended.
    pub(crate) deadline: Instant,
    /// Until when this target has to show content.
    pub(crate) first_content: Instant,
}

/// Tries the plan's targets in order.
///
/// # Errors
/// What the client is told when none answered.
pub(crate) async fn first_success(
    gateway: &Arc<Gateway>,
    ask: &Ask,
    meter: &mut Meter,
) -> Result<Answer, Trouble> {
    let timeouts = &ask.plan.timeouts;
    let total = ask.options.timeout.map_or(timeouts.total.std(), |asked| asked.min(timeouts.total.std()));
    let deadline = Instant::now() + total;
    let mut last: Option<Failure> = None;
    for (position, planned) in ask.plan.attempts.iter().enumerate() {
        let left = ask.plan.attempts.len() - position;
        let first_content = Instant::now() + patience(ask, deadline, left);
        match try_target(gateway, ask, meter, Try { planned, credential: None, deadline, first_content })
            .await?
        {
            Ok(answer) => return Ok(answer),
            Err(failure) if failure.ends_the_request() || Instant::now() >= deadline || spent(meter) => {
                return Err(failure.after(last.as_ref()).trouble(meter.attempts()));
            }
            Err(failure) => last = Some(failure.after(last.as_ref())),
        }
    }
    let failure = last.unwrap_or_else(|| Failure::new(AttemptOutcome::NotSent, "the plan is empty"));
    Err(failure.trouble(meter.attempts()))
}

/// Whether the request has had all its attempts.
fn spent(meter: &Meter) -> bool {
    meter.attempts().len() >= MAX_ATTEMPTS
}

/// How long one target may take to show content.
///
/// A stream has the route's bound. A plain answer comes whole, after all of it was generated: it gets an even
/// share of what is left, so that a silent target leaves time for the next.
fn patience(ask: &Ask, deadline: Instant, targets_left: usize) -> Duration {
    let left = deadline.saturating_duration_since(Instant::now());
    if ask.facts.stream {
        return left.min(ask.plan.timeouts.first_token.std());
    }
    left / u32::try_from(targets_left.max(1)).unwrap_or(u32::MAX)
}

/// Whether an attempt failed as on a pooled connection that the provider had closed before.
fn was_stale(failure: &Failure, after: Duration) -> bool {
    failure.before_head && failure.outcome == AttemptOutcome::Cut && after < STALE_WITHIN
}

/// Tries one target with one credential after the other.
async fn try_target(
    gateway: &Arc<Gateway>,
    ask: &Ask,
    meter: &mut Meter,
    mut tried: Try<'_>,
) -> Result<Result<Answer, Failure>, Trouble> {
    let credentials = &tried.planned.credentials;
    let mut position = 0;
    let mut reconnected = false;
    let mut last: Option<Failure> = None;
    loop {
        tried.credential = credentials.get(position);
        let begun = Instant::now();
        let failure = match try_once(gateway, ask, meter, &tried).await? {
            Ok(answer) => return Ok(Ok(answer)),
            Err(failure) => failure.after(last.as_ref()),
        };
        // A pooled connection that the provider closed just now looks like a cut before the head: once more,
        // on a fresh connection, then the next target.
        match verdict(failure.outcome) {
            _ if !reconnected && was_stale(&failure, begun.elapsed()) => reconnected = true,
            Verdict::NextKey if position + 1 < credentials.len() => position += 1,
            Verdict::NextKey | Verdict::NextTarget | Verdict::Stop => return Ok(Err(failure)),
        }
        if Instant::now() >= tried.first_content || spent(meter) {
            return Ok(Err(failure));
        }
        last = Some(failure);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_provider_that_worked_on_it_is_not_asked_twice() {
        let failed = |before_head, outcome| Failure { before_head, ..Failure::new(outcome, "") };
        let at_once = Duration::from_millis(20);
        assert!(was_stale(&failed(true, AttemptOutcome::Cut), at_once));
        assert!(!was_stale(&failed(true, AttemptOutcome::Cut), STALE_WITHIN));
        assert!(!was_stale(&failed(false, AttemptOutcome::Cut), at_once));
        assert!(!was_stale(&failed(true, AttemptOutcome::Timeout), at_once));
    }
}
