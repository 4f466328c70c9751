//! The account of one request: an intent before each attempt is sent, one usage event at the end, whatever ends it.

mod judged;
mod notes;
mod running;

use std::{sync::Arc, time::Duration};

use coordination::Permit;
use domain::{
    Attempt, AttemptOutcome, Attribution, CacheHit, ErrorKind, Intent, Money, Priority, RequestId,
    RequestOutcome, ResourceId, Timestamp, Usage, UsageEvent,
};
use http::{HeaderMap, HeaderValue, StatusCode};
use policy::{Bound, PlannedTarget, SkipReason, SkippedTarget};
use tokio::time::Instant;
use wire::{Dialect, StreamSummary};

pub(crate) use self::judged::AttemptRef;
use upstream::SentFlag;
use usage_spool::SpoolError;

use self::running::ActiveAttempt;
use crate::{
    attempt::OutcomeReporter,
    explain::RoutingTrace,
    gateway::ActiveStreamGuard,
    observe::{AttemptTarget, CLIENT_CLOSED, RequestContext, RequestTimings},
    reply::GatewayError,
};

/// Most tokens that a request can have cost; a provider that says more is mistaken, and its word is no account.
const MOST_TOKENS: u64 = 1_000_000_000;

/// What is known of a request before its first attempt.
pub(crate) struct MeterContext {
    pub(crate) attribution: Attribution,
    pub(crate) api: &'static str,
    pub(crate) stream: bool,
    pub(crate) route: String,
    /// The rule that chose the pool.
    pub(crate) rule: Option<String>,
    /// The pool; `None`: nothing was chosen.
    pub(crate) pool: Option<Arc<str>>,
    /// What led to its attempts, where the client asks for it.
    pub(crate) decided: Option<Box<RoutingTrace>>,
    /// Time spent waiting for the client to send its request.
    pub(crate) upload: Duration,
    /// Input tokens assumed where the provider does not report them.
    pub(crate) input_estimate: u64,
}

/// Meters one request. Dropped unsettled, it books a client that hung up, or a process that stops, and does
/// no more than that.
pub(crate) struct Meter {
    passage: RequestContext,
    opening: MeterContext,
    attempts: Vec<Attempt>,
    /// Where each attempt went, the running one included.
    tried: Vec<AttemptTarget>,
    running: Option<ActiveAttempt>,
    /// Time spent waiting for the client and for providers.
    waited: Duration,
    /// The gateway's own share, once the answer's head went out; what comes after it is others' pace.
    overhead: Option<Duration>,
    ttft: Option<Duration>,
    settled: bool,
    /// Targets whose turn came and that were not tried.
    passed_over: Vec<SkippedTarget>,
    /// What the last target could not express and the client let go.
    dropped: Vec<String>,
    /// Places under the shared limits; free again when the request is settled.
    hold: Option<Permit>,
    /// The attempt whose answer the client gets although it was not the last one, by its index.
    fallen_back: Option<usize>,
}

/// The sums over a settled request's attempts.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Totals {
    pub(crate) cost: Money,
    /// Whether every charged attempt had a price; an unknown cost is not shown as zero.
    pub(crate) priced: bool,
    pub(crate) usage: Usage,
    pub(crate) estimated: bool,
}

impl Meter {
    pub(crate) fn new(passage: RequestContext, opening: MeterContext, hold: Permit) -> Self {
        Self {
            passage,
            waited: opening.upload,
            opening,
            attempts: Vec::new(),
            tried: Vec::new(),
            passed_over: Vec::new(),
            running: None,
            overhead: None,
            ttft: None,
            settled: false,
            dropped: Vec::new(),
            hold: Some(hold),
            fallen_back: None,
        }
    }

    /// Writes the intent; only after that may the attempt be sent. The flag has to be set when it is.
    pub(crate) fn begin(
        &mut self,
        tried: AttemptTarget,
        bound: Bound,
        watch: OutcomeReporter,
    ) -> Result<SentFlag, GatewayError> {
        let target = &tried.target;
        let number = self.next_number();
        let at = Timestamp::now();
        let price = target.price_at(self.passage.at).map(|priced| (priced.id, Arc::clone(priced.price)));
        let intent = Intent {
            request: self.passage.id,
            attempt: number,
            at,
            attribution: self.opening.attribution.clone(),
            api: self.opening.api.to_owned(),
            stream: self.opening.stream,
            route: self.opening.route.clone(),
            provider: target.model.provider.clone(),
            model: target.model.model.clone(),
            price: price.as_ref().map(|(id, _)| *id),
            reserve: bound.cost,
            bound: bound.usage,
        };
        self.passage.gateway.spool.intent(&intent).map_err(|error| unspoolable(&error))?;
        let (provider, model) = (intent.provider, intent.model);
        self.tried.push(tried);
        let sent = SentFlag::default();
        self.running = Some(ActiveAttempt {
            number,
            provider,
            model,
            price,
            at,
            started: Instant::now(),
            output_seen: 0,
            deltas: 0,
            deltas_in_usage: 0,
            reported: None,
            status: 0,
            sent: Arc::clone(&sent),
            watch,
        });
        Ok(sent)
    }

