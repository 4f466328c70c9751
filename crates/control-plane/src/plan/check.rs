//! Whether a configuration holds as a whole: kinds and addresses of providers, and every reference.

use admin_api::FieldError;
use domain::{Kind, ModelRef, ProviderSpec, Resource, Spec};
use runtime::outbound::Filter;

use super::World;

/// Something that a row needs to be there.
struct Reference {
    field: String,
    kind: Kind,
    name: String,
    /// The row's owner must own it. A credential must never be sent to an endpoint that somebody else
    /// describes, so a tenant's provider does not inherit the operator's credentials, nor the reverse.
    own: bool,
}

/// What is wrong with a row that was written; fields are relative to it.
pub(super) fn row(world: &World, row: &Resource, filter: &Filter) -> Vec<FieldError> {
    let mut errors = Vec::new();
    if let Spec::Provider(spec) = &row.spec {
        errors.extend(provider(spec, filter));
    }
    if matches!(row.kind(), Kind::Key | Kind::Limit) && row.tenant.is_none() {
        errors.push(FieldError::new("tenant", format!("is required: a {} belongs to a tenant", row.kind())));
    }
    for reference in references(row) {
        if !resolves(world, row, &reference) {
            let Reference { field, kind, name, own } = reference;
            let whose = if own { " of this owner" } else { "" };
            errors.push(FieldError::new(field, format!("there is no {kind} {name:?}{whose}")));
        }
    }
    errors
}

/// That no row lost what it needs by a deletion; says who still needs what.
pub(super) fn nothing_dangles(before: &World, after: &World) -> Result<(), String> {
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
    let more = found.len().saturating_sub(SHOWN);
    found.truncate(SHOWN);
    match (found.is_empty(), more) {
        (true, _) => Ok(()),
        (false, 0) => Err(found.join("; ")),
        (false, _) => Err(format!("{}; and {more} more", found.join("; "))),
    }
}

fn resolves(world: &World, row: &Resource, reference: &Reference) -> bool {
    if reference.own {
        world.id(reference.kind, row.tenant, &reference.name).is_some()
    } else {
        world.sees(reference.kind, row.tenant, &reference.name)
    }
}

fn references(row: &Resource) -> Vec<Reference> {
    let provider = |field: String, name: &str, own| Reference {
        field,
        kind: Kind::Provider,
        name: name.to_owned(),
        own,
    };
    match &row.spec {
        Spec::Tenant(_) | Spec::Provider(_) | Spec::Limit(_) => Vec::new(),
        Spec::Credential(spec) => vec![provider("provider".to_owned(), &spec.provider, true)],
        Spec::Price(spec) => vec![provider("model".to_owned(), &spec.model.provider, false)],
        Spec::Model(_) => {
            let model = row.name.parse::<ModelRef>().ok();
            model.map(|model| provider("name".to_owned(), &model.provider, false)).into_iter().collect()
        }
        Spec::Route(spec) => {
            spec.models().into_iter().map(|(field, model)| provider(field, &model.provider, false)).collect()
        }
        Spec::Key(spec) => {
            let routes = spec.routes.iter().flatten().enumerate();
            routes
                .map(|(index, name)| match name.split_once('/') {
                    // `provider/model` is an implicit route.
                    Some((prefix, _)) => provider(format!("routes[{index}]"), prefix, false),
                    None => Reference {
                        field: format!("routes[{index}]"),
                        kind: Kind::Route,
                        name: name.clone(),
                        own: false,
                    },
                })
                .collect()
        }
    }
}

fn provider(spec: &ProviderSpec, filter: &Filter) -> Option<FieldError> {
    let Some(row) = wire::provider_row(&spec.kind) else {
        let kinds = wire::provider_kinds().collect::<Vec<_>>().join(", ");
        let message = format!("there is no provider kind {:?}; there are {kinds}", spec.kind);
        return Some(FieldError::new("kind", message));
    };
    if let Some(name) = &spec.dialect {
        if wire::DialectName::from_name(name).is_none() {
            let names = wire::DialectName::ALL.map(wire::DialectName::name).join(", ");
            return Some(FieldError::new(
                "dialect",
                format!("there is no dialect {name:?}; there are {names}"),
            ));
        }
        if !["custom", "simulator"].contains(&row.kind) {
            let message = format!("belongs to kind custom; a provider of kind {} speaks its own", row.kind);
            return Some(FieldError::new("dialect", message));
        }
    }
    match &spec.base_url {
        None => row.base_url(spec.region.as_deref(), &spec.options).err().map(|field| {
            let message = format!("is required for a provider of kind {}", spec.kind);
            FieldError::new(field, message)
        }),
        Some(url) => filter.check_url(url).err().map(|message| FieldError::new("base_url", message)),
    }
}
