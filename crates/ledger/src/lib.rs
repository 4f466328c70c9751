//! The ledger: takes usage from proxies, commits it exactly once and only then acknowledges it.

mod report;

pub use report::LedgerService;
