//! What every store must do, told once.

use std::slice::from_ref;
use std::time::Duration;

use domain::{RequestId, ResourceId};
use futures_util::future::join_all;

use super::bench::{Bench, DAY, at_once, denied, per_day, per_second};
use crate::{Claim, Rule};

const MINUTE: Duration = Duration::from_secs(60);
/// One slot of a day's ring.
const SLOT: Duration = Duration::from_secs(1_350);

pub(super) async fn a_ring_is_exact_for_a_burst(bench: &Bench) {
    let limit = per_day(100);
    assert_eq!(bench.passed(130, &limit).await, 100);
    let told = denied(bench.ask(from_ref(&limit)).await);
    assert_eq!((told.limit, told.kind), (limit.limit, "requests"));
    assert!(told.retry_after > DAY - MINUTE && told.retry_after <= DAY + DAY / 20, "{told:?}");
    bench.advance(DAY - MINUTE);
    assert_eq!(bench.passed(5, &limit).await, 0);
    bench.advance(MINUTE + DAY / 20);
    assert_eq!(bench.passed(130, &limit).await, 100);
}

pub(super) async fn a_ring_is_exact_astride_a_slot_edge(bench: &Bench) {
    let limit = per_day(100);
    bench.advance(SLOT - MINUTE);
    assert_eq!(bench.passed(60, &limit).await, 60);
    bench.advance(2 * MINUTE);
    assert_eq!(bench.passed(100, &limit).await, 40, "the edge let more pass");
    // A day after the first ones all but a moment: the edges that lie between free nothing.
    bench.advance(DAY - 3 * MINUTE);
    assert_eq!(bench.passed(10, &limit).await, 0);
    bench.advance(3 * MINUTE);
    assert_eq!(bench.passed(100, &limit).await, 60);
    bench.advance(SLOT);
    assert_eq!(bench.passed(100, &limit).await, 40);
}

pub(super) async fn a_denied_call_does_not_count(bench: &Bench) {
    let limit = per_day(10);
    assert_eq!(bench.passed(10, &limit).await, 10);
    for _ in 0..20 {
        bench.advance(DAY / 25);
        assert_eq!(bench.passed(5, &limit).await, 0);
    }
    bench.advance(DAY / 4);
    assert_eq!(bench.passed(30, &limit).await, 10);
}

/// The definition, checked against the list of all admissions, over steps short and long.
pub(super) async fn a_ring_follows_the_rule_over_many_days(bench: &Bench) {
    const N: usize = 7;
    let limit = per_day(N as u64);
    let (mut random, mut admitted) = (2_463_534_242_u32, Vec::new());
    for step in 0..600 {
        // Xorshift (Marsaglia 2003): any sequence will do, as long as a failure can be repeated.
        random ^= random << 13;
        random ^= random >> 17;
        random ^= random << 5;
        bench.advance(match random % 16 {
            0..6 => Duration::from_secs(1),
            6..11 => Duration::from_secs(u64::from(random % 9_000)),
            15 => 3 * DAY,
            _ => Duration::from_secs(u64::from(random % 40_000)),
        });
        let now = bench.micros();
        let within = |span: Duration| {
            admitted.iter().filter(|at| now - **at < i64::try_from(span.as_micros()).unwrap()).count()
        };
        match bench.fleets[step % 4].acquire(RequestId::new(), from_ref(&limit)).await {
            Ok(_) => {
                assert!(within(DAY) < N, "one too many at step {step}");
                admitted.push(now);
            }
            Err(_) => assert!(within(DAY + DAY / 20) >= N, "late at step {step}"),
        }
    }
    assert!(admitted.len() > 50, "{}", admitted.len());
}

pub(super) async fn a_lowered_limit_waits_for_enough_to_lapse(bench: &Bench) {
    let mut limit = per_day(8);
    for _ in 0..8 {
        assert_eq!(bench.passed(1, &limit).await, 1);
        bench.advance(2 * SLOT);
    }
    limit.rule = Rule::SlidingWindow { n: 5, period: DAY };
    // Four of the eight must lapse; the fourth was admitted six slots after the first, ten slots ago.
    let told = denied(bench.ask(from_ref(&limit)).await);
    assert!(told.retry_after > DAY - 11 * SLOT && told.retry_after < DAY - 8 * SLOT, "{told:?}");
    bench.advance(told.retry_after - MINUTE);
    assert_eq!(bench.passed(3, &limit).await, 0);
    bench.advance(2 * MINUTE);
    assert_eq!(bench.passed(3, &limit).await, 1);
}

pub(super) async fn several_claims_are_all_or_nothing(bench: &Bench) {
    let claims = [per_day(10), per_second(1, 6), at_once(100), per_day(3)];
    let mut held = Vec::new();
    for _ in 0..3 {
        held.push(bench.ask(&claims).await.unwrap());
    }
    for _ in 0..20 {
        assert_eq!(denied(bench.ask(&claims).await).limit, claims[3].limit);
    }
    assert_eq!(bench.passed(20, &claims[0]).await, 7);
    assert_eq!(bench.passed(20, &claims[1]).await, 3);
    let mut more = Vec::new();
    while let Ok(grant) = bench.ask(&claims[2..3]).await {
        more.push(grant);
    }
    assert_eq!(more.len(), 97);
}

