//! What the client is told when no target answers, and when the provider blames the request.

use domain::{AttemptOutcome, RequestOutcome};

use super::harness::{Bench, Plan, Raw, credential};

const QUICK: &str = r#"{"connect":"1s","first_token":"300ms","between_tokens":"300ms","total":"2s"}"#;

#[tokio::test]
async fn a_request_the_provider_blames_is_asked_once_and_told_in_its_words() {
    for stream in [false, true] {
        let mut bench = Bench::two().await;
        let script = format!(
            r#"{{"status":400,"raw_body":"{{\"error\":{{\"message\":\"{} cannot: no such role\",\"type\":\"t\",\"param\":\"messages\",\"code\":\"invalid_value\"}}}}"}}"#,
            credential("a", 0)
        );
        bench.sims[0].script(&script).await;
        let reply = if stream { bench.client.stream("hi").await } else { bench.client.say("hi").await };
        assert_eq!((reply.status, reply.code().as_str()), (400, "invalid_value"));
        let error = &reply.json()["error"];
        assert_eq!(error["message"], "[redacted] cannot: no such role");
        assert_eq!(error["param"], "messages");
        assert_eq!(error["portcullis"]["code"], "invalid_request");
        for (name, value) in [("route", "chat"), ("provider", "a"), ("model", "m"), ("attempts", "1")] {
            assert_eq!(reply.header(&format!("x-portcullis-{name}")), value);
        }
        assert_eq!((bench.sims[0].requests().await.len(), bench.sims[1].requests().await.len()), (1, 0));
        let event = bench.event().await;
        assert_eq!((event.outcome, event.status), (RequestOutcome::Error, 400));
        assert_eq!(event.attempts[0].outcome, AttemptOutcome::ClientFault);
        assert_eq!((event.attempts[0].cost.nanos(), event.route.as_str()), (0, "chat"));
        bench.finish().await;
    }
}

#[tokio::test]
async fn a_prompt_that_one_provider_cannot_take_goes_to_the_next() {
    use AttemptOutcome::{ContentFilter, ContextTooLong};
    let cases = [
        (400, r#"{"error":{"message":"m","code":"context_length_exceeded"}}"#, ContextTooLong),
        (413, r#"{"error":{"message":"Request too large","type":"invalid_request_error"}}"#, ContextTooLong),
        (400, r#"{"error":{"message":"m","code":"content_filter"}}"#, ContentFilter),
        (403, r#"{"error":{"message":"your input was flagged","code":403}}"#, ContentFilter),
    ];
    for (status, body, outcome) in cases {
        let mut bench = Bench::two().await;
        let script = serde_json::json!({ "status": status, "raw_body": body }).to_string();
        bench.sims[0].script(&script).await;
        let reply = bench.client.say("hi").await;
        assert_eq!((reply.status, reply.header("x-portcullis-provider")), (200, "b"), "{body}");
        let event = bench.event().await;
        let outcomes: Vec<_> = event.attempts.iter().map(|attempt| attempt.outcome).collect();
        // Once: no other key of the same provider would have helped, and none is at fault.
        assert_eq!(outcomes, [outcome, AttemptOutcome::Ok], "{body}");
        assert_eq!(bench.sims[0].requests().await.len(), 1, "{body}");

        bench.sims[0].script(&script).await;
        bench.sims[1].script(&script).await;
        let reply = bench.client.say("hi").await;
        assert_eq!(reply.status, status, "{body}");
        assert_eq!(bench.event().await.attempts.len(), 2, "{body}");
        bench.finish().await;
    }
}

#[tokio::test]
async fn when_every_target_failed_the_attempts_are_listed() {
    let mut bench = Bench::two().await;
    bench.sims[0].script(r#"{"status":500,"error_message":"out of workers"}"#).await;
    bench.sims[1].script(r#"{"status":401}"#).await;
    let reply = bench.client.say("hi").await;
    assert_eq!((reply.status, reply.code().as_str()), (502, "all_targets_failed"));
    let attempts = &reply.json()["error"]["portcullis"]["attempts"];
    assert_eq!((&attempts[0]["target"], &attempts[0]["outcome"]), (&"a/m".into(), &"server_error".into()));
    assert_eq!((&attempts[1]["target"], &attempts[1]["outcome"]), (&"b/m".into(), &"bad_credential".into()));
    assert_eq!(attempts[0]["message"], "out of workers");
    assert!(
        attempts[1].get("message").is_none(),
        "what is wrong with a credential is the operator's business"
    );
    assert_eq!(reply.header("x-portcullis-route"), "chat");
    assert_eq!(reply.header("x-portcullis-attempts"), "2");
    let event = bench.event().await;
    assert_eq!((event.outcome, event.status, event.attempts.len()), (RequestOutcome::Error, 502, 2));
    bench.finish().await;
}

#[tokio::test]
async fn a_credential_that_is_refused_is_never_the_clients_401() {
    for status in [401, 402, 403] {
        let mut bench = Bench::one().await;
        bench.sim().script(&format!(r#"{{"status":{status}}}"#)).await;
        let reply = bench.client.say("hi").await;
        assert_eq!((reply.status, reply.code().as_str()), (502, "all_targets_failed"));
        bench.event().await;
        bench.finish().await;
    }
}

#[tokio::test]
async fn when_every_target_is_rate_limited_the_soonest_says_when_to_come_back() {
    let mut bench = Bench::two().await;
    bench.sims[0].script(r#"{"status":429,"retry_after":7}"#).await;
    bench.sims[1].script(r#"{"status":429,"retry_after":60}"#).await;
    let reply = bench.client.stream("hi").await;
    assert_eq!((reply.status, reply.code().as_str()), (429, "rate_limited"));
    assert_eq!(reply.header("retry-after"), "7");
    assert_eq!(bench.event().await.status, 429);
    bench.finish().await;
}

#[tokio::test]
async fn when_every_target_is_silent_it_is_a_timeout() {
    for stream in [false, true] {
        let mut bench = Bench::start(Plan { simulators: 2, timeouts: QUICK, ..Plan::default() }).await;
        bench.sims[0].script(r#"{"hang":"before_headers"}"#).await;
        bench.sims[1].script(r#"{"hang":"after_headers"}"#).await;
        let reply = if stream { bench.client.stream("hi").await } else { bench.client.say("hi").await };
        assert_eq!((reply.status, reply.code().as_str()), (504, "upstream_timeout"));
        for sim in &bench.sims {
            sim.wait("cancelled=1").await;
        }
        assert_eq!(bench.event().await.status, 504);
        bench.finish().await;
    }
}

#[tokio::test]
async fn an_error_whose_body_never_ends_is_still_that_error() {
    let head = "HTTP/1.1 500 Oops\r\ncontent-length: 100\r\n\r\n{\"error\":";
    let raw = Raw::start(move |_| Some(head.as_bytes().to_vec())).await;
    let others = vec![raw.url.clone()];
    let mut bench = Bench::start(Plan { simulators: 0, others, ..Plan::default() }).await;
    assert_eq!(bench.client.say("hi").await.code(), "all_targets_failed");
    let event = bench.event().await;
    assert_eq!(event.attempts[0].outcome, AttemptOutcome::ServerError);
    assert!(event.duration_us < 10_000_000, "{event:?}");
    bench.finish().await;
}