    /// The moment by which prices are chosen.
    pub(crate) const fn priced_at(&self) -> Timestamp {
        self.passage.at
    }

    /// The head of the provider's answer arrived.
    pub(crate) fn head(&mut self, status: StatusCode, headers: &HeaderMap) {
        if let Some(running) = &mut self.running {
            running.status = u32::from(status.as_u16());
            running.watch.head(headers, &self.passage.gateway);
        }
    }

    /// The first content arrived.
    pub(crate) fn first_content(&mut self) {
        self.ttft.get_or_insert_with(|| self.passage.started.elapsed());
        self.target_shows_content();
    }

    /// The first content arrived of an answer that the client may never see.
    pub(crate) fn target_shows_content(&mut self) {
        if let Some(running) = &mut self.running {
            running.watch.first_content(&self.passage.gateway);
        }
    }

    /// What the provider has reported and produced so far.
    pub(crate) const fn observe(&mut self, reported: Option<Usage>, output_seen: u64) {
        if let Some(running) = &mut self.running {
            running.output_seen = output_seen;
            if let Some(usage) = reported
                && usage.input() <= MOST_TOKENS
                && usage.output() <= MOST_TOKENS
            {
                running.reported = reported;
            }
        }
    }

    /// What a stream has said so far.
    pub(crate) fn observe_stream(&mut self, seen: &StreamSummary) {
        self.observe(seen.usage, seen.tokens_estimate());
        if let Some(running) = &mut self.running {
            (running.deltas, running.deltas_in_usage) = (seen.deltas, seen.deltas_in_usage);
        }
    }

    /// Counts time spent waiting for somebody else.
    pub(crate) const fn wait(&mut self, waited: Duration) {
        self.waited = self.waited.saturating_add(waited);
    }

    /// The answer's head goes out now; what it said of the overhead is what is recorded.
    pub(crate) const fn head_goes_out(&mut self, overhead: Duration) {
        self.overhead = Some(overhead);
    }

    fn overhead(&self) -> Duration {
        self.overhead.unwrap_or_else(|| self.passage.started.elapsed().saturating_sub(self.waited))
    }

    /// Ends the running attempt.
    pub(crate) fn end(&mut self, outcome: AttemptOutcome) {
        let Some(running) = self.running.take() else { return };
        let (usage, estimated) = running.charged_usage(outcome, self.opening.input_estimate);
        let price = running.price.as_ref().map(|(_, price)| price);
        let cost = price.map_or(Money::ZERO, |price| price.cost(&usage));
        // A cost that leaves something out for want of a price is no exact one.
        let estimated = estimated || price.is_some_and(|price| !price.covers(&usage));
        running.watch.end(outcome, &self.passage.gateway);
        self.attempts.push(Attempt {
            number: running.number,
            provider: running.provider,
            model: running.model,
            outcome,
            status: running.status,
            at: running.at,
            duration_us: micros(running.started.elapsed()),
            usage,
            cost,
            price: running.price.map(|(id, _)| id),
            estimated,
            reason: self.tried.last().map(|tried| tried.reason.to_string()),
        });
    }

    /// Writes the event; the last byte goes to the client only after this.
    pub(crate) fn settle(&mut self, outcome: RequestOutcome, status: u32) -> Totals {
        self.settled = true;
        // A client that saw its answer end may send the next request before this one's connection has come to rest.
        self.hold = None;
        if self.attempts.is_empty() {
            return Totals::default();
        }
        let (duration, overhead, ttft) = (self.passage.started.elapsed(), self.overhead(), self.ttft);
        let event = UsageEvent {
            request: self.passage.id,
            incarnation: self.passage.gateway.incarnation,
            at: Timestamp::now(),
            attribution: self.opening.attribution.clone(),
            api: self.opening.api.to_owned(),
            stream: self.opening.stream,
            route: self.opening.route.clone(),
            rule: self.opening.rule.clone(),
            pool: self.opening.pool.as_deref().map(str::to_owned),
            outcome,
            status,
            cache: CacheHit::Off,
            duration_us: micros(duration),
            overhead_us: micros(overhead),
            ttft_us: ttft.map(micros),
            attempts: std::mem::take(&mut self.attempts),
        };
        if let Err(error) = self.passage.gateway.spool.event(&event) {
            // The intent stays in the spool: a successor books it as an estimate, so it is not lost.
            tracing::error!(request = %event.request, %error, "cannot spool a usage event");
        }
        self.passage.settled(&event, &self.tried, RequestTimings { duration, overhead, ttft });
        self.attempts = event.attempts;
        totals(&self.attempts, self.fallen_back)
    }

