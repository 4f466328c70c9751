//! The health of targets and keys as this proxy knows it, who hears of changes, and the work that no request waits for.

mod counts;
mod leaders;
mod roster;
mod share;
mod trials;

use std::{sync::Arc, time::Duration};

use policy::{
    Target,
    live::{Change, Micros, Probed},
};
use serde::{Deserialize, Serialize};
use tokio::{sync::Notify, time::Instant};
use tokio_util::sync::CancellationToken;

pub(crate) use self::{counts::ProbeCounts, roster::Roster, share::probe_key};
use self::{leaders::Leaders, share::Sharing, trials::Trials};
use crate::gateway::Gateway;

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
    /// Probes by outcome.
    pub(crate) probes: Arc<ProbeCounts>,
}

impl Health {
    /// A target went out of use, or came back.
    pub(crate) fn told(&self, _target: &Target, _change: Change) {
        self.changed();
    }

    /// Something changed that the other replicas should know soon.
    pub(crate) fn changed(&self) {
        self.news.notify_one();
    }
}

/// What a probe found, as replicas tell each other.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Finding {
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
pub(crate) fn probed(gateway: &Gateway, target: &Target, finding: &Finding, began: Micros) {
    let probed = Probed { ok: finding.ok, ttft: finding.ttft.map(Duration::from_micros), began };
    let Target { state, endpoint, model, .. } = target;
    let Some(change) = state.probed(probed, &endpoint.outlier, gateway.now(), gateway.live.draw()) else {
        return;
    };
    match change {
        Change::Ejected { lasts, times, .. } => {
            tracing::warn!(target_model = %model, times, seconds = lasts.as_secs_f64(), "probes of a target fail; it is out of use");
        }
        Change::Recovered => {
            tracing::warn!(target_model = %model, "a probe succeeded; the target is back in use")
        }
    }
    gateway.health.told(target, change);
}

/// Shares what is known, gives leave for trials and finds the fastest, until `stop`; requests never wait for it.
pub(crate) async fn run(gateway: Arc<Gateway>, stop: CancellationToken) {
    let (mut sharing, mut trials, mut leaders) = (Sharing::default(), Trials::default(), Leaders::default());
    let (mut roster, mut pruned) = (Roster::default(), Instant::now());
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
