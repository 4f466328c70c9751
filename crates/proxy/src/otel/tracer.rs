//! Which requests are traced: those sampled when they arrived, and every error and fallback.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use domain::RequestOutcome;
use opentelemetry_proto::tonic::resource::v1::Resource;
use runtime::{ConfigError, telemetry::Sampling};
use tokio::{
    sync::{Notify, mpsc},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use super::{
    export::{Counters, Dropped, Exporter, QUEUE},
    measures::{MeasureExporter, Measures},
    names as n,
    send::{Sender, Signal},
    span::{End, Record, UnattemptedRequest, attribute},
};
use crate::{
    context::{self, CompletedRequest, Observer, RequestContext, TracePropagation},
    settings::TraceSettings,
};

/// Refused requests that are traced each second: refusals are free, so a client may send floods of them.
const REFUSALS: u32 = 20;

/// Hands requests that are traced to the exporter; never waits.
struct Tracer {
    queue: mpsc::Sender<Record>,
    pressing: Arc<Notify>,
    refusals: Refusals,
    counters: Arc<Counters>,
}

/// Everything of a process that tells a collector.
pub(crate) struct Tracing {
    pub(crate) observers: Vec<Arc<dyn Observer>>,
    pub(crate) exporting: Exporting,
    pub(crate) counters: Arc<Counters>,
    pub(crate) sampling: Sampling,
}

/// What sends.
pub(crate) struct Exporting {
    spans: Exporter,
    measures: Option<MeasureExporter>,
}

impl Exporting {
    /// Until the token is cancelled, and what is left after that, for at most five seconds.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let measures = async {
            if let Some(measures) = self.measures {
                measures.run(stop.clone()).await;
            }
        };
        tokio::join!(self.spans.run(stop.clone()), measures);
    }
}

/// Prepares tracing: how requests find their place, and, where a collector is configured, what exports their spans.
/// `name` and `region` are the proxy's.
///
/// # Errors
/// Names the setting that cannot work.
pub(crate) fn start(
    settings: &TraceSettings,
    name: &str,
    region: &str,
) -> Result<(TracePropagation, Option<Tracing>), ConfigError> {
    let sampling = settings.sampling()?;
    // Headers without an endpoint are checked too: a mistake in them should not wait for the endpoint.
    settings.headers()?;
    let Some(endpoint) = settings.endpoint()? else {
        return Ok((TracePropagation::new(settings, None), None));
    };
    let (sender, receiver) = mpsc::channel(QUEUE);
    let pressing = Arc::new(Notify::new());
    let counters = Arc::new(Counters::default());
    let attributes = vec![
        attribute(n::SERVICE_NAME, "portcullis"),
        attribute(n::SERVICE_VERSION, env!("CARGO_PKG_VERSION")),
        attribute(n::SERVICE_INSTANCE, name),
        attribute(n::REGION, region),
    ];
    let resource = Resource { attributes, ..Resource::default() };
    let measures = match settings.otlp_metrics {
        true => {
            let sender = Sender::new(&endpoint, settings, Signal::Metrics)?;
            let measures = Arc::new(Measures::new());
            Some(MeasureExporter { measures, sender, resource: resource.clone() })
        }
        false => None,
    };
    let spans = Exporter {
        queue: receiver,
        pressing: Arc::clone(&pressing),
        sender: Sender::new(&endpoint, settings, Signal::Traces)?,
        resource,
        counters: Arc::clone(&counters),
        in_hand: 0,
        outage: None,
    };
    let refusals = Refusals::default();
    let tracer = Tracer { queue: sender, pressing, refusals, counters: Arc::clone(&counters) };
    let mut observers: Vec<Arc<dyn Observer>> = vec![Arc::new(tracer)];
    observers.extend(measures.as_ref().map(|exporter| Arc::clone(&exporter.measures) as _));
    let head = TracePropagation::new(settings, Some(sampling.clone()));
    let exporting = Exporting { spans, measures };
    Ok((head, Some(Tracing { observers, exporting, counters, sampling })))
}

impl Tracer {
    fn queue(&self, context: &RequestContext, end: End) {
        let record = Record {
            request: context.id,
            method: context.method,
            at: context.at,
            context: context.trace.clone(),
            key: context.key.clone(),
            end,
        };
        if let Err(error) = self.queue.try_send(record) {
            self.counters.lose(Dropped::QueueFull, error.into_inner().span_count());
        } else if self.queue.capacity() < QUEUE / 2 {
            self.pressing.notify_one();
        }
    }
}

impl Observer for Tracer {
    fn settled(&self, settled: &CompletedRequest<'_>) {
        let event = settled.event;
        let context = settled.context;
        let failed = matches!(event.outcome, RequestOutcome::Error | RequestOutcome::Cut);
        if context.trace.sampled || failed || event.attempts.len() > 1 {
            let end = End::CompletedRequest(Box::new(event.clone()), settled.tried.to_vec());
            self.queue(context, end);
        }
    }

    fn unmetered(&self, unmetered: &context::UnattemptedRequest<'_>) {
        let context = unmetered.context;
        let refused = unmetered.outcome == RequestOutcome::Error;
        if !context.trace.sampled && !refused {
            return;
        }
        if refused && !self.refusals.take() {
            return self.counters.lose(Dropped::Flood, 1);
        }
        let end = UnattemptedRequest {
            api: context.api,
            route: unmetered.route.map(str::to_owned),
            attribution: context.attribution.clone(),
            outcome: unmetered.outcome,
            error: unmetered.kind.map(domain::ErrorKind::code),
            limit: unmetered.limit,
            status: unmetered.status,
            duration_us: u64::try_from(unmetered.elapsed.as_micros()).unwrap_or(u64::MAX),
        };
        self.queue(context, End::UnattemptedRequest(end));
    }
}

/// Counts the refused requests of the current second.
#[derive(Default)]
struct Refusals(Mutex<Option<(Instant, u32)>>);

impl Refusals {
    /// Whether one more may be traced.
    fn take(&self) -> bool {
        let mut second = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let (since, taken) =
            second.filter(|(since, _)| now - *since < Duration::from_secs(1)).unwrap_or((now, 0));
        *second = Some((since, taken.saturating_add(1)));
        taken < REFUSALS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_flood_of_refusals_is_bounded_by_the_second() {
        let refusals = Refusals::default();
        let taken = |count: u32| (0..count).filter(|_| refusals.take()).count();
        assert_eq!((taken(15), taken(50)), (15, 5));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(taken(50), 20);
    }
}
