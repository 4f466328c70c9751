//! What only a store shared by several processes can show: dead owners, forgotten scripts, a clock that goes back.

use std::slice::from_ref;
use std::time::Duration;

use domain::RequestId;
use tokio::time::Instant;

use super::bench::{Bench, DAY, DEADLINE, at_once, claim, denied, per_day, per_second};
use crate::{Claim, Rule};

/// Asks the server behind the instances.
async fn query<T: redis::FromRedisValue>(bench: &Bench, command: &str, arguments: &[&str]) -> T {
    bench.query(redis::cmd(command).arg(arguments)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_slot_of_a_dead_owner_comes_free_when_it_expires() {
    let bench = Bench::redis().await;
    let limit = at_once(1);
    let dead = bench.dead_instance().await;
    std::mem::forget(dead.acquire(RequestId::new(), from_ref(&limit)).await.unwrap());
    bench.advance(Duration::from_secs(59));
    denied(bench.ask(from_ref(&limit)).await);
    bench.advance(Duration::from_secs(2));
    let _grant = bench.ask(from_ref(&limit)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slot_is_renewed_as_long_as_it_is_held() {
    let bench = Bench::redis().await;
    let ttl = Duration::from_millis(300);
    let limit = claim(Rule::Concurrency { n: 1, ttl });
    let grant = bench.ask(from_ref(&limit)).await.unwrap();
    let key: Vec<String> = query(&bench, "KEYS", &["*slots*"]).await;
    for _ in 0..3 {
        bench.advance(ttl * 2 / 3);
        let end = Instant::now() + DEADLINE;
        loop {
            let held: Vec<(Vec<u8>, f64)> =
                query(&bench, "ZRANGE", &[&key[0], "0", "-1", "WITHSCORES"]).await;
            assert_eq!(held.len(), 1);
            if held[0].1 >= (bench.micros() as f64) + ttl.as_micros() as f64 {
                break;
            }
            assert!(Instant::now() < end, "not renewed");
        }
        denied(bench.fleets[2].acquire(RequestId::new(), from_ref(&limit)).await);
    }
    drop(grant);
    let _next = bench.passes_in_the_end(&limit).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_key_expires_lies_in_its_tenants_slot_and_names_no_user() {
    let bench = Bench::redis().await;
    let tenant = per_day(1).tenant;
    for rule in [per_day(5).rule, per_second(1, 5).rule, at_once(5).rule] {
        let limit = Claim { tenant, subject: "anna@example.com".into(), ..claim(rule) };
        std::mem::forget(bench.ask(from_ref(&limit)).await.unwrap());
    }
    let keys: Vec<String> = query(&bench, "KEYS", &["*"]).await;
    assert_eq!(keys.len(), 3);
    for key in keys {
        assert!(key.starts_with(&format!("{{{tenant}}}:")) && !key.contains("anna"), "{key}");
        let left: u64 = query(&bench, "PTTL", &[&key]).await;
        assert!(left > 0 && u128::from(left) <= (2 * DAY + DAY / 10).as_millis(), "{key}: {left} ms");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_forgot_the_scripts_is_taught_again() {
    let bench = Bench::redis().await;
    let limit = per_day(3);
    assert_eq!(bench.passed(1, &limit).await, 1);
    let () = query(&bench, "SCRIPT", &["FLUSH"]).await;
    assert_eq!(bench.passed(8, &limit).await, 2);
    assert!(bench.fleets.iter().all(|coordination| coordination.status().outages == 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_goes_back_neither_frees_nor_locks() {
    let bench = Bench::redis().await;
    let (limit, smooth) = (per_day(10), per_second(1, 10));
    assert_eq!(bench.passed(10, &limit).await + bench.passed(10, &smooth).await, 20);
    bench.go_back(5 * DAY);
    assert_eq!(bench.passed(5, &limit).await + bench.passed(5, &smooth).await, 0);
    bench.advance(Duration::from_secs(2));
    let passed = bench.passed(5, &smooth).await;
    assert_eq!(passed, 2, "the bucket does not drain");
    bench.advance(DAY - Duration::from_secs(3_600));
    assert_eq!(bench.passed(5, &limit).await, 0);
    bench.advance(Duration::from_secs(3_600) + DAY / 20);
    assert_eq!(bench.passed(20, &limit).await, 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_slots_that_were_held_are_returned() {
    let bench = Bench::redis().await;
    let limit = at_once(1);
    let grant = bench.ask(from_ref(&limit)).await.unwrap();
    for _ in 0..50 {
        denied(bench.ask(from_ref(&limit)).await);
    }
    drop(grant);
    let _next = bench.passes_in_the_end(&limit).await;
    let statistics: String = query(&bench, "INFO", &["commandstats"]).await;
    let zrem = statistics.lines().find(|line| line.starts_with("cmdstat_zrem:")).unwrap();
    // One for each instance's check of the store, and one.
    assert!(zrem.starts_with("cmdstat_zrem:calls=5,"), "{zrem}");
}
