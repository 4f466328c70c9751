//! Failover as a pure state machine: which target is tried next, with which credential, after which wait, and when a
//! request ends.
//!
//! [`Failover::on`] takes what happened and returns the next [`Step`]. The caller carries the step out (it has the
//! network, the clock and the source of randomness) and reports with the next [`Event`]. A target's turn goes
//! `AcquireSlot → ReserveCredential → Send`, and again for each further attempt there.

mod backoff;
mod credentials;

use std::{sync::Arc, time::Duration};

use domain::{Action, AttemptOutcome, FailureClass};

pub use self::credentials::{CredentialChange, CredentialSelector};
use crate::{
    credential_selection::CredentialChoice,
    endpoint::Credential,
    routing::{Plan, PlannedTarget, SkipReason, recheck},
    rules::Program,
    time::{Micros, Moment, micros},
};

/// Most attempts of one request: each one costs, and takes room in the usage spool, whatever the route lists.
pub const MAX_ATTEMPTS: usize = 32;
/// A pooled connection that fails within this time was probably closed by the provider while it was idle, so it is safe
/// to send again. A later failure may have reached the provider.
const STALE_WITHIN: Duration = Duration::from_secs(1);

/// What failover has to know of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FailoverRequest {
    /// The time that the client gives the whole request, where it says so; the route's own limit still applies.
    pub timeout: Option<Duration>,
    /// Whether the answer comes as a stream.
    pub stream: bool,
    /// Whether the call generates content, so that its answer can be judged and its prompt blocked by a filter.
    pub generates: bool,
    /// Tokens that an attempt may take of a credential's allowance.
    pub tokens: u64,
}

/// A failed attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failure {
    /// How it ended.
    pub outcome: AttemptOutcome,
    /// How long the provider wants to be left alone.
    pub retry_after: Option<Duration>,
    /// Whom the provider's answer blames.
    pub blame: Blame,
    /// Whether the connection ended before a response head.
    pub before_head: bool,
    /// Whether the provider answered that its filter blocks the prompt, and the caller keeps that answer: for the client
    /// it is better than an error.
    pub has_answer: bool,
}

/// The smallest thing that explains a provider's refusal or throttling.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Blame {
    /// The credential, for all models.
    #[default]
    Credential,
    /// The credential for the model that was asked.
    Model,
}

impl Failure {
    /// Whether an attempt failed as on a pooled connection that the provider had closed already; `after` is the time
    /// from sending to the failure.
    #[must_use]
    pub fn is_stale_connection(&self, after: Duration) -> bool {
        self.before_head && self.outcome == AttemptOutcome::Cut && after < STALE_WITHIN
    }
}

/// What happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// The request begins, or the last step is done and has no result.
    Proceed,
    /// There is a slot at the target, after a wait in its queue that does not count as the target's time.
    SlotAcquired {
        /// How long that wait was.
        waited: Duration,
    },
    /// The target is at its limit of concurrent requests, and no slot became free in time.
    SlotRefused,
    /// The credential's own limits have room.
    CredentialReserved,
    /// The credential is at the limits that the operator set for it.
    CredentialLimited {
        /// When it may be used.
        retry_after: Duration,
    },
    /// Nothing was sent: the target cannot express the request, or the credential could not sign it.
    NotSent {
        /// Why.
        why: String,
    },
    /// The attempt failed.
    Failed(Failure),
    /// The target answered, and the condition of its cascade step rejected the answer.
    Rejected,
    /// The gateway itself cannot go on.
    Aborted,
}

