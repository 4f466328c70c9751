//! One structured log line per request, at the level `info` and the target `portcullis::request`.

use std::fmt::Write as _;

use domain::{Attempt, UsageEvent};

use crate::context::{CompletedRequest, Observer, UnattemptedRequest, to_hex};

const TARGET: &str = "portcullis::request";

/// Writes the lines.
pub(crate) struct RequestLog;

impl Observer for RequestLog {
    fn settled(&self, settled: &CompletedRequest<'_>) {
        if !tracing::enabled!(target: TARGET, tracing::Level::INFO) {
            return;
        }
        let event = settled.event;
        let context = settled.context;
        let key = context.key.as_deref();
        let last = event.answering();
        let usage = last.map(|last| last.usage).unwrap_or_default();
        let cost = event.cost();
        // Texts of clients are recorded as strings, which both formats escape.
        tracing::info!(
            target: TARGET,
            request = %event.request,
            trace = to_hex(&context.trace.trace_id),
            tenant = key.map(|key| key.tenant.name.as_str()),
            key = key.map(|key| key.name.as_str()),
            user = event.attribution.user,
            feature = event.attribution.feature,
            api = event.api,
            route = event.route,
            rule = event.rule,
            pool = event.pool,
            provider = last.map(|last| last.provider.as_str()),
            model = last.map(|last| last.model.as_str()),
            outcome = event.outcome.as_str(),
            status = event.status,
            stream = event.stream,
            cache = event.cache.as_str(),
            fallback = event.fallback().map_or("none", |why| why.as_str()),
            attempts = attempts(event),
            reasons = reasons(event),
            tokens_in = usage.input(),
            tokens_cached = usage.cache_read,
            tokens_out = usage.output(),
            tokens_reasoning = usage.reasoning,
            cost_usd = cost.map(tracing::field::display),
            estimated = event.attempts.iter().any(|attempt| attempt.estimated),
            ttft_us = event.ttft_us,
            duration_us = event.duration_us,
            overhead_us = event.overhead_us,
            "request"
        );
    }

    fn unmetered(&self, unmetered: &UnattemptedRequest<'_>) {
        if !tracing::enabled!(target: TARGET, tracing::Level::INFO) {
            return;
        }
        let context = unmetered.context;
        let key = context.key.as_deref();
        let attribution = context.attribution.as_ref();
        tracing::info!(
            target: TARGET,
            request = %context.id,
            trace = to_hex(&context.trace.trace_id),
            tenant = key.map(|key| key.tenant.name.as_str()),
            key = key.map(|key| key.name.as_str()),
            user = attribution.and_then(|attribution| attribution.user.as_deref()),
            feature = attribution.and_then(|attribution| attribution.feature.as_deref()),
            api = context.api,
            route = unmetered.route,
            outcome = unmetered.outcome.as_str(),
            status = unmetered.status,
            error = unmetered.kind.map(domain::ErrorKind::code),
            limit = unmetered.limit,
            duration_us = u64::try_from(unmetered.elapsed.as_micros()).unwrap_or(u64::MAX),
            "request"
        );
    }
}

/// `openai/gpt-4o:rate_limited:429:12345us:$0 azure/gpt-4o:ok:200:900us:$0.0012`: every attempt's target, outcome,
/// provider's status, duration and cost, where that is known.
fn attempts(event: &UsageEvent) -> String {
    let mut text = String::new();
    for attempt in &event.attempts {
        let Attempt { provider, model, outcome, status, duration_us, cost, .. } = attempt;
        let gap = if text.is_empty() { "" } else { " " };
        // Writing to a String cannot fail.
        let _ = write!(text, "{gap}{provider}/{model}:{}:{status}:{duration_us}us", outcome.as_str());
        if attempt.is_priced() {
            let _ = write!(text, ":${cost}");
        }
    }
    text
}

/// Why each attempt's target was chosen, in the same order: `first of the list; next of the list`.
fn reasons(event: &UsageEvent) -> String {
    let reasons: Vec<&str> = event.attempts.iter().filter_map(|attempt| attempt.reason.as_deref()).collect();
    reasons.join("; ")
}
