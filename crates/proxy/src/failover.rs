//! Failover of one request: carries out the steps that [`policy::failover`] decides on.

mod ending;

use std::{sync::Arc, time::Duration};

use policy::{
    Credential, Plan, PlannedTarget,
    failover::{self, Ending, Event, FailoverRequest, Step},
    health::{ConcurrencyPermit, Micros, Moment, QueueLimits},
};
use tokio::time::{Instant, sleep};

use self::ending::NoAnswer;
use crate::{
    admission::{SlotRequest, acquire_slot},
    attempt::{
        Attempt, AttemptError, AttemptResources, Deadlines, KeptResponse, Response, TargetTurn,
        UpstreamResponse, lease_credential, needed_tokens, report_change,
    },
    error::GatewayError,
    health::{AttemptPermit, CredentialLease, HalfOpenPermit},
    meter::Meter,
    request::LlmRequest,
    state::ProxyState,
};

/// Sends a request to the targets of its plan, one after the other, until one of them answers. Nothing is repeated once
/// content was relayed.
///
/// # Errors
/// What the client is told when none answered.
pub(crate) async fn send(
    proxy: &Arc<ProxyState>,
    request: &LlmRequest,
    meter: &mut Meter,
) -> Result<UpstreamResponse, GatewayError> {
    Failover::new(proxy, request, meter).run().await
}

/// A request and the state of its failover.
struct Failover<'a> {
    proxy: &'a Arc<ProxyState>,
    request: &'a LlmRequest,
    meter: &'a mut Meter,
    state: failover::Failover,
    /// Tokens that an attempt may take of a credential's allowance.
    tokens: u64,
    start: Start,
    /// What the next attempt has so far.
    next: NextAttempt,
    /// The last response that a cascade rejected.
    rejected: Option<Box<KeptResponse>>,
    /// The last response that says that a filter blocked the prompt.
    blocked: Option<Box<KeptResponse>>,
    /// Why the last attempt failed.
    error: Option<AttemptError>,
    /// What providers said of the attempts, by their number; at most [`failover::MAX_ATTEMPTS`].
    said: Vec<(u32, String)>,
}

/// One moment on both clocks.
#[derive(Clone, Copy)]
struct Start {
    instant: Instant,
    micros: Micros,
}

impl Start {
    /// A moment that is not before this one.
    fn instant(self, at: Micros) -> Instant {
        self.instant + Duration::from_micros(at.saturating_sub(self.micros))
    }
}

/// What the next attempt has so far. Whatever is dropped unused goes to another request.
#[derive(Default)]
struct NextAttempt {
    half_open: Option<HalfOpenPermit>,
    slot: Option<ConcurrencyPermit>,
    credential: Option<CredentialLease>,
}

impl<'a> Failover<'a> {
    fn new(proxy: &'a Arc<ProxyState>, request: &'a LlmRequest, meter: &'a mut Meter) -> Self {
        let instant = Instant::now();
        let start = Start { instant, micros: proxy.at(instant) };
        let tokens = needed_tokens(request);
        let facts = FailoverRequest {
            timeout: request.options.timeout,
            stream: request.facts.stream,
            generates: request.api.generates(),
            tokens,
        };
        Self {
            proxy,
            request,
            meter,
            state: failover::Failover::new(&request.plan, facts, start.micros),
            tokens,
            start,
            next: NextAttempt::default(),
            rejected: None,
            blocked: None,
            error: None,
            said: Vec::new(),
        }
    }

    async fn run(mut self) -> Result<UpstreamResponse, GatewayError> {
        let plan: &Plan = &self.request.plan;
        let mut event = Event::Proceed;
        loop {
            let moment = Moment { now: self.proxy.now(), draw: self.proxy.live.draw() };
            event = match self.state.on(plan, event, moment) {
                Step::Skip { planned, why } => {
                    self.next = NextAttempt::default();
                    self.meter.pass_over(planned, why);
                    Event::Proceed
                }
                Step::AcquireSlot { planned, half_open, wait_until } => {
                    self.acquire_slot(planned, half_open, wait_until).await
                }
                Step::ReserveCredential(credential) => self.reserve(credential).await,
                Step::Send(attempt) => match self.try_once(&attempt).await {
                    Ok(response) => return Ok(response),
                    Err(event) => event,
                },
                Step::CredentialChanged(credential, change) => {
                    let status = self.error.as_ref().and_then(AttemptError::status);
                    report_change(self.proxy, &credential, change, status);
                    Event::Proceed
                }
                Step::Wait(wait) => {
                    // The time is not part of the gateway's own overhead.
                    let waiting = Instant::now();
                    sleep(wait).await;
                    self.meter.wait(waiting.elapsed());
                    Event::Proceed
                }
                Step::Finish(ending) => return self.finish(ending),
            };
        }
    }

