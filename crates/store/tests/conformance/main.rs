//! What every database must do, run on a fresh SQLite file per test; `conformance_postgres` runs the same.

#![allow(clippy::unwrap_used, reason = "helpers of tests count as tests")]

#[path = "sqlite.rs"]
mod backend;
mod books;
mod concurrency;
mod config;
mod fixture;
mod history;
mod listing;
mod model_catalogue;
mod usage;
mod usage_sums;
