//! The store killed, paused and brought back: each limit's own policy decides, and the time-out is paid once.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests count as tests")]

use std::slice::from_ref;
use std::time::Duration;

use coordination::{
    Claim, Coordinator, Cursor, Denied, OnOutage, Permit, Record, Refusal, Rule, Settings, Unit,
};
use domain::{RequestId, ResourceId};
use testkit::Redis;
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};

const DEADLINE: Duration = Duration::from_secs(30);
const DAY: Duration = Duration::from_secs(86_400);
const TIMEOUT: Duration = Duration::from_secs(1);

struct Running {
    coordination: Coordinator,
    redis: Redis,
    _running: DropGuard,
}

async fn running() -> Running {
    let redis = tokio::task::spawn_blocking(|| Redis::start().unwrap()).await.unwrap();
    let (coordination, running) = over(&redis.url()).await;
    Running { coordination, redis, _running: running }
}

async fn over(url: &str) -> (Coordinator, DropGuard) {
    let mut settings = Settings::new(url);
    (settings.command_timeout, settings.probe_interval) = (TIMEOUT, Duration::from_millis(20));
    settings.heartbeat = Duration::from_millis(20);
    settings.connect_timeout = Duration::from_secs(5);
    let coordination = Coordinator::redis(settings).await.unwrap();
    let shutdown = CancellationToken::new();
    let (background, until) = (coordination.clone(), shutdown.clone());
    tokio::spawn(async move { background.run(until).await });
    (coordination, shutdown.drop_guard())
}

impl Running {
    async fn ask(&self, claims: &[Claim]) -> Result<Permit, Refusal> {
        self.coordination.acquire(RequestId::new(), claims).await
    }

    async fn passed(&self, times: usize, claim: &Claim) -> usize {
        let mut passed = 0;
        for _ in 0..times {
            passed += usize::from(self.ask(from_ref(claim)).await.is_ok());
        }
        passed
    }

    /// Kills the store and waits until that was noticed.
    async fn kill(&mut self) {
        self.redis.kill().unwrap();
        self.until(|coordination| coordination.status().lost_since.is_some()).await;
    }

    async fn until(&self, condition: impl Fn(&Coordinator) -> bool) {
        let end = Instant::now() + DEADLINE;
        while !condition(&self.coordination) {
            assert!(Instant::now() < end, "{:?}", self.coordination.status());
            tokio::task::yield_now().await;
        }
    }

    async fn back(&self) {
        self.until(|coordination| coordination.status().lost_since.is_none()).await;
    }

    async fn passes_in_the_end(&self, claim: &Claim) -> Permit {
        let end = Instant::now() + DEADLINE;
        loop {
            match self.ask(from_ref(claim)).await {
                Ok(grant) => return grant,
                Err(refusal) => assert!(Instant::now() < end, "{refusal:?}"),
            }
        }
    }
}

fn claim(rule: Rule, on_outage: OnOutage) -> Claim {
    let (limit, tenant, unit) = (ResourceId::new(), ResourceId::new(), Unit::Requests);
    Claim { limit, subject: String::new(), tenant, rule, unit, cost: 1, on_outage }
}

fn per_day(n: u64, on_outage: OnOutage) -> Claim {
    claim(Rule::SlidingWindow { n, period: DAY }, on_outage)
}

fn at_once(n: u64, on_outage: OnOutage) -> Claim {
    claim(Rule::Concurrency { n, ttl: Duration::from_secs(600) }, on_outage)
}