    /// Takes a slot at the target, before the credential: a request that waits for a slot must not keep a credential
    /// from others.
    async fn acquire_slot(
        &mut self,
        planned: &PlannedTarget,
        half_open: bool,
        wait_until: Option<Micros>,
    ) -> Event {
        let target = &planned.target;
        let half_open = half_open.then(|| HalfOpenPermit::new(target));
        self.next = NextAttempt { half_open, ..NextAttempt::default() };
        let Some(limit) = planned.concurrent else {
            self.next.slot = Some(target.state.begin());
            return Event::SlotAcquired { waited: Duration::ZERO };
        };
        let waiting = Instant::now();
        let slot = SlotRequest {
            target,
            limits: QueueLimits { limit, length: self.request.plan.terms.queue.length },
            class: self.meter.queue_class(),
            wait_until: wait_until.map(|until| self.start.instant(until)),
        };
        let acquired = acquire_slot(self.proxy, slot).await;
        let waited = waiting.elapsed();
        self.meter.wait(waited);
        match acquired {
            Ok(slot) => {
                self.next.slot = Some(slot);
                Event::SlotAcquired { waited }
            }
            Err(_) => Event::SlotRefused,
        }
    }

    async fn reserve(&mut self, credential: Arc<Credential>) -> Event {
        match lease_credential(self.proxy, credential, self.meter.request(), self.tokens).await {
            Ok(lease) => {
                self.next.credential = Some(lease);
                Event::CredentialReserved
            }
            Err(retry_after) => Event::CredentialLimited { retry_after },
        }
    }

    /// Makes one attempt.
    ///
    /// # Errors
    /// How it ended without a response for the client.
    async fn try_once(&mut self, attempt: &failover::Attempt<'_>) -> Result<UpstreamResponse, Event> {
        let planned = attempt.planned;
        let NextAttempt { half_open, slot, credential } = std::mem::take(&mut self.next);
        let permit = AttemptPermit {
            in_flight: slot.unwrap_or_else(|| planned.target.state.begin()),
            trial: half_open,
            client_deadline: attempt.client_deadline,
            probe: false,
        };
        let turn = TargetTurn {
            planned,
            deadlines: Deadlines {
                total: self.start.instant(attempt.deadline),
                first_content: self.start.instant(attempt.first_content),
            },
            reroute_blocked_until: attempt.reroute_blocked_until.map(|until| self.start.instant(until)),
        };
        let attempt = Attempt { proxy: self.proxy, request: self.request, meter: &mut *self.meter, turn };
        match attempt.send(AttemptResources { credential, permit }).await {
            Ok(Response::Answer(response)) => Ok(response),
            Ok(Response::Rejected(response)) => {
                self.rejected = Some(Box::new(response));
                Err(Event::Rejected)
            }
            Err(error) => Err(self.on_error(error, planned)),
        }
    }

    fn on_error(&mut self, error: AttemptError, planned: &PlannedTarget) -> Event {
        let event = match error {
            AttemptError::Gateway(_) => Event::Aborted,
            AttemptError::Unsupported(_) | AttemptError::Unsigned { .. } => {
                Event::NotSent { why: error.detail().to_owned() }
            }
            _ => Event::Failed(error.failure(planned.target.endpoint.row)),
        };
        if let Some(message) = error.words() {
            let number = self.meter.attempts().last().map_or(0, |attempt| attempt.number);
            self.said.push((number, message));
        }
        match error {
            AttemptError::Blocked(response) => self.blocked = Some(response),
            error => self.error = Some(error),
        }
        event
    }

    /// What the client gets where no answer was good.
    fn finish(self, ending: Ending) -> Result<UpstreamResponse, GatewayError> {
        let Self { request, meter, .. } = self;
        let (kept, retry_after) = match ending {
            Ending::RejectedAnswer => (self.rejected, None),
            Ending::BlockedAnswer => (self.blocked, None),
            Ending::Error { retry_after } => (None, retry_after),
            Ending::Aborted => (None, None),
        };
        if let Some(kept) = kept {
            let KeptResponse { response, attempt } = *kept;
            meter.answer_with(attempt);
            return Ok(response);
        }
        let no_answer = NoAnswer {
            attempts: meter.attempts(),
            said: &self.said,
            skipped_by_plan: &request.plan.passed_over,
            skipped: meter.passed_over(),
        };
        Err(match self.error {
            Some(error) => no_answer.after(error, retry_after),
            None => no_answer.nothing_sent(),
        })
    }
}
