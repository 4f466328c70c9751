//! What replicas tell each other of targets and credentials: short records, written when something changes and again
//! before they expire.

use std::{collections::HashMap, sync::Arc, time::Duration};

use coordination::{Cursor, MAX_KEY, Record};
use domain::ResourceId;
use policy::{
    Target,
    health::{HealthRecord, HealthRecordKind, Micros, Transition},
};
use serde::{Deserialize, Serialize};

use crate::{
    clock::micros,
    health::{ConfiguredTargets, ProbeFinding},
    state::ProxyState,
};

/// How long a record holds unless it is written again.
const HOLDS: Duration = Duration::from_secs(60);
/// How long a probe's finding is remembered.
const MICROS_PER_DAY: Micros = 86_400_000_000;
/// Most records told at once; the rest follows in the next round.
const MOST: usize = 1_024;

/// What the store holds, as far as this replica knows, by this and other replicas.
#[derive(Default)]
pub(super) struct HealthSync {
    cursor: Cursor,
    held: HashMap<String, Held>,
    /// The newest finding of each probe, so that one that is told again counts once.
    found: HashMap<String, (u64, Micros)>,
    /// How often the store had been lost when `held` was last true.
    losses: u64,
}

#[derive(Clone, Copy)]
struct Held {
    shared: HealthRecord,
    at: Micros,
}

/// The value of a record about a state.
#[derive(Serialize, Deserialize)]
struct StateRecord {
    #[serde(flatten)]
    shared: HealthRecord,
    /// µs that the record holds from when it was told; what is missing of it has passed since.
    holds: Micros,
}

/// What a record is about.
#[derive(Debug, PartialEq, Eq)]
enum RecordKey<'a> {
    Target(ResourceId, &'a str),
    /// The key was refused, or is accepted again.
    Key(ResourceId, u64),
    /// The key rests.
    Rest(ResourceId, u64),
    /// A probe of the models at an endpoint, or of one of them.
    Probe(ResourceId, Option<&'a str>),
}

impl HealthSync {
    /// Takes over what others found, then publishes what they do not know.
    pub(super) async fn round(&mut self, proxy: &ProxyState, targets: &ConfiguredTargets) {
        let records = proxy.coordination.poll(&mut self.cursor).await;
        self.receive(proxy, targets, &records);
        self.publish_news(proxy).await;
    }

    /// Takes over records. Those of unknown targets are kept too: a replica may receive them before its first
    /// configuration.
    fn receive(&mut self, proxy: &ProxyState, targets: &ConfiguredTargets, records: &[Record]) {
        let now = proxy.now();
        let region = proxy.region.as_deref().unwrap_or_default();
        let mut found = Vec::new();
        for record in records {
            match record_key(&record.key, region) {
                Some(RecordKey::Probe(endpoint, upstream)) => found.push((endpoint, upstream, record)),
                Some(record_key) => self.adopt_state(proxy, &record_key, record, now),
                // Of a probe in another region, or written by a newer version.
                None => {}
            }
        }
        // After the states: what another replica concluded from its probes must not be concluded again here.
        for (endpoint, upstream, record) in found {
            self.adopt_finding(proxy, targets.at(endpoint, upstream), record);
        }
        if !records.is_empty() {
            proxy.health.on_remote_change();
        }
    }

    fn adopt_state(&mut self, proxy: &ProxyState, record_key: &RecordKey<'_>, record: &Record, now: Micros) {
        let Ok(StateRecord { shared, holds }) = serde_json::from_slice(&record.value) else { return };
        let shared = shared.after(holds.saturating_sub(micros(record.ttl)));
        self.held.insert(record.key.clone(), Held { shared, at: now });
        match record_key {
            RecordKey::Target(endpoint, upstream) => {
                match proxy.live.target(*endpoint, upstream).adopt(&shared, now) {
                    Some(Transition::Ejected { lasts, times, .. }) => {
                        tracing::info!(%endpoint, model = upstream, times, seconds = lasts.as_secs_f64(), "another replica put a target out of use");
                    }
                    Some(Transition::Recovered) => {
                        tracing::info!(%endpoint, model = upstream, "another replica put a target back in use");
                    }
                    None => {}
                }
            }
            RecordKey::Key(id, revision) | RecordKey::Rest(id, revision) => {
                if proxy.live.credential(*id, *revision).adopt(&shared, now) {
                    tracing::info!(credential = %id, "another replica's key was refused");
                }
            }
            RecordKey::Probe(..) => {}
        }
    }

    fn adopt_finding<'a>(
        &mut self,
        proxy: &ProxyState,
        targets: impl Iterator<Item = &'a Arc<Target>>,
        record: &Record,
    ) {
        let Ok(finding) = serde_json::from_slice::<ProbeFinding>(&record.value) else { return };
        let now = proxy.now();
        let before = self.found.insert(record.key.clone(), (finding.number, now));
        if before.is_some_and(|(number, _)| number == finding.number) {
            return;
        }
        let age = finding.holds.saturating_sub(micros(record.ttl)).saturating_add(finding.took);
        for target in targets {
            proxy.health.on_probe(target, &finding, now.saturating_sub(age));
        }
    }

    /// Publishes what the store does not hold, and what it will soon no longer hold.
    async fn publish_news(&mut self, proxy: &ProxyState) {
        let now = proxy.now();
        let status = proxy.coordination.status();
        if status.lost_since.is_some() {
            return;
        }
        if std::mem::replace(&mut self.losses, status.outages) != status.outages {
            // It may have come back with another history.
            self.held.clear();
        }
        let holds = micros(HOLDS);
        self.held.retain(|_, held| now.saturating_sub(held.at) < holds);
        self.found.retain(|_, (_, at)| now.saturating_sub(*at) < MICROS_PER_DAY);
        let mut news = Vec::new();
        for (key, shared) in states(proxy, now) {
            if news.len() < MOST && self.is_news(&key, &shared, now) {
                news.push((key, shared));
            }
        }
        if news.is_empty() {
            return;
        }
        let records: Vec<Record> = news.iter().filter_map(|(key, shared)| record(key, *shared)).collect();
        if proxy.coordination.publish(&records).await {
            self.held.extend(news.into_iter().map(|(key, shared)| (key, Held { shared, at: now })));
        }
    }

    fn is_news(&self, key: &str, shared: &HealthRecord, now: Micros) -> bool {
        let Some(held) = self.held.get(key) else { return true };
        let passed = now.saturating_sub(held.at);
        let known = held.shared.after(passed);
        shared.adds_to(&known) || (passed > micros(HOLDS) / 2 && !known.adds_to(shared))
    }
}

