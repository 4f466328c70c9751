//! What one request does on its way is told of the right key, the right target and the right attempt.

use domain::{AttemptOutcome as O, RequestOutcome};

use super::harness::{Bench, Plan, credential, plain_body, stream_body};

#[tokio::test]
async fn each_key_rests_as_long_as_its_own_429_said() {
    let mut bench = Bench::start(Plan { credentials: 5, ..Plan::default() }).await;
    for number in 0..5 {
        let said = format!(r#"{{"status":429,"retry_after":{}}}"#, 100 * (number + 1));
        bench.sim().script_key(&credential("a", number), &said).await;
    }
    let reply = bench.client.say("hi").await;
    assert_eq!((reply.status, bench.event().await.attempts.len()), (429, 5));
    // The target that may be asked first decides when the client should come back.
    assert!((90..=100).contains(&reply.header("retry-after").parse().unwrap()), "{:?}", reply.headers);
    let now = bench.proxy.now();
    let keys = bench.proxy.live.credentials();
    let mut left: Vec<u64> = keys
        .iter()
        .filter_map(|(_, key)| Some(key.view(now).benched?.left.as_secs().div_ceil(100)))
        .collect();
    left.sort_unstable();
    assert_eq!(left, [1, 2, 3, 4, 5], "in hundreds of seconds");
    bench.finish().await;
}

/// Ejected at the first failure.
const STRICT: &str = r#"{"consecutive":1,"eject":"60s","max_eject":"60s"}"#;
const IMPATIENT: &str = r#"{"connect":"1s","first_token":"300ms","between_tokens":"10s","total":"10s"}"#;

/// Asks for a stream with a bound of the client's own, then plainly: the statuses, and how the first attempt ended.
async fn with_a_bound(bound: &'static str, timeouts: &'static str, script: &str) -> (u16, u16, O) {
    let mut bench = Bench::start(Plan { health: STRICT, timeouts, ..Plan::default() }).await;
    bench.sim().script(script).await;
    let request = bench.client.asking(&stream_body("hi"), &[("x-portcullis-timeout-ms", bound)]);
    let first = bench.client.plain.send(request).await.status;
    let outcome = bench.event().await.attempts[0].outcome;
    let second = bench.client.say("hi").await.status;
    if second == 200 {
        bench.event().await;
    }
    bench.finish().await;
    (first, second, outcome)
}

#[tokio::test]
async fn a_clients_bound_hides_no_target_that_is_silent_for_longer_than_the_route_waits() {
    let silent = r#"[{"hang":"before_headers"},{}]"#;
    for bound in ["60000", "8000"] {
        assert_eq!(with_a_bound(bound, IMPATIENT, silent).await, (504, 503, O::Timeout), "{bound}");
    }
    assert_eq!(
        with_a_bound("100", IMPATIENT, silent).await,
        (504, 200, O::Timeout),
        "that was the client's haste"
    );
}

#[tokio::test]
async fn a_stream_that_the_client_gave_too_little_time_speaks_against_nobody() {
    let endless = r#"[{"chunks":5,"hang":{"after_chunks":2}},{}]"#;
    assert_eq!(with_a_bound("1500", Plan::default().timeouts, endless).await, (200, 200, O::Timeout));
}

#[tokio::test]
async fn what_was_taken_for_want_of_better_is_counted_as_the_headers_say() {
    for (script, fallback, route) in [
        (r#"{"blocked":true}"#, "content_filter", Plan::default().route),
        (
            "{}",
            "rejected",
            r#""retry":{"attempts":1},"pools":{"main":{"cascade":[{"model":"a/m","accept":{"when":"false"}},{"model":"b/m"}]}}"#,
        ),
    ] {
        let mut bench = Bench::start(Plan { simulators: 2, route, ..Plan::default() }).await;
        bench.sim().script(script).await;
        bench.sims[1].script(r#"{"status":500}"#).await;
        let reply = bench.client.say("hi").await;
        let [provider, said] =
            ["x-portcullis-provider", "x-portcullis-fallback"].map(|name| reply.header(name));
        assert_eq!((reply.status, provider, said), (200, "a", fallback));
        assert_eq!(bench.event().await.outcome, RequestOutcome::Ok);
        let labels = [r#"provider="a""#, r#"outcome="ok""#, &format!("fallback={fallback:?}")];
        let text = bench.metrics();
        assert_eq!(super::harness::count(&text, "portcullis_requests_total", &labels), 1.0, "{text}");
        bench.finish().await;
    }
    let alone = r#""retry":{"attempts":1},"pools":{"main":{"cascade":[{"model":"a/m","accept":{"when":"false"}},{"model":"none/m"}]}}"#;
    let mut bench = Bench::start(Plan { route: alone, ..Plan::default() }).await;
    let reply = bench.client.chat(&plain_body("hi")).await;
    assert_eq!(reply.header("x-portcullis-fallback"), "rejected");
    bench.event().await;
    let text = bench.metrics();
    let labels = [r#"fallback="rejected""#];
    assert_eq!(super::harness::count(&text, "portcullis_requests_total", &labels), 1.0, "{text}");
    bench.finish().await;
}
