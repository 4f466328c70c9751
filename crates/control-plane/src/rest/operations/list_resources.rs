//! `GET /api/v1/{kind}`: a page of the resources of a kind.

use admin_api::List;
use axum::{
    Json,
    response::{IntoResponse, Response},
};
use domain::Kind;
use store::{ListFilter, OwnerFilter};

use crate::rest::{
    error::ApiError,
    operation::{Method, Operation, Shape},
    request::{AdminRequest, Param},
    state::AdminState,
};

const QUERY: &[Param] = &[
    Param::LIMIT,
    Param::CURSOR,
    Param::new("tenant", "Only this tenant's own; empty: the operator's own; not given: all."),
];

/// The operation for a kind.
pub(super) fn operation(kind: Kind) -> Operation {
    let all = kind.plural();
    Operation::new(Method::Get, all, format!("List {all}"), move |state, request| {
        Box::pin(list(state, request, kind))
    })
    .query(QUERY)
    .reply(Shape::Items(kind))
}

async fn list(state: &AdminState, request: &AdminRequest, kind: Kind) -> Result<Response, ApiError> {
    let owner = match request.parameter("tenant") {
        None => OwnerFilter::Any,
        Some("") => OwnerFilter::Operator,
        Some(name) => OwnerFilter::Tenant(state.tenant_id(name).await?),
    };
    let after = request.parameter("cursor").map(str::to_owned);
    let page = state.store.list(kind, &ListFilter { owner, after, limit: request.limit()? }).await;
    let page = page.map_err(|error| ApiError::of_parameter("cursor", error))?;
    let mut items = Vec::with_capacity(page.items.len());
    for resource in page.items {
        // A row that goes between the two reads is no longer part of the list.
        if let Some(stored) = state.store.get_by_id(resource.id).await? {
            items.push(state.shown(stored).await?);
        }
    }
    Ok(Json(List { items, next: page.next }).into_response())
}
