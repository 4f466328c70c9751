//! Chains of routes, by the names as a compiled snapshot resolves them: none leads back, none is too long.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use admin_api::{FieldError, cycles};
use domain::{Kind, Resource, ResourceId, RouteSpec, Spec};

use crate::plan::ConfigGraph;

/// Most routes that one request may pass through.
const MOST_ROUTES: usize = 8;

/// A route, and the field of it that leads to the next.
type Link = (ResourceId, String);

/// What is wrong with the chains that the rows take part in, each at the first written row that could mend it.
///
/// All chains are looked at: a route that was not written is in a new cycle, or too deep, when another one that it
/// leads to was written, or shadows the one it led to before.
pub(super) fn written(graph: &ConfigGraph, rows: &[(ResourceId, String)]) -> Vec<FieldError> {
    if !rows.iter().any(|(id, _)| graph.get(*id).is_some_and(|row| row.kind() == Kind::Route)) {
        return Vec::new();
    }
    let mut paths = HashMap::new();
    for (place, (id, path)) in rows.iter().enumerate() {
        paths.entry(*id).or_insert((place, path.as_str()));
    }
    let mut errors = cyclic(graph, &paths);
    if errors.is_empty() {
        let mut fields = BTreeSet::new();
        for chain in too_long(graph) {
            if let Some((id, field)) = chain.iter().find(|(id, _)| paths.contains_key(id))
                && fields.insert((*id, field.clone()))
            {
                errors.push(FieldError::new(field, told(graph, &chain)).within(paths[id].1));
            }
        }
    }
    errors
}

/// Chains that a deletion made too long, because a tenant's route stood in for a longer one of the operator's.
pub(super) fn too_long_since(before: &ConfigGraph, after: &ConfigGraph) -> Vec<String> {
    let was: HashSet<ResourceId> =
        too_long(before).iter().filter_map(|chain| Some(chain.first()?.0)).collect();
    let chains = too_long(after).into_iter();
    let new = chains.filter(|chain| chain.first().is_some_and(|(id, _)| !was.contains(id)));
    new.map(|chain| told(after, &chain)).collect()
}

fn cyclic(graph: &ConfigGraph, paths: &HashMap<ResourceId, (usize, &str)>) -> Vec<FieldError> {
    let mut by_owner: BTreeMap<Option<ResourceId>, BTreeMap<&str, &RouteSpec>> = BTreeMap::new();
    for (row, spec) in routes(graph) {
        by_owner.entry(row.tenant).or_default().insert(&row.name, spec);
    }
    let mut errors = Vec::new();
    for (owner, routes) in by_owner {
        for cycle in cycles(&routes) {
            let place = |name| graph.id(Kind::Route, owner, name).and_then(|id| paths.get(&id));
            let places = cycle.0.iter().enumerate().filter_map(|(at, (name, _))| Some((place(name)?, at)));
            if let Some(((_, path), at)) = places.min() {
                errors.push(FieldError::new(&cycle.0[at].1, cycle.told(at)).within(path));
            }
        }
    }
    errors
}

/// Chains of more than [`MOST_ROUTES`], cut after one too many.
fn too_long(graph: &ConfigGraph) -> Vec<Vec<Link>> {
    let links: HashMap<ResourceId, Vec<Link>> = routes(graph)
        .map(|(row, spec)| {
            let named = spec.routes().into_iter();
            let to =
                named.filter_map(|(field, name)| Some((graph.seen(Kind::Route, row.tenant, name)?, field)));
            (row.id, to.collect())
        })
        .collect();
    // How many routes a chain from here has, at most; each round looks one further, and there are but a few.
    let mut lengths: HashMap<ResourceId, usize> = links.keys().map(|id| (*id, 1)).collect();
    for _ in 0..MOST_ROUTES {
        let length = |to: &Vec<Link>| 1 + to.iter().map(|(next, _)| lengths[next]).max().unwrap_or_default();
        lengths = links.iter().map(|(id, to)| (*id, length(to))).collect();
    }
    let from = routes(graph).map(|(row, _)| row.id).filter(|id| lengths[id] > MOST_ROUTES);
    from.map(|id| longest(id, &links, &lengths)).collect()
}

fn longest(
    from: ResourceId,
    links: &HashMap<ResourceId, Vec<Link>>,
    lengths: &HashMap<ResourceId, usize>,
) -> Vec<Link> {
    let mut chain = vec![(from, String::new())];
    while chain.len() <= MOST_ROUTES {
        let Some((at, field)) = chain.last_mut() else { break };
        let Some((next, by)) = links[at].iter().max_by_key(|(next, _)| lengths[next]) else { break };
        field.clone_from(by);
        chain.push((*next, String::new()));
    }
    chain
}

fn told(graph: &ConfigGraph, chain: &[Link]) -> String {
    let names = chain.iter().filter_map(|(id, _)| Some(graph.get(*id)?.name.as_str()));
    let names = names.collect::<Vec<_>>().join(" → ");
    format!("leads through more than {MOST_ROUTES} routes: {names}")
}

fn routes(graph: &ConfigGraph) -> impl Iterator<Item = (&Resource, &RouteSpec)> {
    graph.rows().filter_map(|row| match &row.spec {
        Spec::Route(spec) => Some((row, spec)),
        _ => None,
    })
}
