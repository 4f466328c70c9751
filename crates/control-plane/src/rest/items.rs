//! Single resources: list, get, create, replace, patch, delete, and rotating a key.

use admin_api::{Item, List, ReadOnly, Written, merge, read_item};
use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use domain::{Duration, Kind, Resource, Timestamp};
use secrets::ApiKeyDigests;
use serde_json::Value;
use store::ListFilter;

use super::{
    AdminState,
    call::AdminRequest,
    error::ApiError,
    write::{addressed, as_stored, missing, owner},
};
use crate::plan::DesiredResource;

const DEFAULT_GRACE: Duration = Duration::from_secs(24 * 3_600);
const LONGEST_GRACE: Duration = Duration::from_secs(30 * 24 * 3_600);

/// How a body replaces a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ReplaceMode {
    /// The body is the whole specification.
    Whole,
    /// The body is merged into it (RFC 7396).
    Merge,
}

/// `GET /api/v1/{kind}`: `?tenant=NAME` that tenant's own, `?tenant=` the operator's, without it everybody's.
pub(super) async fn list(state: &AdminState, call: &AdminRequest, kind: Kind) -> Result<Response, ApiError> {
    let tenant = match call.parameter("tenant") {
        None => None,
        Some("") => Some(None),
        Some(name) => Some(Some(state.tenant_id(name).await?)),
    };
    let after = call.parameter("cursor").map(str::to_owned);
    let page = state.store.list(kind, &ListFilter { tenant, after, limit: call.limit()? }).await;
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

/// `GET /api/v1/{kind}/{name}`.
pub(super) async fn get(state: &AdminState, call: &AdminRequest, kind: Kind) -> Result<Response, ApiError> {
    let tenant = call.parameter("tenant");
    let stored = match (call.name.parse(), kind, tenant) {
        (Ok(id), ..) => state.store.get_by_id(id).await?.filter(|stored| stored.resource.kind() == kind),
        (Err(_), Kind::Tenant, Some(_)) => {
            return Err(ApiError::invalid("tenant", "cannot be given: a tenant has no owner"));
        }
        (Err(_), Kind::Key | Kind::Limit, None) => {
            return Err(ApiError::invalid("tenant", format!("is required: a {kind} belongs to a tenant")));
        }
        (Err(_), _, None) => state.store.get(kind, None, &as_stored(kind, &call.name)).await?,
        (Err(_), _, Some(tenant)) => {
            let owner = state.tenant_id(tenant).await?;
            state.store.get(kind, Some(owner), &as_stored(kind, &call.name)).await?
        }
    };
    let stored = stored.ok_or_else(|| missing(kind, tenant, &call.name))?;
    Ok(answer(StatusCode::OK, &state.shown(stored).await?))
}

/// `POST /api/v1/{kind}`.
pub(super) async fn create(
    state: &AdminState,
    call: &AdminRequest,
    kind: Kind,
) -> Result<Response, ApiError> {
    let written = read_item(kind, call.value()?, None)?;
    if let Some(field) = written.read_only.keys().next() {
        return Err(ApiError::invalid(field, "cannot be written; the server makes it"));
    }
    let tenant = one_of(call.parameter("tenant"), written.tenant.as_deref())?.map(str::to_owned);
    let name = written.name.ok_or_else(|| ApiError::invalid("name", "is required"))?;
    let write = state.write_one(&call.actor, |world, planner| {
        let tenant = owner(world, kind, tenant.as_deref())?;
        if world.id(kind, tenant, &name).is_some() {
            return Err(ApiError::conflict("name", format!("the {kind} {name:?} exists already")));
        }
        let (spec, secret) = (written.spec, written.secret);
        Ok(planner.put(DesiredResource { path: String::new(), tenant, name, spec, secret }))
    });
    let item = write.await?;
    let mut response = answer(StatusCode::CREATED, &item);
    if let Ok(location) = HeaderValue::try_from(format!("/api/v1/{}/{}", kind.plural(), item.id)) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}

/// `PUT` and `PATCH /api/v1/{kind}/{name}`: of a row that is there; making one is for `POST` and `apply`.
pub(super) async fn replace(
    state: &AdminState,
    call: &AdminRequest,
    kind: Kind,
    how: ReplaceMode,
) -> Result<Response, ApiError> {
    let body = call.value()?;
    let write = state.write_one(&call.actor, |world, planner| {
        let row = addressed(world, kind, call.parameter("tenant"), &call.name)?;
        call.check_revision(row.revision)?;
        let body = match how {
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
        if tenant.is_some() && owner(world, kind, tenant.as_deref())? != row.tenant {
            return Err(ApiError::invalid("tenant", "cannot change; create another and delete this one"));
        }
        let (tenant, name) = (row.tenant, row.name.clone());
        Ok(planner.put(DesiredResource { path: String::new(), tenant, name, spec, secret }))
    });
    Ok(answer(StatusCode::OK, &write.await?))
}

/// `DELETE /api/v1/{kind}/{name}`.
pub(super) async fn delete(
    state: &AdminState,
    call: &AdminRequest,
    kind: Kind,
) -> Result<Response, ApiError> {
    let cascade = call.flag("cascade")?;
    let write = state.write(&call.actor, |world, planner| {
        let row = addressed(world, kind, call.parameter("tenant"), &call.name)?;
        call.check_revision(row.revision)?;
        if cascade {
            planner.delete_cascading(row.id);
        } else {
            planner.delete(row.id);
        }
        Ok(())
    });
    write.await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// `POST /api/v1/keys/{name}/rotate`.
pub(super) async fn rotate(state: &AdminState, call: &AdminRequest) -> Result<Response, ApiError> {
    let grace = call.typed::<Duration>("grace")?.unwrap_or(DEFAULT_GRACE);
    if grace > LONGEST_GRACE {
        return Err(ApiError::invalid("grace", "must be at most 30d"));
    }
    let micros = i64::try_from(grace.std().as_micros()).unwrap_or_default();
    let now = Timestamp::now().micros();
    let ends = (micros > 0).then(|| now.saturating_add(micros));
    let write = state.write_one(&call.actor, |world, planner| {
        let row = addressed(world, Kind::Key, call.parameter("tenant"), &call.name)?;
        call.check_revision(row.revision)?;
        let seal = row.sealed.as_deref().and_then(ApiKeyDigests::decode);
        let running = seal.and_then(|seal| seal.previous).filter(|(_, until)| *until > now);
        if ends.is_some() && running.is_some() {
            let why = "the secret before the current one still works, and another rotation would end it at once; \
                wait for its grace period, or give grace=0s";
            return Err(ApiError::conflict("grace", why));
        }
        planner.rotate(row, ends);
        Ok(row.id)
    });
    Ok(answer(StatusCode::OK, &write.await?))
}

/// A body that was read and sent back carries fields that it cannot write; they must not say anything new.
fn check_read_only(row: &Resource, read_only: &ReadOnly) -> Result<(), ApiError> {
    if read_only.get("id").is_some_and(|id| *id != Value::String(row.id.to_string())) {
        return Err(ApiError::invalid("id", "cannot be written; the server makes it"));
    }
    match read_only.get("revision") {
        Some(revision) if revision.as_u64() != Some(row.revision) => Err(ApiError::stale(row.revision)),
        _ => Ok(()),
    }
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

fn answer(status: StatusCode, item: &Item) -> Response {
    let mut response = (status, Json(item)).into_response();
    if let Ok(tag) = HeaderValue::try_from(format!("\"{}\"", item.revision)) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}
