//! Spans made of what is recorded of a request: one for the request, one for each attempt.

use std::sync::Arc;

use domain::{Attempt, AttemptOutcome, Attribution, Money, RequestId, RequestOutcome, Timestamp, UsageEvent};
use opentelemetry_proto::tonic::{
    common::v1::{AnyValue, ArrayValue, KeyValue, any_value::Value},
    trace::v1::{
        Span, Status,
        span::{Link, SpanKind},
        status::StatusCode,
    },
};
use policy::ApiKey;

use super::names as n;
use crate::context::{AttemptTarget, TraceContext, span_id};

/// The bits of a span's flags that say that they know where the parent is, and that it is elsewhere.
const KNOWN: u32 = 0x100;
const REMOTE: u32 = 0x200;

/// What spans are made of, apart from the request's own task.
pub(crate) struct Record {
    pub(super) request: RequestId,
    pub(super) method: &'static str,
    pub(super) at: Timestamp,
    pub(super) context: TraceContext,
    pub(super) key: Option<Arc<ApiKey>>,
    pub(super) end: End,
}

/// How the request ended.
pub(super) enum End {
    CompletedRequest(Box<UsageEvent>, Vec<AttemptTarget>),
    UnattemptedRequest(UnattemptedRequest),
}

/// The end of a request without attempts.
pub(super) struct UnattemptedRequest {
    pub(super) api: Option<&'static str>,
    pub(super) route: Option<String>,
    pub(super) attribution: Option<Attribution>,
    pub(super) outcome: RequestOutcome,
    /// The contract's code of the error.
    pub(super) error: Option<&'static str>,
    pub(super) limit: Option<&'static str>,
    pub(super) status: u16,
    pub(super) duration_us: u64,
}

/// Attributes under construction.
#[derive(Default)]
struct Attributes(Vec<KeyValue>);

impl Attributes {
    fn put(&mut self, key: &str, value: Value) {
        let value = Some(AnyValue { value: Some(value) });
        self.0.push(KeyValue { key: key.to_owned(), value, key_strindex: 0 });
    }

    fn text(&mut self, key: &str, text: &str) {
        self.put(key, Value::StringValue(text.to_owned()));
    }

    fn maybe(&mut self, key: &str, text: Option<&str>) {
        if let Some(text) = text {
            self.text(key, text);
        }
    }

    fn number(&mut self, key: &str, number: impl TryInto<i64>) {
        self.put(key, Value::IntValue(number.try_into().unwrap_or(i64::MAX)));
    }

    fn flag(&mut self, key: &str, flag: bool) {
        self.put(key, Value::BoolValue(flag));
    }

    fn attribution(&mut self, attribution: &Attribution) {
        self.maybe(n::USER, attribution.user.as_deref());
        self.maybe(n::FEATURE, attribution.feature.as_deref());
        if !attribution.tags.is_empty() {
            let tag = |(name, value): &(String, String)| AnyValue {
                value: Some(Value::StringValue(format!("{name}={value}"))),
            };
            let values = attribution.tags.iter().map(tag).collect();
            self.put(n::TAGS, Value::ArrayValue(ArrayValue { values }));
        }
    }

    /// Exact in both forms.
    fn cost(&mut self, cost: Money) {
        self.text(n::COST, &cost.to_string());
        self.number(n::COST_NANOS, cost.nanos());
    }
}

/// One attribute.
pub(super) fn attribute(key: &str, text: &str) -> KeyValue {
    let mut attributes = Attributes::default();
    attributes.text(key, text);
    attributes.0.remove(0)
}

impl Record {
    /// How many spans it will be.
    pub(super) fn span_count(&self) -> u64 {
        match &self.end {
            End::CompletedRequest(event, _) => 1 + event.attempts.len() as u64,
            End::UnattemptedRequest(_) => 1,
        }
    }

