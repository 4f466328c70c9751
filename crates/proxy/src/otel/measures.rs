//! OpenTelemetry's client metrics for generative AI: summed as attempts end, sent once a minute.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use domain::{AttemptOutcome, Timestamp, UsageEvent};
use opentelemetry_proto::tonic::{
    collector::metrics::v1::ExportMetricsServiceRequest,
    common::v1::{InstrumentationScope, KeyValue},
    metrics::v1::{
        AggregationTemporality, Histogram, HistogramDataPoint, Metric, NumberDataPoint, ResourceMetrics,
        ScopeMetrics, Sum, metric::Data, number_data_point::Value,
    },
    resource::v1::Resource,
};
use prost::Message as _;
use runtime::metrics::{Name, Names, OTHER};
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;

use super::{names as n, send::Sender, span::attribute};
use crate::context::{AttemptTarget, CompletedRequest, Observer, UnattemptedRequest};

/// How often they are sent.
const EVERY: Duration = Duration::from_secs(60);
/// How long the last ones may take when the process stops.
const LAST: Duration = Duration::from_secs(5);
/// Most models told apart, and most sets of attributes; the SDKs have the same bound.
const MOST_MODELS: usize = 1_000;
const MOST_SERIES: usize = 2_000;

/// The conventions' bounds, in seconds and in tokens.
const SECONDS: Bounds =
    [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92];
const TOKENS: Bounds = [
    1.0,
    4.0,
    16.0,
    64.0,
    256.0,
    1_024.0,
    4_096.0,
    16_384.0,
    65_536.0,
    262_144.0,
    1_048_576.0,
    4_194_304.0,
    16_777_216.0,
    67_108_864.0,
];

type Bounds = [f64; 14];

/// What attempts are told apart by.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Series {
    operation: &'static str,
    provider: &'static str,
    model: Name,
    /// `ok`: none.
    error: AttemptOutcome,
}

#[derive(Clone, Default)]
struct Sums {
    duration: Buckets,
    first_chunk: Buckets,
    input: Buckets,
    output: Buckets,
    /// In nano-dollars.
    cost: i64,
}

#[derive(Clone, Default)]
struct Buckets {
    counts: [u64; 15],
    sum: f64,
}

impl Buckets {
    fn add(&mut self, bounds: &Bounds, value: f64) {
        self.counts[bounds.partition_point(|bound| *bound < value)] += 1;
        self.sum += value;
    }
}

/// The sums since the process began.
pub(super) struct Measures {
    models: Names,
    series: Mutex<HashMap<Series, Sums>>,
    begun: Timestamp,
}

impl Measures {
    pub(super) fn new() -> Self {
        Self { models: Names::new(MOST_MODELS), series: Mutex::default(), begun: Timestamp::now() }
    }

    fn series(&self) -> MutexGuard<'_, HashMap<Series, Sums>> {
        self.series.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, event: &UsageEvent, at: usize, tried: &AttemptTarget, first: Option<Duration>) {
        let attempt = &event.attempts[at];
        let model = self.models.of(&tried.target.upstream);
        let provider = tried.target.endpoint.row.genai_name;
        let mut key = Series { operation: n::operation(&event.api), provider, model, error: attempt.outcome };
        let mut series = self.series();
        if series.len() >= MOST_SERIES && !series.contains_key(&key) {
            key.model = OTHER;
        }
        let sums = series.entry(key).or_default();
        sums.duration.add(&SECONDS, Duration::from_micros(attempt.duration_us).as_secs_f64());
        if let Some(first) = first {
            sums.first_chunk.add(&SECONDS, first.as_secs_f64());
        }
        if !attempt.usage.is_nothing() {
            sums.input.add(&TOKENS, attempt.usage.input() as f64);
            sums.output.add(&TOKENS, attempt.usage.output() as f64);
        }
        sums.cost = sums.cost.saturating_add(attempt.cost.nanos());
    }

    /// Everything, as OTLP's message.
    fn export(&self, resource: &Resource) -> Vec<u8> {
        let series = self.series().clone();
        let points = Points { measures: self, series: &series, now: nanos(Timestamp::now()) };
        let point = |kind, of| points.histogram(&TOKENS, Some(&attribute(n::GEN_AI_TOKEN_TYPE, kind)), of);
        let mut tokens = point("input", |sums| &sums.input);
        tokens.extend(point("output", |sums| &sums.output));
        let metrics = vec![
            metric(n::OPERATION_DURATION, "s", points.histogram(&SECONDS, None, |sums| &sums.duration)),
            metric(n::FIRST_CHUNK, "s", points.histogram(&SECONDS, None, |sums| &sums.first_chunk)),
            metric(n::TOKEN_USAGE, "{token}", tokens),
            points.cost(),
        ];
        let scope = InstrumentationScope { name: "portcullis".to_owned(), ..InstrumentationScope::default() };
        let scope_metrics = vec![ScopeMetrics { scope: Some(scope), metrics, schema_url: String::new() }];
        let resource = Some(resource.clone());
        let resource_metrics = vec![ResourceMetrics { resource, scope_metrics, schema_url: String::new() }];
        ExportMetricsServiceRequest { resource_metrics }.encode_to_vec()
    }
}

