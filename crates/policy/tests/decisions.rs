//! The compiled snapshot, auth, plans and bounds, on small configurations written as rows.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::cast_precision_loss,
    reason = "a test may fail; counts are small"
)]

#[path = "decisions/access.rs"]
mod access;
#[path = "decisions/blame.rs"]
mod blame;
#[path = "decisions/credentials.rs"]
mod credentials;
#[path = "decisions/failover.rs"]
mod failover;
#[path = "decisions/health.rs"]
mod health;
#[path = "decisions/panic.rs"]
mod panic;
#[path = "decisions/prices.rs"]
mod prices;
#[path = "decisions/properties.rs"]
mod properties;
#[path = "decisions/question.rs"]
mod question;
#[path = "decisions/refusals.rs"]
mod refusals;
#[path = "decisions/rows.rs"]
mod rows;
#[path = "decisions/rules.rs"]
mod rules;
#[path = "decisions/sticky.rs"]
mod sticky;
#[path = "decisions/strategies.rs"]
mod strategies;
#[path = "decisions/world.rs"]
mod world;