    /// The request's span, then those of its attempts.
    pub(super) fn spans(&self) -> Vec<Span> {
        let mut attributes = Attributes::default();
        attributes.text(n::HTTP_METHOD, self.method);
        attributes.text(n::URL_SCHEME, "http");
        attributes.text(n::REQUEST_ID, &self.request.to_string());
        attributes.maybe(n::TENANT, self.key.as_ref().map(|key| key.tenant.name.as_str()));
        attributes.maybe(n::KEY, self.key.as_ref().map(|key| key.name.as_str()));
        let mut spans = vec![match &self.end {
            End::CompletedRequest(event, _) => self.settled(event, attributes),
            End::UnattemptedRequest(end) => self.unmetered(end, attributes),
        }];
        if let End::CompletedRequest(event, tried) = &self.end {
            spans.extend(
                event.attempts.iter().zip(tried).map(|(attempt, tried)| self.attempt(event, attempt, tried)),
            );
        }
        spans
    }

    fn settled(&self, event: &UsageEvent, mut attributes: Attributes) -> Span {
        let failed = matches!(event.outcome, RequestOutcome::Error | RequestOutcome::Cut);
        let last = event.attempts.last().map(|attempt| match attempt.outcome {
            // The process stopped; had the client hung up, that would be the request's outcome too.
            AttemptOutcome::Cancelled => event.outcome.as_str(),
            outcome => outcome.as_str(),
        });
        attributes.text(n::ROUTE, &event.route);
        attributes.maybe(n::RULE, event.rule.as_deref());
        attributes.maybe(n::POOL, event.pool.as_deref());
        attributes.attribution(&event.attribution);
        attributes.number(n::ATTEMPTS, event.attempts.len());
        attributes.text(n::FALLBACK, event.fallback().map_or("none", AttemptOutcome::as_str));
        attributes.text(n::CACHE, event.cache.as_str());
        attributes.flag(n::STREAM, event.stream);
        attributes.number(n::OVERHEAD_US, event.overhead_us);
        if let Some(cost) = event.cost() {
            attributes.cost(cost);
        }
        attributes.flag(n::ESTIMATED, event.attempts.iter().any(|attempt| attempt.estimated));
        let status = u16::try_from(event.status).unwrap_or_default();
        let end =
            Served { api: Some(&event.api), outcome: event.outcome, status, duration_us: event.duration_us };
        self.server(&end, last.filter(|_| failed), attributes)
    }

    fn unmetered(&self, end: &UnattemptedRequest, mut attributes: Attributes) -> Span {
        attributes.maybe(n::ROUTE, end.route.as_deref());
        attributes.maybe(n::LIMIT, end.limit);
        if let Some(attribution) = &end.attribution {
            attributes.attribution(attribution);
        }
        let served =
            Served { api: end.api, outcome: end.outcome, status: end.status, duration_us: end.duration_us };
        self.server(&served, end.error, attributes)
    }

    fn server(&self, end: &Served<'_>, error: Option<&str>, mut attributes: Attributes) -> Span {
        let route = end.api.and_then(n::route);
        attributes.maybe(n::HTTP_ROUTE, route);
        attributes.maybe(n::API, end.api);
        attributes.text(n::OUTCOME, end.outcome.as_str());
        attributes.number(n::HTTP_STATUS, end.status);
        attributes.maybe(n::ERROR_TYPE, error);
        // By the convention for servers a client's own fault is no error of the span.
        let failed = error.filter(|_| end.status >= 500 || end.outcome == RequestOutcome::Cut);
        let parent = self.context.parent;
        let link = self.context.link.map(|link| Link {
            trace_id: link.trace_id.to_vec(),
            span_id: link.span_id.to_vec(),
            flags: KNOWN | REMOTE | u32::from(link.sampled),
            ..Link::default()
        });
        Span {
            name: route.map_or_else(|| self.method.to_owned(), |route| format!("{} {route}", self.method)),
            kind: SpanKind::Server.into(),
            span_id: span_id(self.request, 0).to_vec(),
            parent_span_id: parent.map_or_else(Vec::new, |parent| parent.span_id.to_vec()),
            flags: if parent.is_some() { KNOWN | REMOTE } else { KNOWN },
            links: link.into_iter().collect(),
            status: status(failed),
            ..self.span(self.at, end.duration_us, attributes)
        }
    }

