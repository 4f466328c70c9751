//! That no key's priority is above its tenant's, whichever of the two was written.

use std::collections::HashMap;

use admin_api::FieldError;
use domain::{Priority, Resource, ResourceId, Spec};

use crate::plan::ConfigGraph;

pub(super) fn written(graph: &ConfigGraph, rows: &[(ResourceId, String)]) -> Vec<FieldError> {
    let paths: HashMap<ResourceId, &str> = rows.iter().map(|(id, path)| (*id, path.as_str())).collect();
    let mut errors = Vec::new();
    for row in graph.rows() {
        let Some((key, tenant, most)) = above(graph, row) else { continue };
        if let Some(path) = paths.get(&row.id) {
            let message = format!("is above the tenant's, which is {}", word(most));
            errors.push(FieldError::new("priority", message).within(path));
        } else if let Some(path) = paths.get(&tenant) {
            let message = format!("is below that of key {:?}, which is {}", row.name, word(key));
            errors.push(FieldError::new("priority", message).within(path));
        }
    }
    errors
}

/// A key above its tenant: its priority, the tenant and that one's priority.
fn above(graph: &ConfigGraph, row: &Resource) -> Option<(Priority, ResourceId, Priority)> {
    let Spec::Key(key) = &row.spec else { return None };
    let tenant = graph.get(row.tenant?)?;
    let Spec::Tenant(spec) = &tenant.spec else { return None };
    let key = key.priority?;
    let most = spec.priority.unwrap_or_default();
    (key > most).then_some((key, tenant.id, most))
}

const fn word(priority: Priority) -> &'static str {
    match priority {
        Priority::Low => "low",
        Priority::Normal => "normal",
        Priority::High => "high",
    }
}
