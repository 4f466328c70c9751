//! One configuration write: load, plan, write, commit, in one transaction; and how a path names a row.

use admin_api::Item;
use domain::{Kind, Resource, ResourceId, Version};
use serde_json::Value;
use store::{Actor, Stored};

use super::{AdminState, error::ApiError};
use crate::plan::{Plan, Planner, World};

impl AdminState {
    /// Works a plan out against the newest configuration and carries it out; `work` says what is wanted.
    ///
    /// The transaction holds the writers' lock from its first statement, so what was checked is what is
    /// written upon.
    pub(super) async fn write<R: Send>(
        &self,
        actor: &Actor,
        work: impl FnOnce(&World, &mut Planner<'_>) -> Result<R, ApiError> + Send,
    ) -> Result<(R, Plan, Version), ApiError> {
        let mut tx = self.store.begin(actor).await?;
        let before = World::new(tx.load().await?);
        let (result, mut plan) = self.planned(&before, work)?;
        for draft in plan.drafts.drain(..) {
            tx.put(draft).await?;
        }
        for id in plan.deletes.drain(..) {
            tx.delete(id).await?;
        }
        let version = tx.commit().await?;
        Ok((result, plan, version))
    }

    /// The plan alone.
    pub(super) fn planned<R>(
        &self,
        before: &World,
        work: impl FnOnce(&World, &mut Planner<'_>) -> Result<R, ApiError>,
    ) -> Result<(R, Plan), ApiError> {
        let mut planner = Planner::new(before, &self.keyring);
        let result = work(before, &mut planner)?;
        Ok((result, planner.finish(&self.settings.outbound)?))
    }

    /// A row as it is shown, with its owner's name.
    pub(super) async fn shown(&self, stored: Stored) -> Result<Item, ApiError> {
        let Stored { resource, created_at, updated_at } = stored;
        let tenant = match resource.tenant {
            Some(id) => Some(self.tenant_name(id).await?),
            None => None,
        };
        let spec = match resource.spec.to_json() {
            Value::Object(fields) => fields,
            _ => serde_json::Map::new(),
        };
        let Resource { id, name, revision, .. } = resource;
        Ok(Item { id, name, tenant, revision, created_at, updated_at, spec, secret: None })
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

/// The owner that `tenant` names, within a configuration.
pub(super) fn owner(world: &World, kind: Kind, tenant: Option<&str>) -> Result<Option<ResourceId>, ApiError> {
    match (kind, tenant) {
        (Kind::Tenant, Some(_)) => Err(ApiError::invalid("tenant", "cannot be given: a tenant has no owner")),
        (Kind::Key | Kind::Limit, None) => {
            Err(ApiError::invalid("tenant", format!("is required: a {kind} belongs to a tenant")))
        }
        (_, None) => Ok(None),
        (_, Some(name)) => {
            let by_id = || name.parse().ok().and_then(|id| world.get(id)).map(|row| row.id);
            let id = world.id(Kind::Tenant, None, name).or_else(by_id);
            id.map(Some).ok_or_else(|| no_tenant(name))
        }
    }
}

/// The row that a path names: by id, or by name and owner.
pub(super) fn addressed<'w>(
    world: &'w World,
    kind: Kind,
    tenant: Option<&str>,
    name: &str,
) -> Result<&'w Resource, ApiError> {
    let found = match name.parse() {
        Ok(id) => world.get(id).filter(|row| row.kind() == kind),
        Err(_) => world.find(kind, owner(world, kind, tenant)?, name),
    };
    found.ok_or_else(|| missing(kind, tenant, name))
}

pub(super) fn missing(kind: Kind, tenant: Option<&str>, name: &str) -> ApiError {
    let whose = tenant.map_or_else(String::new, |tenant| format!(" of tenant {tenant:?}"));
    ApiError::not_found(format!("there is no {kind} {name:?}{whose}"))
}

fn no_tenant(name: &str) -> ApiError {
    ApiError::invalid("tenant", format!("there is no tenant {name:?}"))
}
