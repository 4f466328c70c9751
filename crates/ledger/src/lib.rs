//! The ledger: takes usage from proxies, commits it exactly once and only then acknowledges it.

mod books;
mod counts;
pub mod node;
mod report;

pub use counts::METRICS;
pub use report::LedgerService;
