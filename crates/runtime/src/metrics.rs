//! Metrics of one process for Prometheus: sources that are asked at each scrape, and `/metrics` on the ops port.

mod collect;
mod exposition;
mod family;
mod histogram;
mod metric;
mod pool;
mod process;
mod table;

use std::{
    fmt,
    sync::{Arc, PoisonError, RwLock},
};

use axum::{
    Router,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use prometheus_client::{collector::Collector, encoding::DescriptorEncoder, registry::Registry};
use tokio::sync::Mutex;

pub(crate) use self::table::READY;
pub use self::{
    collect::Collect,
    exposition::{Counters, Exposition, Gauges, Histograms},
    family::{Family, Name, Names, OTHER, SeriesKey},
    histogram::{Buckets, Histogram},
    metric::{Counter, Definition, Durations, Gauge, Metric, MetricKind, SeriesBound},
    pool::{Connections, Pool},
    table::METRICS,
};
use self::{exposition::Format, process::Process};

/// All that is measured in one process; cheap to clone. Every worker counts in the same place.
#[derive(Clone)]
pub struct Metrics(Arc<Inner>);

struct Inner {
    sources: RwLock<Vec<Arc<dyn Collect>>>,
    /// One scrape at a time: they cost time in proportion to the series, and come from outside.
    turn: Mutex<()>,
}

impl Default for Metrics {
    /// The process itself: build, memory, processor time, files.
    fn default() -> Self {
        let sources: Vec<Arc<dyn Collect>> = vec![Arc::new(Process)];
        Self(Arc::new(Inner { sources: RwLock::new(sources), turn: Mutex::new(()) }))
    }
}

impl Metrics {
    /// Adds a source. No two may write the same metric.
    pub fn register(&self, source: Arc<dyn Collect>) {
        self.0.sources.write().unwrap_or_else(PoisonError::into_inner).push(source);
    }

    /// `GET /metrics`: OpenMetrics where the client takes it, else Prometheus' older text format.
    pub fn routes(self) -> Router {
        Router::new().route("/metrics", get(scrape)).with_state(self)
    }

    /// Everything, as OpenMetrics text.
    ///
    /// # Errors
    /// When a source fails.
    pub fn render(&self) -> Result<String, fmt::Error> {
        self.write(Format::OpenMetrics)
    }

    fn write(&self, format: Format) -> Result<String, fmt::Error> {
        let mut registry = Registry::default();
        for source in self.0.sources.read().unwrap_or_else(PoisonError::into_inner).iter() {
            registry.register_collector(Box::new(Source { source: Arc::clone(source), format }));
        }
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry)?;
        Ok(text)
    }
}

/// A source as the registry wants it.
struct Source {
    source: Arc<dyn Collect>,
    format: Format,
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source").finish_non_exhaustive()
    }
}

impl Collector for Source {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        self.source.collect(&mut Exposition::new(encoder, self.format))
    }
}

async fn scrape(State(metrics): State<Metrics>, headers: HeaderMap) -> Response {
    let accept = headers.get_all(header::ACCEPT);
    let takes_open_metrics = accept
        .iter()
        .any(|value| value.to_str().is_ok_and(|value| value.contains("application/openmetrics-text")));
    let format = if takes_open_metrics { Format::OpenMetrics } else { Format::Plain };
    let _turn = metrics.0.turn.lock().await;
    // Elsewhere, because thousands of lines take milliseconds that requests would wait for.
    let asked = metrics.clone();
    match tokio::task::spawn_blocking(move || asked.write(format)).await {
        Ok(Ok(text)) => ([(header::CONTENT_TYPE, format.content_type())], text).into_response(),
        Ok(Err(_)) | Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    crate::metric_table! {
        static TESTED;

        REQUESTS: Counter = "t_requests_total" ["who"], "Requests.";
        COST: Counter = "t_cost_usd_total" [], "Dollars.";
        AGE: Gauge = "t_age_seconds" [], "Age.";
    }

    struct Bad;

    impl Collect for Bad {
        fn collect(&self, to: &mut Exposition<'_>) -> fmt::Result {
            let hostile = "a\"b\\c\nd}e{f,g=\u{e9}";
            to.counter(&REQUESTS)?.put([hostile], 7)?;
            to.counter(&COST)?.put_nanos([], 1_234_567_890_000_001)?;
            to.gauge(&AGE)?.put([], 0.25)
        }
    }

    fn metrics() -> Metrics {
        let metrics = Metrics::default();
        metrics.register(Arc::new(Bad));
        metrics
    }

    #[test]
    fn a_table_says_what_its_metrics_are() {
        let said: Vec<_> = TESTED.iter().map(|metric| (metric.name, metric.kind, metric.labels)).collect();
        assert_eq!(said[0], ("t_requests_total", "counter", ["who"].as_slice()));
        assert_eq!(said[2], ("t_age_seconds", "gauge", [].as_slice()));
        assert!(TESTED.iter().all(|metric| metric.bound == SeriesBound::ClosedLists));
    }

    #[test]
    fn hostile_labels_are_escaped_and_money_keeps_its_digits() {
        let text = metrics().render().unwrap();
        assert!(text.contains("t_requests_total{who=\"a\\\"b\\\\c\\nd}e{f,g=é\"} 7\n"), "{text}");
        assert!(text.contains("t_cost_usd_total 1234567.890000001\n"), "{text}");
        assert!(
            text.contains("# TYPE t_requests counter\n") && text.contains("t_age_seconds 0.25\n"),
            "{text}"
        );
        assert!(text.ends_with("# EOF\n"));
    }

    #[test]
    fn the_older_format_names_counters_whole() {
        let text = metrics().write(Format::Plain).unwrap();
        assert!(text.contains("# TYPE t_requests_total counter\nt_requests_total{who="), "{text}");
        assert!(!text.contains("_total_total"), "{text}");
    }
}
