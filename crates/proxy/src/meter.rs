//! The account of one request: an intent before each attempt is sent, one usage event at the end, whatever ends it.

mod attempt_ref;
mod cascade;
mod running;
mod summary;

use std::{sync::Arc, time::Duration};

use domain::{
    Attempt, AttemptOutcome, Attribution, CacheHit, Draw, ErrorKind, Intent, Money, Priority, RequestId,
    RequestOutcome, ResourceId, Timestamp, Usage, UsageEvent,
};
use http::{HeaderMap, HeaderValue, StatusCode};
use policy::{Bound, PlannedTarget, SkipReason, SkippedTarget, Tenant};
use tokio::time::Instant;
use wire::{Dialect, StreamSummary};

pub(crate) use self::attempt_ref::AttemptRef;
use self::running::ActiveAttempt;
use crate::{
    activity::ActiveStreamGuard,
    budgets::BudgetHold,
    clock::micros,
    context::{AttemptTarget, CLIENT_CLOSED, RequestContext, RequestTimings},
    error::GatewayError,
    health::OutcomeReporter,
    limits::{HeldLimits, TokenCounts},
    rate_limits::RateLimits,
    response::{Refusal, RoutingTrace},
    state::ProxyState,
};
use upstream::SentFlag;
use usage_spool::SpoolError;

/// Most tokens that a request can have cost; a provider that reports more is mistaken, and the report is ignored.
const MOST_TOKENS: u64 = 1_000_000_000;

/// What is known of a request before its first attempt.
pub(crate) struct MeterContext {
    pub(crate) attribution: Attribution,
    pub(crate) api: &'static str,
    pub(crate) stream: bool,
    pub(crate) route: String,
    /// The rule that chose the pool.
    pub(crate) rule: Option<String>,
    /// The pool, where one was chosen.
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
    proxy: Arc<ProxyState>,
    context: RequestContext,
    subject: MeterContext,
    attempts: Vec<Attempt>,
    /// Where each attempt went, the running one included.
    tried: Vec<AttemptTarget>,
    running: Option<ActiveAttempt>,
    /// Time spent waiting for the client and for providers.
    waited: Duration,
    /// The gateway's own share, once the response's head went out; after that the provider and the client set the pace.
    overhead: Option<Duration>,
    ttft: Option<Duration>,
    settled: bool,
    /// Targets that were not tried when their turn came.
    passed_over: Vec<SkippedTarget>,
    /// What the last target could not express and the client let go.
    dropped: Vec<String>,
    /// The output limit that the gateway sent for the client, for a budget.
    output_limit: Option<u64>,
    /// Slots under the shared limits; free again when the request is settled.
    limits: Option<HeldLimits>,
    /// How full those limits were once the request was charged.
    rate_limits: RateLimits,
    /// The index of the attempt that answers the client, where that is not the last one.
    fallen_back: Option<usize>,
    /// What attempts that ended were reserved, with what they cost; settled when the spool has the event.
    holds: Vec<EndedHold>,
}

/// What an attempt that ended was reserved, and what it cost.
struct EndedHold {
    hold: BudgetHold,
    cost: Money,
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

/// The queueing class of a request: tenants take turns, and higher priorities go first.
#[derive(Clone, Copy, Debug)]
pub(crate) struct QueueClass {
    pub(crate) tenant: ResourceId,
    pub(crate) priority: Priority,
}

impl Meter {
    pub(crate) fn new(proxy: Arc<ProxyState>, context: RequestContext, subject: MeterContext) -> Self {
        Self {
            proxy,
            context,
            waited: subject.upload,
            subject,
            attempts: Vec::new(),
            tried: Vec::new(),
            passed_over: Vec::new(),
            running: None,
            overhead: None,
            ttft: None,
            settled: false,
            dropped: Vec::new(),
            output_limit: None,
            limits: None,
            rate_limits: RateLimits::NONE,
            fallen_back: None,
            holds: Vec::new(),
        }
    }

    /// Holds slots under the shared limits until the request is settled.
    pub(crate) fn hold(&mut self, limits: HeldLimits) {
        self.rate_limits = limits.rate_limits();
        self.limits = Some(limits);
    }

    /// Tenant, key, user and feature of the request.
    pub(crate) const fn attribution(&self) -> &Attribution {
        &self.subject.attribution
    }

