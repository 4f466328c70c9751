//! Names are looked up among the owner's resources first, then among those of the tenants above it, then among the
//! operator's; a target is put together from all of them.

use std::{collections::HashMap, sync::Arc};

use domain::{ModelRef, ResourceId, TenantSpec};

use super::{Scope, Snapshot};
use crate::{health::TargetState, target::Target};

/// Successors of successors that are looked at; a provider has no longer lines, but a mistake may go round.
const LONGEST_SUCCESSION: u8 = 4;

/// Finds the state of a model at an endpoint: for good where it is configured, else for as long as there is room.
pub(crate) type FindState<'a> = &'a dyn Fn(ResourceId, &str) -> Arc<TargetState>;

/// What an owner sees: its own resources first, then those of the tenants above it, then the operator's.
#[derive(Clone, Copy)]
pub(crate) struct ResourceView<'a> {
    own: [Option<&'a Scope>; TenantSpec::DEEPEST],
    operator: Option<&'a Scope>,
}

impl<'a> ResourceView<'a> {
    /// Of scopes, nearest first, and the operator's.
    pub(crate) fn new(scopes: impl Iterator<Item = &'a Scope>, operator: Option<&'a Scope>) -> Self {
        let mut own = [None; TenantSpec::DEEPEST];
        for (place, scope) in own.iter_mut().zip(scopes) {
            *place = Some(scope);
        }
        Self { own, operator }
    }

    /// The scopes, nearest first.
    pub(crate) fn scopes(self) -> impl Iterator<Item = &'a Scope> {
        self.own.into_iter().flatten().chain(self.operator)
    }

    /// The nearest resource. One that cannot be read counts: falling back from it would send a tenant's traffic where the
    /// tenant did not want it.
    pub(crate) fn first<T>(self, find: impl Fn(&'a Scope) -> Option<T>) -> Option<T> {
        self.scopes().find_map(find)
    }

    /// The target that a reference names, if there is such a provider.
    pub(crate) fn target(self, model: &ModelRef, find: FindState<'_>) -> Option<Result<Target, String>> {
        self.target_before(model, find, LONGEST_SUCCESSION)
    }

    fn target_before(
        self,
        model: &ModelRef,
        find: FindState<'_>,
        successions: u8,
    ) -> Option<Result<Target, String>> {
        let endpoint = self.first(|scope| scope.endpoints.get(&model.provider))?;
        Some(endpoint.clone().and_then(|endpoint| {
            let spec = self.first(|scope| scope.models.get(model)).cloned().transpose()?.unwrap_or_default();
            let upstream = spec.upstream.clone().unwrap_or_else(|| model.model.clone());
            let known = ModelRef::of_kind(endpoint.row.kind, &upstream);
            // All lists: a tenant's price that is not in force yet leaves the operator's in force.
            let prices = self.scopes().filter_map(|scope| scope.prices.get(model)).cloned();
            let mut prices = prices.collect::<Result<Vec<_>, _>>()?;
            // What a newer version knows of a model disables nothing here: it is as if the catalogue were silent.
            let facts = self.operator.and_then(|scope| scope.models.get(&known)?.as_ref().ok());
            prices.extend(self.operator.and_then(|scope| scope.prices.get(&known)?.clone().ok()));
            let spec = facts.map_or_else(|| Arc::clone(&spec), |facts| Arc::new(spec.or(facts)));
            let successor = spec.successor.as_ref().filter(|_| successions > 0).and_then(|name| {
                let successor = ModelRef { provider: model.provider.clone(), model: name.clone() };
                self.target_before(&successor, find, successions - 1)?.ok().map(Arc::new)
            });
            let state = find(endpoint.id, &upstream);
            Ok(Target { model: model.clone(), endpoint, upstream, spec, prices, state, successor })
        }))
    }
}

/// A tenant and those above it, nearest first.
pub(crate) fn lineage(
    parents: &HashMap<ResourceId, ResourceId>,
    tenant: ResourceId,
) -> impl Iterator<Item = ResourceId> {
    std::iter::successors(Some(tenant), |id| parents.get(id).copied()).take(TenantSpec::DEEPEST)
}

impl Snapshot {
    /// What a tenant sees.
    pub(crate) fn scopes(&self, tenant: ResourceId) -> ResourceView<'_> {
        self.scopes_of(Some(tenant))
    }

    /// What the owner of a row sees, the operator if there is no owner.
    pub(crate) fn scopes_of(&self, owner: Option<ResourceId>) -> ResourceView<'_> {
        let tenants = owner.into_iter().flat_map(|tenant| lineage(&self.parents, tenant));
        ResourceView::new(tenants.filter_map(|tenant| self.tenants.get(&tenant)), Some(&self.operator))
    }
}
