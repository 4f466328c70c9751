//! What requests count for Prometheus: the contract's metrics, bounded in series whatever happens.

mod budgets;
mod encode;
mod health;
mod series;
mod state;
pub(crate) mod table;

use std::sync::atomic::AtomicU64;

use domain::{AttemptOutcome, CacheHit, RequestOutcome, UsageEvent};
use runtime::metrics::{Family, Histogram, Names};

use self::series::{CostLabels, Request, Target, TargetMetrics, add};
pub(crate) use self::{budgets::BudgetStates, health::HealthStates, state::State};
use crate::context::{AttemptTarget, CompletedRequest, Observer, QueueWait, UnattemptedRequest};

/// Everything that requests count: one for the process, so that no two workers can disagree.
pub(crate) struct RequestMetrics {
    routes: Names,
    providers: Names,
    models: Names,
    tenants: Names,
    requests: Family<Request, AtomicU64>,
    targets: Family<Target, TargetMetrics>,
    /// In nano-dollars.
    costs: Family<CostLabels, AtomicU64>,
    overhead: Histogram,
    queue_waits: Histogram,
    refusals: Family<&'static str, AtomicU64>,
    limits: Family<&'static str, AtomicU64>,
}

impl Default for RequestMetrics {
    fn default() -> Self {
        Self {
            routes: Names::new(table::MOST_ROUTES),
            providers: Names::new(table::MOST_PROVIDERS),
            models: Names::new(table::MOST_MODELS),
            tenants: Names::new(table::MOST_TENANTS),
            requests: table::REQUESTS.family(AtomicU64::default),
            targets: table::ATTEMPTS.family(TargetMetrics::new),
            costs: table::COST.family(AtomicU64::default),
            overhead: table::OVERHEAD.histogram(),
            queue_waits: table::QUEUE_WAIT.histogram(),
            refusals: table::REFUSALS.family(AtomicU64::default),
            limits: table::LIMIT_REJECTIONS.family(AtomicU64::default),
        }
    }
}

impl RequestMetrics {
    fn target(&self, provider: &str, model: &str) -> Target {
        Target { provider: self.providers.of(provider), model: self.models.of(model) }
    }
}

impl Observer for RequestMetrics {
    fn settled(&self, settled: &CompletedRequest<'_>) {
        let (event, times) = (settled.event, settled.times);
        let tenant = self.tenants.of(settled.context.tenant().unwrap_or_default());
        let answering = event.answering().map(|attempt| attempt.number);
        let mut answerer = self.target("", "");
        for (position, attempt) in event.attempts.iter().enumerate() {
            let target = self.target(&attempt.provider, &attempt.model);
            let answers = answering == Some(attempt.number);
            if answers {
                answerer = target;
            }
            self.targets.record(target, |counts| {
                counts.count(attempt);
                if settled.tried.get(position).is_some_and(AttemptTarget::retires) {
                    counts.count_retiring_attempt();
                }
                if answers {
                    counts.time(times.duration, times.ttft);
                }
            });
            if attempt.price.is_some() {
                let nanos = u64::try_from(attempt.cost.nanos()).unwrap_or_default();
                self.costs.record(CostLabels { target, tenant }, |cost| add(cost, nanos));
            }
        }
        self.overhead.observe(times.overhead);
        let request = Request {
            route: self.routes.of(&event.route),
            target: answerer,
            api: settled.context.api.unwrap_or_default(),
            outcome: outcome(event),
            fallback: event.fallback().map_or("none", AttemptOutcome::as_str),
            cache: event.cache.as_str(),
        };
        self.requests.record(request, |count| add(count, 1));
    }

    fn unmetered(&self, unmetered: &UnattemptedRequest<'_>) {
        let target = self.target("", "");
        let request = Request {
            route: self.routes.of(unmetered.route.unwrap_or_default()),
            target,
            api: unmetered.context.api.unwrap_or_default(),
            outcome: match unmetered.outcome {
                RequestOutcome::Error if unmetered.status < 500 => CLIENT_ERROR,
                outcome => outcome.as_str(),
            },
            fallback: "none",
            cache: CacheHit::Off.as_str(),
        };
        self.requests.record(request, |count| add(count, 1));
        self.targets.record(target, |counts| counts.time(unmetered.elapsed, None));
        if let Some(kind) = unmetered.kind {
            self.refusals.record(kind.code(), |count| add(count, 1));
        }
        if let Some(kind) = unmetered.limit {
            self.limits.record(kind, |count| add(count, 1));
        }
    }

    fn waited(&self, wait: &QueueWait<'_>) {
        if let Some(lasted) = wait.outcome.waited() {
            self.queue_waits.observe(lasted);
        }
        if let Some(why) = wait.outcome.rejection() {
            let model = &wait.target.model;
            let target = self.target(&model.provider, &model.model);
            self.targets.record(target, |counts| counts.count_queue_rejection(why));
        }
    }
}

/// An error that is the request's own fault: no alert of the gateway's operator.
const CLIENT_ERROR: &str = "client_error";

fn outcome(event: &UsageEvent) -> &'static str {
    let last = event.attempts.last().map(|attempt| attempt.outcome);
    match event.outcome {
        RequestOutcome::Error if last.is_some_and(is_clients_fault) => CLIENT_ERROR,
        outcome => outcome.as_str(),
    }
}

/// Whether the client hears of it as of its own fault.
const fn is_clients_fault(outcome: AttemptOutcome) -> bool {
    use AttemptOutcome as O;
    matches!(outcome, O::ClientFault | O::ContextTooLong | O::ContentFilter)
}