fn unavailable(limit: &Claim) -> Refusal {
    Refusal::StoreUnavailable { limit: limit.limit }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_store_each_limit_follows_its_policy() {
    let mut bench = running().await;
    let closed = per_day(5, OnOutage::Closed);
    let open = per_day(5, OnOutage::Open);
    let bounded = per_day(100, OnOutage::Bounded { per_replica: 3 });
    assert_eq!(bench.passed(10, &closed).await + bench.passed(10, &open).await, 10);
    bench.kill().await;

    assert_eq!(bench.ask(from_ref(&closed)).await.unwrap_err(), unavailable(&closed));
    assert_eq!(bench.passed(50, &open).await, 50);
    // All or nothing here too: what a closed limit refuses is not charged to a bounded one.
    for _ in 0..10 {
        let refusal = bench.ask(&[bounded.clone(), closed.clone()]).await.unwrap_err();
        assert_eq!(refusal, unavailable(&closed));
    }
    assert_eq!(bench.passed(10, &bounded).await, 3);
    let Err(Refusal::Denied(Denied { limit, kind, retry_after, .. })) = bench.ask(from_ref(&bounded)).await
    else {
        panic!("the replica's own amount has no end")
    };
    assert_eq!((limit, kind), (bounded.limit, "requests"));
    assert!(retry_after > DAY / 2);

    let status = bench.coordination.status();
    assert_eq!((status.outages, status.closed, status.open, status.bounded), (1, 11, 50, 3));
    assert_eq!(status.bounded_denied, 8);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_store_smoothing_slots_and_tokens_are_bounded_too() {
    let mut bench = running().await;
    let share = OnOutage::Bounded { per_replica: 2 };
    bench.kill().await;
    let slots = at_once(50, share);
    let first = bench.ask(from_ref(&slots)).await.unwrap();
    let _second = bench.ask(from_ref(&slots)).await.unwrap();
    assert!(matches!(bench.ask(from_ref(&slots)).await, Err(Refusal::Denied(_))));
    drop(first);
    let _third = bench.ask(from_ref(&slots)).await.unwrap();
    assert!(bench.ask(from_ref(&slots)).await.is_err());

    let tokens = per_day(1_000, OnOutage::Bounded { per_replica: 100 });
    let of = |cost| Claim { unit: Unit::Tokens, cost, ..tokens.clone() };
    assert_eq!(bench.passed(3, &of(40)).await, 2);
    // Named twice, the larger cost counts.
    assert!(bench.ask(&[of(1), of(21)]).await.is_err());
    assert_eq!(bench.passed(2, &of(20)).await, 1);

    let smooth = claim(Rule::Gcra { per_second: 1_000, burst: 1_000 }, share);
    let (started, passed) = (Instant::now(), bench.passed(20, &smooth).await);
    let seconds = usize::try_from(started.elapsed().as_secs()).unwrap();
    assert!((2..=2 * (seconds + 1)).contains(&passed), "{passed}");
}

/// Blackholed: connections stay open and no answer comes. The worst that a store can do to its callers.
#[tokio::test(flavor = "multi_thread")]
async fn a_silent_store_costs_one_timeout_and_not_one_per_request() {
    let bench = running().await;
    let (open, closed) = (per_day(5, OnOutage::Open), per_day(5, OnOutage::Closed));
    bench.redis.pause().unwrap();

    // One after the other, as requests come: those that wait are let go together with the first.
    let started = Instant::now();
    let asked = (0..100).map(async |i| {
        tokio::time::sleep_until(started + TIMEOUT * i / 100).await;
        bench.ask(from_ref(&open)).await
    });
    let together = futures_util::future::join_all(asked).await;
    assert!(together.iter().all(Result::is_ok));
    assert!(started.elapsed() < TIMEOUT * 8 / 5, "{:?}", started.elapsed());

    let started = Instant::now();
    for _ in 0..500 {
        assert!(bench.ask(from_ref(&open)).await.is_ok());
        assert_eq!(bench.ask(from_ref(&closed)).await.unwrap_err(), unavailable(&closed));
    }
    // A thousand requests in less than the time of two that wait.
    assert!(started.elapsed() < 2 * TIMEOUT, "{:?}", started.elapsed());
    assert_eq!(bench.coordination.status().outages, 1);

    bench.redis.resume().unwrap();
    bench.back().await;
    assert_eq!(bench.passed(10, &closed).await, 5, "in force again, and refused requests did not count");
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_ask_for_nothing_never_meet_the_store() {
    let bench = running().await;
    bench.redis.pause().unwrap();
    let started = Instant::now();
    for _ in 0..100 {
        drop(bench.ask(&[]).await.unwrap());
    }
    assert!(started.elapsed() < TIMEOUT);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_comes_back_empty_learns_who_holds_slots() {
    let mut bench = running().await;
    let limit = at_once(3, OnOutage::Open);
    let before = bench.ask(from_ref(&limit)).await.unwrap();
    bench.kill().await;
    let _meanwhile = bench.ask(from_ref(&limit)).await.unwrap();
    let _meanwhile_too = bench.ask(from_ref(&limit)).await.unwrap();
    assert_eq!(bench.coordination.status().slots_held, 3);
    bench.redis.restart().unwrap();
    bench.back().await;
    assert!(matches!(bench.ask(from_ref(&limit)).await, Err(Refusal::Denied(_))));
    drop(before);
    let _next = bench.passes_in_the_end(&limit).await;
    assert!(matches!(bench.ask(from_ref(&limit)).await, Err(Refusal::Denied(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slot_dropped_while_the_store_is_away_is_returned_later() {
    let bench = running().await;
    let limit = at_once(1, OnOutage::Closed);
    let grant = bench.ask(from_ref(&limit)).await.unwrap();
    bench.redis.pause().unwrap();
    drop(grant);
    bench.until(|coordination| coordination.status().lost_since.is_some()).await;
    bench.redis.resume().unwrap();
    bench.back().await;
    // Its time to live is ten minutes: it was returned, it did not expire.
    let _next = bench.passes_in_the_end(&limit).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slot_of_a_caller_that_went_away_while_asking_is_returned() {
    let bench = running().await;
    let limit = at_once(1, OnOutage::Closed);
    bench.redis.pause().unwrap();
    let impatient = tokio::time::timeout(TIMEOUT / 8, bench.ask(from_ref(&limit))).await;
    assert!(impatient.is_err(), "the store is paused");
    bench.redis.resume().unwrap();
    let _next = bench.passes_in_the_end(&limit).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_starts_without_the_store_and_finds_it_later() {
    let mut redis = Redis::start().unwrap();
    redis.kill().unwrap();
    let (coordination, running) = over(&redis.url()).await;
    let mut bench = Running { coordination, redis, _running: running };
    let limit = per_day(5, OnOutage::Closed);
    assert_eq!(bench.ask(from_ref(&limit)).await.unwrap_err(), unavailable(&limit));
    bench.redis.restart().unwrap();
    bench.back().await;
    assert_eq!(bench.passed(10, &limit).await, 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_store_leases_are_won_and_nobody_is_told_anything() {
    let bench = running().await;
    let (other, _other_running) = over(&bench.redis.url()).await;
    let record = Record { key: "a".into(), value: b"1".into(), ttl: DAY };
    let mut cursor = Cursor::default();
    assert!(other.lease("probe", DAY).await && !bench.coordination.lease("probe", DAY).await);
    assert!(other.publish(from_ref(&record)).await);
    assert_eq!(bench.coordination.poll(&mut cursor).await.len(), 1);
    bench.redis.pause().unwrap();

    let started = Instant::now();
    assert!(bench.coordination.lease("probe", DAY).await, "each replica for itself");
    assert!(started.elapsed() < TIMEOUT * 8 / 5, "{:?}", started.elapsed());
    let started = Instant::now();
    for _ in 0..500 {
        assert!(bench.coordination.lease("probe", DAY).await);
        bench.coordination.release("probe").await;
        assert!(!bench.coordination.publish(from_ref(&record)).await);
        assert!(bench.coordination.poll(&mut cursor).await.is_empty());
    }
    assert!(started.elapsed() < TIMEOUT, "{:?}", started.elapsed());
    assert_eq!((bench.coordination.status().outages, bench.coordination.status().records_dropped), (1, 500));

    bench.redis.resume().unwrap();
    bench.back().await;
    assert!(!bench.coordination.lease("probe", DAY).await, "in force again");
    assert_eq!(bench.coordination.poll(&mut cursor).await.len(), 1, "what holds is told again");
    assert!(bench.coordination.poll(&mut cursor).await.is_empty());
}
