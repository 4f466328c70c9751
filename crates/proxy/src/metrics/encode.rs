//! What requests counted, as Prometheus reads it.

use std::{fmt, sync::atomic::Ordering};

use runtime::metrics::{Collect, Exposition};

use super::{
    RequestMetrics,
    series::{Target, TargetMetrics},
    table,
};

impl Collect for RequestMetrics {
    fn collect(&self, to: &mut Exposition<'_>) -> fmt::Result {
        self.requests(to)?;
        let mut durations = to.histogram(&table::REQUEST_DURATION)?;
        self.each_target(|target, counts| match counts.duration.is_empty() {
            true => Ok(()),
            false => durations.put(target, &counts.duration),
        })?;
        let mut first_tokens = to.histogram(&table::FIRST_TOKEN)?;
        self.each_target(|target, counts| match counts.first_token.is_empty() {
            true => Ok(()),
            false => first_tokens.put(target, &counts.first_token),
        })?;
        to.histogram(&table::OVERHEAD)?.put([], &self.overhead)?;
        to.histogram(&table::QUEUE_WAIT)?.put([], &self.queue_waits)?;
        self.attempts(to)?;
        self.rejections(to)?;
        self.costs(to)?;
        self.kinds(to)?;
        self.overflows(to)
    }
}

impl RequestMetrics {
    fn requests(&self, to: &mut Exposition<'_>) -> fmt::Result {
        let mut requests = to.counter(&table::REQUESTS)?;
        self.requests.each(|key, count| {
            let route = self.routes.text(key.route);
            let provider = self.providers.text(key.target.provider);
            let model = self.models.text(key.target.model);
            let values = [&*route, &*provider, &*model, key.api, key.outcome, key.fallback, key.cache];
            requests.put(values, count.load(Ordering::Relaxed))
        })
    }

    fn attempts(&self, to: &mut Exposition<'_>) -> fmt::Result {
        let mut attempts = to.counter(&table::ATTEMPTS)?;
        self.each_target(|[provider, model], counts| {
            counts.attempts().try_for_each(|(outcome, count)| attempts.put([provider, model, outcome], count))
        })?;
        let mut tokens = to.counter(&table::TOKENS)?;
        self.each_target(|[provider, model], counts| {
            counts.tokens().try_for_each(|(kind, count)| tokens.put([provider, model, kind], count))
        })?;
        let mut unpriced = to.counter(&table::UNPRICED_ATTEMPTS)?;
        self.each_target(|target, counts| match counts.unpriced() {
            0 => Ok(()),
            count => unpriced.put(target, count),
        })?;
        let mut attempts = to.counter(&table::RETIRING_ATTEMPTS)?;
        self.each_target(|target, counts| match counts.retiring_attempts() {
            0 => Ok(()),
            count => attempts.put(target, count),
        })
    }

    fn rejections(&self, to: &mut Exposition<'_>) -> fmt::Result {
        let mut rejections = to.counter(&table::QUEUE_REJECTIONS)?;
        self.each_target(|[provider, model], counts| {
            counts.rejections().try_for_each(|(why, count)| rejections.put([provider, model, why], count))
        })
    }

    fn costs(&self, to: &mut Exposition<'_>) -> fmt::Result {
        let mut costs = to.counter(&table::COST)?;
        self.costs.each(|key, nanos| {
            let provider = self.providers.text(key.target.provider);
            let model = self.models.text(key.target.model);
            let tenant = self.tenants.text(key.tenant);
            costs.put_nanos([&*provider, &*model, &*tenant], nanos.load(Ordering::Relaxed))
        })
    }

    fn kinds(&self, to: &mut Exposition<'_>) -> fmt::Result {
        let mut limits = to.counter(&table::LIMIT_REJECTIONS)?;
        self.limits.each(|kind, count| limits.put([kind], count.load(Ordering::Relaxed)))?;
        let mut refusals = to.counter(&table::REFUSALS)?;
        self.refusals.each(|kind, count| refusals.put([kind], count.load(Ordering::Relaxed)))
    }

    fn overflows(&self, to: &mut Exposition<'_>) -> fmt::Result {
        let mut overflows = to.counter(&table::OVERFLOW)?;
        for (what, count) in [
            ("route", self.routes.overflow()),
            ("provider", self.providers.overflow()),
            ("model", self.models.overflow()),
            ("tenant", self.tenants.overflow()),
            ("requests", self.requests.overflow()),
            ("targets", self.targets.overflow()),
            ("cost", self.costs.overflow()),
        ] {
            overflows.put([what], count)?;
        }
        Ok(())
    }

    /// Shows each target's provider, model and counts to `put`; stops at the first error.
    fn each_target(&self, mut put: impl FnMut([&str; 2], &TargetMetrics) -> fmt::Result) -> fmt::Result {
        self.targets.each(|Target { provider, model }, counts| {
            put([&*self.providers.text(provider), &*self.models.text(model)], counts)
        })
    }
}
