//! What a dry run knows of the health of targets and keys.

use admin_api::ExplainHealth;
use policy::health::{HealthRegistry, Micros};

use crate::watch::Proxies;

/// The moment of a dry run, on a clock of its own: an hour after the beginning, so that what reports tell of the past
/// has room before it.
const NOW: Micros = 3_600_000_000;

/// States of targets and keys, and where they come from.
pub(super) struct LiveView {
    /// The states.
    pub(super) live: HealthRegistry,
    /// The moment, on the clock of the states.
    pub(super) now: Micros,
    /// What they come from.
    pub(super) health: ExplainHealth,
}

/// What the proxies of a region reported, of all regions where none is named.
pub(super) fn live_view(proxies: &Proxies, region: Option<&str>) -> LiveView {
    // Each dry run draws anew, as each request does.
    let seed = uuid::Uuid::now_v7().as_u64_pair().1;
    let (live, proxies) = proxies.health.live_view(region, seed, NOW);
    let whose = region.map(|region| format!(" of region {region}")).unwrap_or_default();
    let basis = match proxies {
        0 => format!("no proxy{whose} has reported: every target and key counts as usable"),
        1 => format!("what 1 proxy{whose} reported of targets and keys; load and latency are not known here"),
        _ => format!(
            "what {proxies} proxies{whose} reported of targets and keys; load and latency are not known here"
        ),
    };
    LiveView { live, now: NOW, health: ExplainHealth { proxies, basis } }
}
