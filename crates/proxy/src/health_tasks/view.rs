//! All that this proxy sees of targets and keys, as it is reported and measured.

use std::{collections::HashMap, sync::Arc};

use domain::{ResourceId, Strategy, Timestamp};
use policy::{
    Credential, Snapshot, Target,
    health::{BreakerState, HealthRecord, HealthRecordKind, Micros},
};
use prost::Message as _;
use proto::v1::{CredentialHealth, HealthReport, SharedState, TargetHealth};

use crate::{
    clock::micros,
    health::{ConfiguredTargets, has_usable_credential},
    state::ProxyState,
};

/// Bytes that are left to the report's own fields.
const ROOM: usize = 4 << 10;
/// The word for a target that is in use.
const HEALTHY: &str = "healthy";
/// Most routes that are named as led by one target.
const MOST_LED: usize = 32;

/// The report of this moment; what is out of use comes first, should there be more than fits.
pub(super) fn report(proxy: &ProxyState, targets: &ConfiguredTargets, name: &str) -> HealthReport {
    let mut report = HealthReport {
        proxy: name.to_owned(),
        region: proxy.region.clone().unwrap_or_default(),
        ..HealthReport::default()
    };
    let Some(snapshot) = &targets.snapshot else { return report };
    let now = proxy.now();
    let leads = leads(snapshot);
    let mut targets: Vec<_> = targets.all().map(|target| self::target(target, &leads, now)).collect();
    let mut credentials = credentials(proxy, snapshot, now);
    targets.sort_by(|a, b| {
        let key = |target: &TargetHealth| proto::state_from(&target.state) == HEALTHY;
        (key(a), &a.provider, &a.model, &a.endpoint).cmp(&(key(b), &b.provider, &b.model, &b.endpoint))
    });
    credentials.sort_by(|a, b| {
        let key = |credential: &CredentialHealth| credential.state == "usable";
        (key(a), &a.name, &a.id).cmp(&(key(b), &b.name, &b.id))
    });
    // A tag and a length each. Keys may take a half at most, so that neither leaves no room for the other.
    let mut room = proto::MAX_HEALTH_REPORT - ROOM;
    let mut fits = |size: usize, keep: usize| {
        let fits = room.saturating_sub(keep) >= size + 8;
        room -= if fits { size + 8 } else { 0 };
        fits
    };
    let all = targets.len() + credentials.len();
    credentials.retain(|credential| fits(credential.encoded_len(), proto::MAX_HEALTH_REPORT / 2));
    targets.retain(|target| fits(target.encoded_len(), 0));
    report.truncated = targets.len() + credentials.len() < all;
    (report.targets, report.credentials) = (targets, credentials);
    report
}

/// The state of a target, in the word shown to people. Without a credential that could be used, a target that is in
/// use otherwise cannot be; one that is out of use stays `ejected` or `half_open`.
fn target_state(target: &Target, breaker: BreakerState, now: Micros) -> &'static str {
    match breaker {
        BreakerState::Healthy | BreakerState::Warming { .. } if !has_usable_credential(target, now) => {
            "no_credential"
        }
        BreakerState::Healthy => HEALTHY,
        BreakerState::Warming { .. } => "warming",
        BreakerState::HalfOpen => "half_open",
        BreakerState::Ejected { .. } => "ejected",
    }
}

/// The routes that each target is the fastest in, by its state's address.
fn leads(snapshot: &Snapshot) -> HashMap<usize, Vec<String>> {
    let today = Timestamp::now();
    let mut leads: HashMap<usize, Vec<String>> = HashMap::new();
    for route in snapshot.routes() {
        for tier in route.tiers().filter(|tier| tier.strategy == Strategy::LowestLatency) {
            let Some(member) = tier.members.get(tier.leader.current()) else { continue };
            let target = member.target.replacement(today).unwrap_or(&member.target);
            let led = leads.entry(Arc::as_ptr(&target.state).addr()).or_default();
            if led.len() < MOST_LED && !led.contains(&route.name) {
                led.push(route.name.clone());
            }
        }
    }
    // Routes come in no order, and another order is no news.
    leads.values_mut().for_each(|led| led.sort());
    leads
}

fn target(target: &Target, leads: &HashMap<usize, Vec<String>>, now: Micros) -> TargetHealth {
    let view = target.state.view(now);
    let (left, dead, share) = match view.admission {
        BreakerState::Ejected { left, dead } => (left, dead, 0),
        BreakerState::Warming { share } => (std::time::Duration::ZERO, false, share.parts()),
        BreakerState::Healthy | BreakerState::HalfOpen => (std::time::Duration::ZERO, false, 0),
    };
    TargetHealth {
        endpoint: proto::id_to(Some(target.endpoint.id)),
        owner: proto::id_to(target.endpoint.owner),
        provider: target.model.provider.clone(),
        model: target.model.model.clone(),
        upstream: target.upstream.clone(),
        state: proto::state_to(target_state(target, view.admission, now)).to_owned(),
        left_us: micros(left),
        dead,
        share_ppm: share,
        times: view.times,
        requests: view.requests,
        failures: view.failures,
        consecutive: view.consecutive,
        in_flight: view.in_flight,
        ttft_p95_us: view.ttft_p95.map(micros),
        leads: leads.get(&Arc::as_ptr(&target.state).addr()).cloned().unwrap_or_default(),
        shared: target.state.shared(now).map(shared),
    }
}

fn credentials(proxy: &ProxyState, snapshot: &Snapshot, now: Micros) -> Vec<CredentialHealth> {
    // A credential does not know its revision; its state is kept by it.
    let known = proxy.live.credentials();
    let revisions: HashMap<usize, u64> =
        known.iter().map(|(key, state)| (Arc::as_ptr(state).addr(), key.revision)).collect();
    let all = snapshot
        .endpoints()
        .flat_map(|endpoint| endpoint.credentials.iter().map(move |credential| (endpoint.owner, credential)));
    let read = |(owner, credential): (_, &Arc<Credential>)| {
        let revision = *revisions.get(&Arc::as_ptr(&credential.state).addr())?;
        Some(self::credential(credential, owner, revision, now))
    };
    all.filter_map(read).collect()
}

fn credential(
    credential: &Credential,
    owner: Option<ResourceId>,
    revision: u64,
    now: Micros,
) -> CredentialHealth {
    let view = credential.state.view(now);
    CredentialHealth {
        id: proto::id_to(Some(credential.id)),
        revision,
        owner: proto::id_to(owner),
        name: credential.name.clone(),
        state: proto::state_to(view.state()).to_owned(),
        left_us: view.benched.map(|benched| micros(benched.left)).unwrap_or_default(),
        times: view.times,
        in_flight: view.in_flight,
        remaining_requests: view.remaining_requests,
        remaining_tokens: view.remaining_tokens,
        shared: credential.state.shared(now).map(shared),
    }
}

fn shared(told: HealthRecord) -> SharedState {
    let HealthRecord { kind, epoch, left, warm_up, times, dead, rest } = told;
    SharedState {
        ejected: kind == HealthRecordKind::Ejected,
        epoch: epoch.into(),
        left_us: left,
        warm_up_us: warm_up,
        times: times.into(),
        dead,
        rest_us: rest,
    }
}