/// What to do next.
#[derive(Debug)]
pub enum Step<'p> {
    /// Note that a planned target is not tried; then [`Event::Proceed`].
    Skip {
        /// The target.
        planned: &'p PlannedTarget,
        /// Why not.
        why: SkipReason,
    },
    /// Take a concurrency slot at the target; then [`Event::SlotAcquired`] or [`Event::SlotRefused`].
    AcquireSlot {
        /// The target.
        planned: &'p PlannedTarget,
        /// Whether the next attempt is the target's half-open trial. It was taken; without an outcome it has to be
        /// returned.
        half_open: bool,
        /// Until when the request may wait for the slot. `None` if it may not, because another target is left.
        wait_until: Option<Micros>,
    },
    /// Take room under the credential's own limits; then [`Event::CredentialReserved`] or
    /// [`Event::CredentialLimited`].
    ReserveCredential(Arc<Credential>),
    /// Send; then [`Event::NotSent`], [`Event::Failed`], [`Event::Rejected`] or [`Event::Aborted`], or nothing more if
    /// the answer goes to the client.
    Send(Attempt<'p>),
    /// Report what a failure did to a credential; then [`Event::Proceed`].
    CredentialChanged(Arc<Credential>, CredentialChange),
    /// Wait so long before the repeat; then [`Event::Proceed`].
    Wait(Duration),
    /// Answer the client.
    Finish(Ending),
}

/// One attempt.
#[derive(Clone, Copy, Debug)]
pub struct Attempt<'p> {
    /// The target.
    pub planned: &'p PlannedTarget,
    /// When the target must have shown content.
    pub first_content: Micros,
    /// When the whole request must have ended.
    pub deadline: Micros,
    /// Latest time at which a filter's refusal in a successful response still causes failover. `None` if such refusals go
    /// to the client as they are.
    pub reroute_blocked_until: Option<Micros>,
    /// Which of these times are the client's own.
    pub client_deadline: ClientDeadline,
}

/// Where the client gives less time than the route does, so that a time-out says nothing about the target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClientDeadline {
    /// Up to the first content.
    pub before_content: bool,
    /// Up to the end.
    pub total: bool,
}

/// What the client gets where no target's answer was good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The last answer that a cascade rejected.
    RejectedAnswer,
    /// The last answer that says that a filter blocked the prompt.
    BlockedAnswer,
    /// An error that says why there is no answer.
    Error {
        /// The shortest time that a provider asked for.
        retry_after: Option<Duration>,
    },
    /// The error of the gateway itself.
    Aborted,
}

/// The state of one request's failover.
#[derive(Debug)]
pub struct Failover {
    request: FailoverRequest,
    /// When the whole request must have ended.
    deadline: Micros,
    /// Index of the current target in the plan.
    position: usize,
    /// Attempts so far.
    attempts: usize,
    turn: Turn,
    credentials: CredentialSelector,
    resume: Resume,
    /// The largest context that the request did not fit into.
    too_long_for: Option<u64>,
    has_rejected: bool,
    has_blocked: bool,
    /// The shortest time that a provider asked for.
    retry_after: Option<Duration>,
}

/// The turn of one target.
#[derive(Debug, Default)]
struct Turn {
    first_content: Micros,
    /// When the last attempt was sent.
    began: Micros,
    repeats: u32,
    /// Whether one attempt was sent again because its connection had been closed before.
    reconnected: bool,
    /// The last failure here, with the shortest time that any of them asked for.
    failure: Option<Failure>,
}

/// Where [`Event::Proceed`] goes on.
#[derive(Clone, Copy, Debug, Default)]
enum Resume {
    #[default]
    NextTarget,
    /// With the decision about a failure, which came so long after sending.
    Failed(Failure, Duration),
    /// With the repeat that was waited for.
    Repeat,
}

impl Failover {
    /// A request that begins now.
    #[must_use]
    pub fn new(plan: &Plan, request: FailoverRequest, now: Micros) -> Self {
        let limit = plan.terms.timeouts.total.std();
        let total = request.timeout.map_or(limit, |asked| asked.min(limit));
        Self {
            request,
            deadline: now.saturating_add(micros(total)),
            position: 0,
            attempts: 0,
            turn: Turn::default(),
            credentials: CredentialSelector::new(request.tokens),
            resume: Resume::default(),
            too_long_for: None,
            has_rejected: false,
            has_blocked: false,
            retry_after: None,
        }
    }

