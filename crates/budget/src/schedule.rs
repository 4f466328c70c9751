//! Random schedules of the real code: proxies, store and ledger, with every message late, repeated, reordered or lost.
//!
//! Proxies are paused, killed and cut off, folders are lost, stores are flushed, set back, evict a window or fail over
//! to a copy that lags, ledgers die in a rebuild, caps change and windows pass. After every step the sums are checked;
//! at the end the faults stop, and everything must settle exactly.

mod act;
mod check;
mod folder;
mod node;
mod random;
mod world;

use domain::ResourceId;

use self::{
    node::{MemoryNodes, Nodes, RedisNodes},
    world::World,
};
use domain::BudgetRef;

const STEPS: usize = 1_500;

/// The budgets of a world: of the root, of a child, and one per user.
fn budget(number: u128) -> BudgetRef {
    BudgetRef { id: ResourceId(uuid::Uuid::from_u128(100 + number)), generation: 1 }
}

async fn run<N: Nodes>(seed: u64, nodes: N) -> World<N> {
    // Printed of the world that fails.
    println!("seed {seed}");
    let mut world = World::new(seed, nodes);
    for _ in 0..STEPS {
        world.step().await;
    }
    world.drain().await;
    world
}

#[tokio::test]
async fn nothing_is_overspent_or_lost_with_books_in_memory() {
    let (mut steps, mut admitted, mut epochs) = (0, 0, 0);
    for seed in 0..seeds() {
        let world = run(seed, MemoryNodes::new()).await;
        steps += world.steps;
        admitted += world.admitted;
        epochs += world.ledger.epoch;
    }
    println!("{steps} steps, {admitted} requests admitted, {epochs} epochs");
    // A world in which nothing happens proves nothing.
    assert!(admitted > 2_000 && epochs > 1_000, "{admitted} requests, {epochs} epochs");
}

#[tokio::test]
async fn nothing_is_overspent_or_lost_with_books_in_redis() {
    let redis = testkit::Redis::start().unwrap();
    let mut admitted = 0;
    for seed in 0..12 {
        let world = run(seed, RedisNodes::new(&redis).await).await;
        admitted += world.admitted;
    }
    assert!(admitted > 60, "{admitted} requests");
}

/// Every reply of a schedule, from both stores.
#[tokio::test]
async fn the_scripts_answer_as_the_memory_does() {
    let redis = testkit::Redis::start().unwrap();
    for seed in 100..106 {
        let memory = run(seed, MemoryNodes::new()).await;
        let scripts = run(seed, RedisNodes::new(&redis).await).await;
        assert_eq!(memory.replies.len(), scripts.replies.len(), "seed {seed}");
        for (at, (memory, scripts)) in memory.replies.iter().zip(&scripts.replies).enumerate() {
            assert_eq!(memory, scripts, "seed {seed}, reply {at}");
        }
    }
}

/// How many worlds are tried in memory: a few seconds' worth, or as many as `BUDGET_SEEDS` says.
fn seeds() -> u64 {
    std::env::var("BUDGET_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(400)
}
