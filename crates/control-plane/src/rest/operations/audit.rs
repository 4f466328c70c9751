//! `GET /api/v1/audit`: the audit log, newest first.

use admin_api::List;
use axum::{
    Json,
    response::{IntoResponse, Response},
};
use domain::{ResourceId, Timestamp};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};
use store::AuditEntry;

use crate::rest::{
    error::ApiError,
    names::Names,
    operation::{Method, Operation, Shape},
    request::{AdminRequest, Param},
    state::AdminState,
};

/// The operation.
pub(super) fn operation() -> Operation {
    Operation::new(Method::Get, "audit", "The audit log, newest first", |state, request| {
        Box::pin(audit(state, request))
    })
    .query(&[Param::LIMIT, Param::CURSOR])
    .reply(Shape::of::<List<AuditItem>>())
}

async fn audit(state: &AdminState, request: &AdminRequest) -> Result<Response, ApiError> {
    let page = state.store.audit(request.parameter("cursor"), request.limit()?).await;
    let page = page.map_err(|error| ApiError::of_parameter("cursor", error))?;
    let mut names = Names::new(state);
    let mut items = Vec::with_capacity(page.items.len());
    for entry in page.items {
        let tenant = match entry.tenant {
            Some(id) => Some(names.of(id).await?),
            None => None,
        };
        items.push(AuditItem::new(entry, tenant));
    }
    Ok(Json(List { items, next: page.next }).into_response())
}

/// One line of the audit log.
#[derive(Debug, Serialize, JsonSchema)]
struct AuditItem {
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
    #[serde(default, skip_serializing_if = "is_empty")]
    detail: Value,
}

impl AuditItem {
    fn new(entry: AuditEntry, tenant: Option<String>) -> Self {
        let AuditEntry { id, at, actor, action, kind, resource, name, revision, detail, .. } = entry;
        Self { id: id.to_string(), at, actor, action, kind, resource, tenant, name, revision, detail }
    }
}

fn is_empty(detail: &Value) -> bool {
    detail.as_object().is_some_and(Map::is_empty)
}
