//! The compiled snapshot: immutable, complete, and shaped for lookups by one request.

pub(crate) mod lookup;

use std::{collections::HashMap, sync::Arc};

use domain::{
    KeySpec, LimitSpec, ModelRef, ModelSpec, Priority, ResourceId, Strictness, TenantSpec, TranslationHeader,
    Version,
};

use crate::{
    budget::Budget,
    endpoint::{Credential, Endpoint},
    route::Route,
    target::Prices,
};

/// A row that this version cannot read; what leans on it is disabled, loudly, and nothing else is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnreadableRow {
    /// Its kind, as it came.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Its owner.
    pub tenant: Option<ResourceId>,
    /// Why it cannot be read.
    pub reason: String,
}

/// Everything one request needs to know, taken once at its start.
#[derive(Debug)]
pub struct Snapshot {
    /// What it was compiled from.
    pub version: Version,
    /// Keys by the digest of their text.
    pub(crate) keys: HashMap<[u8; 32], Arc<ApiKey>>,
    /// The operator's resources.
    pub(crate) operator: Scope,
    /// Each tenant's own resources.
    pub(crate) tenants: HashMap<ResourceId, Scope>,
    /// The parent of each tenant that has one.
    pub(crate) parents: HashMap<ResourceId, ResourceId>,
    /// Tenants, with what governs them.
    pub(crate) callers: HashMap<ResourceId, Arc<Tenant>>,
}

/// The named resources of one owner.
#[derive(Debug, Default)]
pub(crate) struct Scope {
    pub(crate) routes: HashMap<String, Arc<Route>>,
    pub(crate) endpoints: HashMap<String, Resolved<Arc<Endpoint>>>,
    pub(crate) models: HashMap<ModelRef, Resolved<Arc<ModelSpec>>>,
    pub(crate) prices: HashMap<ModelRef, Resolved<Prices>>,
}

/// A resource, or why it is there but cannot be used.
pub(crate) type Resolved<T> = Result<T, String>;

/// An organisation.
#[derive(Debug)]
pub struct Tenant {
    /// Its id.
    pub id: ResourceId,
    /// Its name.
    pub name: String,
    /// What the operator wrote.
    pub spec: TenantSpec,
    /// Whether it is switched off, or a tenant above it is.
    pub disabled: bool,
    /// Limits of its requests, its own and those of the tenants above it; all of them must agree.
    pub limits: Vec<Limit>,
    pub(crate) budgets: Vec<Arc<Budget>>,
    pub(crate) root: ResourceId,
    /// Why none of its requests can be served: a limit that cannot be read must not be overlooked.
    pub unusable: Option<String>,
}

/// A limit of a tenant and of those below it.
#[derive(Clone, Debug)]
pub struct Limit {
    /// Its row.
    pub id: ResourceId,
    /// The owner's name.
    pub tenant_name: String,
    /// What the owner wrote.
    pub spec: LimitSpec,
}

impl Tenant {
    /// A tenant by itself that nothing limits.
    #[must_use]
    pub const fn unlimited(id: ResourceId, name: String, spec: TenantSpec) -> Self {
        let disabled = spec.disabled;
        Self { id, name, spec, disabled, limits: Vec::new(), budgets: Vec::new(), root: id, unusable: None }
    }

    /// The topmost tenant above it, or itself: what its requests share with others is kept together with that one's.
    #[must_use]
    pub const fn root(&self) -> ResourceId {
        self.root
    }

    /// The budgets of its requests, its own and those of the tenants above it; all of them must have room.
    #[must_use]
    pub fn budgets(&self) -> &[Arc<Budget>] {
        &self.budgets
    }
}

/// An application's key, under one of its digests.
#[derive(Debug)]
pub struct ApiKey {
    /// Its id.
    pub id: ResourceId,
    /// Its name within the tenant.
    pub name: String,
    /// Its owner.
    pub tenant: Arc<Tenant>,
    /// What the owner wrote.
    pub spec: KeySpec,
    /// Until when this digest is accepted, in µs since the Unix epoch: the grace period after a rotation.
    pub until: Option<i64>,
}

impl ApiKey {
    /// The priority of its requests: the key's own, but no higher than the tenant's.
    #[must_use]
    pub fn priority(&self) -> Priority {
        let tenant = self.tenant.spec.priority.unwrap_or_default();
        self.spec.priority.map_or(tenant, |own| own.min(tenant))
    }

    /// How strict a translation is: the header goes before the key, the key before the route.
    ///
    /// # Errors
    /// The strictness that key and route set, where the header asks for less and may not.
    pub fn strictness(
        &self,
        route: Option<Strictness>,
        header: Option<Strictness>,
    ) -> Result<Strictness, Strictness> {
        let set = self.spec.translation.or(route).unwrap_or_default();
        match header {
            Some(asked) if asked > set && self.spec.translation_header == TranslationHeader::Tighten => {
                Err(set)
            }
            Some(asked) => Ok(asked),
            None => Ok(set),
        }
    }
}

impl Snapshot {
    /// Every tenant, with what governs it.
    pub fn tenants(&self) -> impl Iterator<Item = &Arc<Tenant>> {
        self.callers.values()
    }

    /// A tenant, with what governs it.
    #[must_use]
    pub fn tenant(&self, id: ResourceId) -> Option<&Arc<Tenant>> {
        self.callers.get(&id)
    }

    /// Every route that somebody wrote.
    pub fn routes(&self) -> impl Iterator<Item = &Arc<Route>> {
        self.tenants.values().chain([&self.operator]).flat_map(|scope| scope.routes.values())
    }

    /// Every provider's endpoint that can be used.
    pub fn endpoints(&self) -> impl Iterator<Item = &Arc<Endpoint>> {
        let scopes = self.tenants.values().chain([&self.operator]);
        scopes.flat_map(|scope| scope.endpoints.values().flatten())
    }

    /// Every provider's credentials.
    pub fn credentials(&self) -> impl Iterator<Item = &Arc<Credential>> {
        self.endpoints().flat_map(|endpoint| &endpoint.credentials)
    }

    /// How many keys it knows, for logs.
    #[must_use]
    pub fn key_count(&self) -> usize {
        self.keys.len()
    }
}
