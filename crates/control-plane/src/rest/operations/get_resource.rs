//! `GET /api/v1/{kind}/{name}`: one resource, by name or id.

use admin_api::Direction;
use axum::{http::StatusCode, response::Response};
use domain::Kind;

use crate::rest::{
    error::ApiError,
    operation::{Method, Operation, Shape, resource_path},
    request::{AdminRequest, Param},
    state::AdminState,
    write::{as_stored, item_response, missing},
};

/// The operation for a kind.
pub(super) fn operation(kind: Kind) -> Operation {
    Operation::new(Method::Get, &resource_path(kind), format!("Get a {kind}"), move |state, request| {
        Box::pin(get(state, request, kind))
    })
    .query(&[Param::OWNER])
    .reply(Shape::Item(kind, Direction::Read))
}

async fn get(state: &AdminState, request: &AdminRequest, kind: Kind) -> Result<Response, ApiError> {
    let tenant = request.parameter("tenant");
    let stored = match (request.name.parse(), kind, tenant) {
        (Ok(id), ..) => state.store.get_by_id(id).await?.filter(|stored| stored.resource.kind() == kind),
        (Err(_), Kind::Tenant, Some(_)) => {
            return Err(ApiError::invalid("tenant", "cannot be given: a tenant has no owner"));
        }
        (Err(_), Kind::Key | Kind::Limit | Kind::Budget, None) => {
            return Err(ApiError::invalid("tenant", format!("is required: a {kind} belongs to a tenant")));
        }
        (Err(_), _, None) => state.store.get(kind, None, &as_stored(kind, &request.name)).await?,
        (Err(_), _, Some(tenant)) => {
            let owner = state.tenant_id(tenant).await?;
            state.store.get(kind, Some(owner), &as_stored(kind, &request.name)).await?
        }
    };
    let stored = stored.ok_or_else(|| missing(kind, tenant, &request.name))?;
    Ok(item_response(StatusCode::OK, &state.shown(stored).await?))
}
