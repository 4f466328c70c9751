//! Alerts for the operator: logged and counted by the replica that found out, and by no other.

use std::{
    fmt,
    sync::atomic::{AtomicU64, Ordering},
};

use policy::{Credential, Target, health::Transition};
use runtime::metrics::{Collect, Exposition, Family, Name, Names, OTHER, SeriesKey};

use crate::metrics::table::{ALERT_EVENTS, EJECTIONS};

// Beyond these, ejections are counted under `other`.
const MOST_PROVIDERS: usize = 200;
const MOST_MODELS: usize = 1_000;

/// A target went out of use.
const PROVIDER_DOWN: &str = "provider.down";
/// A provider refused a key.
const CREDENTIAL_REFUSED: &str = "credential.refused";

/// Alerts and ejections, counted.
#[derive(Debug)]
pub(crate) struct Alerts {
    down: AtomicU64,
    refused: AtomicU64,
    providers: Names,
    models: Names,
    ejections: Family<Ejected, AtomicU64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Ejected {
    provider: Name,
    model: Name,
}

impl SeriesKey for Ejected {
    fn overflow(self) -> Self {
        Self { provider: OTHER, model: OTHER }
    }
}

/// Why a target's state changed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TransitionCause {
    /// How the attempt or the probe ended that changed it.
    pub(crate) outcome: &'static str,
    /// It was out of use already: its trial failed.
    pub(crate) again: bool,
}

impl Default for Alerts {
    fn default() -> Self {
        Self {
            down: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            providers: Names::new(MOST_PROVIDERS),
            models: Names::new(MOST_MODELS),
            ejections: EJECTIONS.family(AtomicU64::default),
        }
    }
}

impl Alerts {
    /// A target went out of use, or came back.
    pub(super) fn target(&self, target: &Target, change: Transition, cause: TransitionCause) {
        let model = &target.model;
        let outcome = cause.outcome;
        let Transition::Ejected { lasts, times, dead } = change else {
            tracing::warn!(target_model = %model, outcome, "a target is back in use");
            return;
        };
        let names = (self.providers.of(&model.provider), self.models.of(&model.model));
        self.ejections.record(Ejected { provider: names.0, model: names.1 }, add);
        let seconds = lasts.as_secs_f64();
        if cause.again {
            tracing::warn!(target_model = %model, outcome, times, seconds, dead, "a target stays out of use");
            return;
        }
        add(&self.down);
        tracing::warn!(
            event = PROVIDER_DOWN,
            target_model = %model,
            outcome,
            times,
            seconds,
            dead,
            "a target fails and is out of use"
        );
    }

    /// A provider refused a key, for the first time or when it was tried again.
    pub(super) fn refused(&self, credential: &Credential, status: u16, first: bool) {
        let name = &credential.name;
        if !first {
            tracing::warn!(credential = name, status, "a provider still refuses a key");
            return;
        }
        add(&self.refused);
        tracing::error!(
            event = CREDENTIAL_REFUSED,
            credential = name,
            status,
            "a provider refused a key; it is not used until it is changed, or a trial succeeds"
        );
    }
}

impl Collect for Alerts {
    fn collect(&self, to: &mut Exposition<'_>) -> fmt::Result {
        let mut events = to.counter(&ALERT_EVENTS)?;
        for (event, count) in [(PROVIDER_DOWN, &self.down), (CREDENTIAL_REFUSED, &self.refused)] {
            events.put([event], count.load(Ordering::Relaxed))?;
        }
        let mut ejections = to.counter(&EJECTIONS)?;
        self.ejections.each(|Ejected { provider, model }, count| {
            let (provider, model) = (self.providers.text(provider), self.models.text(model));
            ejections.put([&*provider, &*model], count.load(Ordering::Relaxed))
        })
    }
}

fn add(count: &AtomicU64) {
    count.fetch_add(1, Ordering::Relaxed);
}
