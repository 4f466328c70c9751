//! One configuration write: load, plan, write, commit, in one transaction; and how a path names a row.

use std::borrow::Cow;

use admin_api::{Item, ShownOnce};
use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use domain::{Kind, Resource, ResourceId, Timestamp, Version};
use serde_json::Value;
use store::{Actor, Stored, Tx};

use super::{error::ApiError, state::AdminState};
use crate::plan::{ConfigGraph, Plan, Planner};

impl AdminState {
    /// Writes one resource, and shows it as this write left it: read within the transaction, so that the answer
    /// is neither another writer's nor lost with a database that goes away after the commit.
    pub(super) async fn write_one(
        &self,
        actor: &Actor,
        work: impl FnOnce(&ConfigGraph, &mut Planner<'_>) -> Result<ResourceId, ApiError> + Send,
    ) -> Result<Item, ApiError> {
        let mut tx = self.store.begin(actor).await?;
        let before = ConfigGraph::new(tx.load().await?);
        let (id, mut plan) = self.planned(&before, work)?;
        let secret = plan.secrets.pop().map(|shown| ShownOnce(shown.secret));
        execute(&mut tx, &mut plan).await?;
        let stored =
            tx.get_by_id(id).await?.ok_or_else(|| ApiError::not_found("there is no such resource"))?;
        let owner = stored.resource.tenant;
        let tenant = owner.map(|id| before.get(id).map_or_else(|| id.to_string(), |row| row.name.clone()));
        tx.commit().await?;
        Ok(Item { secret, ..item(stored, tenant) })
    }

    /// Works a plan out against the newest configuration and carries it out; `work` says what is wanted.
    ///
    /// The transaction holds the writers' lock from its first statement, so what was checked is what is
    /// written upon.
    pub(super) async fn write<R: Send>(
        &self,
        actor: &Actor,
        work: impl FnOnce(&ConfigGraph, &mut Planner<'_>) -> Result<R, ApiError> + Send,
    ) -> Result<(R, Plan, Version), ApiError> {
        let mut tx = self.store.begin(actor).await?;
        let before = ConfigGraph::new(tx.load().await?);
        let (result, mut plan) = self.planned(&before, work)?;
        execute(&mut tx, &mut plan).await?;
        let version = tx.commit().await?;
        Ok((result, plan, version))
    }

    /// The plan alone.
    pub(super) fn planned<R>(
        &self,
        before: &ConfigGraph,
        work: impl FnOnce(&ConfigGraph, &mut Planner<'_>) -> Result<R, ApiError>,
    ) -> Result<(R, Plan), ApiError> {
        let mut planner = Planner::new(before, &self.keyring);
        let result = work(before, &mut planner)?;
        Ok((result, planner.finish(&self.settings.outbound)?))
    }

    /// A row as it is shown, with its owner's name.
    pub(super) async fn shown(&self, stored: Stored) -> Result<Item, ApiError> {
        let tenant = match stored.resource.tenant {
            Some(id) => Some(self.tenant_name(id).await?),
            None => None,
        };
        Ok(item(stored, tenant))
    }

    /// A tenant's name; of one that is gone, its id.
    pub(super) async fn tenant_name(&self, id: ResourceId) -> Result<String, ApiError> {
        let found = self.store.get_by_id(id).await?;
        Ok(found.map_or_else(|| id.to_string(), |stored| stored.resource.name))
    }

    /// The tenant that a name, or an id, stands for.
    pub(super) async fn tenant_id(&self, name: &str) -> Result<ResourceId, ApiError> {
        let found = match name.parse() {
            Ok(id) => self.store.get_by_id(id).await?.filter(|found| found.resource.kind() == Kind::Tenant),
            Err(_) => self.store.get(Kind::Tenant, None, name).await?,
        };
        found.map(|stored| stored.resource.id).ok_or_else(|| no_tenant(name))
    }
}

async fn execute(tx: &mut Tx, plan: &mut Plan) -> Result<(), ApiError> {
    for draft in plan.drafts.drain(..) {
        tx.put(draft).await?;
    }
    for id in plan.deletes.drain(..) {
        tx.delete(id).await?;
    }
    Ok(())
}

fn item(stored: Stored, tenant: Option<String>) -> Item {
    let Stored { resource, created_at, updated_at } = stored;
    let spec = match resource.spec.to_json() {
        Value::Object(fields) => fields,
        _ => serde_json::Map::new(),
    };
    let Resource { id, name, revision, .. } = resource;
    Item { id, name, tenant, revision, created_at, updated_at, spec, secret: None }
}

/// The owner that `tenant` names, within a configuration.
pub(super) fn owner(
    graph: &ConfigGraph,
    kind: Kind,
    tenant: Option<&str>,
) -> Result<Option<ResourceId>, ApiError> {
    match (kind, tenant) {
        (Kind::Tenant, Some(_)) => Err(ApiError::invalid("tenant", "cannot be given: a tenant has no owner")),
        (Kind::Key | Kind::Limit | Kind::Budget, None) => {
            Err(ApiError::invalid("tenant", format!("is required: a {kind} belongs to a tenant")))
        }
        (_, None) => Ok(None),
        (_, Some(name)) => {
            let by_id = || name.parse().ok().and_then(|id| graph.get(id));
            let by_id = || by_id().filter(|row| row.kind() == Kind::Tenant).map(|row| row.id);
            let id = graph.id(Kind::Tenant, None, name).or_else(by_id);
            id.map(Some).ok_or_else(|| no_tenant(name))
        }
    }
}

/// The row that a path names: by id, or by name and owner.
pub(super) fn addressed<'w>(
    graph: &'w ConfigGraph,
    kind: Kind,
    tenant: Option<&str>,
    name: &str,
) -> Result<&'w Resource, ApiError> {
    let found = match name.parse() {
        Ok(id) => graph.get(id).filter(|row| row.kind() == kind),
        Err(_) => graph.find(kind, owner(graph, kind, tenant)?, &as_stored(kind, name)),
    };
    found.ok_or_else(|| missing(kind, tenant, name))
}

/// A name as rows carry it: a price may be asked for by any way to write its time (`a/x@2026-01-01`).
pub(super) fn as_stored(kind: Kind, name: &str) -> Cow<'_, str> {
    match (kind, name.rsplit_once('@')) {
        (Kind::Price, Some((model, at))) => match at.parse::<Timestamp>() {
            Ok(at) => Cow::Owned(format!("{model}@{at}")),
            Err(_) => Cow::Borrowed(name),
        },
        _ => Cow::Borrowed(name),
    }
}

pub(super) fn missing(kind: Kind, tenant: Option<&str>, name: &str) -> ApiError {
    let whose = tenant.map_or_else(String::new, |tenant| format!(" of tenant {tenant:?}"));
    ApiError::not_found(format!("there is no {kind} {name:?}{whose}"))
}

fn no_tenant(name: &str) -> ApiError {
    ApiError::invalid("tenant", format!("there is no tenant {name:?}"))
}

/// A resource as an answer; its revision is the entity tag.
pub(super) fn item_response(status: StatusCode, item: &Item) -> Response {
    let mut response = (status, Json(item)).into_response();
    if let Ok(tag) = HeaderValue::try_from(format!("\"{}\"", item.revision)) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}
