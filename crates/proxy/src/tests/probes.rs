//! Active probes: traffic moves before users fail, costs are the operator's, nothing a provider answers does harm.

use std::time::Duration;

use domain::{AttemptOutcome, Kind, ProbeSpec, ResourceId, Spec, Timestamp};
use runtime::metrics::Metrics;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
    time::Instant,
};

use super::{
    harness::{Bench, Plan, Sim, count, credential},
    sharing::{coordination, is_out, redis, target, until},
};

const OFTEN: &str = r#"{"every":"100ms","timeout":"300ms"}"#;
const FREE: &str = r#"{"free":{"every":"100ms","timeout":"300ms"}}"#;
const LONG: &str = r#"{"eject":"60s","max_eject":"60s"}"#;

fn plan(simulators: usize, probe: &'static str) -> Plan {
    Plan { simulators, probe, health: LONG, background: true, ..Plan::default() }
}

/// How many probes of a provider ended so.
fn probes(bench: &Bench, provider: &str, outcome: &str) -> f64 {
    counted(bench, &[&format!(r#"provider="{provider}""#), &format!(r#"outcome="{outcome}""#)])
}

fn counted(bench: &Bench, labels: &[&str]) -> f64 {
    let metrics = Metrics::default();
    metrics.register(std::sync::Arc::clone(&bench.proxy.health.probes) as _);
    count(&metrics.render().unwrap(), "portcullis_probes_total", labels)
}

#[tokio::test]
async fn traffic_moves_before_the_first_user_fails_and_returns() {
    let mut bench = Bench::start(plan(2, OFTEN)).await;
    bench.sim().script(r#"{"status":503}"#).await;
    until(|| is_out(&bench, "a")).await;
    let reply = bench.client.say("hi").await;
    let said = (reply.status, reply.header("x-portcullis-provider"), reply.header("x-portcullis-fallback"));
    assert_eq!(said, (200, "b", "none"));
    assert_eq!(bench.event().await.attempts.len(), 1, "no user's attempt failed");
    bench.sim().script("{}").await;
    until(|| !is_out(&bench, "a")).await;
    assert!(probes(&bench, "a", "server_error") >= 2.0 && probes(&bench, "a", "ok") >= 1.0);
    bench.finish().await;
}

#[tokio::test]
async fn a_probe_is_paid_by_the_operator_and_counted_apart() {
    let mut bench =
        Bench::start(plan(1, r#"{"every":"100ms","prompt":"are you there","max_tokens":2}"#)).await;
    let event = bench.probe_event().await;
    let who = &event.attribution;
    assert_eq!((who.tenant, who.key), (ResourceId::OPERATOR, ResourceId::OPERATOR));
    assert_eq!((who.feature.as_deref(), &*event.route, &*event.api), (Some("probe"), "probe", "chat"));
    let [attempt] = event.attempts.as_slice() else { panic!("{event:?}") };
    assert_eq!((attempt.outcome, attempt.estimated), (AttemptOutcome::Ok, false));
    assert!(attempt.cost.nanos() > 0 && attempt.usage.output() == 2, "{attempt:?}");
    assert!(event.ttft_us.is_some() && event.stream);
    let body: serde_json::Value = serde_json::from_slice(&bench.sim().body(1).await).unwrap();
    assert_eq!(
        (&body["messages"][0]["content"], &body["max_completion_tokens"]),
        (&"are you there".into(), &2.into())
    );
    until(|| probes(&bench, "a", "ok") >= 1.0).await;
    let text = bench.metrics();
    assert_eq!(
        count(&text, "portcullis_attempts_total", &[]) + count(&text, "portcullis_requests_total", &[]),
        0.0
    );
    until(|| target(&bench, "a").ttft_p95(bench.proxy.now(), 60_000_000).is_some()).await;
    bench.finish().await;
}

#[tokio::test]
async fn every_dialect_can_ask_something_small() {
    for kinds in [&["anthropic", "gemini", "cohere"][..], &["perplexity", "mistral", "deepseek"]] {
        let mut bench = Bench::start(Plan { kinds, ..plan(3, OFTEN) }).await;
        until(|| ["a", "b", "c"].iter().all(|name| probes(&bench, name, "ok") >= 1.0)).await;
        assert_eq!(bench.probe_event().await.attempts[0].outcome, AttemptOutcome::Ok);
        bench.finish().await;
        let bench = Bench::start(Plan { kinds, ..plan(3, FREE) }).await;
        until(|| ["a", "b", "c"].iter().all(|name| probes(&bench, name, "ok") >= 1.0)).await;
        bench.finish().await;
    }
}

#[tokio::test]
async fn a_signed_probe_of_a_cloud() {
    let aws = Sim::with_aws_key("AKIDEXAMPLE", "wJalrXUtnFEMI").await;
    let secret = r#"{"access_key_id":"AKIDEXAMPLE","secret_access_key":"wJalrXUtnFEMI"}"#.to_owned();
    let plan = Plan { kinds: &["bedrock"], others: vec![aws.url()], secret: Some(secret), ..plan(0, OFTEN) };
    let mut bench = Bench::start(plan).await;
    let event = bench.probe_event().await;
    assert_eq!((event.attempts[0].outcome, &*event.api), (AttemptOutcome::Ok, "converse"));
    bench.finish().await;
}

#[tokio::test]
async fn what_is_wrong_with_the_key_or_the_prompt_is_not_held_against_the_target() {
    for (script, outcome) in
        [(r#"{"status":401}"#, "bad_credential"), (r#"{"status":429,"retry_after":40}"#, "rate_limited")]
    {
        let bench = Bench::start(plan(1, OFTEN)).await;
        let key = credential("a", 0);
        bench.sim().script_key(&key, script).await;
        // The credential is benched then, and no request uses it.
        until(|| probes(&bench, "a", "not_sent") >= 3.0).await;
        assert!(probes(&bench, "a", outcome) <= 1.0 && !is_out(&bench, "a"));
        bench.finish().await;
    }
    let bench = Bench::start(plan(1, OFTEN)).await;
    bench.sim().script(r#"{"status":400}"#).await;
    until(|| probes(&bench, "a", "client_fault") >= 3.0).await;
    assert!(!is_out(&bench, "a"));
    bench.finish().await;
}

/// A provider that says the same to everybody, and then more of it for as long as anybody listens.
async fn provider(head: &'static str, more: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let mut request = [0; 4_096];
                let _ = stream.read(&mut request).await;
                if head.is_empty() {
                    // Until the other side hangs up.
                    while stream.read(&mut request).await.is_ok_and(|read| read > 0) {}
                }
                let mut going = stream.write_all(head.as_bytes()).await.is_ok() && !more.is_empty();
                while going {
                    going = stream.write_all(more).await.is_ok();
                }
            });
        }
    });
    url
}

#[tokio::test]
async fn whatever_a_provider_answers_the_probe_ends_and_two_such_answers_move_traffic() {
    const ENDLESS: &[u8] = &[b' '; 65_536];
    const GARBAGE: &str = "HTTP/1.1 200 OK\r\ncontent-length: 7\r\nconnection: close\r\n\r\n<html/>";
    const ELSEWHERE: &str =
        "HTTP/1.1 302 Found\r\nlocation: /v1/elsewhere\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    const LARGE: &str = "HTTP/1.1 200 OK\r\ncontent-length: 10737418240\r\n\r\n{";
    const BROKEN: &str = "HTTP/1.1 200 OK\r\ncontent-length: 100\r\nconnection: close\r\n\r\n{}";
    for probe in [OFTEN, FREE] {
        for (head, more, outcomes) in [
            ("", &b""[..], &["timeout"][..]),
            (GARBAGE, b"", &["protocol", "cut"]),
            (ELSEWHERE, b"", &["protocol"]),
            (LARGE, ENDLESS, &["protocol", "timeout"]),
            (BROKEN, b"", &["cut"]),
        ] {
            let others = vec![provider(head, more).await];
            let bench = Bench::start(Plan { others, ..plan(0, probe) }).await;
            until(|| is_out(&bench, "a")).await;
            let ended: f64 = outcomes.iter().map(|outcome| probes(&bench, "a", outcome)).sum();
            assert!(ended >= 2.0, "{probe} {head:?}");
            bench.finish().await;
        }
    }
}

#[tokio::test]
async fn a_provider_without_a_list_is_no_worse_for_it() {
    const MISSING: &str = "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    let others = vec![provider(MISSING, b"").await];
    let bench = Bench::start(Plan { others, ..plan(0, FREE) }).await;
    until(|| probes(&bench, "a", "protocol") >= 3.0).await;
    assert!(!is_out(&bench, "a"));
    bench.finish().await;
}

#[tokio::test]
async fn one_replica_probes_and_both_learn() {
    const EVERY: Duration = Duration::from_millis(200);
    let redis = redis().await;
    let shared = async |simulators| Plan {
        coordination: coordination(&redis).await,
        ..plan(simulators, r#"{"every":"200ms","timeout":"5s"}"#)
    };
    let one = Bench::start(shared(1).await).await;
    let other = one.beside(shared(0).await).await;
    let known = |bench: &Bench| target(bench, "a").ttft_p95(bench.proxy.now(), 60_000_000).is_some();
    until(|| known(&one) && known(&other)).await;
    let (began, already) = (Instant::now(), one.sim().requests().await.len());
    one.sim().wait(&format!("received={}", already + 10)).await;
    // Each for itself would need half of it.
    assert!(began.elapsed() >= EVERY * 7, "{:?}", began.elapsed());
    one.sim().script(r#"{"status":500}"#).await;
    until(|| is_out(&one, "a") && is_out(&other, "a")).await;
    one.finish().await;
    other.finish().await;
}

#[tokio::test]
async fn without_the_store_each_probes_for_itself() {
    let mut redis = redis().await;
    let shared =
        async |simulators| Plan { coordination: coordination(&redis).await, ..plan(simulators, OFTEN) };
    let one = Bench::start(shared(1).await).await;
    let other = one.beside(shared(0).await).await;
    until(|| probes(&one, "a", "ok") + probes(&other, "a", "ok") >= 1.0).await;
    redis.kill().unwrap();
    let (before, there) = (probes(&one, "a", "ok"), probes(&other, "a", "ok"));
    until(|| probes(&one, "a", "ok") >= before + 3.0 && probes(&other, "a", "ok") >= there + 3.0).await;
    one.finish().await;
    other.finish().await;
}

#[tokio::test]
async fn a_changed_configuration_ends_a_probe_and_begins_another() {
    let mut bench = Bench::start(plan(2, OFTEN)).await;
    until(|| probes(&bench, "a", "ok") >= 2.0).await;
    bench.change(|rows| {
        let a = rows.iter_mut().find(|row| row.kind() == Kind::Provider && row.name == "a").unwrap();
        if let Spec::Provider(spec) = &mut a.spec {
            spec.probe = ProbeSpec::Off;
        }
    });
    let (at_a, at_b) = (probes(&bench, "a", "ok"), probes(&bench, "b", "ok"));
    until(|| probes(&bench, "b", "ok") >= at_b + 5.0).await;
    assert!(probes(&bench, "a", "ok") <= at_a + 1.0, "one may have been under way");
    bench.finish().await;
}

#[tokio::test]
async fn when_a_models_day_comes_its_successor_is_probed_though_nothing_was_configured() {
    let soon = Timestamp::from_micros(Timestamp::now().micros() + 700_000);
    let retires = format!(r#""deprecation":"{soon}","successor":"heir""#);
    let models = vec![&*retires.leak()].leak();
    let bench = Bench::start(Plan { models, ..plan(1, OFTEN) }).await;
    until(|| counted(&bench, &[r#"model="heir""#]) >= 2.0).await;
    assert!(Timestamp::now() >= soon);
    let old = counted(&bench, &[r#"model="m""#]);
    until(|| counted(&bench, &[r#"model="heir""#]) >= 5.0).await;
    assert!(counted(&bench, &[r#"model="m""#]) <= old + 1.0, "one may have been under way");
    bench.finish().await;
}

#[tokio::test]
async fn the_end_of_the_process_waits_for_no_probe() {
    for probe in [r#"{"every":"100ms","timeout":"2m"}"#, r#"{"free":{"every":"100ms","timeout":"2m"}}"#] {
        let others = vec![provider("", b"").await];
        let mut bench = Bench::start(Plan { others, ..plan(0, probe) }).await;
        until(|| target(&bench, "a").in_flight() > 0 || probe.contains("free")).await;
        bench.stop_background().await;
        assert_eq!(target(&bench, "a").in_flight(), 0);
        bench.finish().await;
    }
}

#[tokio::test]
async fn a_slower_target_loses_the_lead() {
    let route = r#""strategy":"lowest_latency","interval":"500ms","retry":{"attempts":1}"#;
    let mut bench = Bench::start(Plan { route, ..plan(2, r#"{"every":"100ms","timeout":"5s"}"#) }).await;
    bench.sim().script(r#"{"latency_ms":150}"#).await;
    let leads = |bench: &Bench| {
        let snapshot = bench.proxy.current().unwrap();
        let mut tiers = snapshot.routes().flat_map(|route| route.tiers());
        tiers.next().unwrap().leader.current()
    };
    until(|| leads(&bench) == 1).await;
    let reply = bench.client.say("hi").await;
    assert_eq!(reply.header("x-portcullis-provider"), "b");
    bench.event().await;
    bench.finish().await;
}
