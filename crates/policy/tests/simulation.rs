//! Thousands of requests over replicas and providers that fail by script, in virtual time and the same for a seed: the
//! real decisions, failover included, without a network.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail")]
#![allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "counts and times of runs are small"
)]

#[path = "simulation/cut_off.rs"]
mod cut_off;
#[path = "simulation/engine.rs"]
mod engine;
#[path = "simulation/journal.rs"]
mod journal;
#[path = "simulation/outages.rs"]
mod outages;
#[path = "simulation/provider.rs"]
mod provider;
#[path = "simulation/random.rs"]
mod random;
#[path = "simulation/replicas.rs"]
mod replicas;
#[path = "simulation/request.rs"]
mod request;
#[path = "simulation/steady.rs"]
mod steady;
#[allow(dead_code, reason = "shared with the tests of decisions, which need more of it")]
#[path = "decisions/world.rs"]
mod world;

/// Runs a test for many seeds; says which one fails.
fn for_seeds(seeds: std::ops::Range<u64>, test: impl Fn(u64)) {
    for seed in seeds {
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| test(seed)));
        assert!(outcome.is_ok(), "seed {seed} fails; its reason is above");
    }
}
