//! All live rows with their names resolved: a tenant's own shadow those of the tenants above it, and these the operator's.

use std::collections::{BTreeMap, HashMap};

use domain::{Kind, ModelRef, Resource, ResourceId, Spec, TenantSpec};

/// One moment of the configuration.
#[derive(Clone, Debug, Default)]
pub(crate) struct ConfigGraph {
    rows: BTreeMap<ResourceId, Resource>,
    names: HashMap<(Kind, Option<ResourceId>), HashMap<String, ResourceId>>,
}

impl ConfigGraph {
    pub(crate) fn new(rows: Vec<Resource>) -> Self {
        let mut graph = Self::default();
        rows.into_iter().for_each(|row| graph.insert(row));
        graph
    }

    /// Rows in the order in which they were made.
    pub(crate) fn rows(&self) -> impl Iterator<Item = &Resource> {
        self.rows.values()
    }

    pub(crate) fn get(&self, id: ResourceId) -> Option<&Resource> {
        self.rows.get(&id)
    }

    /// An owner's own row of a name.
    pub(crate) fn find(&self, kind: Kind, owner: Option<ResourceId>, name: &str) -> Option<&Resource> {
        self.id(kind, owner, name).and_then(|id| self.rows.get(&id))
    }

    /// The id of an owner's own row of a name.
    pub(crate) fn id(&self, kind: Kind, owner: Option<ResourceId>, name: &str) -> Option<ResourceId> {
        self.names.get(&(kind, owner)).and_then(|names| names.get(name)).copied()
    }

    /// What an owner means by a name: its own row, or else that of the nearest tenant above it, or else the operator's; an
    /// operator's row means the operator's.
    pub(crate) fn seen(&self, kind: Kind, owner: Option<ResourceId>, name: &str) -> Option<ResourceId> {
        let above = std::iter::successors(owner, |tenant| self.parent(*tenant)).take(TenantSpec::DEEPEST);
        above.map(Some).chain([None]).find_map(|owner| self.id(kind, owner, name))
    }

    /// The tenant above a tenant.
    pub(crate) fn parent(&self, tenant: ResourceId) -> Option<ResourceId> {
        let Spec::Tenant(spec) = &self.get(tenant)?.spec else { return None };
        self.id(Kind::Tenant, None, spec.parent.as_deref()?)
    }

    pub(crate) fn insert(&mut self, row: Resource) {
        self.names.entry((row.kind(), row.tenant)).or_default().insert(row.name.clone(), row.id);
        self.rows.insert(row.id, row);
    }

    pub(crate) fn remove(&mut self, id: ResourceId) -> Option<Resource> {
        let row = self.rows.remove(&id)?;
        if let Some(names) = self.names.get_mut(&(row.kind(), row.tenant)) {
            names.remove(&row.name);
        }
        Some(row)
    }

    /// What goes with a row: all that a tenant owns; a provider's credentials, models and prices.
    pub(crate) fn belongings(&self, id: ResourceId) -> impl Iterator<Item = &Resource> {
        let parent = self.rows.get(&id);
        self.rows.values().filter(move |row| parent.is_some_and(|parent| belongs(row, parent)))
    }
}

fn belongs(row: &Resource, parent: &Resource) -> bool {
    match parent.spec {
        Spec::Tenant(_) => row.tenant == Some(parent.id),
        Spec::Provider(_) if row.tenant == parent.tenant => match &row.spec {
            Spec::Credential(spec) => spec.provider == parent.name,
            Spec::Price(spec) => spec.model.provider == parent.name,
            Spec::Model(_) => row.name.parse::<ModelRef>().is_ok_and(|model| model.provider == parent.name),
            _ => false,
        },
        _ => false,
    }
}
