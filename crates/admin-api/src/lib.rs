//! The document that users write and the REST bodies: one definition for control plane, CLI and editors.

mod body;
mod catalogue;
mod diff;
mod document;
mod explain;
mod field;
mod name;
mod problem;
mod reply;
mod schema;
mod secret;
mod text;

pub use body::{Item, ReadOnly, ShownOnce, Written, merge, read_item};
pub use catalogue::{CatalogueItem, CatalogueReply, read_catalogue};
pub use diff::{Change, DiffEntry, changed_fields};
pub use document::{
    ApiVersion, CredentialEntry, Cycle, Desired, Document, KeyEntry, ProviderEntry, TenantEntry, check_spec,
    cycles,
};
pub use explain::{
    ExplainBudget, ExplainHealth, ExplainRefusal, ExplainReply, ExplainRequest, PassedTarget, PlannedTarget,
    RuleVerdict,
};
pub use field::{FieldError, Invalid};
pub use name::{Name, OPERATOR, RouteName, check_name};
pub use problem::Problem;
pub use reply::{ApplyReply, List, ShownSecret};
pub use schema::{Direction, item_schema, schema};
pub use secret::{SecretSource, SecretText};
pub use text::{Format, MAX_DOCUMENT_BYTES, parse};
