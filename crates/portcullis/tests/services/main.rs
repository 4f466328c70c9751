//! The services apart, several of each, on a real PostgreSQL: killed, cut off, misconfigured.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail")]

mod bad_database;
mod cold_start;
mod fleet;
mod kills;
mod revocation;
#[path = "../e2e/world.rs"]
#[allow(dead_code, reason = "each suite uses its part of it")]
mod world;
