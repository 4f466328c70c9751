//! The operations of the API. To add one, write its file and add it to [`all`]: the router and the OpenAPI document
//! are both built from that list.

mod apply;
mod audit;
mod budget_usage;
mod create_resource;
mod delete_resource;
mod explain;
mod export;
mod get_catalogue_model;
mod get_resource;
mod import_catalogue;
mod list_catalogue;
mod list_resources;
mod openapi_document;
mod proxies;
mod replace_resource;
mod requests;
mod rotate_key;
mod target_health;
mod usage;

use domain::Kind;

use super::operation::Operation;

/// Every operation, in the order of the OpenAPI document.
pub(super) fn all() -> Vec<Operation> {
    let mut operations: Vec<Operation> = Kind::ALL.into_iter().flat_map(of_kind).collect();
    operations.extend([
        rotate_key::operation(),
        apply::operation(),
        export::operation(),
        usage::operation(),
        budget_usage::operation(),
        requests::operation(),
        list_catalogue::operation(),
        get_catalogue_model::operation(),
        import_catalogue::operation(),
        explain::operation(),
        audit::operation(),
        proxies::operation(),
        target_health::operation(),
        openapi_document::operation(all),
    ]);
    operations
}

/// What every kind of resource has.
fn of_kind(kind: Kind) -> [Operation; 6] {
    [
        list_resources::operation(kind),
        create_resource::operation(kind),
        get_resource::operation(kind),
        replace_resource::put(kind),
        replace_resource::patch(kind),
        delete_resource::operation(kind),
    ]
}
