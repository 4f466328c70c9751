//! Odd behaviours that scripts ask for.

use serde_json::{Value, json};

use super::{chunks, post};
use crate::client::{Reply, Sim};

async fn stream(script: &str) -> Reply {
    let sim = Sim::start().await;
    sim.script("m", script).await;
    let body = json!({"model": "m", "stream": true, "stream_options": {"include_usage": true},
        "messages": [{"role": "user", "content": "one two"}]});
    post(&sim, "/v1/chat/completions", &[], &body).await
}

fn text(reply: &Reply) -> String {
    String::from_utf8_lossy(&reply.body).into_owned()
}

#[tokio::test]
async fn lines_end_and_begin_strangely() {
    let odd = stream(r#"{"line_end":"cr","tight":true,"bom":true}"#).await;
    assert!(odd.body.starts_with(b"\xef\xbb\xbfdata:{"), "{}", text(&odd));
    assert!(odd.body.ends_with(b"data:[DONE]\r\r") && !odd.body.contains(&b'\n'));
    let spread = text(&stream(r#"{"multi_line_data":true}"#).await);
    assert!(spread.contains("data: {\ndata:   \"id\""), "{spread}");
}

#[tokio::test]
async fn usage_turns_up_in_odd_places() {
    let inside = chunks(&stream(r#"{"usage":"in_choice"}"#).await);
    assert_eq!(inside.last().unwrap()["choices"][0]["usage"]["total_tokens"], 6);
    let every = chunks(&stream(r#"{"usage":"every_chunk"}"#).await);
    let told: Vec<&Value> = every.iter().map(|chunk| &chunk["usage"]["completion_tokens"]).collect();
    assert!(told.iter().all(|n| n.is_u64()) && told[0] == 0 && told[told.len() - 1] == 4, "{told:?}");
}

#[tokio::test]
async fn streams_end_too_early_in_several_ways() {
    assert!(!text(&stream(r#"{"no_terminal":true}"#).await).contains("[DONE]"));
    let ended = stream(r#"{"end_after":1}"#).await;
    assert!(ended.complete && !text(&ended).contains("finish_reason\":\"stop"));
    let torn = stream(r#"{"cut_inside":1}"#).await;
    assert!(!torn.complete && !torn.body.ends_with(b"\n\n"));
}

#[tokio::test]
async fn padding_pings_packets_and_large_events() {
    assert_eq!(chunks(&stream(r#"{"obfuscation":true}"#).await)[0]["obfuscation"], "aGk3Zx9");
    assert_eq!(text(&stream(r#"{"pings":1}"#).await).matches(": keep-alive").count(), 3);
    let packed = stream(r#"{"packet_events":100}"#).await;
    assert_eq!(packed.largest_piece, packed.body.len());
    let huge = chunks(&stream(r#"{"huge_event":300000}"#).await);
    assert!(
        huge.iter().any(|chunk| chunk["choices"][0]["delta"]["content"]
            .as_str()
            .is_some_and(|t| t.len() == 300_000))
    );
}

#[tokio::test]
async fn bytes_that_are_not_text_and_compression_that_nobody_asked_for() {
    let broken = stream(r#"{"invalid_utf8":true}"#).await;
    assert!(String::from_utf8(broken.body).is_err());
    let packed = stream(r#"{"gzip":true}"#).await;
    assert_eq!((packed.header("content-encoding"), &packed.body[..2]), (Some("gzip"), &[0x1f, 0x8b][..]));
}

#[tokio::test]
async fn plain_answers_are_odd_too() {
    let sim = Sim::start().await;
    sim.script("m", r#"[{"blank_lines":3},{"raw_body":"{\"base_resp\":{\"status_code\":1004}}"},{"finish_reason":"sensitive","text":"said"}]"#).await;
    let body = json!({"model": "m", "messages": [{"role": "user", "content": "hi"}]});
    let call = async || post(&sim, "/v1/chat/completions", &[], &body).await;
    let late = call().await;
    assert!(late.body.starts_with(b"\n\n\n{") && late.complete);
    let failed = call().await;
    assert_eq!((failed.status, &failed.json()["base_resp"]["status_code"]), (200, &json!(1004)));
    let choice = call().await.json()["choices"][0].clone();
    assert_eq!(
        (&choice["finish_reason"], &choice["message"]["content"]),
        (&json!("sensitive"), &json!("said"))
    );
}
