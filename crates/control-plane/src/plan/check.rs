//! Whether a configuration holds as a whole: references, conditions, providers, priorities, chains of routes, the tree of
//! tenants.

mod chains;
mod priority;
mod provider;
mod references;
mod tree;

use admin_api::FieldError;
use domain::{Kind, Resource, ResourceId, Spec};
use runtime::outbound::Filter;

use self::references::{Reference, references, resolves};
use super::ConfigGraph;

/// What is wrong with the rows that were written, each with where errors shall point to.
pub(super) fn written(
    graph: &ConfigGraph,
    rows: &[(ResourceId, String)],
    filter: &Filter,
) -> Vec<FieldError> {
    let each = rows.iter().filter_map(|(id, path)| Some((graph.get(*id)?, path)));
    let alone = each.flat_map(|(row, path)| {
        row_errors(graph, row, filter).into_iter().map(move |error| error.within(path))
    });
    let mut errors: Vec<FieldError> = alone.collect();
    errors.extend(chains::written(graph, rows));
    errors.extend(priority::written(graph, rows));
    errors.extend(tree::written(graph, rows));
    errors
}

/// What is wrong with a row that was written; fields are relative to it.
fn row_errors(graph: &ConfigGraph, row: &Resource, filter: &Filter) -> Vec<FieldError> {
    let mut errors = Vec::new();
    match &row.spec {
        Spec::Provider(spec) => errors.extend(provider::provider(spec, filter)),
        Spec::Route(spec) => {
            let found = policy::rules::problems(spec).into_iter();
            errors.extend(found.map(|(field, message)| FieldError::new(field, message)));
        }
        _ => {}
    }
    if matches!(row.kind(), Kind::Key | Kind::Limit | Kind::Budget) && row.tenant.is_none() {
        errors.push(FieldError::new("tenant", format!("is required: a {} belongs to a tenant", row.kind())));
    }
    for reference in references(row) {
        if !resolves(graph, row, &reference) {
            let Reference { field, kind, name, own } = reference;
            let whose = if own { " of this owner" } else { "" };
            errors.push(FieldError::new(field, format!("there is no {kind} {name:?}{whose}")));
        }
    }
    errors
}

/// Whether a tenant has another place in the tree, so that it and those below it see other resources.
pub(super) fn has_moved(before: &ConfigGraph, after: &ConfigGraph, rows: &[(ResourceId, String)]) -> bool {
    rows.iter().any(|(id, _)| before.get(*id).is_some() && before.parent(*id) != after.parent(*id))
}

/// That no row lost what it needs by a deletion or a move; says which still need what.
pub(super) fn check_references(before: &ConfigGraph, after: &ConfigGraph) -> Result<(), String> {
    const SHOWN: usize = 10;
    let mut found = Vec::new();
    for row in after.rows() {
        if let Some(owner) = row.tenant.filter(|owner| after.get(*owner).is_none()) {
            let owner = before.get(owner).map_or("", |owner| owner.name.as_str());
            found.push(format!("{} {:?} belongs to tenant {owner:?}", row.kind(), row.name));
        }
        for reference in references(row) {
            if !resolves(after, row, &reference) && resolves(before, row, &reference) {
                let Reference { field, kind, name, .. } = reference;
                found.push(format!("{} {:?} refers to {kind} {name:?} ({field})", row.kind(), row.name));
            }
        }
    }
    found.extend(chains::too_long_since(before, after));
    let more = found.len().saturating_sub(SHOWN);
    found.truncate(SHOWN);
    match (found.is_empty(), more) {
        (true, _) => Ok(()),
        (false, 0) => Err(found.join("; ")),
        (false, _) => Err(format!("{}; and {more} more", found.join("; "))),
    }
}
