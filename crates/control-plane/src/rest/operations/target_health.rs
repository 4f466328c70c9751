//! `GET /api/v1/health/targets`: every state of every target and key, by region and by proxy.

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use schemars::JsonSchema;
use serde::Serialize;
use tokio::time::Instant;

use crate::{
    health::{self, KeyItem, TargetItem},
    rest::{
        error::ApiError,
        names::Names,
        operation::{Method, Operation, Shape},
        state::AdminState,
    },
};

/// The operation.
pub(super) fn operation() -> Operation {
    Operation::new(
        Method::Get,
        "health/targets",
        "What the connected proxies see of targets and keys",
        |state, _| Box::pin(targets(state)),
    )
    .reply(Shape::of::<TargetsHealth>())
}

/// What the connected proxies see.
#[derive(Debug, Serialize, JsonSchema)]
struct TargetsHealth {
    /// The targets that routes name, by name and region.
    items: Vec<TargetItem>,
    /// The keys of providers, by name and region.
    keys: Vec<KeyItem>,
    /// Proxies that left something out, because they have too much to tell.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    truncated: Vec<String>,
}

async fn targets(state: &AdminState) -> Result<Response, ApiError> {
    let now = Instant::now();
    let reports = state.proxies.health.newest(now);
    let mut names = Names::new(state);
    let mut items = Vec::new();
    for (owner, mut item) in health::targets(&reports, now) {
        if let Some(owner) = owner {
            item.tenant = Some(names.of(owner).await?);
        }
        items.push(item);
    }
    let mut keys = Vec::new();
    for (owner, mut item) in health::keys(&reports, now) {
        if let Some(owner) = owner {
            item.tenant = Some(names.of(owner).await?);
        }
        keys.push(item);
    }
    let truncated = reports.iter().filter(|report| report.truncated);
    let truncated = truncated.map(|report| report.proxy.clone()).collect();
    Ok(Json(TargetsHealth { items, keys, truncated }).into_response())
}
