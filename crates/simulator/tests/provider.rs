//! The simulator over real sockets: healthy answers, scripted trouble, and what it remembers.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests count as tests

#[path = "provider/client.rs"]
mod client;
#[path = "provider/dialects.rs"]
mod dialects;

use client::Sim;
use serde_json::{Value, json};

fn chat(model: &str, stream: bool) -> Value {
    json!({"model": model, "stream": stream, "stream_options": {"include_usage": true},
        "messages": [{"role": "user", "content": "one two"}]})
}

#[tokio::test]
async fn a_plain_answer_is_announced_whole_and_the_connection_stays() {
    let sim = Sim::start().await;
    let mut connection = sim.connect().await;
    for _ in 0..2 {
        let reply = connection.call("POST", "/v1/chat/completions", &chat("m", false)).await;
        assert_eq!(reply.status, 200);
        assert_eq!(reply.header("content-length"), Some(reply.body.len().to_string().as_str()));
        assert_eq!(reply.json()["choices"][0]["message"]["content"], "echo: one two");
    }
}

#[tokio::test]
async fn a_stream_ends_with_usage_and_the_terminal_event() {
    let sim = Sim::start().await;
    let reply = sim.call("POST", "/v1/chat/completions", &chat("m", true)).await;
    assert_eq!(reply.header("content-type"), Some("text/event-stream"));
    let events = reply.events();
    assert_eq!(events.last().map(String::as_str), Some("[DONE]"));
    let chunks: Vec<Value> =
        events[..events.len() - 1].iter().map(|e| serde_json::from_str(e).unwrap()).collect();
    let text: String = chunks.iter().filter_map(|c| c["choices"][0]["delta"]["content"].as_str()).collect();
    assert_eq!(text, "echo: one two");
    assert_eq!(chunks.last().unwrap()["usage"]["total_tokens"], 6);
    assert_eq!(chunks.last().unwrap()["choices"], json!([]));
    assert!(reply.complete);
}

#[tokio::test]
async fn usage_rides_on_the_last_choice_when_scripted() {
    let sim = Sim::start().await;
    sim.script("m", r#"{"usage":"last_choice","cached_tokens":1}"#).await;
    let events = sim.call("POST", "/v1/chat/completions", &chat("m", true)).await.events();
    let last: Value = serde_json::from_str(&events[events.len() - 2]).unwrap();
    assert_eq!(last["choices"][0]["finish_reason"], "stop");
    assert_eq!(last["usage"]["prompt_tokens_details"]["cached_tokens"], 1);
}

#[tokio::test]
async fn errors_follow_the_script_step_by_step() {
    let sim = Sim::start().await;
    sim.script(
        "m",
        r#"[{"status":429,"retry_after":7,"error_message":"slow down","headers":{"x-extra":"1"}},
            {"status":503,"raw_body":"<html>","content_type":"text/html"}, {}]"#,
    )
    .await;
    let first = sim.call("POST", "/v1/chat/completions", &chat("m", true)).await;
    assert_eq!(
        (first.status, first.header("retry-after"), first.header("x-extra")),
        (429, Some("7"), Some("1"))
    );
    assert_eq!(first.json()["error"]["message"], "slow down");
    let second = sim.call("POST", "/v1/chat/completions", &chat("m", false)).await;
    assert_eq!((second.status, second.header("content-type")), (503, Some("text/html")));
    assert_eq!(second.body, b"<html>");
    assert_eq!(sim.call("POST", "/v1/chat/completions", &chat("m", false)).await.status, 200);
}

