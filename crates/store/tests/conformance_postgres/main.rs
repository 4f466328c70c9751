//! What every database must do, on PostgreSQL, and what only PostgreSQL does: one server, a database per test.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "helpers of tests count as tests")]

mod backend;
mod catalogue;
mod notices;
mod opening;
mod outages;
mod partitions;

#[path = "../conformance/books.rs"]
mod books;
#[path = "../conformance/concurrency.rs"]
mod concurrency;
#[path = "../conformance/config.rs"]
mod config;
#[path = "../conformance/fixture.rs"]
mod fixture;
#[path = "../conformance/history.rs"]
mod history;
#[path = "../conformance/listing.rs"]
mod listing;
#[path = "../conformance/model_catalogue.rs"]
mod model_catalogue;
#[path = "../conformance/usage.rs"]
mod usage;
#[path = "../conformance/usage_sums.rs"]
mod usage_sums;
