//! The health of targets and keys as this proxy knows it, who hears of changes, and the work that no request waits for.

mod alerts;
mod counts;
mod leaders;
mod reporter;
mod roster;
mod share;
mod trials;
mod view;

use std::{sync::Arc, time::Duration};

use policy::{
    Credential, Target,
    health::{BreakerState, Micros, ProbeObservation, Transition},
};
use serde::{Deserialize, Serialize};
use tokio::{sync::Notify, time::Instant};
use tokio_util::sync::CancellationToken;

pub(crate) use self::{
    alerts::{Alerts, TransitionCause},
    counts::ProbeCounts,
    reporter::run as report,
    roster::ConfiguredTargets,
    share::probe_key,
    view::{has_usable_credential, key_state},
};
use self::{leaders::Leaders, share::HealthSync, trials::Trials};
use crate::gateway::ProxyState;

/// How often the others are heard, and trials and leaders looked at.
const ROUND: Duration = Duration::from_millis(500);
/// Shortest time between two rounds, however much happens.
const PAUSE: Duration = Duration::from_millis(20);
/// How often states that nobody needs any more are dropped.
const PRUNE: Duration = Duration::from_secs(300);
const MICROS_PER_DAY: Micros = 86_400_000_000;

/// Hears of changes.
#[derive(Debug, Default)]
pub(crate) struct Health {
    /// Something is to be told to the other replicas.
    pub(crate) news: Arc<Notify>,
    /// Something is to be told to the control plane.
    seen: Notify,
    /// Probes by outcome.
    pub(crate) probes: Arc<ProbeCounts>,
    /// What somebody should hear of.
    pub(crate) alerts: Arc<Alerts>,
}

impl Health {
    /// This replica found out that a target is out of use, or back.
    pub(crate) fn told(&self, target: &Target, change: Transition, cause: TransitionCause) {
        self.alerts.target(target, change, cause);
        self.changed();
    }

    /// A provider refused a key to this replica; `first`: it had been usable.
    pub(crate) fn refused(&self, credential: &Credential, status: u16, first: bool) {
        self.alerts.refused(credential, status, first);
        self.changed();
    }

    /// Another replica found something out.
    pub(crate) fn heard(&self) {
        self.seen.notify_one();
    }

    /// Something changed that the other replicas should know soon.
    pub(crate) fn changed(&self) {
        self.news.notify_one();
        self.seen.notify_one();
    }
}

/// What a probe found, as replicas tell each other.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct ProbeFinding {
    /// Whether the endpoint answered as it should.
    pub(crate) ok: bool,
    /// µs to the first token, where there is such a thing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ttft: Option<Micros>,
    /// µs that the probe took.
    pub(crate) took: Micros,
    /// µs that the record holds.
    pub(crate) holds: Micros,
    /// Tells it from the one before.
    pub(crate) number: u64,
}

/// A probe that began at this moment found something of a target.
pub(crate) fn probed(gateway: &ProxyState, target: &Target, finding: &ProbeFinding, began: Micros) {
    let probed = ProbeObservation { ok: finding.ok, ttft: finding.ttft.map(Duration::from_micros), began };
    let Target { state, endpoint, .. } = target;
    let now = gateway.now();
    let again = is_out(state.admission(now));
    if let Some(change) = state.probed(probed, &endpoint.outlier, now, gateway.live.draw()) {
        gateway.health.told(target, change, TransitionCause { outcome: "probed", again });
    }
}

/// Whether nothing but a trial may go there.
pub(crate) const fn is_out(admission: BreakerState) -> bool {
    matches!(admission, BreakerState::Ejected { .. } | BreakerState::HalfOpen)
}

/// Shares what is known, gives leave for trials and finds the fastest, until `stop`; requests never wait for it.
pub(crate) async fn run(gateway: Arc<ProxyState>, stop: CancellationToken) {
    let (mut sharing, mut trials, mut leaders) =
        (HealthSync::default(), Trials::default(), Leaders::default());
    let (mut roster, mut pruned) = (ConfiguredTargets::default(), Instant::now());
    while !stop.is_cancelled() {
        roster.follow(&gateway);
        sharing.round(&gateway, &roster).await;
        trials.round(&gateway).await;
        if let Some(snapshot) = &roster.snapshot {
            leaders.round(&gateway, snapshot);
        }
        if pruned.elapsed() >= PRUNE {
            pruned = Instant::now();
            gateway.live.prune();
        }
        let next = Instant::now() + ROUND;
        tokio::time::sleep(PAUSE).await;
        tokio::select! {
            () = stop.cancelled() => {}
            () = gateway.health.news.notified() => {}
            () = tokio::time::sleep_until(next) => {}
        }
    }
}
