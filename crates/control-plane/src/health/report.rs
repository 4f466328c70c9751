//! One proxy's report, read and checked.

use std::time::Duration;

use domain::ResourceId;
use policy::health::{HealthRecord, HealthRecordKind, HealthRegistry, Micros};
use prost::Message as _;
use proto::{
    Malformed,
    v1::{CredentialHealth, HealthReport, SharedState, TargetHealth},
};
use tokio::time::Instant;

/// Longest name, in bytes.
const MAX_TEXT: usize = 1_024;

/// What one proxy sees.
pub(crate) struct Report {
    pub(crate) proxy: String,
    pub(crate) region: String,
    pub(crate) targets: Vec<Seen<TargetHealth>>,
    pub(crate) keys: Vec<Seen<CredentialHealth>>,
    pub(crate) truncated: bool,
    /// Its size on the wire.
    pub(super) bytes: usize,
    at: Instant,
}

/// The health of a target or a credential, with its ids decoded.
pub(crate) struct Seen<T> {
    /// The provider's id, or the credential's.
    pub(crate) id: ResourceId,
    /// The tenant that owns it; `None` for the operator.
    pub(crate) owner: Option<ResourceId>,
    pub(crate) health: T,
}

impl Report {
    pub(super) fn read(report: HealthReport, at: Instant) -> Result<Self, Malformed> {
        let bytes = report.encoded_len();
        let HealthReport { proxy, region, targets, credentials, truncated } = report;
        short(&region)?;
        let targets = targets.into_iter().map(|mut health| {
            [&health.provider, &health.model, &health.upstream, &health.state]
                .into_iter()
                .chain(&health.leads)
                .try_for_each(|text| short(text))?;
            health.state = proto::state_from(&health.state).to_owned();
            seen(&health.endpoint.clone(), &health.owner.clone(), health)
        });
        let keys = credentials.into_iter().map(|mut health| {
            short(&health.name).and(short(&health.state))?;
            health.state = proto::state_from(&health.state).to_owned();
            seen(&health.id.clone(), &health.owner.clone(), health)
        });
        let targets = targets.collect::<Result<_, _>>()?;
        let keys = keys.collect::<Result<_, _>>()?;
        Ok(Self { proxy, region, targets, keys, truncated, bytes, at })
    }

    pub(crate) fn age(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.at)
    }

    /// Lets a process of no experience know what this proxy knows.
    pub(super) fn adopt_into(&self, live: &HealthRegistry, at: Instant, now: Micros) {
        let age = u64::try_from(self.age(at).as_micros()).unwrap_or(u64::MAX);
        for Seen { id, health, .. } in &self.targets {
            if let Some(shared) = health.shared.as_ref().and_then(shared) {
                live.target(*id, &health.upstream).adopt(&shared.after(age), now);
            }
        }
        for Seen { id, health, .. } in &self.keys {
            // Another replica's 429 is told by state alone: it is not this one's to tell on.
            let rest = if health.state == "resting" { health.left_us } else { 0 };
            let told = health.shared.as_ref().and_then(shared);
            let told = told.or_else(|| (rest > 0).then_some(NOTHING));
            if let Some(told) = told {
                let shared = HealthRecord { rest: told.rest.max(rest), ..told };
                live.credential(*id, health.revision).adopt(&shared.after(age), now);
            }
        }
    }
}

/// Of something that was never out of use.
const NOTHING: HealthRecord = HealthRecord {
    kind: HealthRecordKind::Recovered,
    epoch: 0,
    left: 0,
    warm_up: 0,
    times: 0,
    dead: false,
    rest: 0,
};

fn seen<T>(id: &[u8], owner: &[u8], health: T) -> Result<Seen<T>, Malformed> {
    let id = proto::id_from(id, "id")?.ok_or_else(|| Malformed("no id".to_owned()))?;
    Ok(Seen { id, owner: proto::id_from(owner, "owner")?, health })
}

fn short(text: &str) -> Result<(), Malformed> {
    match text.len() <= MAX_TEXT {
        true => Ok(()),
        false => Err(Malformed(format!("a text of more than {MAX_TEXT} bytes"))),
    }
}

/// The record that a proxy shares; `None` when a newer version wrote numbers that this one cannot hold.
fn shared(told: &SharedState) -> Option<HealthRecord> {
    let SharedState { ejected, epoch, left_us, warm_up_us, times, dead, rest_us } = *told;
    Some(HealthRecord {
        kind: if ejected { HealthRecordKind::Ejected } else { HealthRecordKind::Recovered },
        epoch: u16::try_from(epoch).ok()?,
        left: left_us,
        warm_up: warm_up_us,
        times: u8::try_from(times).ok()?,
        dead,
        rest: rest_us,
    })
}
