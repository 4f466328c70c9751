//! Leases: one holder at a time, through Redis; by itself every process holds all of them.

use std::time::Duration;

use futures_util::future::join_all;
use redis::cmd;
use tokio::time::Instant;

use super::bench::{Bench, DEADLINE};

const LONG: Duration = Duration::from_secs(3_600);

/// Who wins, of all instances at once.
async fn winners(bench: &Bench, name: &str) -> Vec<usize> {
    let won = join_all(bench.fleets.iter().map(|coordination| coordination.lease(name, LONG))).await;
    (0..won.len()).filter(|i| won[*i]).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn one_replica_holds_a_lease_until_it_gives_it_back() {
    let bench = Bench::redis().await;
    let first = winners(&bench, "probe").await;
    assert_eq!(first.len(), 1);
    for _ in 0..5 {
        assert_eq!(winners(&bench, "probe").await, first, "its holder renews it");
    }
    let holder = first[0];
    let other = (holder + 1) % 4;
    bench.fleets[other].release("probe").await;
    assert_eq!(winners(&bench, "probe").await, first, "only its holder gives it back");
    assert!(bench.fleets[other].lease("another", LONG).await);
    bench.fleets[holder].release("probe").await;
    assert!(bench.fleets[other].lease("probe", LONG).await);
    assert_eq!(winners(&bench, "probe").await, [other]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_lease_of_a_dead_holder_lapses() {
    let bench = Bench::redis().await;
    assert!(bench.fleets[0].lease("probe", LONG).await);
    assert!(!bench.fleets[1].lease("probe", LONG).await);
    let left: u64 = bench.query(cmd("PTTL").arg("{pc:lease}:probe")).await;
    assert!(left > 0 && u128::from(left) <= LONG.as_millis(), "{left}");
    assert!(bench.fleets[0].lease("probe", Duration::ZERO).await, "a time of nothing is the shortest");
    let end = Instant::now() + DEADLINE;
    while !bench.fleets[1].lease("probe", LONG).await {
        assert!(Instant::now() < end);
    }
    assert!(!bench.fleets[0].lease("probe", LONG).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn any_name_is_a_name_and_its_key_is_bounded() {
    let bench = Bench::redis().await;
    let (long, longer) = ("x".repeat(100_000), "x".repeat(100_001));
    let names = ["", " ", "{a}:b", "ключ", "a\0b\n", long.as_str(), longer.as_str()];
    for name in names {
        assert!(bench.fleets[0].lease(name, LONG).await, "{name:.20}");
        assert!(!bench.fleets[1].lease(name, LONG).await, "{name:.20}");
    }
    let keys: Vec<Vec<u8>> = bench.query(cmd("KEYS").arg("*")).await;
    assert_eq!(keys.len(), names.len());
    assert!(keys.iter().all(|key| key.starts_with(b"{pc:lease}:") && key.len() <= 256));
    let () = bench.query(cmd("SCRIPT").arg("FLUSH")).await;
    assert!(!bench.fleets[1].lease("", LONG).await, "a store that forgot the script is taught again");
}

#[tokio::test]
async fn without_a_store_a_lease_is_always_won() {
    let bench = Bench::memory();
    assert_eq!(winners(&bench, "probe").await, [0, 1, 2, 3]);
    bench.fleets[0].release("probe").await;
}
