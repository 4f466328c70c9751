//! What requests counted, as Prometheus reads it.

use std::{fmt, sync::atomic::Ordering};

use runtime::metrics::{Collect, Counters, Exposition};

use super::{
    RequestMetrics,
    series::{Target, TargetMetrics},
};

impl Collect for RequestMetrics {
    fn collect(&self, to: &mut Exposition<'_>) -> fmt::Result {
        self.requests(to)?;
        let mut durations = to.histogram(
            "portcullis_request_duration_seconds",
            "From a request's head to the last byte of its answer, by the target that gave it.",
        )?;
        self.each_target(|labels, counts| match counts.duration.is_empty() {
            true => Ok(()),
            false => durations.put(labels, &counts.duration),
        })?;
        let mut first_tokens = to.histogram(
            "portcullis_time_to_first_token_seconds",
            "From a request's head to the first content, by the target that gave it.",
        )?;
        self.each_target(|labels, counts| match counts.first_token.is_empty() {
            true => Ok(()),
            false => first_tokens.put(labels, &counts.first_token),
        })?;
        to.histogram("portcullis_overhead_seconds", "The gateway's own share of a request.")?
            .put(&[], &self.overhead)?;
        to.histogram("portcullis_queue_wait_seconds", "How long requests waited for a place at a target.")?
            .put(&[], &self.queue_waits)?;
        self.attempts(to)?;
        self.rejections(to)?;
        self.costs(to)?;
        self.kinds(to)?;
        self.overflows(to)
    }
}

impl RequestMetrics {
    fn requests(&self, to: &mut Exposition<'_>) -> fmt::Result {
        let mut requests = to
            .counter("portcullis_requests_total", "Requests that ended, each one once, whatever ended it.")?;
        self.requests.each(|key, count| {
            let (provider, model) = self.names(key.target);
            let labels = [
                ("route", &*self.routes.text(key.route)),
                ("provider", &*provider),
                ("model", &*model),
                ("api", key.api),
                ("outcome", key.outcome),
                ("fallback", key.fallback),
                ("cache", key.cache),
            ];
            requests.put(&labels, count.load(Ordering::Relaxed))
        })
    }

    fn attempts(&self, to: &mut Exposition<'_>) -> fmt::Result {
        let by =
            |counters: &mut Counters<'_>, label, pick: fn(&TargetMetrics) -> Vec<(&'static str, u64)>| {
                self.each_target(|[provider, model], counts| {
                    let counts = pick(counts);
                    counts.iter().try_for_each(|(value, count)| {
                        counters.put(&[*provider, *model, (label, value)], *count)
                    })
                })
            };
        let mut attempts = to.counter("portcullis_attempts_total", "Attempts at targets.")?;
        by(&mut attempts, "outcome", |counts| counts.attempts().collect())?;
        let mut tokens =
            to.counter("portcullis_tokens_total", "Tokens used; the kinds are disjoint and sum up to all.")?;
        by(&mut tokens, "kind", |counts| counts.tokens().collect())?;
        let mut unpriced = to.counter(
            "portcullis_unpriced_attempts_total",
            "Attempts that used something of which nobody knows the price.",
        )?;
        self.each_target(|labels, counts| match counts.unpriced() {
            0 => Ok(()),
            count => unpriced.put(labels, count),
        })?;
        let mut retiring = to.counter(
            "portcullis_deprecated_model_attempts_total",
            "Attempts at models that their provider takes out of service.",
        )?;
        self.each_target(|labels, counts| match counts.retiring() {
            0 => Ok(()),
            count => retiring.put(labels, count),
        })
    }

    fn rejections(&self, to: &mut Exposition<'_>) -> fmt::Result {
        let mut rejections = to.counter(
            "portcullis_queue_rejections_total",
            "Requests that got no place at a target that had none free, by reason.",
        )?;
        self.each_target(|[provider, model], counts| {
            let mut all = counts.rejections();
            all.try_for_each(|(why, count)| rejections.put(&[*provider, *model, ("reason", why)], count))
        })
    }

    fn costs(&self, to: &mut Exposition<'_>) -> fmt::Result {
        let mut costs = to.counter("portcullis_cost_usd_total", "Cost of attempts, failed ones included.")?;
        self.costs.each(|key, nanos| {
            let ((provider, model), tenant) = (self.names(key.target), self.tenants.text(key.tenant));
            let labels = [("provider", &*provider), ("model", &*model), ("tenant", &*tenant)];
            costs.put_nanos(&labels, nanos.load(Ordering::Relaxed))
        })
    }

    fn kinds(&self, to: &mut Exposition<'_>) -> fmt::Result {
        let mut limits = to.counter("portcullis_limit_rejections_total", "Requests refused by a limit.")?;
        self.limits.each(|kind, count| limits.put(&[("kind", kind)], count.load(Ordering::Relaxed)))?;
        let mut refusals =
            to.counter("portcullis_refusals_total", "Requests refused before any attempt, by error code.")?;
        self.refusals.each(|kind, count| refusals.put(&[("kind", kind)], count.load(Ordering::Relaxed)))
    }

    fn overflows(&self, to: &mut Exposition<'_>) -> fmt::Result {
        let mut overflows = to.counter(
            "portcullis_metrics_overflow_total",
            "Observations counted under the label value \"other\", because their series would be too many.",
        )?;
        for (what, count) in [
            ("route", self.routes.overflow()),
            ("provider", self.providers.overflow()),
            ("model", self.models.overflow()),
            ("tenant", self.tenants.overflow()),
            ("requests", self.requests.overflow()),
            ("targets", self.targets.overflow()),
            ("cost", self.costs.overflow()),
        ] {
            overflows.put(&[("of", what)], count)?;
        }
        Ok(())
    }

    fn each_target(
        &self,
        mut put: impl FnMut(&[(&str, &str); 2], &TargetMetrics) -> fmt::Result,
    ) -> fmt::Result {
        self.targets.each(|key, counts| {
            let (provider, model) = self.names(key);
            put(&[("provider", &*provider), ("model", &*model)], counts)
        })
    }

    fn names(&self, target: Target) -> (std::sync::Arc<str>, std::sync::Arc<str>) {
        (self.providers.text(target.provider), self.models.text(target.model))
    }
}
