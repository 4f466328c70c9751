//! What replicas tell each other: what one found out the others know, one trial for all, keys that are out for all.

use std::{sync::Arc, time::Duration};

use coordination::{Coordinator, Settings};
use policy::health::{BreakerState, CredentialState, TargetState, UnavailableReason};
use testkit::Redis;

use super::harness::{Bench, Plan, credential, soon};

/// A store on a machine that may be busy; a lost one would let everybody decide for himself.
pub(super) async fn coordination(redis: &Redis) -> Coordinator {
    let mut settings = Settings::new(redis.url());
    (settings.command_timeout, settings.connect_timeout) = (Duration::from_secs(15), Duration::from_secs(15));
    Coordinator::redis(settings).await.unwrap()
}

pub(super) async fn redis() -> Redis {
    tokio::task::spawn_blocking(|| Redis::start().unwrap()).await.unwrap()
}

/// The state of a provider's only target.
pub(super) fn target(bench: &Bench, provider: &str) -> Arc<TargetState> {
    let snapshot = bench.proxy.current().unwrap();
    let mut targets = snapshot.routes().flat_map(|route| route.targets());
    let found = targets.find(|target| target.model.provider == provider);
    Arc::clone(&found.unwrap().state)
}

fn key(bench: &Bench, name: &str) -> Arc<CredentialState> {
    let snapshot = bench.proxy.current().unwrap();
    let mut keys = snapshot.credentials();
    Arc::clone(&keys.find(|key| key.name == name).unwrap().state)
}

pub(super) async fn until(condition: impl Fn() -> bool) {
    soon(async {
        while !condition() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

fn admission(bench: &Bench, provider: &str) -> BreakerState {
    target(bench, provider).admission(bench.proxy.now())
}

pub(super) fn is_out(bench: &Bench, provider: &str) -> bool {
    matches!(admission(bench, provider), BreakerState::Ejected { .. })
}

const BRIEF: &str = r#"{"consecutive":2,"eject":"300ms","max_eject":"300ms","warm_up":"0ms"}"#;
const LONG: &str = r#"{"consecutive":2,"eject":"60s","max_eject":"60s"}"#;

async fn two(redis: &Redis, health: &'static str, credentials: usize) -> (Bench, Bench) {
    let plan = async |simulators| Plan {
        simulators,
        health,
        credentials,
        background: true,
        coordination: coordination(redis).await,
        ..Plan::default()
    };
    let first = Bench::start(plan(2).await).await;
    let second = first.beside(plan(0).await).await;
    (first, second)
}

async fn served_by(bench: &mut Bench) -> String {
    let reply = bench.client.say("hi").await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    bench.event().await;
    reply.header("x-portcullis-provider").to_owned()
}

#[tokio::test]
async fn an_ejection_here_is_one_there_and_for_those_who_start_later() {
    let redis = redis().await;
    let (mut one, mut other) = two(&redis, LONG, 1).await;
    one.sim().script(r#"{"status":500}"#).await;
    for _ in 0..2 {
        assert_eq!(served_by(&mut one).await, "b");
    }
    until(|| is_out(&other, "a")).await;
    let asked = one.sim().requests().await.len();
    assert_eq!(served_by(&mut other).await, "b");
    assert_eq!(one.sim().requests().await.len(), asked, "nobody asked it again");
    let late =
        Plan { health: LONG, background: true, coordination: coordination(&redis).await, ..Plan::default() };
    let late = one.beside(late).await;
    until(|| is_out(&late, "a")).await;
    for bench in [one, other, late] {
        bench.finish().await;
    }
}

#[tokio::test]
async fn one_replica_tries_and_all_come_back() {
    let redis = redis().await;
    let (mut one, other) = two(&redis, BRIEF, 1).await;
    one.sim().script(r#"{"status":500}"#).await;
    for _ in 0..2 {
        assert_eq!(served_by(&mut one).await, "b");
    }
    // By the time that it hears of it the ejection may be over, but not the trial.
    until(|| admission(&other, "a") != BreakerState::Healthy).await;
    one.sim().script("{}").await;
    let waits = |bench: &Bench| target(bench, "a").trial_waits(bench.proxy.now());
    until(|| waits(&one) || waits(&other)).await;
    let half_open = |bench: &Bench| admission(bench, "a") == BreakerState::HalfOpen;
    until(|| half_open(&one) && half_open(&other)).await;
    let (mut trying, mut waiting) = if waits(&one) { (one, other) } else { (other, one) };
    assert!(!waits(&waiting), "two trials at once");
    assert_eq!(served_by(&mut waiting).await, "b");
    assert_eq!(served_by(&mut trying).await, "a");
    until(|| admission(&waiting, "a") == BreakerState::Healthy).await;
    assert_eq!(served_by(&mut waiting).await, "a");
    trying.finish().await;
    waiting.finish().await;
}

#[tokio::test]
async fn a_key_that_was_refused_or_throttled_here_is_spared_there() {
    let redis = redis().await;
    let (mut one, other) = two(&redis, LONG, 2).await;
    one.sim().script_key(&credential("a", 0), r#"{"status":401}"#).await;
    one.sim().script_key(&credential("a", 1), r#"{"status":429,"retry_after":40}"#).await;
    served_by(&mut one).await;
    let benched = |name| key(&other, name).usable(0, other.proxy.now()).err().map(|benched| benched.reason);
    until(|| benched("a/0") == Some(UnavailableReason::Refused)).await;
    until(|| benched("a/1") == Some(UnavailableReason::Resting)).await;
    let left = key(&other, "a/1").usable(0, other.proxy.now()).unwrap_err().left;
    assert!((20..=40).contains(&left.as_secs()), "{left:?}");
    assert!(!is_out(&one, "a") && !is_out(&other, "a"), "the target is as good as before");
    one.finish().await;
    other.finish().await;
}

#[tokio::test]
async fn a_replica_alone_gives_itself_leave() {
    let mut bench =
        Bench::start(Plan { simulators: 2, health: BRIEF, background: true, ..Plan::default() }).await;
    bench.sim().script(r#"[{"status":500},{"status":500},{}]"#).await;
    for _ in 0..2 {
        assert_eq!(served_by(&mut bench).await, "b");
    }
    until(|| target(&bench, "a").trial_waits(bench.proxy.now())).await;
    assert_eq!(served_by(&mut bench).await, "a");
    bench.finish().await;
}

#[tokio::test]
async fn leave_that_no_request_takes_is_given_back_and_given_again() {
    let mut bench = Bench::start(Plan { simulators: 2, health: BRIEF, ..Plan::default() }).await;
    bench.sim().script(r#"{"status":500}"#).await;
    for _ in 0..2 {
        assert_eq!(served_by(&mut bench).await, "b");
    }
    tokio::time::pause();
    let stop = tokio_util::sync::CancellationToken::new();
    let watching = tokio::spawn(crate::health_tasks::run(Arc::clone(&bench.proxy), stop.clone()));
    let state = target(&bench, "a");
    let changes = async |wanted: bool| {
        let began = bench.proxy.now();
        while state.trial_waits(bench.proxy.now()) != wanted {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Duration::from_micros(bench.proxy.now() - began)
    };
    assert!(changes(true).await <= Duration::from_secs(1));
    assert!(changes(false).await >= Duration::from_secs(4), "a request has time to come");
    let again = changes(true).await;
    assert!((1..=3).contains(&again.as_secs()), "others come first, but not for ever: {again:?}");
    stop.cancel();
    watching.await.unwrap();
    tokio::time::resume();
    bench.finish().await;
}
