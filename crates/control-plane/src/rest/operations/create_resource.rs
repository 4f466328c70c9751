//! `POST /api/v1/{kind}`: creates a resource.

use admin_api::{Direction, read_item};
use axum::{
    http::{HeaderValue, StatusCode, header},
    response::Response,
};
use domain::Kind;

use crate::{
    plan::DesiredResource,
    rest::{
        error::ApiError,
        operation::{Method, Operation, Shape},
        request::{AdminRequest, Param},
        state::AdminState,
        write::{item_response, owner},
    },
};

/// The operation for a kind.
pub(super) fn operation(kind: Kind) -> Operation {
    Operation::new(Method::Post, kind.plural(), format!("Create a {kind}"), move |state, request| {
        Box::pin(create(state, request, kind))
    })
    .query(&[Param::OWNER])
    .request(Shape::Item(kind, Direction::Write))
    .reply(Shape::Item(kind, Direction::Read))
    .status(201)
}

async fn create(state: &AdminState, request: &AdminRequest, kind: Kind) -> Result<Response, ApiError> {
    let written = read_item(kind, request.value()?, None)?;
    if let Some(field) = written.read_only.keys().next() {
        return Err(ApiError::invalid(field, "is read-only: the server sets it"));
    }
    let tenant = one_of(request.parameter("tenant"), written.tenant.as_deref())?.map(str::to_owned);
    let name = written.name.ok_or_else(|| ApiError::invalid("name", "is required"))?;
    let write = state.write_one(&request.actor, |graph, planner| {
        let tenant = owner(graph, kind, tenant.as_deref())?;
        if graph.id(kind, tenant, &name).is_some() {
            return Err(ApiError::conflict("name", format!("the {kind} {name:?} already exists")));
        }
        let spec = written.spec;
        let secret = written.secret;
        Ok(planner.put(DesiredResource { path: String::new(), tenant, name, spec, secret }))
    });
    let item = write.await?;
    let mut response = item_response(StatusCode::CREATED, &item);
    if let Ok(location) = HeaderValue::try_from(format!("/api/v1/{}/{}", kind.plural(), item.id)) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}

/// The owner may be named in the query or in the body, but not differently.
fn one_of<'a>(query: Option<&'a str>, body: Option<&'a str>) -> Result<Option<&'a str>, ApiError> {
    match (query, body) {
        (Some(query), Some(body)) if query != body => {
            Err(ApiError::invalid("tenant", "differs between query and body"))
        }
        (query, body) => Ok(query.or(body)),
    }
}
