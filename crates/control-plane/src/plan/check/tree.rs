//! That the parents of tenants make a tree of bounded depth, whichever of the tenants were written.

use std::collections::{HashMap, HashSet};

use admin_api::FieldError;
use domain::{Kind, ResourceId, TenantSpec};

use crate::plan::ConfigGraph;

/// How far up a line is followed to tell a cycle from a line that is too long.
const FOLLOWED: usize = 32;

/// What is wrong with the lines of tenants that were written, or that lead through a written one: each at the lowest
/// written tenant of the line.
pub(super) fn written(graph: &ConfigGraph, rows: &[(ResourceId, String)]) -> Vec<FieldError> {
    let is_tenant = |id: &ResourceId| graph.get(*id).is_some_and(|row| row.kind() == Kind::Tenant);
    let paths: HashMap<ResourceId, &str> =
        rows.iter().filter(|(id, _)| is_tenant(id)).map(|(id, path)| (*id, path.as_str())).collect();
    if paths.is_empty() {
        return Vec::new();
    }
    let (mut errors, mut told) = (Vec::new(), HashSet::new());
    for tenant in graph.rows().map(|row| row.id).filter(is_tenant) {
        let (mut line, closes) = line(graph, tenant);
        let Some(place) = line.iter().position(|id| paths.contains_key(id)) else { continue };
        let at = line[place];
        let message = if closes {
            // Those below a cycle are mended with it, and so are its other members.
            if line.pop() != Some(tenant) || line.iter().any(|id| told.contains(id)) {
                continue;
            }
            line.rotate_left(place);
            line.push(at);
            format!("a cycle: {}", names(graph, &line))
        } else if line.len() > TenantSpec::DEEPEST && !told.contains(&at) {
            let most = TenantSpec::DEEPEST;
            format!("at most {most} tenants may be above each other: {}", names(graph, &line))
        } else {
            continue;
        };
        told.insert(at);
        errors.push(FieldError::new("parent", message).within(paths[&at]));
    }
    errors
}

/// A tenant and those above it, to the topmost or to the first that comes again, and whether one does.
fn line(graph: &ConfigGraph, tenant: ResourceId) -> (Vec<ResourceId>, bool) {
    let mut line = vec![tenant];
    let mut above = graph.parent(tenant);
    while let Some(next) = above.filter(|_| line.len() < FOLLOWED) {
        let closes = line.contains(&next);
        line.push(next);
        if closes {
            return (line, true);
        }
        above = graph.parent(next);
    }
    (line, false)
}

fn names(graph: &ConfigGraph, line: &[ResourceId]) -> String {
    let names = line.iter().filter_map(|id| graph.get(*id)).map(|row| row.name.as_str());
    names.collect::<Vec<_>>().join(" → ")
}
