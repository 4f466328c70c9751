//! Answers too large to be held: passed on as they come, with the usage from their end.

use domain::RequestOutcome;
use http_body_util::BodyExt as _;
use serde_json::{Value, json};

use super::harness::{Bench, Plan, Price, Raw, plain_body, soon};

/// A script for an answer with more bytes than are held, and the answer.
fn script(bytes: usize, more: Value) -> (String, String) {
    let body = json!({
        "choices": [{"message": {"content": "x".repeat(bytes)}}],
        "usage": {"prompt_tokens": 100, "completion_tokens": 7, "prompt_tokens_details": {"cached_tokens": 64}},
    })
    .to_string();
    let mut script = more;
    script["raw_body"] = Value::from(body.clone());
    (script.to_string(), body)
}

#[tokio::test]
async fn they_are_relayed_whole_and_metered() {
    let mut bench = Bench::one().await;
    let (script, body) = script(9 << 20, json!({}));
    bench.sim().script(&script).await;
    let reply = bench.client.say("hi").await;
    assert_eq!(reply.status, 200);
    assert!(reply.body == body.as_bytes(), "{} bytes instead of {}", reply.body.len(), body.len());
    assert_eq!(reply.header("content-length"), body.len().to_string());
    assert!(!reply.headers.contains_key("x-portcullis-cost-usd"));
    let event = bench.event().await;
    assert_eq!((event.outcome, event.attempts[0].estimated), (RequestOutcome::Ok, false));
    assert_eq!(event.attempts[0].cost.nanos(), 174_000);
    bench.finish().await;
}

#[tokio::test]
async fn one_that_breaks_off_breaks_the_connection() {
    let mut bench = Bench::one().await;
    let (script, _) = script(20 << 20, json!({"cut_after": 1}));
    bench.sim().script(&script).await;
    let response = bench.client.plain.open(bench.client.asking(&plain_body("hi"), &[])).await;
    assert_eq!(response.status(), 200);
    assert!(soon(response.into_body().collect()).await.is_err(), "half an answer looks whole");
    let event = bench.event().await;
    let attempt = &event.attempts[0];
    assert_eq!((event.outcome, attempt.outcome.as_str()), (RequestOutcome::Cut, "cut"));
    // Ten million bytes of text are some output.
    assert!(attempt.estimated && attempt.usage.output() > 1_000_000, "{attempt:?}");
    assert_eq!(attempt.cost.nanos(), Price::of(0).cost(&attempt.usage));
    bench.finish().await;
}

#[tokio::test]
async fn one_that_ends_just_past_what_is_held_is_whole() {
    let (_, body) = script((8 << 20) + 300, json!({}));
    let (start, end) = body.split_at((8 << 20) - 100);
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let answer = format!("{head}{start}|{end}").into_bytes();
    let raw = Raw::start(move |_| Some(answer.clone())).await;
    let others = vec![raw.url.clone()];
    let mut bench = Bench::start(Plan { simulators: 0, others, ..Plan::default() }).await;
    let reply = bench.client.say("hi").await;
    assert!(reply.status == 200 && reply.body == body.as_bytes());
    let event = bench.event().await;
    assert_eq!((event.outcome, event.attempts[0].estimated), (RequestOutcome::Ok, false));
    assert_eq!(event.attempts[0].cost.nanos(), 174_000);
    bench.finish().await;
}
