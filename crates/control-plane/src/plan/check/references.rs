//! What a row needs to be there, by name.

use domain::{BudgetSpec, Dimension, Kind, ModelRef, Resource, Spec};

use crate::plan::ConfigGraph;

/// Something that a row needs to be there.
pub(super) struct Reference {
    pub(super) field: String,
    pub(super) kind: Kind,
    pub(super) name: String,
    /// The row's owner must own it. A credential must never be sent to an endpoint that somebody else
    /// describes, so a tenant's provider does not inherit the operator's credentials, nor the reverse.
    pub(super) own: bool,
}

pub(super) fn resolves(graph: &ConfigGraph, row: &Resource, reference: &Reference) -> bool {
    if reference.own {
        graph.id(reference.kind, row.tenant, &reference.name).is_some()
    } else {
        graph.seen(reference.kind, row.tenant, &reference.name).is_some()
    }
}

pub(super) fn references(row: &Resource) -> Vec<Reference> {
    let provider = |field: String, name: &str, own| Reference {
        field,
        kind: Kind::Provider,
        name: name.to_owned(),
        own,
    };
    let route = |field, name: &str| Reference { field, kind: Kind::Route, name: name.to_owned(), own: false };
    match &row.spec {
        Spec::Provider(_) | Spec::Limit(_) => Vec::new(),
        Spec::Tenant(spec) => {
            let parent = |name: &String| Reference {
                field: "parent".to_owned(),
                kind: Kind::Tenant,
                name: name.clone(),
                own: false,
            };
            spec.parent.iter().map(parent).collect()
        }
        Spec::Budget(spec) => filtered(spec),
        Spec::Credential(spec) => vec![provider("provider".to_owned(), &spec.provider, true)],
        Spec::Price(spec) => vec![provider("model".to_owned(), &spec.model.provider, false)],
        Spec::Model(_) => {
            let model = row.name.parse::<ModelRef>().ok();
            model.map(|model| provider("name".to_owned(), &model.provider, false)).into_iter().collect()
        }
        Spec::Route(spec) => {
            let models =
                spec.models().into_iter().map(|(field, model)| provider(field, &model.provider, false));
            models.chain(spec.routes().into_iter().map(|(field, name)| route(field, name))).collect()
        }
        Spec::Key(spec) => {
            let routes = spec.routes.iter().flatten().enumerate();
            routes
                .map(|(index, name)| match name.split_once('/') {
                    // `provider/model` is an implicit route.
                    Some((prefix, _)) => provider(format!("routes[{index}]"), prefix, false),
                    None => route(format!("routes[{index}]"), name),
                })
                .collect()
        }
    }
}

/// What a budget's filter names: one that names what is not there would count nothing, silently.
fn filtered(spec: &BudgetSpec) -> Vec<Reference> {
    let mut found = Vec::new();
    for (dimension, values) in spec.filters() {
        let kind = match dimension {
            Dimension::Key => Kind::Key,
            Dimension::Route => Kind::Route,
            Dimension::Provider | Dimension::Model => Kind::Provider,
            Dimension::User | Dimension::Feature | Dimension::Session | Dimension::Tag(_) => continue,
        };
        found.extend(values.0.iter().filter_map(|value| {
            let name = match dimension {
                Dimension::Model => value.split_once('/').map(|(provider, _)| provider),
                // `provider/model` is an implicit route.
                Dimension::Route if value.contains('/') => None,
                _ => Some(value.as_str()),
            };
            let field = format!("for.{dimension}");
            name.map(|name| Reference { field, kind, name: name.to_owned(), own: kind == Kind::Key })
        }));
    }
    found
}
