//! What every store must do with claims that cost more than one.

use std::slice::from_ref;
use std::time::Duration;

use domain::RequestId;
use futures_util::future::join_all;

use super::bench::{Bench, DAY, at_once, claim, denied, per_day, per_second, tokens};
use crate::{Claim, Rule, Unit};

const MINUTE: Duration = Duration::from_secs(60);

pub(super) async fn tokens_pass_up_to_the_limit_and_no_further(bench: &Bench) {
    let limit = claim(Rule::SlidingWindow { n: 2_000_000, period: MINUTE });
    let of = |cost| tokens(cost, limit.clone());
    assert_eq!(bench.passed(2, &of(700_000)).await, 2);
    bench.advance(MINUTE / 2);
    let told = denied(bench.ask(&[of(600_001)]).await);
    assert_eq!((told.limit, told.kind), (limit.limit, "tokens"));
    let half = MINUTE / 2;
    assert!(told.retry_after >= half && told.retry_after <= half + MINUTE / 64, "{told:?}");
    assert_eq!(bench.passed(1, &of(600_000)).await, 1, "what was denied has not counted");
    assert_eq!(bench.passed(1, &of(1)).await, 0);
    bench.advance(told.retry_after);
    assert_eq!(bench.passed(1, &of(1_400_001)).await, 0);
    assert_eq!(bench.passed(1, &of(1_400_000)).await, 1, "what lapsed, and not what came later");
}

/// The definition, checked against the list of all that passed.
pub(super) async fn costs_follow_the_rule_over_many_days(bench: &Bench) {
    const N: u64 = 1_000;
    let limit = per_day(N);
    let (mut random, mut passed) = (2_463_534_242_u32, Vec::<(i64, u64)>::new());
    let mut next = |below: u32| {
        // Xorshift (Marsaglia 2003), as in the other test.
        random ^= random << 13;
        random ^= random >> 17;
        random ^= random << 5;
        random % below
    };
    for step in 0..600 {
        bench.advance(Duration::from_secs(u64::from(match next(8) {
            0..3 => 1,
            7 => next(200_000),
            _ => next(9_000),
        })));
        let cost = u64::from(if next(4) == 0 { next(1_000) } else { next(100) });
        let now = bench.micros();
        let with = |span: Duration| {
            let span = i64::try_from(span.as_micros()).unwrap();
            passed.iter().filter(|(at, _)| now - at < span).map(|(_, cost)| cost).sum::<u64>() + cost
        };
        let claim = tokens(cost, limit.clone());
        match bench.fleets[step % 4].acquire(RequestId::new(), from_ref(&claim)).await {
            Ok(_) => {
                assert!(with(DAY) <= N, "too much at step {step}");
                passed.push((now, cost));
            }
            Err(_) => assert!(with(DAY + DAY / 20) > N, "late at step {step}"),
        }
    }
    assert!((100..590).contains(&passed.len()), "{}", passed.len());
}

pub(super) async fn smoothed_tokens_pass_at_their_rate(bench: &Bench) {
    let limit = per_second(700, 1_000);
    assert_eq!(bench.passed(3, &tokens(400, limit.clone())).await, 2);
    let claim = tokens(550, limit);
    let told = denied(bench.ask(from_ref(&claim)).await);
    // 350 of the 550 are missing.
    assert_eq!((told.kind, told.retry_after), ("tokens", Duration::from_millis(500)));
    bench.advance(told.retry_after - Duration::from_micros(1));
    assert_eq!(bench.passed(1, &claim).await, 0);
    bench.advance(Duration::from_micros(1));
    assert_eq!(bench.passed(2, &claim).await, 1);
}

pub(super) async fn a_cost_beyond_the_whole_limit_is_refused_at_once(bench: &Bench) {
    let small = claim(Rule::SlidingWindow { n: 100, period: MINUTE });
    let other = per_day(1);
    let told = denied(bench.ask(&[other.clone(), tokens(101, small.clone())]).await);
    assert_eq!((told.limit, told.kind, told.retry_after), (small.limit, "tokens", MINUTE));
    assert_eq!(bench.passed(2, &other).await, 1, "nothing else was charged");
    assert_eq!(bench.passed(1, &tokens(100, small.clone())).await, 1);

    let smooth = per_second(5, 10);
    let told = denied(bench.ask(&[tokens(u64::MAX, smooth.clone())]).await);
    assert_eq!((told.limit, told.retry_after), (smooth.limit, Duration::from_secs(1)));
    assert_eq!(bench.passed(1, &tokens(10, smooth)).await, 1);
}

pub(super) async fn requests_and_tokens_of_one_limit_are_apart(bench: &Bench) {
    for rule in [Rule::SlidingWindow { n: 10, period: DAY }, Rule::Gcra { per_second: 1, burst: 10 }] {
        let requests = claim(rule);
        assert_eq!(bench.passed(20, &requests).await, 10);
        assert_eq!(bench.passed(5, &tokens(4, requests.clone())).await, 2);
        assert_eq!(denied(bench.ask(&[requests]).await).kind, "requests");
    }
}

pub(super) async fn requests_tokens_and_slots_are_all_or_nothing(bench: &Bench) {
    let (requests, slots) = (per_day(10), Claim { unit: Unit::Tokens, cost: 50, ..at_once(4) });
    let budget = per_day(1_000);
    let ask = |cost| [requests.clone(), tokens(cost, budget.clone()), slots.clone()];
    let _first = bench.ask(&ask(600)).await.unwrap();
    for _ in 0..5 {
        assert_eq!(denied(bench.ask(&ask(500)).await).kind, "tokens");
    }
    // A slot is one slot, whatever its claim says.
    let _second = bench.ask(&ask(200)).await.unwrap();
    // Named twice, the larger cost counts, once.
    let twice = [tokens(100, budget.clone()), tokens(150, budget.clone())];
    assert_eq!(bench.ask(&twice).await.map(drop), Ok(()));
    assert_eq!(bench.passed(3, &tokens(50, budget.clone())).await, 1);
    assert_eq!(bench.passed(20, &requests).await, 8);
    let mut more = Vec::new();
    while let Ok(grant) = bench.ask(from_ref(&slots)).await {
        more.push(grant);
    }
    assert_eq!(more.len(), 2);
}

pub(super) async fn a_cost_of_nothing_always_passes(bench: &Bench) {
    for limit in [per_day(5), per_second(1, 5), per_day(0)] {
        let _ = bench.ask(&[tokens(5, limit.clone())]).await;
        assert_eq!(bench.passed(3, &tokens(0, limit)).await, 3);
    }
}

pub(super) async fn of_2000_at_once_as_many_pass_as_their_costs_fit(bench: &Bench) {
    let limit = tokens(7, per_day(1_000));
    let tasks = (0..2_000).map(|i| {
        let (coordination, limit) = (bench.fleets[i % 4].clone(), limit.clone());
        tokio::spawn(async move { coordination.acquire(RequestId::new(), &[limit]).await.is_ok() })
    });
    let passed = join_all(tasks).await.into_iter().filter(|outcome| *outcome.as_ref().unwrap()).count();
    assert_eq!(passed, 142);
}
