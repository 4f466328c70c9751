//! Tells the control plane what this proxy sees of targets and keys: at once when a state changes, else now and then.

use std::{sync::Arc, time::Duration};

use config_client::ConfigStatus;
use proto::v1::{CredentialHealth, HealthReport, TargetHealth};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status};

use super::view;

use crate::{health::ConfiguredTargets, state::ProxyState};

/// How often states are looked at: some change by nothing but time.
const LOOK: Duration = Duration::from_millis(500);
/// How often what changes all the time, such as counts, is told.
const EVERY: Duration = Duration::from_secs(2);
/// How often the same is told again, so that it is believed.
const AGAIN: Duration = Duration::from_secs(10);
/// Shortest time between two reports, however much happens.
const PAUSE: Duration = Duration::from_millis(100);

/// What the control plane heard last.
struct Told {
    at: Instant,
    /// Which connection it was told on: another one may lead to another control plane.
    connection: u64,
    report: HealthReport,
}

/// Reports through `send` until `stop`, as the proxy of that name, whenever a control plane is connected.
pub(crate) async fn run<F: Future<Output = Result<(), Status>> + Send>(
    proxy: Arc<ProxyState>,
    name: &str,
    status: Arc<ConfigStatus>,
    send: impl Fn(HealthReport) -> F,
    stop: CancellationToken,
) {
    let (mut targets, mut told): (ConfiguredTargets, Option<Told>) = Default::default();
    // The connection to a control plane of a version that does not take such reports.
    let mut older = None;
    while !stop.is_cancelled() {
        let connection = status.connection();
        if let Some(connection) = connection.filter(|connection| older != Some(*connection)) {
            targets.follow(proxy.current());
            let report = view::report(&proxy, &targets, name);
            let at = Instant::now();
            if told.as_ref().is_none_or(|told| told.connection != connection || is_due(told, &report, at)) {
                let sent = stop.run_until_cancelled(send(report.clone())).await;
                match sent {
                    Some(Ok(())) => told = Some(Told { at, connection, report }),
                    Some(Err(status)) if status.code() == Code::Unimplemented => older = Some(connection),
                    // It goes without: this is for people, and the next one says all of it.
                    Some(Err(status)) => {
                        tracing::debug!(code = ?status.code(), "health was not reported: {}", status.message());
                    }
                    None => return,
                }
            }
        }
        tokio::time::sleep(PAUSE).await;
        tokio::select! {
            () = stop.cancelled() => {}
            () = proxy.health.for_control_plane.notified() => {}
            () = tokio::time::sleep(LOOK) => {}
        }
    }
}

fn is_due(told: &Told, report: &HealthReport, now: Instant) -> bool {
    let passed = now.saturating_duration_since(told.at);
    passed >= AGAIN || !same_states(&told.report, report) || (passed >= EVERY && told.report != *report)
}

fn same_states(a: &HealthReport, b: &HealthReport) -> bool {
    fn target(target: &TargetHealth) -> impl PartialEq {
        (&target.endpoint, &target.upstream, &target.state, target.times)
    }
    fn key(key: &CredentialHealth) -> impl PartialEq {
        (&key.id, key.revision, &key.state)
    }
    a.targets.iter().map(target).eq(b.targets.iter().map(target))
        && a.credentials.iter().map(key).eq(b.credentials.iter().map(key))
}
