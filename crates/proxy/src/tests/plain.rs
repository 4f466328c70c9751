//! Plain answers: the bytes that go up, the headers that come down, and the money.

use domain::{AttemptOutcome, RequestOutcome};
use http::Method;
use serde_json::json;

use super::harness::{Bench, Price, UPSTREAM};

#[tokio::test]
async fn the_body_goes_up_byte_for_byte_but_for_the_model() {
    let mut bench = Bench::one().await;
    let body = "\n{ \"zeta\" : 123456789012345678901234567890.10 ,\t\"messages\":[ {\"content\":\"h\\u00e9 \u{1f44b}\",\n\
        \"role\" : \"user\", \"extra\":[1e2,-0.0]} ],\r\n \"model\" :  \"ch\\u0061t\" , \"x\":{\"model\":\"chat\",\"b\":1,\"a\":2}, \"temperature\":1.0 }  ";
    bench.sim().script(r#"{"allow_unknown":true}"#).await;
    assert_eq!(bench.client.chat(body).await.status, 200);
    let expected = body.replace("\"ch\\u0061t\"", &format!("\"{UPSTREAM}\""));
    assert_eq!(bench.sim().body(1).await, expected.as_bytes());
    bench.event().await;
    bench.finish().await;
}

#[tokio::test]
async fn headers_and_event_agree_to_the_nano_dollar() {
    let mut bench = Bench::one().await;
    bench.sim().script(r#"{"prompt_tokens":100,"cached_tokens":64,"completion_tokens":7}"#).await;
    let reply = bench.client.say("hello").await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.json()["choices"][0]["message"]["content"], "echo: hello");
    assert_eq!(reply.header("content-length"), reply.body.len().to_string());
    for (name, value) in [
        ("route", "chat"),
        ("provider", "a"),
        ("model", "m"),
        ("attempts", "1"),
        ("fallback", "none"),
        ("cache", "off"),
        ("cost-usd", "0.000174"),
        ("tokens-in", "100"),
        ("tokens-cached", "64"),
        ("tokens-out", "7"),
    ] {
        assert_eq!(reply.header(&format!("x-portcullis-{name}")), value, "{name}");
    }
    let overhead: u64 = reply.header("x-portcullis-overhead-us").parse().unwrap();
    let event = bench.event().await;
    assert_eq!(reply.header("x-portcullis-request-id"), event.request.to_string());
    assert_eq!((event.outcome, event.status, event.route.as_str()), (RequestOutcome::Ok, 200, "chat"));
    assert!(overhead == event.overhead_us && overhead <= event.duration_us, "{event:?}");
    assert!(event.ttft_us.is_some_and(|ttft| ttft <= event.duration_us));
    let [attempt] = event.attempts.as_slice() else { panic!("{event:?}") };
    assert_eq!((attempt.outcome, attempt.status, attempt.estimated), (AttemptOutcome::Ok, 200, false));
    assert_eq!((attempt.usage.input_uncached, attempt.usage.cache_read), (36, 64));
    // 36 × 2,000 + 64 × 500 + 7 × 10,000.
    assert_eq!(attempt.cost.nanos(), 174_000);
    assert_eq!(Price::of(0).cost(&attempt.usage), 174_000);
    assert!(attempt.price.is_some());
    bench.finish().await;
}

#[tokio::test]
async fn usage_that_is_not_told_is_estimated_and_says_so() {
    let mut bench = Bench::one().await;
    bench.sim().script(r#"{"usage":"none"}"#).await;
    let reply = bench.client.say("hello").await;
    let event = bench.event().await;
    let attempt = &event.attempts[0];
    assert!(attempt.estimated && attempt.usage.input_uncached > 0 && attempt.usage.output_visible > 0);
    assert_eq!(attempt.cost.nanos(), Price::of(0).cost(&attempt.usage));
    assert_eq!(reply.header("x-portcullis-cost-usd"), attempt.cost.to_string());
    bench.finish().await;
}

#[tokio::test]
async fn a_model_without_a_price_has_no_cost_rather_than_none() {
    let mut bench = Bench::one().await;
    let reply = bench.client.chat(r#"{"model":"a/unpriced","messages":[]}"#).await;
    assert_eq!((reply.status, reply.header("x-portcullis-route")), (200, "a/unpriced"));
    assert!(!reply.headers.contains_key("x-portcullis-cost-usd"));
    let attempt = &bench.event().await.attempts[0];
    assert_eq!((attempt.price, attempt.cost.nanos()), (None, 0));
    bench.finish().await;
}

#[tokio::test]
async fn embeddings_pass_and_vectors_are_never_charged_as_output() {
    let mut bench = Bench::one().await;
    bench.sim().script(r#"[{},{"usage":"none"}]"#).await;
    let body = r#"{"model":"chat","input":["one","two"],"dimensions":64}"#;
    for _ in 0..2 {
        let request = bench.client.request(Method::POST, "/v1/embeddings", body);
        let reply = bench.client.plain.send(request).await;
        assert_eq!(reply.json()["data"].as_array().unwrap().len(), 2);
        let event = bench.event().await;
        assert_eq!((event.api.as_str(), event.attempts[0].usage.output()), ("embeddings", 0));
        assert!(event.attempts[0].usage.input() > 0);
    }
    bench.finish().await;
}

#[tokio::test]
async fn models_lists_what_the_key_may_use() {
    let bench = Bench::one().await;
    let get = |path: &str| bench.client.plain.send(bench.client.request(Method::GET, path, ""));
    let reply = get("/openai/v1/models").await;
    let ids: Vec<_> = reply.json()["data"].as_array().unwrap().iter().map(|m| m["id"].clone()).collect();
    assert_eq!(ids, [json!("a/m"), json!("chat")]);
    assert_eq!(reply.header("x-portcullis-attempts"), "0");
    assert_eq!(get("/v1/models/a%2Fm").await.json()["id"], "a/m");
    assert_eq!(get("/v1/models/nope").await.code(), "route_not_found");
    bench.finish().await;
}