pub(super) async fn the_longest_wait_is_told(bench: &Bench) {
    let claims = [per_second(1, 1), per_day(1), at_once(1)];
    let _held = bench.ask(&claims).await.unwrap();
    let told = denied(bench.ask(&claims).await);
    assert_eq!(told.limit, claims[1].limit);
}

pub(super) async fn a_claim_made_twice_counts_once(bench: &Bench) {
    let limit = per_day(10);
    let twice = [limit.clone(), limit.clone()];
    for _ in 0..10 {
        drop(bench.ask(&twice).await.unwrap());
    }
    denied(bench.ask(&twice).await);
}

pub(super) async fn subjects_limits_and_tenants_are_apart(bench: &Bench) {
    let limit = per_day(1);
    let long = "x".repeat(100_000);
    let others = [
        Claim { subject: "anna".into(), ..limit.clone() },
        Claim { subject: "anna ".into(), ..limit.clone() },
        Claim { subject: long, ..limit.clone() },
        Claim { tenant: ResourceId::new(), ..limit.clone() },
        Claim { limit: ResourceId::new(), ..limit.clone() },
        Claim { rule: Rule::SlidingWindow { n: 1, period: MINUTE }, ..limit.clone() },
        Claim { rule: Rule::Gcra { per_second: 1, burst: 1 }, ..limit.clone() },
        limit,
    ];
    for claim in &others {
        assert_eq!(bench.passed(3, claim).await, 1, "{:?}", claim.rule);
    }
}

pub(super) async fn gcra_admits_a_burst_then_the_rate(bench: &Bench) {
    let limit = per_second(10, 3);
    assert_eq!(bench.passed(20, &per_second(1, 3)).await, 3);
    let mut passed = 0;
    for _ in 0..100 {
        passed += bench.passed(1, &limit).await;
        bench.advance(Duration::from_millis(10));
    }
    assert_eq!(passed, 12, "0.99 s: the burst, and one each 100 ms");
    let slow = per_second(1, 2);
    assert_eq!(bench.passed(5, &slow).await, 2);
    let told = denied(bench.ask(from_ref(&slow)).await);
    assert_eq!(told.retry_after, Duration::from_secs(1));
    bench.advance(told.retry_after);
    assert_eq!(bench.passed(5, &slow).await, 1);
    bench.advance(DAY);
    assert_eq!(bench.passed(5, &slow).await, 2, "a rest gives a burst and no more");
}

pub(super) async fn gcra_keeps_a_rate_that_does_not_divide_a_second(bench: &Bench) {
    let limit = per_second(7, 4);
    let mut passed = 0;
    for _ in 0..1_000 {
        passed += bench.passed(1, &limit).await;
        bench.advance(Duration::from_millis(50));
    }
    assert_eq!(passed, 353, "49.95 s at 7/s, and a burst of 4");
}

pub(super) async fn gcra_keeps_a_rate_whose_cells_are_no_whole_microseconds(bench: &Bench) {
    let limit = per_second(600_000, 10);
    let mut passed = 0;
    for _ in 0..1_000 {
        passed += bench.passed(1, &limit).await;
        bench.advance(Duration::from_micros(1));
    }
    assert_eq!(passed, 609, "0.6 in each of 999 microseconds, and a burst of 10");
}

pub(super) async fn nothing_passes_a_limit_of_nothing(bench: &Bench) {
    for limit in [per_day(0), per_second(0, 5), per_second(5, 0), at_once(0)] {
        let told = denied(bench.ask(from_ref(&limit)).await);
        assert!(told.retry_after > Duration::ZERO, "{told:?}");
    }
}

pub(super) async fn slots_are_taken_and_given_back(bench: &Bench) {
    let limit = at_once(2);
    let first = bench.ask(from_ref(&limit)).await.unwrap();
    let second = bench.fleets[1].acquire(RequestId::new(), from_ref(&limit)).await.unwrap();
    let told = denied(bench.ask(from_ref(&limit)).await);
    assert_eq!((told.kind, told.retry_after), ("concurrent", Duration::from_secs(1)));
    drop(second);
    let third = bench.passes_in_the_end(&limit).await;
    denied(bench.ask(from_ref(&limit)).await);
    drop((first, third));
    let fourth = bench.passes_in_the_end(&limit).await;
    let fifth = bench.passes_in_the_end(&limit).await;
    denied(bench.ask(from_ref(&limit)).await);
    drop((fourth, fifth));
}

pub(super) async fn of_2000_at_once_over_4_instances_exactly_100_pass(bench: &Bench) {
    let limit = per_day(100);
    let tasks = (0..2_000).map(|i| {
        let (coordination, limit) = (bench.fleets[i % 4].clone(), limit.clone());
        tokio::spawn(async move { coordination.acquire(RequestId::new(), &[limit]).await.is_ok() })
    });
    let passed = join_all(tasks).await.into_iter().filter(|outcome| *outcome.as_ref().unwrap()).count();
    assert_eq!(passed, 100);
}
