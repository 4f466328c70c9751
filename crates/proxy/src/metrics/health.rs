//! The states of targets and keys at this moment, as Prometheus reads them.

use std::{collections::BTreeMap, fmt, sync::Arc};

use policy::health::BreakerState;
use runtime::metrics::{Collect, Exposition};

use crate::{health::ConfiguredTargets, state::ProxyState};

/// Most targets that are told apart; what comes later is one, `other`.
const MOST_TARGETS: usize = 1_000;
/// Most providers whose keys are told apart.
const MOST_PROVIDERS: usize = 200;
const OTHER: (&str, &str) = ("other", "other");
/// The states of keys; `spent` is by the provider's count of requests or tokens.
const KEY_STATES: [&str; 5] = ["usable", "resting", "throttled", "disabled", "spent"];

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
        let (gateway, mut roster) = (&self.0, ConfiguredTargets::default());
        roster.follow(gateway.current());
        let now = gateway.now();
        // Targets of one name, of several owners, are one to Prometheus: well if all of them are.
        let mut named: BTreeMap<(&str, &str), (bool, u64)> = BTreeMap::new();
        for target in roster.all() {
            let name = (target.model.provider.as_str(), target.model.model.as_str());
            let admission = target.state.admission(now);
            let healthy = matches!(admission, BreakerState::Open | BreakerState::Warming { .. });
            join(named.entry(name).or_insert((true, 0)), (healthy, target.state.in_flight().into()));
        }
        if let Some(first) = named.keys().nth(MOST_TARGETS).copied() {
            for (_, one) in named.split_off(&first) {
                join(named.entry(OTHER).or_insert((true, 0)), one);
            }
        }
        let region = gateway.region.as_deref().unwrap_or_default();
        let mut gauges = to.gauge("portcullis_target_healthy", "Whether requests may go to a target.")?;
        for ((provider, model), (healthy, _)) in &named {
            let labels = [("provider", *provider), ("model", *model), ("region", region)];
            gauges.put(&labels, f64::from(u8::from(*healthy)))?;
        }
        let mut gauges = to.gauge("portcullis_target_in_flight", "Requests under way at a target.")?;
        for ((provider, model), (_, in_flight)) in &named {
            gauges.put(&[("provider", provider), ("model", model)], *in_flight as f64)?;
        }
        Ok(())
    }

    /// Of every provider that has keys.
    fn credentials(&self, to: &mut Exposition<'_>) -> fmt::Result {
        let Some(snapshot) = self.0.current() else { return Ok(()) };
        let now = self.0.now();
        let mut by_provider: BTreeMap<&str, [u64; KEY_STATES.len()]> = BTreeMap::new();
        for endpoint in snapshot.endpoints() {
            let room = by_provider.len() < MOST_PROVIDERS;
            let known = room || by_provider.contains_key(endpoint.name.as_str());
            let name = if known { endpoint.name.as_str() } else { OTHER.0 };
            for credential in &endpoint.credentials {
                let state = credential.state.view(now).state();
                let place =
                    KEY_STATES.iter().position(|known| *known == state).unwrap_or(KEY_STATES.len() - 1);
                if let Some(count) = by_provider.entry(name).or_default().get_mut(place) {
                    *count += 1;
                }
            }
        }
        let mut gauges = to.gauge("portcullis_credentials", "Keys of providers by state.")?;
        for (provider, counts) in by_provider {
            for (state, count) in KEY_STATES.iter().zip(counts) {
                gauges.put(&[("provider", provider), ("state", state)], count as f64)?;
            }
        }
        Ok(())
    }
}

fn join(sum: &mut (bool, u64), (healthy, in_flight): (bool, u64)) {
    *sum = (sum.0 && healthy, sum.1 + in_flight);
}
