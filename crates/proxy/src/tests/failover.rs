//! Failures before content: the next target answers, the client sees no error, and each attempt is accounted for.

use domain::{Attempt, RequestOutcome};

use super::harness::{Bench, Plan, Raw, Reply, Sim, account, soon, text_of};

const QUICK: &str = r#"{"connect":"1s","first_token":"500ms","between_tokens":"500ms","total":"6s"}"#;

fn two(simulators: usize, others: Vec<String>) -> Plan {
    Plan { simulators, others, timeouts: QUICK, ..Plan::default() }
}

/// The second target answered after the first one failed so; a charged attempt is an estimate.
async fn fell_over(mut bench: Bench, stream: bool, case: &str, want: (&str, u32, bool)) {
    let (outcome, status, charged) = want;
    let reply = if stream { bench.client.stream("hi").await } else { bench.client.say("hi").await };
    assert_eq!(reply.status, 200, "{case}: {}", reply.text());
    for (name, value) in [("provider", "b"), ("attempts", "2"), ("fallback", outcome)] {
        assert_eq!(reply.header(&format!("x-portcullis-{name}")), value, "{case}");
    }
    let event = bench.event().await;
    assert_eq!((event.outcome, event.status), (RequestOutcome::Ok, 200), "{case}");
    let [first, second] = event.attempts.as_slice() else { panic!("{case}: {event:?}") };
    assert_eq!((first.outcome.as_str(), first.status), (outcome, status), "{case}");
    assert_eq!((first.cost.nanos() > 0, first.estimated), (charged, charged), "{case}: {first:?}");
    assert_eq!((second.outcome.as_str(), second.provider.as_str()), ("ok", "b"), "{case}");
    let sum = first.cost.plus(second.cost).to_string();
    assert_eq!(answer(&reply, stream), ("echo: hi".to_owned(), sum), "{case}");
    bench.finish().await;
}

/// Text and cost as the client sees them.
fn answer(reply: &Reply, stream: bool) -> (String, String) {
    if stream {
        let cost = account(reply.text())["cost_usd"].as_str().unwrap().to_owned();
        return (text_of(reply.text()), cost);
    }
    let text = reply.json()["choices"][0]["message"]["content"].as_str().unwrap().to_owned();
    (text, reply.header("x-portcullis-cost-usd").to_owned())
}

