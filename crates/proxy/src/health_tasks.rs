//! The work on health that no request waits for: replication, leases on half-open targets, leaders and reports.

mod half_open;
mod leaders;
mod replication;
mod reporter;
mod view;

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

pub(crate) use self::reporter::run as report;
use self::{half_open::HalfOpenLeases, leaders::Leaders, replication::HealthSync};
use crate::{health::ConfiguredTargets, state::ProxyState};

/// How often records of other replicas are read, and half-open targets and leaders looked at.
const ROUND: Duration = Duration::from_millis(500);
/// Shortest time between two rounds, however much happens.
const PAUSE: Duration = Duration::from_millis(20);
/// How often states that nothing refers to any more are dropped.
const PRUNE: Duration = Duration::from_secs(300);

/// Replicates health, acquires leases on half-open targets and finds the fastest targets, until `stop`.
pub(crate) async fn run(proxy: Arc<ProxyState>, stop: CancellationToken) {
    let mut replication = HealthSync::default();
    let mut half_open = HalfOpenLeases::default();
    let mut leaders = Leaders::default();
    let mut targets = ConfiguredTargets::default();
    let mut pruned = Instant::now();
    while !stop.is_cancelled() {
        targets.follow(proxy.current());
        replication.round(&proxy, &targets).await;
        half_open.round(&proxy).await;
        if let Some(snapshot) = &targets.snapshot {
            leaders.round(&proxy, snapshot);
        }
        if pruned.elapsed() >= PRUNE {
            pruned = Instant::now();
            proxy.live.prune();
        }
        let next = Instant::now() + ROUND;
        tokio::time::sleep(PAUSE).await;
        tokio::select! {
            () = stop.cancelled() => {}
            () = proxy.health.for_replicas.notified() => {}
            () = tokio::time::sleep_until(next) => {}
        }
    }
}
