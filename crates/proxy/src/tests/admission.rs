//! Targets with a limit of their own: never more than that at once, and a short, fair wait without another target.

use std::time::Duration;

use domain::{Kind, Resource, ResourceId, Spec};
use http::header;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use policy::health::{BreakerState, Observation, OutlierDetection};
use secrets::{ApiKeyDigests, ApiKeySecret};
use tokio::task::JoinHandle;

use super::harness::{Bench, Plan, Reply, count, plain_body, soon};

/// A proxy before targets that take `concurrent` requests each, with keys of two tenants.
struct Scene {
    bench: Bench,
    low: String,
    high: String,
    /// Of another tenant.
    other: String,
}

fn row(kind: Kind, tenant: Option<ResourceId>, name: &str, json: &str) -> Resource {
    let spec = Spec::from_json(kind, json.as_bytes()).unwrap();
    Resource { id: ResourceId::new(), tenant, name: name.into(), spec, revision: 1, sealed: None }
}

impl Scene {
    async fn new(targets: &str, queue: &str) -> Self {
        let simulators = targets.matches("model").count();
        let mut plan = Plan { simulators, ..Plan::default() };
        plan.edge.max_in_flight = 300;
        Self::of(plan, targets, queue).await
    }

    async fn of(plan: Plan, targets: &str, queue: &str) -> Self {
        let timeouts = plan.timeouts;
        let mut bench = Bench::start(plan).await;
        let keyring = std::sync::Arc::clone(&bench.proxy.keyring);
        let route = format!(
            r#"{{"targets":[{targets}],"timeouts":{timeouts},"retry":{{"attempts":1}},"queue":{queue}}}"#
        );
        let mut texts = Vec::new();
        bench.change(|rows| {
            let chat = rows.iter_mut().find(|row| row.kind() == Kind::Route).unwrap();
            chat.spec = Spec::from_json(Kind::Route, route.as_bytes()).unwrap();
            let first = rows.iter().find(|row| row.kind() == Kind::Tenant).unwrap().id;
            let second = row(Kind::Tenant, None, "umbrella", r#"{"priority":"high"}"#);
            let id = second.id;
            rows.push(second);
            let low = (first, "low", r#"{"priority":"low"}"#);
            for (tenant, name, json) in [low, (id, "high", "{}"), (id, "other", r#"{"priority":"normal"}"#)] {
                let text = ApiKeySecret::mint();
                let seal = ApiKeyDigests { current: keyring.digest(text.reveal()), previous: None };
                let key = row(Kind::Key, Some(tenant), name, json);
                rows.push(Resource { sealed: Some(seal.encode()), ..key });
                texts.push(text.reveal().to_owned());
            }
        });
        let [low, high, other] = texts.try_into().unwrap();
        Self { bench, low, high, other }
    }

    /// Sends a request with a key; it may wait.
    fn ask(&self, key: &str, text: &str, headers: &[(&'static str, &str)]) -> JoinHandle<Reply> {
        let mut request = self.bench.client.asking(&plain_body(text), headers);
        request.headers_mut().insert(header::AUTHORIZATION, format!("Bearer {key}").parse().unwrap());
        let plain = self.bench.client.plain.clone();
        tokio::spawn(async move { plain.send(request).await })
    }

    fn good(&self) -> String {
        self.bench.client.keys.good.clone()
    }

    fn waiting(&self) -> usize {
        self.bench.proxy.live.targets().iter().map(|(_, state)| state.waiting()).sum()
    }

    async fn until_waiting(&self, goal: usize) {
        soon(async {
            while self.waiting() != goal {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }

    /// A request that waits by the time this returns.
    async fn waits(&self, key: &str, text: &str) -> JoinHandle<Reply> {
        let goal = self.waiting() + 1;
        let asked = self.ask(key, text, &[]);
        self.until_waiting(goal).await;
        asked
    }

    /// A stream that began and goes on until it is dropped; then the provider answers as usual.
    async fn hold(&self) -> http::Response<Incoming> {
        self.bench.sim().script(r#"[{"chunks":3,"hang":{"after_chunks":1}},{}]"#).await;
        let mut stream = self.bench.client.open_stream("held").await;
        soon(stream.body_mut().frame()).await.unwrap().unwrap();
        stream
    }

    /// What the first provider was asked, in order.
    async fn asked(&self) -> Vec<String> {
        let mut texts = Vec::new();
        for n in 1..=self.bench.sim().requests().await.len() {
            let body = self.bench.sim().body(n).await;
            let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
            texts.push(body["messages"][0]["content"].as_str().unwrap().to_owned());
        }
        texts
    }

    fn rejections(&self, reason: &str) -> f64 {
        let labels = [r#"provider="a""#, r#"model="m""#, &format!("reason={reason:?}")];
        count(&self.bench.metrics(), "portcullis_queue_rejections_total", &labels)
    }

    /// No more than so many events are left.
    async fn finish(mut self, events: usize) {
        for _ in 0..events {
            self.bench.event().await;
        }
        assert!(self.bench.proxy.live.targets().iter().all(|(_, state)| state.in_flight() == 0));
        self.bench.finish().await;
    }
}

fn is_refused(reply: &Reply) {
    assert_eq!((reply.status, reply.code().as_str()), (503, "overloaded"), "{}", reply.text());
    assert_eq!(reply.header("retry-after"), "1");
    assert!(reply.text().contains("a/m: at its limit of concurrent requests"), "{}", reply.text());
}

const ONE: &str = r#"{"model":"a/m","concurrent":1}"#;
const PATIENT: &str = r#"{"length":200,"wait":"15s"}"#;

#[tokio::test]
async fn a_provider_never_has_more_than_its_limit() {
    let scene = Scene::new(r#"{"model":"a/m","concurrent":3}"#, PATIENT).await;
    scene.bench.sim().script(r#"{"hang":"before_headers"}"#).await;
    let mut asked: Vec<_> = (0..12).map(|n| scene.ask(&scene.good(), &n.to_string(), &[])).collect();
    scene.until_waiting(9).await;
    scene.bench.sim().wait("received=3").await;
    // Who hangs up, in line or under way, makes room for exactly one.
    for released in 1..=9 {
        let texts = scene.asked().await;
        assert_eq!(texts.len(), 2 + released);
        let running: usize = texts[released - 1].parse().unwrap();
        asked[running].abort();
        scene.bench.sim().wait(&format!("received={}", 3 + released)).await;
        scene.until_waiting(9 - released).await;
    }
    asked.drain(..).for_each(|request| request.abort());
    scene.finish(12).await;
}

#[tokio::test]
async fn all_of_a_burst_are_served_within_the_limit() {
    let scene = Scene::new(r#"{"model":"a/m","concurrent":3}"#, PATIENT).await;
    scene.bench.sim().script(r#"{"latency_ms":2}"#).await;
    let states = scene.bench.proxy.live.targets();
    let watching = tokio::spawn(async move {
        loop {
            assert!(states.iter().all(|(_, state)| state.in_flight() <= 3));
            tokio::task::yield_now().await;
        }
    });
    let asked: Vec<_> = (0..60).map(|n| scene.ask(&scene.good(), &n.to_string(), &[])).collect();
    for reply in asked {
        assert_eq!(soon(reply).await.unwrap().status, 200);
    }
    assert!(!watching.is_finished(), "more than 3 at once");
    watching.abort();
    let waits = count(&scene.bench.metrics(), "portcullis_queue_wait_seconds_count", &[]);
    assert!((1.0..=57.0).contains(&waits), "{waits}");
    scene.finish(60).await;
}

#[tokio::test]
async fn a_flood_of_one_tenant_holds_another_up_by_one_request_each() {
    let scene = Scene::new(ONE, PATIENT).await;
    let held = scene.hold().await;
    let mut asked = Vec::new();
    for text in ["f1", "f2", "f3", "f4", "f5"] {
        asked.push(scene.waits(&scene.good(), text).await);
    }
    for text in ["o1", "o2"] {
        asked.push(scene.waits(&scene.other, text).await);
    }
    drop(held);
    for reply in asked {
        assert_eq!(soon(reply).await.unwrap().status, 200);
    }
    assert_eq!(scene.asked().await, ["held", "f1", "o1", "f2", "o2", "f3", "f4", "f5"]);
    scene.finish(8).await;
}

#[tokio::test]
async fn whoever_waits_in_vain_is_told_to_come_back() {
    let scene = Scene::new(ONE, PATIENT).await;
    let held = scene.hold().await;
    let reply =
        soon(scene.ask(&scene.good(), "hurried", &[("x-portcullis-timeout-ms", "300")])).await.unwrap();
    is_refused(&reply);
    let overhead: u64 = reply.header("x-portcullis-overhead-us").parse().unwrap();
    assert!(overhead < 250_000, "the wait counts as the gateway's own time: {overhead} µs");
    assert_eq!((scene.waiting(), scene.rejections("timeout")), (0, 1.0));
    assert_eq!(scene.asked().await, ["held"]);
    drop(held);
    scene.finish(1).await;
}

#[tokio::test]
async fn a_queue_without_room_or_time_refuses_at_once() {
    for (queue, reason) in [(r#"{"length":0}"#, "full"), (r#"{"wait":"0s"}"#, "too_late")] {
        let scene = Scene::new(ONE, queue).await;
        let held = scene.hold().await;
        is_refused(&scene.bench.client.say("no").await);
        assert_eq!(scene.rejections(reason), 1.0, "{reason}");
        drop(held);
        scene.finish(1).await;
    }
}

#[tokio::test]
async fn a_full_queue_makes_room_for_higher_priorities_and_for_nobody_else() {
    let scene = Scene::new(ONE, r#"{"length":2,"wait":"15s"}"#).await;
    let held = scene.hold().await;
    let older = scene.waits(&scene.low, "older").await;
    let newer = scene.waits(&scene.low, "newer").await;
    let high = scene.ask(&scene.high, "high", &[]);
    is_refused(&soon(newer).await.unwrap());
    let normal = scene.ask(&scene.good(), "normal", &[]);
    is_refused(&soon(older).await.unwrap());
    is_refused(&soon(scene.ask(&scene.low, "late", &[])).await.unwrap());
    assert_eq!((scene.waiting(), scene.rejections("displaced"), scene.rejections("full")), (2, 2.0, 1.0));
    drop(held);
    assert_eq!((soon(high).await.unwrap().status, soon(normal).await.unwrap().status), (200, 200));
    assert_eq!(scene.asked().await, ["held", "high", "normal"]);
    scene.finish(3).await;
}

#[tokio::test]
async fn a_client_that_hangs_up_while_it_waits_leaves_the_line() {
    let scene = Scene::new(ONE, PATIENT).await;
    let held = scene.hold().await;
    let gone = scene.waits(&scene.good(), "gone").await;
    let stays = scene.waits(&scene.good(), "stays").await;
    gone.abort();
    scene.until_waiting(1).await;
    drop(held);
    assert_eq!(soon(stays).await.unwrap().status, 200);
    assert_eq!(scene.asked().await, ["held", "stays"]);
    scene.finish(2).await;
}

#[tokio::test]
async fn a_client_that_hangs_up_while_it_waits_leaves_the_trial_to_the_next() {
    let scene = Scene::new(ONE, PATIENT).await;
    let held = scene.hold().await;
    let (proxy, state) = (&scene.bench.proxy, scene.bench.proxy.live.targets().swap_remove(0).1);
    let health = r#"{"consecutive":1,"eject":"1ms","max_eject":"1ms"}"#;
    let rules = OutlierDetection::from(&serde_json::from_str::<domain::HealthSpec>(health).unwrap());
    state
        .record(Observation { ok: false, began: proxy.now(), trial: false }, &rules, proxy.now(), 0)
        .unwrap();
    soon(async {
        while !state.permit_trial(Duration::from_secs(600), proxy.now()) {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let gone = scene.waits(&scene.good(), "gone").await;
    assert!(!state.trial_waits(proxy.now()), "the waiter has it");
    gone.abort();
    scene.until_waiting(0).await;
    drop(held);
    assert_eq!(scene.bench.client.say("trial").await.status, 200);
    assert!(matches!(state.admission(proxy.now()), BreakerState::Warming { .. }), "it is back");
    scene.finish(2).await;
}

#[tokio::test]
async fn another_target_is_preferred_to_a_wait() {
    let both = r#"{"model":"a/m","concurrent":1},{"model":"b/m"}"#;
    let scene = Scene::new(both, PATIENT).await;
    let held = scene.hold().await;
    let reply = scene.bench.client.say("hi").await;
    assert_eq!((reply.status, reply.header("x-portcullis-provider")), (200, "b"));
    assert_eq!((reply.header("x-portcullis-attempts"), scene.waiting()), ("1", 0));
    let waits = count(&scene.bench.metrics(), "portcullis_queue_wait_seconds_count", &[]);
    assert_eq!(waits, 0.0);
    // Where the other one fails, the full one is the last resort.
    scene.bench.sims[1].script(r#"{"status":500}"#).await;
    let waits = scene.waits(&scene.good(), "waits").await;
    drop(held);
    let reply = soon(waits).await.unwrap();
    assert_eq!((reply.status, reply.header("x-portcullis-provider")), (200, "a"));
    scene.finish(3).await;
}

#[tokio::test]
async fn a_stream_holds_its_place_until_its_end_and_a_drain_waits_for_the_line() {
    let scene = Scene::new(ONE, PATIENT).await;
    let held = scene.hold().await;
    let waits = scene.waits(&scene.good(), "waits").await;
    scene.bench.stop.cancel();
    assert_eq!((scene.waiting(), scene.asked().await.len()), (1, 1), "content came, and the stream runs");
    drop(held);
    assert_eq!(soon(waits).await.unwrap().status, 200);
    scene.finish(2).await;
}

#[tokio::test]
async fn a_stream_that_breaks_gives_its_place_back() {
    let scene = Scene::new(ONE, PATIENT).await;
    scene.bench.sim().script(r#"[{"chunks":3,"cut_after":1},{}]"#).await;
    assert_eq!(scene.bench.client.stream("cut").await.status, 200);
    assert_eq!(scene.bench.client.say("next").await.status, 200);
    scene.finish(2).await;
}

#[tokio::test]
async fn a_proxy_that_is_nearly_full_refuses_low_priorities_first() {
    let mut plan = Plan::default();
    plan.edge.max_in_flight = 10;
    let scene = Scene::of(plan, r#"{"model":"a/m"}"#, PATIENT).await;
    scene.bench.sim().script(r#"{"hang":"before_headers"}"#).await;
    let (mut held, mut runs) = (Vec::new(), 0);
    let mut hold = async |key: &str| {
        held.push(scene.ask(key, "held", &[]));
        runs += 1;
        scene.bench.sim().wait(&format!("received={runs}")).await;
    };
    let refused = async |key: &str| {
        let reply = soon(scene.ask(key, "no", &[])).await.unwrap();
        assert_eq!((reply.status, reply.code().as_str()), (503, "overloaded"));
        assert_eq!(reply.header("retry-after"), "1");
    };
    for _ in 0..8 {
        hold(&scene.low).await;
    }
    refused(&scene.low).await;
    hold(&scene.good()).await;
    refused(&scene.good()).await;
    hold(&scene.high).await;
    refused(&scene.high).await;
    held.iter().for_each(JoinHandle::abort);
    scene.finish(10).await;
}
