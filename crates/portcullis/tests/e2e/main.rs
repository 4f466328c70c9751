//! Black-box tests: our own binaries, started, killed and asked over their sockets.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail")]

mod bad_start;
mod budgets;
mod cascade;
mod catalogue;
mod cold_start;
mod command_line;
mod demo;
mod durability;
mod exactly_once;
mod explained;
mod failover;
mod faults;
mod followed;
mod full_disk;
mod health;
mod metrics;
mod peers;
mod shared_limits;
mod telemetry;
mod world;