/// Data points under construction.
struct Points<'a> {
    measures: &'a Measures,
    series: &'a HashMap<Series, Sums>,
    now: u64,
}

impl Points<'_> {
    fn attributes(&self, series: &Series) -> Vec<KeyValue> {
        let mut attributes = vec![
            attribute(n::GEN_AI_OPERATION, series.operation),
            attribute(n::GEN_AI_PROVIDER, series.provider),
            attribute(n::GEN_AI_REQUEST_MODEL, &self.measures.models.text(series.model)),
        ];
        if series.error != AttemptOutcome::Ok {
            attributes.push(attribute(n::ERROR_TYPE, series.error.as_str()));
        }
        attributes
    }

    fn histogram(
        &self,
        bounds: &Bounds,
        more: Option<&KeyValue>,
        of: fn(&Sums) -> &Buckets,
    ) -> Vec<HistogramDataPoint> {
        let points = self.series.iter().map(|(series, sums)| {
            let Buckets { counts, sum } = of(sums);
            HistogramDataPoint {
                attributes: self.attributes(series).into_iter().chain(more.cloned()).collect(),
                start_time_unix_nano: nanos(self.measures.begun),
                time_unix_nano: self.now,
                count: counts.iter().sum(),
                sum: Some(*sum),
                bucket_counts: counts.to_vec(),
                explicit_bounds: bounds.to_vec(),
                ..HistogramDataPoint::default()
            }
        });
        points.filter(|point| point.count > 0).collect()
    }

    fn cost(&self) -> Metric {
        let points = self.series.iter().map(|(series, sums)| NumberDataPoint {
            attributes: self.attributes(series),
            start_time_unix_nano: nanos(self.measures.begun),
            time_unix_nano: self.now,
            value: Some(Value::AsDouble(sums.cost as f64 / 1e9)),
            ..NumberDataPoint::default()
        });
        let sum =
            Sum { data_points: points.collect(), aggregation_temporality: CUMULATIVE, is_monotonic: true };
        Metric {
            name: n::COST.to_owned(),
            unit: "{USD}".to_owned(),
            data: Some(Data::Sum(sum)),
            ..Metric::default()
        }
    }
}

const CUMULATIVE: i32 = AggregationTemporality::Cumulative as i32;

fn metric(name: &str, unit: &str, data_points: Vec<HistogramDataPoint>) -> Metric {
    let histogram = Histogram { data_points, aggregation_temporality: CUMULATIVE };
    let data = Some(Data::Histogram(histogram));
    Metric { name: name.to_owned(), unit: unit.to_owned(), data, ..Metric::default() }
}

fn nanos(at: Timestamp) -> u64 {
    u64::try_from(at.micros()).unwrap_or_default().saturating_mul(1_000)
}

impl Observer for Measures {
    fn settled(&self, settled: &CompletedRequest<'_>) {
        let event = settled.event;
        let last = settled.event.attempts.len().saturating_sub(1);
        for (at, (attempt, tried)) in event.attempts.iter().zip(settled.tried).enumerate() {
            // Only the last attempt had content; what came before it is not its time.
            let before = u64::try_from(attempt.at.micros() - settled.context.at.micros()).unwrap_or_default();
            let first = settled.times.ttft.filter(|_| at == last && event.stream);
            let first = first.map(|first| first.saturating_sub(Duration::from_micros(before)));
            self.add(event, at, tried, first);
        }
    }

    fn unmetered(&self, _: &UnattemptedRequest<'_>) {}
}

/// Sends the sums.
pub(super) struct MeasureExporter {
    pub(super) measures: Arc<Measures>,
    pub(super) sender: Sender,
    pub(super) resource: Resource,
}

impl MeasureExporter {
    /// Until the token is cancelled, and once more after that. What does not arrive is part of the next sums.
    pub(super) async fn run(self, stop: CancellationToken) {
        let mut clock = interval(EVERY);
        clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
        clock.tick().await;
        let mut away = false;
        while stop.run_until_cancelled(clock.tick()).await.is_some() {
            let sent = self.sender.send(&self.measures.export(&self.resource).into()).await;
            match &sent {
                Err(error) if !away => {
                    tracing::warn!(error = error.detail, "the OTLP collector takes no metrics");
                }
                Ok(_) if away => tracing::info!("the OTLP collector takes metrics again"),
                _ => {}
            }
            away = sent.is_err();
        }
        // A collector that is away at the end has the sums of a minute ago.
        let _ = timeout(LAST, self.sender.send(&self.measures.export(&self.resource).into())).await;
    }
}
