//! The reports of all proxies as answers: one entry per target and region, with what each proxy says beside it.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use domain::ResourceId;
use proto::v1::{CredentialHealth, TargetHealth};
use schemars::JsonSchema;
use serde::Serialize;
use tokio::time::Instant;

use super::report::{Report, Seen};

/// Proxies of a region that do not say the same.
const MIXED: &str = "mixed";

/// A target as the proxies of one region see it.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct TargetItem {
    /// `provider/model`, as routes name it.
    pub target: String,
    /// The provider's name.
    pub provider: String,
    /// The model's name without the provider.
    pub model: String,
    /// What the provider calls the model.
    pub upstream: String,
    /// The tenant that owns the provider; `null`: the operator.
    pub tenant: Option<String>,
    /// Where the proxies stand; `null`: they were not told.
    pub region: Option<String>,
    /// Of all these proxies together: the state that all are in, or `mixed`; the longest time left, the smallest
    /// share, the slowest 95th percentile, and sums of what is counted.
    #[serde(flatten)]
    pub health: TargetFacts,
    /// What each proxy says.
    pub proxies: Vec<TargetOfProxy>,
}

/// A target as one proxy sees it.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct TargetOfProxy {
    /// The proxy's name.
    pub proxy: String,
    /// Seconds since it said so.
    pub age_seconds: f64,
    /// What it said.
    #[serde(flatten)]
    pub health: TargetFacts,
}

/// What is seen of a target.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct TargetFacts {
    /// `healthy`: in use; `warming`: in use by its share; `half_open`: waits for the outcome of a trial; `ejected`;
    /// `no_credential`: none of the provider's keys is usable; `mixed`: the proxies do not agree.
    pub state: String,
    /// Seconds that are left of the ejection.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left_seconds: Option<f64>,
    /// Of the traffic that would be its own, 0 to 1, while it warms up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub share: Option<f64>,
    /// Nothing had succeeded when it was ejected: not used even when all else is ejected.
    pub dead: bool,
    /// Ejections in a row.
    pub times: u32,
    /// Outcomes in the window of its rules, failed probes included.
    pub requests: u64,
    /// Failures among them.
    pub failures: u64,
    /// Failures in a row.
    pub consecutive: u32,
    /// Requests under way.
    pub in_flight: u64,
    /// 95th percentile of the time to the first token in the last minute, in milliseconds; `null`: too few.
    pub ttft_p95_ms: Option<f64>,
    /// Routes in which it is the fastest of its tier.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub leads: Vec<String>,
}

/// A provider's key as the proxies of one region see it.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct KeyItem {
    /// `provider/name` of the credential.
    pub credential: String,
    /// The tenant that owns it; `null`: the operator.
    pub tenant: Option<String>,
    /// Where the proxies stand; `null`: they were not told.
    pub region: Option<String>,
    /// Of all these proxies together: the longest time left, the fewest that remain, sums of what is counted.
    #[serde(flatten)]
    pub health: KeyFacts,
    /// What each proxy says.
    pub proxies: Vec<KeyOfProxy>,
}

/// A key as one proxy sees it.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct KeyOfProxy {
    /// The proxy's name.
    pub proxy: String,
    /// Seconds since it said so.
    pub age_seconds: f64,
    /// What it said.
    #[serde(flatten)]
    pub health: KeyFacts,
}

/// What is seen of a key.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct KeyFacts {
    /// `usable`; `resting`: the provider said 429 and until when; `throttled`: it said 429 a moment ago; `refused`:
    /// it refused it; `requests_spent`, `tokens_spent`: by its count too few are left; `mixed`: the proxies do not
    /// agree.
    pub state: String,
    /// Seconds until it may be used, or tried, again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left_seconds: Option<f64>,
    /// Refusals in a row.
    pub times: u32,
    /// Requests under way.
    pub in_flight: u64,
    /// Requests left by the provider's last count, less what was sent since; `null`: it said nothing.
    pub remaining_requests: Option<u64>,
    /// Tokens likewise.
    pub remaining_tokens: Option<u64>,
}

