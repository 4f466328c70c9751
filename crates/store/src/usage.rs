//! The usage ledger: every attempt exactly once, hourly sums beside it, and what is asked of both.

mod insert;
mod query;
mod requests;
mod rollup;
mod values;

pub use insert::{MAX_ATTEMPTS, MAX_BATCH, check_event};
pub use query::{Dimension, Totals, UsageQuery, UsageRow};
pub use requests::RequestQuery;
