//! The answers of the reports: money as decimal strings, token counts disjoint, ids beside names.

use domain::{Attempt, AttemptOutcome, Money, RequestId, ResourceId, Timestamp, Usage, UsageEvent};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};
use store::{AuditEntry, Totals};

/// Sums of one group.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct UsageItem {
    /// One field per dimension that was asked for; `null`: nobody named a user or feature.
    #[serde(flatten)]
    group: Map<String, Value>,
    /// Requests; each counts where its last attempt went.
    requests: u64,
    /// Attempts at providers.
    attempts: u64,
    /// Requests that ended in an error, a cut stream or the proxy's death.
    errors: u64,
    /// Attempts whose usage is an estimate.
    estimated: u64,
    /// Attempts at models without a price: their cost is missing in `cost_usd`, not zero.
    unpriced: u64,
    /// Input tokens, of whatever sort.
    tokens_in: u64,
    /// Output tokens, of whatever sort.
    tokens_out: u64,
    /// The same by sort.
    #[serde(flatten)]
    usage: Usage,
    /// US dollars; `null`: all of it went to models without a price.
    cost_usd: Option<Money>,
}

impl UsageItem {
    pub(super) fn new(group: Map<String, Value>, totals: &Totals) -> Self {
        let Totals { attempts, requests, errors, estimated, unpriced, usage, cost } = *totals;
        let (tokens_in, tokens_out) = (usage.input(), usage.output());
        // A sum of unknown costs is unknown, not zero.
        let cost_usd = Some(cost).filter(|cost| *cost != Money::ZERO || unpriced == 0);
        Self {
            group,
            requests,
            attempts,
            errors,
            estimated,
            unpriced,
            tokens_in,
            tokens_out,
            usage,
            cost_usd,
        }
    }
}

/// One finished request.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct RequestItem {
    request_id: RequestId,
    /// When it ended.
    at: Timestamp,
    tenant: String,
    key: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    feature: Option<String>,
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    tags: Map<String, Value>,
    /// `chat`, `embeddings`.
    api: String,
    stream: bool,
    route: String,
    /// The rule that chose the pool; left out: none matched.
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<String>,
    /// The pool that served it; left out: a version recorded it that did not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pool: Option<String>,
    /// Of the last attempt.
    provider: String,
    /// Of the last attempt, at the provider.
    model: String,
    /// `none`, or how the first attempt failed.
    fallback: String,
    /// `ok`, `error`, `cancelled`, `cut`, `orphaned`.
    outcome: String,
    /// HTTP status the client saw.
    status: u32,
    /// `off`, `none`, `exact`, `semantic`.
    cache: String,
    duration_us: u64,
    overhead_us: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    ttft_us: Option<u64>,
    /// US dollars of all attempts; `null`: a model has no price.
    cost_usd: Option<Money>,
    estimated: bool,
    attempts: Vec<AttemptItem>,
}

/// One attempt at one target.
#[derive(Debug, Serialize, JsonSchema)]
struct AttemptItem {
    number: u32,
    provider: String,
    model: String,
    outcome: String,
    /// The provider's HTTP status; 0: none arrived.
    status: u32,
    at: Timestamp,
    duration_us: u64,
    /// Input tokens, of whatever sort.
    tokens_in: u64,
    /// Output tokens, of whatever sort.
    tokens_out: u64,
    /// The same by sort.
    #[serde(flatten)]
    usage: Usage,
    /// US dollars; `null`: the model has no price.
    cost_usd: Option<Money>,
    /// True where the provider did not report the usage.
    estimated: bool,
    /// Why this target was chosen; left out: a version recorded it that did not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

impl RequestItem {
    pub(super) fn new(event: UsageEvent, tenant: String, key: String) -> Self {
        let attempts: Vec<AttemptItem> = event.attempts.iter().map(AttemptItem::new).collect();
        let sum = |sum: Option<Money>, attempt: &AttemptItem| Some(sum?.plus(attempt.cost_usd?));
        let last = event.answering().cloned();
        let fallback = event.fallback();
        let name = |outcome: AttemptOutcome| outcome.as_str().to_owned();
        Self {
            request_id: event.request,
            at: event.at,
            tenant,
            key,
            user: event.attribution.user,
            feature: event.attribution.feature,
            tags: event.attribution.tags.into_iter().map(|(name, value)| (name, value.into())).collect(),
            api: event.api,
            stream: event.stream,
            route: event.route,
            rule: event.rule,
            pool: event.pool,
            provider: last.as_ref().map(|attempt| attempt.provider.clone()).unwrap_or_default(),
            model: last.map(|attempt| attempt.model).unwrap_or_default(),
            fallback: fallback.map_or_else(|| "none".to_owned(), name),
            outcome: event.outcome.as_str().to_owned(),
            status: event.status,
            cache: event.cache.as_str().to_owned(),
            duration_us: event.duration_us,
            overhead_us: event.overhead_us,
            ttft_us: event.ttft_us,
            cost_usd: attempts.iter().fold(Some(Money::ZERO), sum),
            estimated: attempts.iter().any(|attempt| attempt.estimated),
            attempts,
        }
    }
}

impl AttemptItem {
    fn new(attempt: &Attempt) -> Self {
        // What was used without a price costs something that nobody knows; nothing costs nothing.
        let known = attempt.price.is_some() || attempt.usage.is_nothing();
        Self {
            number: attempt.number,
            provider: attempt.provider.clone(),
            model: attempt.model.clone(),
            outcome: attempt.outcome.as_str().to_owned(),
            status: attempt.status,
            at: attempt.at,
            duration_us: attempt.duration_us,
            tokens_in: attempt.usage.input(),
            tokens_out: attempt.usage.output(),
            usage: attempt.usage,
            cost_usd: known.then_some(attempt.cost),
            estimated: attempt.estimated,
            reason: attempt.reason.clone(),
        }
    }
}

/// One line of the audit log.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct AuditItem {
    id: String,
    at: Timestamp,
    /// Who; of an admin token the first digits of its digest.
    actor: String,
    /// `create`, `update`, `delete`.
    action: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<domain::Kind>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resource: Option<ResourceId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tenant: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// The revision it was part of.
    revision: u64,
    /// `changed`: fields; `sealed`: that the secret changed.
    #[serde(default, skip_serializing_if = "super::is_empty")]
    detail: Value,
}

impl AuditItem {
    pub(super) fn new(entry: AuditEntry, tenant: Option<String>) -> Self {
        let AuditEntry { id, at, actor, action, kind, resource, name, revision, detail, .. } = entry;
        Self { id: id.to_string(), at, actor, action, kind, resource, tenant, name, revision, detail }
    }
}
