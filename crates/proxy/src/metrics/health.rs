//! The states of targets and keys at this moment, as Prometheus reads them.

use std::{collections::BTreeMap, fmt, sync::Arc};

use policy::health::BreakerState;
use runtime::metrics::{Collect, Exposition};

use super::table;
use crate::{
    health::{ConfiguredTargets, has_usable_credential},
    state::ProxyState,
};

/// Provider and model of the targets beyond those that are told apart.
const OTHER: (&str, &str) = ("other", "other");
/// The states of keys; `spent` is by the provider's count of requests or tokens.
const CREDENTIAL_STATES: [&str; 5] = ["usable", "resting", "throttled", "refused", "spent"];

/// Where the answers are.
pub(crate) struct HealthStates(pub(crate) Arc<ProxyState>);

impl Collect for HealthStates {
    fn collect(&self, to: &mut Exposition<'_>) -> fmt::Result {
        self.targets(to)?;
        self.credentials(to)
    }
}

impl HealthStates {
    /// Of every target that a route names.
    fn targets(&self, to: &mut Exposition<'_>) -> fmt::Result {
        let (proxy, mut roster) = (&self.0, ConfiguredTargets::default());
        roster.follow(proxy.current());
        let now = proxy.now();
        // Targets of one name, of several owners, are one to Prometheus: well if all of them are.
        let mut named: BTreeMap<(&str, &str), TargetGauges> = BTreeMap::new();
        for target in roster.all() {
            let name = (target.model.provider.as_str(), target.model.model.as_str());
            let admission = target.state.admission(now);
            let healthy = matches!(admission, BreakerState::Healthy | BreakerState::Warming { .. })
                && has_usable_credential(target, now);
            let one = TargetGauges { healthy, in_flight: target.state.in_flight().into() };
            named.entry(name).or_default().join(one);
        }
        if let Some(first) = named.keys().nth(table::TARGET_HEALTHY.most()).copied() {
            for (_, one) in named.split_off(&first) {
                named.entry(OTHER).or_default().join(one);
            }
        }
        let region = proxy.region.as_deref().unwrap_or_default();
        let mut gauges = to.gauge(&table::TARGET_HEALTHY)?;
        for ((provider, model), target) in &named {
            gauges.put([provider, model, region], f64::from(u8::from(target.healthy)))?;
        }
        let mut gauges = to.gauge(&table::TARGET_IN_FLIGHT)?;
        for ((provider, model), target) in &named {
            gauges.put([provider, model], target.in_flight as f64)?;
        }
        Ok(())
    }

    /// Of every provider that has keys.
    fn credentials(&self, to: &mut Exposition<'_>) -> fmt::Result {
        let Some(snapshot) = self.0.current() else { return Ok(()) };
        let now = self.0.now();
        let mut by_provider: BTreeMap<&str, [u64; CREDENTIAL_STATES.len()]> = BTreeMap::new();
        for endpoint in snapshot.endpoints() {
            let room = by_provider.len() < table::CREDENTIALS.most();
            let known = room || by_provider.contains_key(endpoint.name.as_str());
            let name = if known { endpoint.name.as_str() } else { OTHER.0 };
            for credential in &endpoint.credentials {
                let state = credential.state.view(now).state();
                let place = CREDENTIAL_STATES
                    .iter()
                    .position(|known| *known == state)
                    .unwrap_or(CREDENTIAL_STATES.len() - 1);
                if let Some(count) = by_provider.entry(name).or_default().get_mut(place) {
                    *count += 1;
                }
            }
        }
        let mut gauges = to.gauge(&table::CREDENTIALS)?;
        for (provider, counts) in by_provider {
            for (state, count) in CREDENTIAL_STATES.iter().zip(counts) {
                gauges.put([provider, state], count as f64)?;
            }
        }
        Ok(())
    }
}

/// What is shown of the targets of one name.
#[derive(Clone, Copy)]
struct TargetGauges {
    healthy: bool,
    in_flight: u64,
}

impl Default for TargetGauges {
    /// Of no target: nothing fails, nothing runs.
    fn default() -> Self {
        Self { healthy: true, in_flight: 0 }
    }
}

impl TargetGauges {
    /// Adds another target of the same name; together they are healthy if all of them are.
    fn join(&mut self, other: Self) {
        self.healthy &= other.healthy;
        self.in_flight += other.in_flight;
    }
}
