//! What every database must do, run on a fresh SQLite file, or on the PostgreSQL server that
//! `PORTCULLIS_TEST_POSTGRES` (an address of a superuser's) names.

#![allow(clippy::unwrap_used, reason = "helpers of tests count as tests")]

mod concurrency;
mod config;
mod fixture;
mod history;
mod listing;
mod usage;
mod usage_sums;
