//! How probes ended, for Prometheus: apart from what clients' requests count.

use std::{
    fmt,
    sync::atomic::{AtomicU64, Ordering},
};

use domain::AttemptOutcome;
use runtime::metrics::{Collect, Exposition, Family, Name, Names, OTHER, SeriesKey};

use crate::metrics::table::PROBES;

// Beyond these, probes are counted under `other`.
const MOST_PROVIDERS: usize = 200;
const MOST_MODELS: usize = 1_000;

/// Probes by target and outcome.
#[derive(Debug)]
pub(crate) struct ProbeCounts {
    providers: Names,
    models: Names,
    series: Family<Probe, AtomicU64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Probe {
    provider: Name,
    model: Name,
    outcome: &'static str,
}

impl SeriesKey for Probe {
    fn overflow(self) -> Self {
        Self { provider: OTHER, model: OTHER, ..self }
    }
}

impl Default for ProbeCounts {
    fn default() -> Self {
        let (providers, models) = (Names::new(MOST_PROVIDERS), Names::new(MOST_MODELS));
        Self { providers, models, series: PROBES.family(AtomicU64::default) }
    }
}

impl ProbeCounts {
    /// One more; without a model it asked for the list of them.
    pub(crate) fn count(&self, provider: &str, model: &str, outcome: AttemptOutcome) {
        let provider = self.providers.of(provider);
        let model = self.models.of(model);
        let probe = Probe { provider, model, outcome: outcome.as_str() };
        self.series.record(probe, |count| {
            count.fetch_add(1, Ordering::Relaxed);
        });
    }
}

impl Collect for ProbeCounts {
    fn collect(&self, to: &mut Exposition<'_>) -> fmt::Result {
        let mut probes = to.counter(&PROBES)?;
        self.series.each(|Probe { provider, model, outcome }, count| {
            let (provider, model) = (self.providers.text(provider), self.models.text(model));
            probes.put([&*provider, &*model, outcome], count.load(Ordering::Relaxed))
        })
    }
}
