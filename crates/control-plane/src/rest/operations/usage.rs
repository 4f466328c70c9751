//! `GET /api/v1/usage`: sums of usage and cost; money as decimal strings, token counts disjoint.

use admin_api::List;
use axum::{
    Json,
    response::{IntoResponse, Response},
};
use domain::{Money, Timestamp, Usage};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};
use store::{Dimension, Totals, UsageQuery, UsageRow};

use crate::rest::{
    error::ApiError,
    names::{Names, SUBTREE, TENANT, subtree_filter},
    operation::{Method, Operation, Shape},
    request::{AdminRequest, Param},
    state::AdminState,
};

const QUERY: &[Param] = &[
    Param::new(
        "group_by",
        "Any of tenant, key, user, feature, model, provider, route, day, hour, with commas.",
    ),
    Param::new("from", "From the hour of this moment on."),
    Param::new("to", "Before this moment, rounded up to the hour."),
    TENANT,
    SUBTREE,
];

/// The operation.
pub(super) fn operation() -> Operation {
    Operation::new(Method::Get, "usage", "Sums of usage and cost", |state, request| {
        Box::pin(usage(state, request))
    })
    .query(QUERY)
    .reply(Shape::of::<List<UsageItem>>())
}

async fn usage(state: &AdminState, request: &AdminRequest) -> Result<Response, ApiError> {
    let group_by = request.parameter("group_by").unwrap_or_default();
    let group_by = group_by
        .split(',')
        .map(str::trim)
        .filter(|name| !name.is_empty())
        .map(|name| name.parse::<Dimension>().map_err(|message| ApiError::invalid("group_by", message)))
        .collect::<Result<Vec<_>, _>>()?;
    let query = UsageQuery {
        from: request.typed::<Timestamp>("from")?,
        to: request.typed::<Timestamp>("to")?,
        tenants: subtree_filter(state, request).await?,
        group_by,
    };
    if query.from.zip(query.to).is_some_and(|(from, to)| from >= to) {
        return Err(ApiError::invalid("to", "must be later than `from`"));
    }
    let mut names = Names::new(state);
    let mut items = Vec::new();
    let rows = state.store.usage(&query).await.map_err(|error| ApiError::of_parameter("group_by", error))?;
    for UsageRow { group, totals } in rows {
        let mut written = Map::new();
        for (dimension, value) in query.group_by.iter().zip(group) {
            let value = match (dimension, value) {
                (Dimension::Tenant | Dimension::Key, Some(id)) => Some(names.full(&id).await?),
                (_, value) => value,
            };
            written.insert(dimension.as_str().to_owned(), value.into());
        }
        items.push(UsageItem::new(written, &totals));
    }
    Ok(Json(List { items, next: None }).into_response())
}

/// Sums of one group.
#[derive(Debug, Serialize, JsonSchema)]
struct UsageItem {
    /// One field per dimension that was asked for; `null`: the requests named no user or feature.
    #[serde(flatten)]
    group: Map<String, Value>,
    /// Requests; each counts where its last attempt went.
    requests: u64,
    /// Attempts at providers.
    attempts: u64,
    /// Requests that ended in an error, a cut stream or the proxy's death.
    errors: u64,
    /// Attempts with estimated usage.
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
    fn new(group: Map<String, Value>, totals: &Totals) -> Self {
        let Totals { attempts, requests, errors, estimated, unpriced, usage, cost } = *totals;
        let tokens_in = usage.input();
        let tokens_out = usage.output();
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
