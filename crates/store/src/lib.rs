//! The database behind control plane and ledger: configuration with its history, and the usage ledger.
//!
//! One SQL text serves SQLite and PostgreSQL; what differs between them lives in `dialect`.

mod audit;
mod books;
mod catalogue;
mod connect;
mod dialect;
mod error;
mod migrations;
mod page;
mod resources;
mod row;
mod tx;
mod usage;

pub use audit::AuditEntry;
pub use books::{BookMember, Greeting, Heartbeat};
pub use catalogue::{CatalogueModel, CatalogueQuery, Imported};
pub use connect::Store;
pub use error::{Result, StoreError};
pub use page::Page;
pub use resources::{Changes, ListFilter, OwnerFilter, Stored};
pub use tx::{Actor, PutOutcome, ResourceDraft, Tx};
pub use usage::{
    Dimension, MAX_ATTEMPTS, MAX_BATCH, RequestQuery, Totals, UsageQuery, UsageRow, check_event,
};
