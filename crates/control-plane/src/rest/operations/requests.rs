//! `GET /api/v1/requests`: the request log, newest first; money as decimal strings, token counts disjoint.

use admin_api::List;
use axum::{
    Json,
    response::{IntoResponse, Response},
};
use domain::{Attempt, AttemptOutcome, Money, RequestId, Timestamp, Usage, UsageEvent};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};
use store::RequestQuery;

use crate::rest::{
    error::ApiError,
    names::{Names, TENANT, tenant_filter},
    operation::{Method, Operation, Shape},
    request::{AdminRequest, Param},
    state::AdminState,
};

const QUERY: &[Param] =
    &[Param::LIMIT, Param::CURSOR, TENANT, Param::new("request_id", "This request only.")];

/// The operation.
pub(super) fn operation() -> Operation {
    Operation::new(Method::Get, "requests", "The request log, newest first", |state, request| {
        Box::pin(requests(state, request))
    })
    .query(QUERY)
    .reply(Shape::of::<List<RequestItem>>())
}

async fn requests(state: &AdminState, request: &AdminRequest) -> Result<Response, ApiError> {
    let none = |_| {
        ApiError::invalid(
            "request_id",
            "is not a request id; each response has its own in the header x-portcullis-request-id",
        )
    };
    let query = RequestQuery {
        after: request.parameter("cursor").map(str::to_owned),
        limit: request.limit()?,
        tenant: tenant_filter(state, request).await?,
        request: request.typed::<RequestId>("request_id").map_err(none)?,
    };
    let page = state.store.requests(&query).await;
    let page = page.map_err(|error| ApiError::of_parameter("cursor", error))?;
    let mut names = Names::new(state);
    let mut items = Vec::with_capacity(page.items.len());
    for event in page.items {
        let tenant = names.of(event.attribution.tenant).await?;
        let key = names.of(event.attribution.key).await?;
        items.push(RequestItem::new(event, tenant, key));
    }
    Ok(Json(List { items, next: page.next }).into_response())
}

/// One finished request.
#[derive(Debug, Serialize, JsonSchema)]
struct RequestItem {
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
    fn new(event: UsageEvent, tenant: String, key: String) -> Self {
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
        // Usage without a price has an unknown cost; no usage costs nothing.
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