    /// Writes the intent; only after that may the attempt be sent. The flag has to be set when it is sent.
    pub(crate) fn begin(
        &mut self,
        tried: AttemptTarget,
        bound: Bound,
        hold: Option<BudgetHold>,
        reporter: OutcomeReporter,
    ) -> Result<SentFlag, GatewayError> {
        let target = &tried.target;
        let number = self.next_number();
        let at = Timestamp::now();
        let price = target.price_at(self.context.at).map(|priced| (priced.id, Arc::clone(priced.price)));
        let intent = Intent {
            request: self.context.id,
            attempt: number,
            at,
            attribution: self.subject.attribution.clone(),
            api: self.subject.api.to_owned(),
            stream: self.subject.stream,
            route: self.subject.route.clone(),
            provider: target.model.provider.clone(),
            model: target.model.model.clone(),
            price: price.as_ref().map(|(id, _)| *id),
            reserve: bound.cost,
            bound: bound.usage,
            draw: hold.as_ref().map(|hold| hold.draw().clone()),
        };
        if let Err(error) = self.proxy.spool.intent(&intent) {
            // Nothing was sent, and nothing says that it might have been.
            hold.into_iter().for_each(BudgetHold::release);
            return Err(unspoolable(&error));
        }
        let provider = intent.provider;
        let model = intent.model;
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
            hold,
            reporter,
        });
        Ok(sent)
    }

    /// The moment by which prices are chosen.
    pub(crate) const fn priced_at(&self) -> Timestamp {
        self.context.at
    }

    /// The head of the provider's answer arrived.
    pub(crate) fn head(&mut self, status: StatusCode, headers: &HeaderMap) {
        if let Some(running) = &mut self.running {
            running.status = u32::from(status.as_u16());
            running.reporter.head(headers, &self.proxy.health);
        }
    }

    /// The first content arrived.
    pub(crate) fn first_content(&mut self) {
        self.ttft.get_or_insert_with(|| self.context.started.elapsed());
        self.target_shows_content();
    }

    /// The first content arrived of an answer that the client may never see.
    pub(crate) fn target_shows_content(&mut self) {
        if let Some(running) = &mut self.running {
            running.reporter.first_content(&self.proxy.health);
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

    /// Counts time spent waiting for the client, a provider or a slot.
    pub(crate) const fn wait(&mut self, waited: Duration) {
        self.waited = self.waited.saturating_add(waited);
    }

    /// The response's head goes out now; the overhead that it states is the one that is recorded.
    pub(crate) const fn head_goes_out(&mut self, overhead: Duration) {
        self.overhead = Some(overhead);
    }

    fn overhead(&self) -> Duration {
        self.overhead.unwrap_or_else(|| self.context.started.elapsed().saturating_sub(self.waited))
    }

    /// Ends the running attempt.
    pub(crate) fn end(&mut self, outcome: AttemptOutcome) {
        let Some(running) = self.running.take() else { return };
        let (usage, estimated) = running.charged_usage(outcome, self.subject.input_estimate);
        let price = running.price.as_ref().map(|(_, price)| price);
        let cost = price.map_or(Money::ZERO, |price| price.cost(&usage));
        // A cost that leaves out usage without a price is not exact.
        let estimated = estimated || price.is_some_and(|price| !price.covers(&usage));
        running.reporter.end(outcome, &self.proxy.health);
        let draw = running.hold.and_then(|hold| self.end_hold(hold, running.number, cost));
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
            draw,
        });
    }

    /// Ends what an attempt was reserved: at once where it costs nothing, so that the next attempt may draw it; else when
    /// the spool has the event. Says where its cost is drawn from.
    fn end_hold(&mut self, hold: BudgetHold, number: u32, cost: Money) -> Option<Draw> {
        if cost == Money::ZERO && self.proxy.spool.void(self.context.id, number).is_ok() {
            hold.release();
            return None;
        }
        let draw = hold.draw().clone();
        self.holds.push(EndedHold { hold, cost });
        Some(draw)
    }

    /// Writes the event; the last byte goes to the client only after this.
    pub(crate) fn settle(&mut self, outcome: RequestOutcome, status: u32) -> Totals {
        self.settled = true;
        // A client that saw its response end may send the next request before this one's connection is idle again.
        if let Some(limits) = self.limits.take() {
            limits.settle(used(&self.attempts));
        }
        if self.attempts.is_empty() {
            return Totals::default();
        }
        let duration = self.context.started.elapsed();
        let overhead = self.overhead();
        let ttft = self.ttft;
        let event = UsageEvent {
            request: self.context.id,
            incarnation: self.proxy.incarnation,
            at: Timestamp::now(),
            attribution: self.subject.attribution.clone(),
            api: self.subject.api.to_owned(),
            stream: self.subject.stream,
            route: self.subject.route.clone(),
            rule: self.subject.rule.clone(),
            pool: self.subject.pool.as_deref().map(str::to_owned),
            outcome,
            status,
            cache: CacheHit::Off,
            duration_us: micros(duration),
            overhead_us: micros(overhead),
            ttft_us: ttft.map(micros),
            attempts: std::mem::take(&mut self.attempts),
        };
        if let Err(error) = self.proxy.spool.event(&event) {
            // The intent stays in the spool: a successor books it as an estimate, so it is not lost.
            tracing::error!(request = %event.request, %error, "cannot spool a usage event");
            // What it was reserved stays drawn until then.
            self.holds.clear();
        }
        for EndedHold { hold, cost } in self.holds.drain(..) {
            let overrun = hold.settle(cost, self.proxy.now());
            if overrun > Money::ZERO {
                tracing::warn!(request = %event.request, %overrun, "a provider took more than was reserved");
            }
        }
        self.context.settled(&event, &self.tried, RequestTimings { duration, overhead, ttft });
        self.attempts = event.attempts;
        totals(&self.attempts, self.fallen_back)
    }

    /// Ends a request that no provider answered.
    pub(crate) fn fail(mut self, error: GatewayError) -> Refusal {
        self.settle(RequestOutcome::Error, u32::from(error.http_status().as_u16()));
        // Without an attempt there was nothing to settle.
        self.context.attribution = Some(self.subject.attribution.clone());
        self.context.refused(&error, Some(&self.subject.route));
        let error = error.with_explanation(self.explain());
        Refusal::Accounted { error, metadata: Box::new(self.metadata()) }
    }

    /// Counts a stream until the guard is dropped.
    pub(crate) fn streaming(&self) -> ActiveStreamGuard {
        self.proxy.activity.begin_stream()
    }

    /// The attempts so far.
    pub(crate) fn attempts(&self) -> &[Attempt] {
        &self.attempts
    }

    /// Notes that a planned target is not tried after all.
    pub(crate) fn pass_over(&mut self, planned: &PlannedTarget, why: SkipReason) {
        self.passed_over.push(SkippedTarget { model: planned.target.model.clone(), why });
    }

    /// Targets that were not tried when their turn came.
    pub(crate) fn passed_over(&self) -> &[SkippedTarget] {
        &self.passed_over
    }

    /// Notes the fields that the target of the next attempt cannot express and the client let go.
    pub(crate) fn set_dropped_fields(&mut self, dropped: Vec<String>) {
        self.dropped = dropped;
    }

    /// Notes the output limit that the next attempt is sent with where the client set none.
    pub(crate) const fn set_output_limit(&mut self, limit: Option<u64>) {
        self.output_limit = limit;
    }

    /// Notes what of the attempt's answer the client's dialect has no place for.
    pub(crate) fn add_dropped_parts(&mut self, parts: &[String]) {
        self.dropped.extend_from_slice(parts);
    }

    /// The tenant, where it has budgets.
    pub(crate) fn budgeted_tenant(&self) -> Option<&Tenant> {
        let tenant = &self.context.key.as_ref()?.tenant;
        (!tenant.budgets().is_empty()).then_some(tenant)
    }

    /// The dialect of the client.
    pub(crate) const fn dialect(&self) -> Dialect {
        self.context.dialect
    }

    /// The request.
    pub(crate) const fn request(&self) -> RequestId {
        self.context.id
    }

    /// The tenant that the request is charged to.
    pub(crate) const fn tenant(&self) -> ResourceId {
        self.subject.attribution.tenant
    }

    /// The class in which the request waits for slots.
    pub(crate) fn queue_class(&self) -> QueueClass {
        let priority = self.context.key.as_ref().map(|key| key.priority());
        QueueClass { tenant: self.subject.attribution.tenant, priority: priority.unwrap_or_default() }
    }

    /// The trace context to send with the next attempt.
    pub(crate) fn trace_out(&self) -> Option<HeaderValue> {
        self.proxy.propagation.outbound(&self.context.trace, self.context.id, self.next_number())
    }

    fn next_number(&self) -> u32 {
        u32::try_from(self.attempts.len()).unwrap_or(u32::MAX).saturating_add(1)
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        if !self.settled {
            self.end(AttemptOutcome::Cancelled);
            match (self.proxy.activity.is_aborting(), self.overhead) {
                (false, _) => self.settle(RequestOutcome::Cancelled, u32::from(CLIENT_CLOSED)),
                // The process stops and did not wait for the end; the client may have its head already.
                (true, Some(_)) => self.settle(RequestOutcome::Cut, 200),
                (true, None) => self.settle(RequestOutcome::Cut, u32::from(ErrorKind::Overloaded.status())),
            };
        }
    }
}

/// What all attempts used together.
fn used(attempts: &[Attempt]) -> TokenCounts {
    attempts.iter().fold(TokenCounts::default(), |TokenCounts { input, output }, Attempt { usage, .. }| {
        TokenCounts {
            input: input.saturating_add(usage.input()),
            output: output.saturating_add(usage.output()),
        }
    })
}

/// The sums; `answered`: the attempt of which the client is told the tokens, where it is not the last one.
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
