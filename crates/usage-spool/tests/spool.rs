//! The usage spool against real files, real processes and a scripted ledger.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking, its helpers too"
)]

#[path = "spool/budgets.rs"]
mod budgets;
#[path = "spool/crash.rs"]
mod crash;
#[path = "spool/damage.rs"]
mod damage;
#[path = "spool/life.rs"]
mod life;
#[path = "spool/reporting.rs"]
mod reporting;
#[path = "spool/support.rs"]
mod support;
