//! `PUT` and `PATCH /api/v1/{kind}/{name}`: replace or change a resource that exists; `POST` and `apply` create them.

use admin_api::{Direction, ReadOnly, Written, merge, read_item};
use axum::{http::StatusCode, response::Response};
use domain::{Kind, Resource};
use serde_json::Value;

use crate::{
    plan::DesiredResource,
    rest::{
        error::ApiError,
        operation::{Method, Operation, Shape, resource_path},
        request::{AdminRequest, Param},
        state::AdminState,
        write::{addressed, item_response, owner},
    },
};

/// How a body replaces a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ReplaceMode {
    /// The body is the whole specification.
    Whole,
    /// The body is merged into it (RFC 7396).
    Merge,
}

/// `PUT` for a kind.
pub(super) fn put(kind: Kind) -> Operation {
    let summary = format!("Replace a {kind}");
    Operation::new(Method::Put, &resource_path(kind), summary, move |state, request| {
        Box::pin(replace(state, request, kind, ReplaceMode::Whole))
    })
    .query(&[Param::OWNER])
    .request(Shape::Item(kind, Direction::Write))
    .reply(Shape::Item(kind, Direction::Read))
}

/// `PATCH` for a kind.
pub(super) fn patch(kind: Kind) -> Operation {
    let summary = format!("Change some fields of a {kind}");
    Operation::new(Method::Patch, &resource_path(kind), summary, move |state, request| {
        Box::pin(replace(state, request, kind, ReplaceMode::Merge))
    })
    .query(&[Param::OWNER])
    .request(Shape::Item(kind, Direction::Patch))
    .reply(Shape::Item(kind, Direction::Read))
}

async fn replace(
    state: &AdminState,
    request: &AdminRequest,
    kind: Kind,
    mode: ReplaceMode,
) -> Result<Response, ApiError> {
    let body = request.value()?;
    let write = state.write_one(&request.actor, |graph, planner| {
        let row = addressed(graph, kind, request.parameter("tenant"), &request.name)?;
        request.check_revision(row.revision)?;
        let body = match mode {
            ReplaceMode::Whole => body,
            ReplaceMode::Merge if !body.is_object() => {
                return Err(ApiError::invalid("", "expected an object"));
            }
            ReplaceMode::Merge => {
                let mut merged = row.spec.to_json();
                merge(&mut merged, body);
                merged
            }
        };
        let Written { name, tenant, spec, secret, read_only } = read_item(kind, body, Some(&row.name))?;
        check_read_only(row, &read_only)?;
        if name.is_some_and(|name| name != row.name) {
            return Err(ApiError::invalid("name", "cannot change; create another and delete this one"));
        }
        if tenant.is_some() && owner(graph, kind, tenant.as_deref())? != row.tenant {
            return Err(ApiError::invalid("tenant", "cannot change; create another and delete this one"));
        }
        let tenant = row.tenant;
        let name = row.name.clone();
        Ok(planner.put(DesiredResource { path: String::new(), tenant, name, spec, secret }))
    });
    Ok(item_response(StatusCode::OK, &write.await?))
}

/// A body that was read and sent back carries fields that it cannot write; they must not say anything new.
fn check_read_only(row: &Resource, read_only: &ReadOnly) -> Result<(), ApiError> {
    if read_only.get("id").is_some_and(|id| *id != Value::String(row.id.to_string())) {
        return Err(ApiError::invalid("id", "is read-only: the server sets it"));
    }
    match read_only.get("revision") {
        Some(revision) if revision.as_u64() != Some(row.revision) => Err(ApiError::stale(row.revision)),
        _ => Ok(()),
    }
}
