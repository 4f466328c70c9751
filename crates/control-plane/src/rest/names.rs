//! Names of tenants and keys in reports: from ids to names, and from a parameter to an id.

use std::collections::HashMap;

use admin_api::OPERATOR;
use domain::{Kind, Resource, ResourceId, Spec, TenantSpec};
use store::{ListFilter, OwnerFilter};

use super::{
    error::ApiError,
    request::{AdminRequest, Param},
    state::AdminState,
};

/// Tenants that are read at once.
const PAGE: u32 = 500;

/// Limits a report to one tenant; read by [`tenant_filter`].
pub(super) const TENANT: Param =
    Param::new("tenant", "Only of this tenant, by name or id; `operator`: what the gateway asked itself.");

/// The tenant that the parameter `tenant` limits a report to: by name, `operator` being one, or by id, also of a tenant
/// that was deleted, because its usage stays.
pub(super) async fn tenant_filter(
    state: &AdminState,
    request: &AdminRequest,
) -> Result<Option<ResourceId>, ApiError> {
    match request.parameter("tenant") {
        None => Ok(None),
        Some(name) => match name.parse() {
            Ok(id) => Ok(Some(id)),
            Err(_) if name == OPERATOR => Ok(Some(ResourceId::OPERATOR)),
            Err(_) => state.tenant_id(name).await.map(Some),
        },
    }
}

/// Widens [`TENANT`]; read by [`subtree_filter`].
pub(super) const SUBTREE: Param =
    Param::new("subtree", "`true`: also of the tenants below `tenant`, as the tree is now.");

/// The tenants that the parameters `tenant` and `subtree` limit a report to; none: it is of all.
pub(super) async fn subtree_filter(
    state: &AdminState,
    request: &AdminRequest,
) -> Result<Vec<ResourceId>, ApiError> {
    let tenant = tenant_filter(state, request).await?;
    match (tenant, request.flag("subtree")?) {
        (None, true) => Err(ApiError::invalid("subtree", "needs `tenant`, the top of the subtree")),
        (tenant, false) => Ok(tenant.into_iter().collect()),
        (Some(tenant), true) => subtree(state, tenant).await,
    }
}

/// A tenant and all below it.
async fn subtree(state: &AdminState, top: ResourceId) -> Result<Vec<ResourceId>, ApiError> {
    let mut children: HashMap<String, Vec<(ResourceId, String)>> = HashMap::new();
    let mut names = HashMap::new();
    let (owner, mut after) = (OwnerFilter::Operator, None);
    loop {
        let filter = ListFilter { owner, after, limit: PAGE };
        let page = state.store.list(Kind::Tenant, &filter).await?;
        for resource in page.items {
            if let Spec::Tenant(TenantSpec { parent: Some(parent), .. }) = &resource.spec {
                children.entry(parent.clone()).or_default().push((resource.id, resource.name.clone()));
            }
            names.insert(resource.id, resource.name);
        }
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    let (mut found, mut below) = (vec![top], names.remove(&top).into_iter().collect::<Vec<_>>());
    while let Some(name) = below.pop() {
        for (id, name) in children.remove(&name).unwrap_or_default() {
            found.push(id);
            below.push(name);
        }
    }
    Ok(found)
}

/// Names of rows by id, each looked up once; a row that is gone is called by its id.
pub(super) struct Names<'a> {
    state: &'a AdminState,
    known: HashMap<ResourceId, String>,
}

impl<'a> Names<'a> {
    pub(super) fn new(state: &'a AdminState) -> Self {
        Self { state, known: HashMap::from([(ResourceId::OPERATOR, OPERATOR.to_owned())]) }
    }

    pub(super) async fn of(&mut self, id: ResourceId) -> Result<String, ApiError> {
        if let Some(name) = self.known.get(&id) {
            return Ok(name.clone());
        }
        let found = self.state.store.get_by_id(id).await?;
        let name = found.map_or_else(|| id.to_string(), |stored| stored.resource.name);
        self.known.insert(id, name.clone());
        Ok(name)
    }

    /// With the owner before it, where there is one: keys of several tenants may have the same name.
    pub(super) async fn full(&mut self, text: &str) -> Result<String, ApiError> {
        let Ok(id) = text.parse() else { return Ok(text.to_owned()) };
        if let Some(name) = self.known.get(&id) {
            return Ok(name.clone());
        }
        let name = match self.state.store.get_by_id(id).await?.map(|stored| stored.resource) {
            Some(Resource { name, tenant: Some(owner), .. }) => format!("{}/{name}", self.of(owner).await?),
            Some(Resource { name, .. }) => name,
            None => id.to_string(),
        };
        self.known.insert(id, name.clone());
        Ok(name)
    }
}