/// Everything that this replica could publish.
fn states(proxy: &ProxyState, now: Micros) -> impl Iterator<Item = (String, HealthRecord)> {
    let targets = proxy.live.targets().into_iter().filter_map(move |(key, state)| {
        Some((format!("target:{}:{}", key.endpoint, key.upstream), state.shared(now)?))
    });
    let credentials = proxy.live.credentials().into_iter().flat_map(move |(key, state)| {
        // Apart, because one record replaces another: the end of a rest must not hide that the key was refused.
        let shared = state.shared(now);
        let refused =
            shared.filter(|shared| shared.epoch != 0).map(|shared| HealthRecord { rest: 0, ..shared });
        let rests = shared.filter(|shared| shared.rest != 0).map(|shared| HealthRecord {
            kind: HealthRecordKind::Recovered,
            epoch: 0,
            left: 0,
            ..shared
        });
        let named = |kind: &str, shared: Option<HealthRecord>| {
            shared.map(|shared| (format!("{kind}:{}:{}", key.id, key.revision), shared))
        };
        [named("key", refused), named("rest", rests)].into_iter().flatten()
    });
    // A name longer than the store takes stays this replica's own business.
    targets.chain(credentials).filter(|(key, _)| key.len() <= MAX_KEY)
}

fn record(key: &str, shared: HealthRecord) -> Option<Record> {
    let value = serde_json::to_vec(&StateRecord { shared, holds: micros(HOLDS) }).ok()?;
    Some(Record { key: key.to_owned(), value, ttl: HOLDS })
}

/// Reads a record's key.
fn record_key<'a>(key: &'a str, region: &str) -> Option<RecordKey<'a>> {
    let (kind, rest) = key.split_once(':')?;
    let rest = match kind {
        "probe" => rest.strip_prefix(region)?.strip_prefix(':')?,
        _ => rest,
    };
    let (id, rest) = rest.split_once(':')?;
    let id = id.parse().ok()?;
    Some(match kind {
        "target" => RecordKey::Target(id, rest),
        "key" => RecordKey::Key(id, rest.parse().ok()?),
        "rest" => RecordKey::Rest(id, rest.parse().ok()?),
        "probe" => RecordKey::Probe(id, Some(rest).filter(|upstream| !upstream.is_empty())),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::probe_key;

    #[test]
    fn keys_say_what_records_are_about() {
        let id = ResourceId::new();
        assert_eq!(record_key(&format!("target:{id}:a:b"), ""), Some(RecordKey::Target(id, "a:b")));
        assert_eq!(record_key(&format!("key:{id}:7"), ""), Some(RecordKey::Key(id, 7)));
        assert_eq!(record_key(&format!("rest:{id}:7"), ""), Some(RecordKey::Rest(id, 7)));
        for region in ["", "eu", "eu:1"] {
            assert_eq!(
                record_key(&probe_key(region, id, Some("m:1")), region),
                Some(RecordKey::Probe(id, Some("m:1")))
            );
            assert_eq!(record_key(&probe_key(region, id, None), region), Some(RecordKey::Probe(id, None)));
            assert_eq!(record_key(&probe_key(region, id, Some("m")), "us"), None);
        }
        for bad in ["", "target", "target:x:y", "key:1:2", "newer:1:2", "key::"] {
            assert_eq!(record_key(bad, ""), None, "{bad}");
        }
    }
}
