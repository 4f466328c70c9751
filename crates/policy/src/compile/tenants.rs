//! Tenants out of their rows, each with what governs it: its own limits and budgets, and those of the tenants above it.

use std::{collections::HashMap, sync::Arc};

use domain::{Kind, Resource, ResourceId, Spec, TenantSpec};

use super::{ConfigRows, each};
use crate::{
    budget::Budget,
    snapshot::{Limit, Tenant, UnreadableRow, lookup::lineage},
};

/// Tenants by id.
type Tenants = HashMap<ResourceId, Arc<Tenant>>;
/// The parent of each tenant that has one.
type Parents = HashMap<ResourceId, ResourceId>;

/// Compiles tenants. What of a tenant, or of one above it, cannot be read takes it out of service.
pub(super) fn compile(rows: &ConfigRows) -> (Tenants, Parents) {
    let tenants = each(rows, |spec| if let Spec::Tenant(spec) = spec { Some(spec) } else { None });
    let names: HashMap<&str, ResourceId> =
        tenants.iter().map(|(row, _)| (row.name.as_str(), row.id)).collect();
    let by_id: HashMap<ResourceId, (&Resource, &TenantSpec)> =
        tenants.iter().map(|(row, spec)| (row.id, (*row, *spec))).collect();
    let parent = |spec: &TenantSpec| names.get(spec.parent.as_deref()?).copied();
    let parents: Parents = tenants.iter().filter_map(|(row, spec)| Some((row.id, parent(spec)?))).collect();
    let (limits, budgets) = (limits(rows, &by_id), budgets(rows, &by_id));
    let compiled = tenants.iter().map(|(row, spec)| {
        let line: Vec<ResourceId> = lineage(&parents, row.id).collect();
        let specs = || line.iter().filter_map(|id| by_id.get(id).map(|(_, spec)| *spec));
        let tenant = Tenant {
            id: row.id,
            name: row.name.clone(),
            spec: (*spec).clone(),
            disabled: specs().any(|spec| spec.disabled),
            limits: line.iter().filter_map(|id| limits.get(id)).flatten().cloned().collect(),
            budgets: line.iter().filter_map(|id| budgets.get(id)).flatten().cloned().collect(),
            root: line.last().copied().unwrap_or(row.id),
            unusable: broken(&line, &by_id, &parents).or_else(|| overlooked(rows, &line)),
        };
        (row.id, Arc::new(tenant))
    });
    (compiled.collect(), parents)
}

/// Why the tenants above one are not known, so that neither are all of its limits.
fn broken(
    line: &[ResourceId],
    by_id: &HashMap<ResourceId, (&Resource, &TenantSpec)>,
    parents: &Parents,
) -> Option<String> {
    let (row, spec) = by_id.get(line.last()?)?;
    let parent = spec.parent.as_deref()?;
    Some(match parents.get(&row.id) {
        None => format!("the parent {parent:?} of tenant {:?} is not there, or cannot be read", row.name),
        // The control plane refuses this.
        Some(_) => format!("more than {} tenants above each other, or in a circle", TenantSpec::DEEPEST),
    })
}

/// What governs a tenant and cannot be read.
fn overlooked(rows: &ConfigRows, line: &[ResourceId]) -> Option<String> {
    // A kind that does not exist yet may govern the tenant as well.
    let governs = |kind: &str| kind.parse().map_or(true, |kind| matches!(kind, Kind::Limit | Kind::Budget));
    let of_it =
        |row: &&UnreadableRow| row.tenant.is_some_and(|owner| line.contains(&owner)) && governs(&row.kind);
    rows.unknown
        .iter()
        .find(of_it)
        .map(|row| format!("this version cannot read its {} {:?}: {}", row.kind, row.name, row.reason))
}

fn limits(
    rows: &ConfigRows,
    owners: &HashMap<ResourceId, (&Resource, &TenantSpec)>,
) -> HashMap<ResourceId, Vec<Limit>> {
    let mut limits: HashMap<ResourceId, Vec<_>> = HashMap::new();
    for (row, spec) in each(rows, |spec| if let Spec::Limit(spec) = spec { Some(spec) } else { None }) {
        if let Some((owner, _)) = row.tenant.and_then(|owner| owners.get(&owner)) {
            let limit = Limit { id: row.id, tenant_name: owner.name.clone(), spec: spec.clone() };
            limits.entry(owner.id).or_default().push(limit);
        }
    }
    limits
}

fn budgets(
    rows: &ConfigRows,
    owners: &HashMap<ResourceId, (&Resource, &TenantSpec)>,
) -> HashMap<ResourceId, Vec<Arc<Budget>>> {
    let keys = each(rows, |spec| if let Spec::Key(spec) = spec { Some(spec) } else { None });
    let keys: HashMap<_, _> =
        keys.into_iter().map(|(row, _)| ((row.tenant, row.name.as_str()), row.id)).collect();
    let mut budgets: HashMap<ResourceId, Vec<_>> = HashMap::new();
    for (row, spec) in each(rows, |spec| if let Spec::Budget(spec) = spec { Some(&**spec) } else { None }) {
        if let Some((owner, _)) = row.tenant.and_then(|owner| owners.get(&owner)) {
            let key = |name: &str| keys.get(&(row.tenant, name)).copied();
            budgets.entry(owner.id).or_default().push(Arc::new(Budget::new(row, spec, owner, key)));
        }
    }
    budgets
}