    /// Ends a request that nothing answered.
    pub(crate) fn fail(&mut self, trouble: &GatewayError) {
        self.settle(RequestOutcome::Error, u32::from(trouble.http_status().as_u16()));
        // Without an attempt there was nothing to settle.
        self.passage.whose = Some(self.opening.attribution.clone());
        self.passage.refused(trouble, Some(&self.opening.route));
    }

    /// Counts a stream until the guard is dropped.
    pub(crate) fn streaming(&self) -> ActiveStreamGuard {
        ActiveStreamGuard::new(Arc::clone(&self.passage.gateway))
    }

    /// The attempts so far.
    pub(crate) fn attempts(&self) -> &[Attempt] {
        &self.attempts
    }

    /// A planned target is not tried after all.
    pub(crate) fn pass_over(&mut self, planned: &PlannedTarget, why: SkipReason) {
        self.passed_over.push(SkippedTarget { model: planned.target.model.clone(), why });
    }

    /// Targets whose turn came and that were not tried.
    pub(crate) fn passed_over(&self) -> &[SkippedTarget] {
        &self.passed_over
    }

    /// What the target of the next attempt cannot express and the client let go.
    pub(crate) fn dropped(&mut self, dropped: Vec<String>) {
        self.dropped = dropped;
    }

    /// Whose words the client speaks.
    pub(crate) const fn dialect(&self) -> Dialect {
        self.passage.dialect
    }

    /// The request.
    pub(crate) const fn request(&self) -> RequestId {
        self.passage.id
    }

    /// With whom the request takes turns, and whom it goes before.
    pub(crate) fn class(&self) -> (ResourceId, Priority) {
        let priority = self.passage.key.as_ref().map(|key| key.priority());
        (self.opening.attribution.tenant, priority.unwrap_or_default())
    }

    /// What the provider of the next attempt is told of the trace.
    pub(crate) fn trace_out(&self) -> Option<HeaderValue> {
        let RequestContext { gateway, trace, id, .. } = &self.passage;
        gateway.head.outbound(trace, *id, self.next_number())
    }

    fn next_number(&self) -> u32 {
        u32::try_from(self.attempts.len()).unwrap_or(u32::MAX).saturating_add(1)
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        if !self.settled {
            self.end(AttemptOutcome::Cancelled);
            match (self.passage.gateway.is_cutting(), self.overhead) {
                (false, _) => self.settle(RequestOutcome::Cancelled, u32::from(CLIENT_CLOSED)),
                // The process stops and did not wait for the end; the client may have its head already.
                (true, Some(_)) => self.settle(RequestOutcome::Cut, 200),
                (true, None) => self.settle(RequestOutcome::Cut, u32::from(ErrorKind::Overloaded.status())),
            };
        }
    }
}

/// `answered`: the attempt whose tokens the client is told, where it is not the last one.
fn totals(attempts: &[Attempt], answered: Option<usize>) -> Totals {
    let mut totals = Totals { priced: true, ..Totals::default() };
    for attempt in attempts.iter().filter(|attempt| attempt.usage != Usage::default()) {
        totals.cost = totals.cost.plus(attempt.cost);
        totals.priced &= attempt.price.is_some();
        totals.estimated |= attempt.estimated;
    }
    let answered = answered.map_or(attempts.last(), |index| attempts.get(index));
    totals.usage = answered.map(|attempt| attempt.usage).unwrap_or_default();
    totals
}

fn unspoolable(error: &SpoolError) -> GatewayError {
    tracing::error!(%error, "cannot spool an intent; the request is refused");
    match error {
        SpoolError::Full { .. } => {
            GatewayError::new(ErrorKind::Overloaded, "the usage spool is full").retry_after(5)
        }
        _ => GatewayError::new(ErrorKind::StoreUnavailable, "usage cannot be recorded").retry_after(5),
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