const EITHER: [(&str, (&str, u32, bool)); 11] = [
    (r#"{"status":500}"#, ("server_error", 500, false)),
    (r#"{"status":503}"#, ("server_error", 503, false)),
    (r#"{"status":529}"#, ("server_error", 529, false)),
    (r#"{"status":429,"retry_after":60}"#, ("rate_limited", 429, false)),
    (r#"{"status":401}"#, ("bad_credential", 401, false)),
    (r#"{"status":402}"#, ("bad_credential", 402, false)),
    (r#"{"status":403}"#, ("bad_credential", 403, false)),
    (r#"{"status":404}"#, ("bad_credential", 404, false)),
    (r#"{"status":302,"headers":{"location":"http://127.0.0.1:1/"}}"#, ("protocol", 302, false)),
    (r#"{"content_type":"text/html","raw_body":"<html>log in</html>"}"#, ("cut", 200, true)),
    (
        r#"{"content_type":"application/json","raw_body":"{\"error\":{\"message\":\"no\"}}"}"#,
        ("stream_error", 200, false),
    ),
];

#[tokio::test]
async fn streams_go_to_the_next_target() {
    let only_streams = [
        (r#"{"hang":"before_headers"}"#, ("timeout", 0, true)),
        (r#"{"hang":"after_headers"}"#, ("timeout", 200, true)),
        (r#"{"hang":"after_headers","keepalive_comments":20}"#, ("timeout", 200, true)),
        (r#"{"error_event_after":0}"#, ("stream_error", 200, false)),
        (r#"{"cut_after":0}"#, ("cut", 200, true)),
        (r#"{"raw_body":"{\"object\":\"odd\"}"}"#, ("protocol", 200, true)),
    ];
    for (script, want) in EITHER.into_iter().chain(only_streams) {
        let bench = Bench::start(two(2, Vec::new())).await;
        bench.sims[0].script(script).await;
        fell_over(bench, true, script, want).await;
    }
}

#[tokio::test]
async fn plain_requests_go_to_the_next_target() {
    let only_plain = [
        (r#"{"hang":"before_headers"}"#, ("timeout", 0, true)),
        (r#"{"cut_after":0}"#, ("cut", 200, true)),
        (r#"{"content_type":"text/event-stream"}"#, ("protocol", 200, true)),
        (r#"{"raw_body":"{\"object\":\"odd\"}"}"#, ("protocol", 200, true)),
        (r#"{"raw_body":"{\"choices\":["}"#, ("protocol", 200, true)),
    ];
    for (script, want) in EITHER.into_iter().chain(only_plain) {
        let bench = Bench::start(two(2, Vec::new())).await;
        bench.sims[0].script(script).await;
        // Without frames of its own HTML is no cut stream but no answer at all.
        let want = if want.0 == "cut" && script.contains("html") { ("protocol", 200, true) } else { want };
        fell_over(bench, false, script, want).await;
    }
}

#[tokio::test]
async fn what_is_no_http_and_nobody_at_all_go_to_the_next_target() {
    for stream in [false, true] {
        let sim = Sim::start().await;
        let bench = Bench::start(two(0, vec![Raw::dead().await, sim.url()])).await;
        fell_over(bench, stream, "dead", ("connect", 0, false)).await;
        let raw = Raw::start(|_| Some(b"SSH-2.0-OpenSSH_9.9\r\n\r\n".to_vec())).await;
        let bench = Bench::start(two(0, vec![raw.url.clone(), sim.url()])).await;
        fell_over(bench, stream, "no HTTP", ("protocol", 0, true)).await;
        assert_eq!(raw.requests(), 1, "repeated at a target that speaks no HTTP");
    }
}

/// A port that takes no more connections: its queue is full, and none is accepted.
async fn full_port() -> (String, tokio::net::TcpListener, Vec<tokio::net::TcpStream>) {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut waiting = Vec::new();
    let connect = || tokio::net::TcpStream::connect(address);
    while let Ok(Ok(stream)) = tokio::time::timeout(std::time::Duration::from_millis(200), connect()).await {
        waiting.push(stream);
    }
    (format!("http://{address}"), listener, waiting)
}

#[tokio::test]
async fn what_never_went_out_costs_nothing() {
    let (url, _listener, _waiting) = full_port().await;
    let sim = Sim::start().await;
    // The target's time ends before its connection does.
    let timeouts = r#"{"connect":"10s","first_token":"500ms","between_tokens":"5s","total":"15s"}"#;
    let plan = Plan { simulators: 0, others: vec![url, sim.url()], timeouts, ..Plan::default() };
    fell_over(Bench::start(plan).await, true, "connecting", ("timeout", 0, false)).await;
}

#[tokio::test]
async fn another_key_of_the_same_target_comes_before_another_target() {
    for status in [401, 403, 429] {
        let mut bench = Bench::start(Plan { credentials: 2, ..two(2, Vec::new()) }).await;
        bench.sims[0].script(&format!(r#"[{{"status":{status}}},{{}}]"#)).await;
        let reply = bench.client.say("hi").await;
        assert_eq!((reply.status, reply.header("x-portcullis-provider")), (200, "a"));
        let asked = bench.sims[0].requests().await;
        assert_eq!(asked.len(), 2);
        assert_ne!(asked[0]["key_sha256"], asked[1]["key_sha256"], "the same key again");
        assert_eq!(bench.sims[1].requests().await.len(), 0);
        let event = bench.event().await;
        let costs: Vec<bool> =
            event.attempts.iter().map(|attempt: &Attempt| attempt.cost.nanos() > 0).collect();
        assert_eq!(costs, [false, true]);
        bench.finish().await;
    }
}

#[tokio::test]
async fn the_clients_own_bound_ends_the_whole_request() {
    let mut bench = Bench::start(two(2, Vec::new())).await;
    bench.sims[0].script(r#"{"hang":"before_headers"}"#).await;
    bench.sims[1].script(r#"{"hang":"before_headers"}"#).await;
    let body = super::harness::plain_body("hi");
    let request = bench.client.asking(&body, &[("x-portcullis-timeout-ms", "300")]);
    let reply = soon(bench.client.plain.send(request)).await;
    assert_eq!((reply.status, reply.code().as_str()), (504, "upstream_timeout"));
    assert!(bench.event().await.duration_us < 5_000_000);
    bench.finish().await;
}

#[tokio::test]
async fn a_request_with_one_attempt_fell_back_to_nothing() {
    let mut bench = Bench::one().await;
    bench.sims[0].script(r#"{"status":503}"#).await;
    let reply = bench.client.say("hi").await;
    let said = (reply.header("x-portcullis-attempts"), reply.header("x-portcullis-fallback"));
    assert_eq!(said, ("1", "none"));
    bench.event().await;
    bench.finish().await;
}

#[tokio::test]
async fn a_request_has_a_bounded_number_of_attempts() {
    let mut bench = Bench::start(Plan { credentials: 40, ..Plan::default() }).await;
    bench.sims[0].script(r#"{"status":429}"#).await;
    let reply = bench.client.say("hi").await;
    assert_eq!((reply.status, reply.code().as_str()), (429, "rate_limited"));
    assert_eq!((bench.event().await.attempts.len(), bench.sims[0].requests().await.len()), (32, 32));
    bench.finish().await;
}
