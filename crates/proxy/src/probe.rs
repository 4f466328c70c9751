//! Active probes: requests of the gateway's own that find out whether providers answer, before users do.
//!
//! One replica of a region sends each probe, and tells the others what it found. A proxy without a shared store, or with
//! one that is unavailable, probes for itself.

mod call;
mod list;
mod probe_attempt;
mod probed;
mod schedule;

use std::{sync::Arc, time::Duration};

use coordination::Record;
use domain::{ProbeSpec, PromptProbe, ResourceId};
use policy::health::EndpointHealth;
use tokio::{task::JoinSet, time::Instant};
use tokio_util::sync::CancellationToken;

use self::{
    probed::Probed,
    schedule::{Job, Schedule, Subject},
};
use crate::{
    clock::micros,
    health::{ConfiguredTargets, ProbeFinding, probe_key},
    state::ProxyState,
};

/// Most probes that run at once.
const AT_ONCE: usize = 8;
/// How many intervals the others remember what was found, and how long at most: records hold no longer.
const REMEMBERED: u32 = 2;
const LONGEST: Duration = Duration::from_secs(86_400);

/// Sends probes until `stop`; probes that run then are aborted.
pub(crate) async fn run(proxy: Arc<ProxyState>, stop: CancellationToken) {
    let mut installed = proxy.installed();
    let mut targets = ConfiguredTargets::default();
    let mut schedule = Schedule::default();
    let mut running: JoinSet<Subject> = JoinSet::new();
    while !stop.is_cancelled() {
        if targets.follow(proxy.current()) {
            schedule.follow(&targets, || proxy.live.draw());
        }
        while running.len() < AT_ONCE
            && let Some((subject, job)) = schedule.begin(Instant::now())
        {
            let proxy = Arc::clone(&proxy);
            running.spawn(async move {
                once(&proxy, &job, subject.1.as_deref()).await;
                subject
            });
        }
        let room = running.len() < AT_ONCE;
        let next = schedule.next().filter(|_| room);
        tokio::select! {
            () = stop.cancelled() => {}
            Ok(()) = installed.changed() => {}
            Some(ended) = running.join_next() => {
                if let Ok(subject) = ended {
                    schedule.end(&subject, proxy.live.draw());
                }
            }
            () = wait(next) => {}
        }
    }
    running.shutdown().await;
}

/// Waits until then, or for ever.
async fn wait(until: Option<Instant>) {
    match until {
        Some(until) => tokio::time::sleep_until(until).await,
        None => std::future::pending().await,
    }
}

/// Sends one probe, if this replica gets the lease on it, and publishes what it found.
async fn once(proxy: &Arc<ProxyState>, job: &Job, upstream: Option<&str>) {
    let Some(target) = job.targets.first() else { return };
    let key = probe_key(proxy.region.as_deref().unwrap_or_default(), job.endpoint.id, upstream);
    let every = job.times.every.std();
    if !proxy.coordination.lease(&key, every).await {
        return;
    }
    let began = proxy.now();
    let probed = match &job.endpoint.probe {
        ProbeSpec::Off => return,
        ProbeSpec::Free(times) => list::request_list(proxy, &job.endpoint, times.timeout.std()).await,
        ProbeSpec::Prompt(probe) => prompt(proxy, target, job.endpoint.owner, probe).await,
    };
    let model = upstream.map_or("", |_| target.model.model.as_str());
    proxy.health.probes.count(&job.endpoint.name, model, probed.outcome);
    tracing::debug!(provider = job.endpoint.name, model, outcome = probed.outcome.as_str(), "probed");
    let ok = match probed.health {
        EndpointHealth::Healthy => true,
        EndpointHealth::Failing => false,
        EndpointHealth::Unknown => return,
    };
    let holds = remembered(every);
    let finding = ProbeFinding {
        ok,
        ttft: probed.ttft.map(micros),
        took: proxy.now().saturating_sub(began),
        holds: micros(holds),
        number: proxy.live.draw(),
    };
    for target in &job.targets {
        proxy.health.on_probe(target, &finding, began);
    }
    if let Ok(value) = serde_json::to_vec(&finding) {
        proxy.coordination.publish(&[Record { key, value, ttl: holds }]).await;
    }
}

/// How long the record of a finding holds; the time that is left of it tells the finding's age.
fn remembered(every: Duration) -> Duration {
    every.saturating_mul(REMEMBERED).min(LONGEST)
}

/// Sends a small prompt, metered as any call is.
async fn prompt(
    proxy: &Arc<ProxyState>,
    target: &Arc<policy::Target>,
    owner: Option<ResourceId>,
    probe: &PromptProbe,
) -> Probed {
    let Some(request) = call::request(target, probe) else { return Probed::NOT_SENT };
    let meter = call::meter(proxy, &request, owner);
    let deadline = Instant::now() + probe.timeout.std();
    match probe_attempt::probe(proxy, &request, meter, deadline).await {
        None => Probed::NOT_SENT,
        Some(ended) => Probed { ttft: ended.ttft, ..Probed::new(ended.outcome) },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_is_remembered_for_two_intervals_and_no_longer_than_a_record_holds() {
        assert_eq!(remembered(Duration::from_secs(30)), Duration::from_secs(60));
        assert_eq!(remembered(Duration::from_secs(86_400)), Duration::from_secs(86_400));
    }
}