/// Every target by name and region, with its owner's id.
pub(crate) fn targets(reports: &[Arc<Report>], now: Instant) -> Vec<(Option<ResourceId>, TargetItem)> {
    let mut items: BTreeMap<_, (Option<ResourceId>, TargetItem)> = BTreeMap::new();
    for report in reports {
        let age = report.age(now);
        for Seen { id, owner, health } in &report.targets {
            let facts = target_facts(health, age);
            let one = TargetOfProxy { proxy: report.proxy.clone(), age_seconds: seconds(age), health: facts };
            let name = format!("{}/{}", health.provider, health.model);
            let (_, item) =
                items.entry((name.clone(), *id, &report.region, &health.upstream)).or_insert_with(|| {
                    let item = TargetItem {
                        target: name,
                        provider: health.provider.clone(),
                        model: health.model.clone(),
                        upstream: health.upstream.clone(),
                        tenant: None,
                        region: Some(report.region.clone()).filter(|region| !region.is_empty()),
                        health: one.health.clone(),
                        proxies: Vec::new(),
                    };
                    (*owner, item)
                });
            if !item.proxies.is_empty() {
                item.health.join(&one.health);
            }
            item.proxies.push(one);
        }
    }
    items.into_values().collect()
}

/// Every key by name and region, with its owner's id.
pub(crate) fn keys(reports: &[Arc<Report>], now: Instant) -> Vec<(Option<ResourceId>, KeyItem)> {
    let mut items: BTreeMap<_, (Option<ResourceId>, KeyItem)> = BTreeMap::new();
    for report in reports {
        let age = report.age(now);
        for Seen { id, owner, health } in &report.keys {
            let facts = key_facts(health, age);
            let one = KeyOfProxy { proxy: report.proxy.clone(), age_seconds: seconds(age), health: facts };
            let (_, item) = items.entry((&health.name, *id, &report.region)).or_insert_with(|| {
                let item = KeyItem {
                    credential: health.name.clone(),
                    tenant: None,
                    region: Some(report.region.clone()).filter(|region| !region.is_empty()),
                    health: one.health.clone(),
                    proxies: Vec::new(),
                };
                (*owner, item)
            });
            if !item.proxies.is_empty() {
                item.health.join(&one.health);
            }
            item.proxies.push(one);
        }
    }
    items.into_values().collect()
}

impl TargetFacts {
    fn join(&mut self, other: &Self) {
        agree(&mut self.state, &other.state);
        self.left_seconds = largest(self.left_seconds, other.left_seconds);
        self.share = [self.share, other.share].into_iter().flatten().reduce(f64::min);
        self.dead |= other.dead;
        self.times = self.times.max(other.times);
        self.requests = self.requests.saturating_add(other.requests);
        self.failures = self.failures.saturating_add(other.failures);
        self.consecutive = self.consecutive.max(other.consecutive);
        self.in_flight = self.in_flight.saturating_add(other.in_flight);
        self.ttft_p95_ms = largest(self.ttft_p95_ms, other.ttft_p95_ms);
        for route in &other.leads {
            if !self.leads.contains(route) {
                self.leads.push(route.clone());
            }
        }
    }
}

impl KeyFacts {
    fn join(&mut self, other: &Self) {
        agree(&mut self.state, &other.state);
        self.left_seconds = largest(self.left_seconds, other.left_seconds);
        self.times = self.times.max(other.times);
        self.in_flight = self.in_flight.saturating_add(other.in_flight);
        let fewest = |a: Option<u64>, b: Option<u64>| a.into_iter().chain(b).min();
        self.remaining_requests = fewest(self.remaining_requests, other.remaining_requests);
        self.remaining_tokens = fewest(self.remaining_tokens, other.remaining_tokens);
    }
}

fn agree(state: &mut String, other: &str) {
    if state != other {
        MIXED.clone_into(state);
    }
}

fn largest(a: Option<f64>, b: Option<f64>) -> Option<f64> {
    [a, b].into_iter().flatten().reduce(f64::max)
}

fn target_facts(health: &TargetHealth, age: Duration) -> TargetFacts {
    let left = left(health.left_us, age);
    TargetFacts {
        state: health.state.clone(),
        left_seconds: (health.state == "ejected").then_some(left),
        share: (health.state == "warming").then(|| f64::from(health.share_ppm) / 1e6),
        dead: health.dead,
        times: health.times,
        requests: health.requests,
        failures: health.failures,
        consecutive: health.consecutive,
        in_flight: health.in_flight.into(),
        ttft_p95_ms: health.ttft_p95_us.map(|us| seconds(Duration::from_micros(us)) * 1e3),
        leads: health.leads.clone(),
    }
}

fn key_facts(health: &CredentialHealth, age: Duration) -> KeyFacts {
    KeyFacts {
        state: health.state.clone(),
        left_seconds: (health.state != "usable").then(|| left(health.left_us, age)),
        times: health.times,
        in_flight: health.in_flight.into(),
        remaining_requests: health.remaining_requests,
        remaining_tokens: health.remaining_tokens,
    }
}

/// Seconds that are left by now.
fn left(us: u64, age: Duration) -> f64 {
    seconds(Duration::from_micros(us).saturating_sub(age))
}

/// To the millisecond.
fn seconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e3).round() / 1e3
}