#[tokio::test]
async fn a_cut_breaks_the_connection_after_its_chunks() {
    let sim = Sim::start().await;
    sim.script("m", r#"{"chunks":10,"cut_after":3}"#).await;
    let stream = sim.call("POST", "/v1/chat/completions", &chat("m", true)).await;
    assert!(!stream.complete, "a cut stream must not end properly");
    assert_eq!(stream.events().len(), 4, "role and three chunks");
    let plain = sim.call("POST", "/v1/chat/completions", &chat("m", false)).await;
    assert!(!plain.complete && !plain.body.is_empty());
}

#[tokio::test]
async fn an_error_event_comes_before_any_content_and_ends_the_stream() {
    let sim = Sim::start().await;
    sim.script("m", r#"{"error_event_after":0,"error_code":"overloaded"}"#).await;
    let reply = sim.call("POST", "/v1/chat/completions", &chat("m", true)).await;
    assert_eq!((reply.status, reply.complete), (200, true));
    let events = reply.events();
    assert_eq!(events.len(), 1);
    assert_eq!(serde_json::from_str::<Value>(&events[0]).unwrap()["error"]["code"], "overloaded");
}

#[tokio::test]
async fn crlf_and_small_writes_change_the_bytes_but_not_the_events() {
    let sim = Sim::start().await;
    let plain = sim.call("POST", "/v1/chat/completions", &chat("m", true)).await;
    sim.script("m", r#"{"crlf":true,"split_bytes":7}"#).await;
    let split = sim.call("POST", "/v1/chat/completions", &chat("m", true)).await;
    assert_eq!(plain.events(), split.events());
    assert!(split.body.ends_with(b"[DONE]\r\n\r\n"));
    assert!(split.largest_piece <= 7, "{}", split.largest_piece);
}

#[tokio::test]
async fn hanging_requests_end_when_the_client_hangs_up_and_are_counted() {
    let sim = Sim::start().await;
    sim.script("m", r#"[{"hang":"before_headers"},{"hang":"after_headers"},{"hang":{"after_chunks":1}}]"#)
        .await;
    for n in 1..=3 {
        let mut connection = sim.connect().await;
        connection.send("POST", "/v1/chat/completions", &chat("m", true)).await;
        if n == 3 {
            connection.read_until("\"content\":\"echo: \"").await;
        } else {
            sim.wait(&format!("received={n}")).await;
        }
        drop(connection);
        sim.wait(&format!("cancelled={n}")).await;
    }
    let log = sim.get("/_sim/requests").await.json();
    assert_eq!((&log["served"], &log["requests"][2]["outcome"]), (&json!(0), &json!("cancelled")));
}

#[tokio::test]
async fn comments_keep_a_silent_stream_alive() {
    let sim = Sim::start().await;
    sim.script("m", r#"{"hang":"after_headers","keepalive_comments":1}"#).await;
    let mut connection = sim.connect().await;
    connection.send("POST", "/v1/chat/completions", &chat("m", true)).await;
    let seen = connection.read_until(": keep-alive\n\n\r\n").await;
    assert!(!seen.contains("data:"));
    connection.read_until(": keep-alive\n\n\r\n").await;
}

#[tokio::test]
async fn requests_are_remembered_without_their_credentials() {
    let sim = Sim::start().await;
    let mut connection = sim.connect().await;
    connection.extra_header("authorization: Bearer sk-canary");
    let body = chat("m", false);
    connection.call("POST", "/v1/chat/completions", &body).await;
    let log = sim.get("/_sim/requests").await;
    assert!(!String::from_utf8_lossy(&log.body).contains("sk-canary"));
    let entry = log.json()["requests"][0].clone();
    assert_eq!((&entry["authorized"], &entry["outcome"]), (&json!(true), &json!("served")));
    assert_eq!(entry["headers"]["host"], "sim");
    assert_eq!(entry["key_sha256"].as_str().map(str::len), Some(64));
    assert_eq!(sim.get("/_sim/requests/1/body").await.body, body.to_string().as_bytes());
    assert_eq!(sim.call("DELETE", "/_sim/requests", &json!(null)).await.status, 204);
    assert_eq!(sim.get("/_sim/requests/1/body").await.status, 404);
}

#[tokio::test]
async fn a_required_key_and_a_script_for_one_key() {
    let sim = Sim::start().await;
    sim.script("m", r#"{"require_key":"right"}"#).await;
    assert_eq!(sim.call("POST", "/v1/chat/completions", &chat("m", false)).await.status, 401);
    sim.script("m?key=throttled", r#"{"status":429}"#).await;
    for (key, status) in [("right", 200), ("wrong", 401), ("throttled", 429)] {
        let mut connection = sim.connect().await;
        connection.extra_header(&format!("authorization: Bearer {key}"));
        let reply = connection.call("POST", "/v1/chat/completions", &chat("m", false)).await;
        assert_eq!(reply.status, status, "{key}");
    }
    // What came with one key can be told apart, and when, and how long it took.
    let log = sim.get("/_sim/requests?model=m&key=wrong").await.json();
    let of_one_key = log["requests"].as_array().unwrap();
    assert_eq!((of_one_key.len(), &of_one_key[0]["n"], &log["received"]), (1, &json!(3), &json!(4)));
    assert!(of_one_key[0]["at_ms"].is_u64() && of_one_key[0]["took_ms"].is_u64(), "{log}");
}

#[tokio::test]
async fn bad_scripts_and_bad_requests_are_refused_with_a_reason() {
    let sim = Sim::start().await;
    let refused = sim.call("PUT", "/_sim/script/m", &json!({"nonsense": 1})).await;
    assert_eq!(refused.status, 400);
    assert!(refused.json()["error"]["message"].as_str().unwrap().contains("nonsense"));
    let reply = sim.call("POST", "/v1/chat/completions", &json!({"messages": []})).await;
    assert_eq!(reply.status, 400);
    assert!(reply.json()["error"]["message"].as_str().unwrap().contains("model"));
    assert_eq!(sim.get("/nothing").await.status, 404);
    assert_eq!(sim.get("/_sim/requests/wait?received=2&timeout_ms=1").await.status, 408);
    assert_eq!(sim.get("/v1/models").await.json()["data"][0]["id"], "echo-large");
}

#[tokio::test]
async fn shutdown_ends_scripted_waits_and_the_server() {
    let sim = Sim::start().await;
    sim.script("slow", r#"{"chunk_delay_ms":600000}"#).await;
    sim.script("hung", r#"{"hang":"after_headers"}"#).await;
    let mut slow = sim.connect().await;
    slow.send("POST", "/v1/chat/completions", &chat("slow", true)).await;
    let mut hung = sim.connect().await;
    hung.send("POST", "/v1/chat/completions", &chat("hung", true)).await;
    sim.wait("received=2").await;
    sim.stop().await;
    assert!(slow.reply().await.complete, "delays are skipped");
    assert!(!hung.reply().await.complete, "hangs are cut");
}
