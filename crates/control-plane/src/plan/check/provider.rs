//! Whether a provider's kind, dialect and address are such that requests could be sent there.

use admin_api::FieldError;
use domain::ProviderSpec;
use runtime::outbound::Filter;

pub(super) fn provider(spec: &ProviderSpec, filter: &Filter) -> Option<FieldError> {
    let Some(row) = wire::provider_row(&spec.kind) else {
        let kinds = wire::provider_kinds().collect::<Vec<_>>().join(", ");
        let message = format!("there is no provider kind {:?}; there are {kinds}", spec.kind);
        return Some(FieldError::new("kind", message));
    };
    if let Some(name) = &spec.dialect {
        if wire::Dialect::from_name(name).is_none() {
            let names = wire::Dialect::ALL.map(wire::Dialect::name).join(", ");
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