    fn attempt(&self, event: &UsageEvent, attempt: &Attempt, tried: &AttemptTarget) -> Span {
        let target = &tried.target;
        let operation = n::operation(&event.api);
        let mut attributes = Attributes::default();
        attributes.text(n::GEN_AI_OPERATION, operation);
        attributes.text(n::GEN_AI_PROVIDER, target.endpoint.row.genai_name);
        attributes.text(n::GEN_AI_REQUEST_MODEL, &target.upstream);
        attributes.flag(n::GEN_AI_STREAM, event.stream);
        attributes.text(n::SERVER_ADDRESS, target.endpoint.authority.host());
        attributes.number(n::SERVER_PORT, port(target));
        if attempt.status != 0 {
            attributes.number(n::HTTP_STATUS, attempt.status);
        }
        let usage = &attempt.usage;
        for (key, count, always) in [
            (n::GEN_AI_INPUT_TOKENS, usage.input(), true),
            (n::GEN_AI_OUTPUT_TOKENS, usage.output(), true),
            (n::GEN_AI_CACHE_READ, usage.cache_read, false),
            (n::GEN_AI_CACHE_WRITE, usage.cache_written(), false),
            (n::GEN_AI_REASONING, usage.reasoning, false),
        ] {
            if count > 0 || (always && !usage.is_nothing()) {
                attributes.number(key, count);
            }
        }
        if let Some(seconds) = self.first_chunk(event, attempt) {
            attributes.put(n::GEN_AI_TTFC, Value::DoubleValue(seconds));
        }
        attributes.number(n::ATTEMPT, attempt.number);
        attributes.text(n::PROVIDER, &attempt.provider);
        attributes.maybe(n::REASON, attempt.reason.as_deref());
        attributes.maybe(n::CREDENTIAL, tried.credential.as_ref().map(|credential| credential.name.as_str()));
        attributes.text(n::OUTCOME, attempt.outcome.as_str());
        if attempt.is_priced() {
            attributes.cost(attempt.cost);
        }
        attributes.flag(n::ESTIMATED, attempt.estimated);
        let error = (attempt.outcome != AttemptOutcome::Ok).then(|| attempt.outcome.as_str());
        attributes.maybe(n::ERROR_TYPE, error);
        Span {
            name: format!("{operation} {}", target.upstream),
            kind: SpanKind::Client.into(),
            span_id: span_id(self.request, attempt.number).to_vec(),
            parent_span_id: span_id(self.request, 0).to_vec(),
            flags: KNOWN,
            status: status(error),
            ..self.span(attempt.at, attempt.duration_us, attributes)
        }
    }

    /// Seconds from an attempt's start to the first content, which only the attempt that answered had.
    fn first_chunk(&self, event: &UsageEvent, attempt: &Attempt) -> Option<f64> {
        let answers = event.answering().is_some_and(|answering| answering.number == attempt.number);
        let first = event.ttft_us.filter(|_| answers && event.stream)?;
        let before = u64::try_from(attempt.at.micros() - self.at.micros()).unwrap_or_default();
        Some(std::time::Duration::from_micros(first.saturating_sub(before)).as_secs_f64())
    }

    /// What all spans of a request have in common.
    fn span(&self, at: Timestamp, duration_us: u64, attributes: Attributes) -> Span {
        let start = u64::try_from(at.micros()).unwrap_or_default().saturating_mul(1_000);
        Span {
            trace_id: self.context.trace_id.to_vec(),
            trace_state: self
                .context
                .state
                .as_ref()
                .and_then(|state| state.to_str().ok())
                .unwrap_or_default()
                .to_owned(),
            start_time_unix_nano: start,
            end_time_unix_nano: start.saturating_add(duration_us.saturating_mul(1_000)),
            attributes: attributes.0,
            ..Span::default()
        }
    }
}

/// What both kinds of ends say of a request.
struct Served<'a> {
    api: Option<&'a str>,
    outcome: RequestOutcome,
    status: u16,
    duration_us: u64,
}

fn status(error: Option<&str>) -> Option<Status> {
    error.map(|error| Status { message: error.to_owned(), code: StatusCode::Error.into() })
}

fn port(target: &policy::Target) -> u16 {
    let default = if target.endpoint.scheme.as_str() == "http" { 80 } else { 443 };
    target.endpoint.authority.port_u16().unwrap_or(default)
}
