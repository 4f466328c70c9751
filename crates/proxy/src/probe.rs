//! Active probes: requests of the gateway's own that find out whether providers answer, before users do.
//!
//! One replica of a region sends each probe, and tells the others what it found. A proxy without a store, or one
//! whose store is away, probes for itself.

mod call;
mod list;
mod probe_attempt;
mod schedule;

use std::{sync::Arc, time::Duration};

use coordination::Record;
use domain::{AttemptOutcome, ProbeSpec, PromptProbe, ResourceId};
use policy::health::Micros;
use tokio::{task::JoinSet, time::Instant};
use tokio_util::sync::CancellationToken;

use self::schedule::{Job, Schedule, Subject};
use crate::{
    attempt,
    gateway::ProxyState,
    health::{ConfiguredTargets, ProbeFinding, probe_key, probed},
};

/// Most probes that run at once.
const AT_ONCE: usize = 8;
/// How many intervals the others remember what was found, and how long at most: records hold no longer.
const REMEMBERED: u32 = 2;
const LONGEST: Duration = Duration::from_secs(86_400);

/// Sends probes until `stop`; what runs then is broken off.
pub(crate) async fn run(gateway: Arc<ProxyState>, stop: CancellationToken) {
    let mut installed = gateway.installed();
    let (mut roster, mut schedule) = (ConfiguredTargets::default(), Schedule::default());
    let mut running: JoinSet<Subject> = JoinSet::new();
    while !stop.is_cancelled() {
        if roster.follow(&gateway) {
            schedule.follow(&roster, || gateway.live.draw());
        }
        while running.len() < AT_ONCE
            && let Some((subject, job)) = schedule.begin(Instant::now())
        {
            let gateway = Arc::clone(&gateway);
            running.spawn(async move {
                once(&gateway, &job, subject.1.as_deref()).await;
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
                    schedule.end(&subject, gateway.live.draw());
                }
            }
            () = wait(next) => {}
        }
    }
    running.shutdown().await;
}

/// Until then, or for ever.
async fn wait(until: Option<Instant>) {
    match until {
        Some(until) => tokio::time::sleep_until(until).await,
        None => std::future::pending().await,
    }
}

/// Sends one probe, if it is this replica's to send, and tells everybody what it found.
async fn once(gateway: &Arc<ProxyState>, job: &Job, upstream: Option<&str>) {
    let Some(target) = job.targets.first() else { return };
    let key = probe_key(gateway.region.as_deref().unwrap_or_default(), job.endpoint.id, upstream);
    let every = job.times.every.std();
    if !gateway.coordination.lease(&key, every).await {
        return;
    }
    let (began, owner) = (gateway.now(), job.endpoint.owner);
    let (outcome, verdict, ttft) = match &job.endpoint.probe {
        ProbeSpec::Off => return,
        ProbeSpec::Free(times) => {
            let listed = list::ask(gateway, &job.endpoint, times.timeout.std()).await;
            let outcome = listed.as_ref().map_or(AttemptOutcome::NotSent, |listed| listed.outcome);
            (outcome, listed.and_then(|listed| listed.verdict), None)
        }
        ProbeSpec::Prompt(probe) => prompt(gateway, (target, owner), probe).await,
    };
    let model = upstream.map_or("", |_| target.model.model.as_str());
    gateway.health.probes.count(&job.endpoint.name, model, outcome);
    tracing::debug!(provider = job.endpoint.name, model, outcome = outcome.as_str(), "probed");
    let Some(ok) = verdict else { return };
    let holds = remembered(every);
    let finding = ProbeFinding {
        ok,
        ttft: ttft.map(micros),
        took: gateway.now().saturating_sub(began),
        holds: micros(holds),
        number: gateway.live.draw(),
    };
    for target in &job.targets {
        probed(gateway, target, &finding, began);
    }
    if let Ok(value) = serde_json::to_vec(&finding) {
        gateway.coordination.publish(&[Record { key, value, ttl: holds }]).await;
    }
}

/// How long the record of a finding holds: its age is told by what is left of that.
fn remembered(every: Duration) -> Duration {
    every.saturating_mul(REMEMBERED).min(LONGEST)
}

/// A small prompt, metered as any call is.
async fn prompt(
    gateway: &Arc<ProxyState>,
    (target, owner): (&Arc<policy::Target>, Option<ResourceId>),
    probe: &PromptProbe,
) -> (AttemptOutcome, Option<bool>, Option<Duration>) {
    let Some(ask) = call::ask(target, probe) else { return (AttemptOutcome::NotSent, None, None) };
    let meter = call::meter(gateway, &ask, owner);
    let deadline = Instant::now() + probe.timeout.std();
    match probe_attempt::probe(gateway, &ask, meter, deadline).await {
        None => (AttemptOutcome::NotSent, None, None),
        Some(ended) => (ended.outcome, attempt::verdict(ended.outcome), ended.ttft),
    }
}

fn micros(duration: Duration) -> Micros {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
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