    /// The next step. The plan is the one that the request began with.
    pub fn on<'p>(&mut self, plan: &'p Plan, event: Event, moment: Moment) -> Step<'p> {
        let Some(planned) = plan.attempts.get(self.position) else { return self.finish() };
        let at = Place { plan, planned };
        match event {
            Event::Proceed => match std::mem::take(&mut self.resume) {
                Resume::NextTarget => self.begin_turn(at, moment.now),
                Resume::Failed(failure, after) => self.after_failure(at, failure, after, moment),
                Resume::Repeat => self.repeat(at, moment.now),
            },
            Event::SlotAcquired { waited } => {
                let first_content = self.turn.first_content.saturating_add(micros(waited));
                self.turn.first_content = first_content.min(self.deadline);
                self.select_credential(at, moment)
            }
            Event::SlotRefused => self.give_up(at, SkipReason::Busy, moment.now),
            Event::CredentialReserved => self.send(at, moment.now),
            Event::CredentialLimited { retry_after } => {
                self.credentials.limited(retry_after);
                self.select_credential(at, moment)
            }
            Event::NotSent { why } => self.not_sent(at, why, moment.now),
            Event::Failed(failure) => self.failed(at, failure, moment),
            Event::Rejected => {
                self.attempts += 1;
                self.has_rejected = true;
                if self.is_over(moment.now) { self.finish() } else { self.next_target(plan, moment.now) }
            }
            Event::Aborted if self.has_rejected || self.has_blocked => self.finish(),
            Event::Aborted => Step::Finish(Ending::Aborted),
        }
    }

    /// Begins the turn of the target, if it may be tried now.
    fn begin_turn<'p>(&mut self, at: Place<'p>, now: Micros) -> Step<'p> {
        let half_open = match self.admit(at.planned, now) {
            Ok(half_open) => half_open,
            Err(why) => return self.skip(at.planned, why),
        };
        let first_content = now.saturating_add(micros(self.first_content_timeout(at, now)));
        self.turn = Turn { first_content, ..Turn::default() };
        self.credentials.reset();
        self.acquire_slot(at, half_open, now)
    }

    fn next_target<'p>(&mut self, plan: &'p Plan, now: Micros) -> Step<'p> {
        self.position += 1;
        match plan.attempts.get(self.position) {
            Some(planned) => self.begin_turn(Place { plan, planned }, now),
            None => self.finish(),
        }
    }

    fn skip<'p>(&mut self, planned: &'p PlannedTarget, why: SkipReason) -> Step<'p> {
        self.position += 1;
        Step::Skip { planned, why }
    }

    /// Whether a target may be tried now, and whether that is its half-open trial.
    fn admit(&self, planned: &PlannedTarget, now: Micros) -> Result<bool, SkipReason> {
        if let (Some(had), Some(has)) = (self.too_long_for, planned.target.spec.context)
            && has <= had
        {
            return Err(SkipReason::ContextNotLarger);
        }
        recheck(planned, now)
    }

    /// How long the target may take to show content.
    ///
    /// A stream has the route's own limit. Any other answer arrives complete, after all of it was generated, and so does
    /// one that is judged first: it gets an even share of the time that is left, so that a silent target leaves time for
    /// the others.
    fn first_content_timeout(&self, at: Place<'_>, now: Micros) -> Duration {
        let left = Duration::from_micros(self.deadline.saturating_sub(now));
        if self.streams_to_client(at.planned) {
            return left.min(at.plan.terms.timeouts.first_token.std());
        }
        let targets = at.plan.attempts.len().saturating_sub(self.position).max(1);
        left / u32::try_from(targets).unwrap_or(u32::MAX)
    }

    /// Whether the answer goes to the client as it comes, because it is a stream and not judged first.
    fn streams_to_client(&self, planned: &PlannedTarget) -> bool {
        self.request.stream && self.accept_condition(planned).is_none()
    }

    fn accept_condition<'p>(&self, planned: &'p PlannedTarget) -> Option<&'p Program> {
        planned.accept.as_deref().filter(|_| self.request.generates)
    }

    fn acquire_slot<'p>(&self, at: Place<'p>, half_open: bool, now: Micros) -> Step<'p> {
        let longest = micros(at.plan.terms.queue.wait.std());
        let until = self.deadline.min(now.saturating_add(longest));
        let wait_until = self.is_last(at.plan).then_some(until);
        Step::AcquireSlot { planned: at.planned, half_open, wait_until }
    }

    fn select_credential<'p>(&mut self, at: Place<'p>, moment: Moment) -> Step<'p> {
        let credentials = at.planned.target.credentials();
        let last_resort = self.is_last(at.plan);
        match self.credentials.select(credentials, last_resort, moment) {
            CredentialChoice::NotNeeded => self.send(at, moment.now),
            CredentialChoice::Use(credential) => Step::ReserveCredential(credential),
            CredentialChoice::NoneLeft => {
                let why = self.credentials.none_left();
                self.give_up(at, why, moment.now)
            }
        }
    }

    fn send<'p>(&mut self, at: Place<'p>, now: Micros) -> Step<'p> {
        let planned = at.planned;
        // Counted only now: a target that was never sent a request must not earn retry budget.
        if self.turn.failure.is_none() {
            planned.target.state.first(now);
        }
        self.turn.began = now;
        Step::Send(Attempt {
            planned,
            first_content: self.turn.first_content,
            deadline: self.deadline,
            reroute_blocked_until: self.reroute_blocked_until(at.plan),
            client_deadline: self.client_deadline(at),
        })
    }

    fn reroute_blocked_until(&self, plan: &Plan) -> Option<Micros> {
        let goes_on = match plan.terms.action(FailureClass::ContentFilter) {
            Action::Stop => false,
            Action::NextTarget | Action::LargerContext => !self.is_last(plan),
            Action::NextKey | Action::Retry => true,
        };
        (goes_on && self.request.generates).then_some(self.turn.first_content)
    }

    /// A stream's first content has the route's own limit as long as that one is the earlier: silence for so long is the
    /// target's fault, whatever the client says.
    fn client_deadline(&self, at: Place<'_>) -> ClientDeadline {
        let total = self.request.timeout.is_some_and(|asked| asked < at.plan.terms.timeouts.total.std());
        let limited_by_route = self.streams_to_client(at.planned) && self.turn.first_content < self.deadline;
        ClientDeadline { before_content: total && !limited_by_route, total }
    }

    /// The target cannot be tried, or not again: the turn ends with the failure before, if there was one.
    fn give_up<'p>(&mut self, at: Place<'p>, why: SkipReason, now: Micros) -> Step<'p> {
        match self.turn.failure {
            None => self.skip(at.planned, why),
            Some(failure) => self.end_turn(at, &failure, now),
        }
    }

    /// Nothing was sent, for a reason that another attempt at the same target does not change.
    fn not_sent<'p>(&mut self, at: Place<'p>, why: String, now: Micros) -> Step<'p> {
        let is_over = self.is_over(now);
        if self.turn.failure.is_some() {
            return if is_over { self.finish() } else { self.next_target(at.plan, now) };
        }
        if is_over {
            self.position = at.plan.attempts.len();
            return Step::Skip { planned: at.planned, why: SkipReason::Unusable(why) };
        }
        self.skip(at.planned, SkipReason::Unusable(why))
    }

    fn failed<'p>(&mut self, at: Place<'p>, failure: Failure, moment: Moment) -> Step<'p> {
        self.attempts += 1;
        self.has_blocked |= failure.has_answer;
        self.retry_after = earlier(self.retry_after, failure.retry_after);
        let after = Duration::from_micros(moment.now.saturating_sub(self.turn.began));
        // The credential is judged by its own answer alone; the target by all of them.
        let change = self.credentials.on_failure(&failure, &at.planned.target.state, moment);
        let before = self.turn.failure.and_then(|before| before.retry_after);
        let failure = Failure { retry_after: earlier(before, failure.retry_after), ..failure };
        self.turn.failure = Some(failure);
        match change {
            Some((credential, change)) => {
                self.resume = Resume::Failed(failure, after);
                Step::CredentialChanged(credential, change)
            }
            None => self.after_failure(at, failure, after, moment),
        }
    }

    /// What follows a failure, which came `after` so long.
    fn after_failure<'p>(
        &mut self,
        at: Place<'p>,
        failure: Failure,
        after: Duration,
        moment: Moment,
    ) -> Step<'p> {
        if moment.now >= self.turn.first_content || self.attempts >= MAX_ATTEMPTS {
            return self.end_turn(at, &failure, moment.now);
        }
        // A pooled connection that the provider had just closed fails before the response head. The attempt is sent
        // once more, on a fresh connection, which does not count as a repeat.
        if !self.turn.reconnected && failure.is_stale_connection(after) {
            self.turn.reconnected = true;
            return self.acquire_slot(at, false, moment.now);
        }
        let credentials = at.planned.target.credentials();
        match action(at.plan, failure.outcome) {
            Some(Action::NextKey) if self.credentials.has_more(credentials, moment.now) => {
                self.acquire_slot(at, false, moment.now)
            }
            // A model that is refused to every credential is refused a second later as well.
            Some(Action::NextKey)
                if failure.outcome == AttemptOutcome::BadCredential && failure.blame == Blame::Model =>
            {
                self.end_turn(at, &failure, moment.now)
            }
            Some(Action::NextKey | Action::Retry) if self.is_last(at.plan) => {
                match self.wait_before_repeat(at, &failure, moment) {
                    Some(wait) => {
                        self.resume = Resume::Repeat;
                        Step::Wait(wait)
                    }
                    None => self.end_turn(at, &failure, moment.now),
                }
            }
            _ => self.end_turn(at, &failure, moment.now),
        }
    }

    /// How long to wait before the same target is tried again. `None` if it is not.
    fn wait_before_repeat(&mut self, at: Place<'_>, failure: &Failure, moment: Moment) -> Option<Duration> {
        self.credentials.start_over();
        self.turn.repeats += 1;
        let retry = &at.plan.terms.retry;
        if self.turn.repeats >= retry.attempts {
            return None;
        }
        let wait = backoff::wait(self.turn.repeats, failure.retry_after, moment.draw)?;
        let in_time = moment.now.saturating_add(micros(wait)) < self.turn.first_content;
        (in_time && at.planned.target.state.repeat(moment.now, retry.budget)).then_some(wait)
    }

    /// Tries the same target again, unless it was ejected during the wait.
    fn repeat<'p>(&mut self, at: Place<'p>, now: Micros) -> Step<'p> {
        match recheck(at.planned, now) {
            Ok(half_open) => self.acquire_slot(at, half_open, now),
            Err(why) => self.give_up(at, why, now),
        }
    }

    /// The target's turn ends with a failure.
    fn end_turn<'p>(&mut self, at: Place<'p>, failure: &Failure, now: Micros) -> Step<'p> {
        if failure.outcome == AttemptOutcome::ContextTooLong {
            self.too_long_for = self.too_long_for.max(at.planned.target.spec.context);
        }
        // A step that asks for more than the client did may itself be the reason for the refusal; the next step shows
        // whether it was.
        let adds_logprobs = || self.accept_condition(at.planned).is_some_and(Program::needs_logprobs);
        let stop = action(at.plan, failure.outcome) == Some(Action::Stop) && !adds_logprobs();
        if stop || self.is_over(now) { self.finish() } else { self.next_target(at.plan, now) }
    }

    fn finish<'p>(&self) -> Step<'p> {
        Step::Finish(if self.has_rejected {
            Ending::RejectedAnswer
        } else if self.has_blocked {
            Ending::BlockedAnswer
        } else {
            Ending::Error { retry_after: self.retry_after }
        })
    }

    /// Whether no other target of the plan is left.
    fn is_last(&self, plan: &Plan) -> bool {
        self.position + 1 >= plan.attempts.len()
    }

    /// Whether the request has had all its time or all its attempts.
    const fn is_over(&self, now: Micros) -> bool {
        now >= self.deadline || self.attempts >= MAX_ATTEMPTS
    }
}

/// The current target, in its plan.
#[derive(Clone, Copy)]
struct Place<'p> {
    plan: &'p Plan,
    planned: &'p PlannedTarget,
}

/// What the route does about an outcome. `None` if that is not for the route to decide.
fn action(plan: &Plan, outcome: AttemptOutcome) -> Option<Action> {
    FailureClass::of(outcome).map(|class| plan.terms.action(class))
}

fn earlier(one: Option<Duration>, other: Option<Duration>) -> Option<Duration> {
    one.into_iter().chain(other).min()
}
