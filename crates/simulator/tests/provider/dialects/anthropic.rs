//! Anthropic's messages, also behind Google's paths.

use serde_json::{Value, json};

use super::{IMAGE, SEEN, chunks, joined, post};
use crate::client::{Reply, Sim};

const MESSAGES: &str = "/v1/messages";
const OLD: [&str; 2] = ["x-api-key: k", "anthropic-version: 2023-06-01"];
const NEW: [&str; 2] = ["authorization: Bearer k", "anthropic-version: 2026-10-21"];

fn user(content: &Value) -> Value {
    json!({"model": "m", "max_tokens": 2000, "messages": [{"role": "user", "content": content}]})
}

fn tool() -> Value {
    json!({"name": "weather", "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}}})
}

async fn send(body: &Value) -> Reply {
    let sim = Sim::start().await;
    post(&sim, MESSAGES, &OLD, body).await
}

async fn refused(body: &Value) -> String {
    let reply = send(body).await;
    assert_eq!((reply.status, &reply.json()["type"]), (400, &json!("error")));
    reply.json()["error"]["message"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_plain_message_and_its_count() {
    let body = user(&json!("hello"));
    let answer = send(&body).await.json();
    assert_eq!(answer["content"], json!([{"type": "text", "text": "echo: hello"}]));
    assert_eq!((&answer["stop_reason"], &answer["usage"]["output_tokens"]), (&json!("end_turn"), &json!(3)));
    let sim = Sim::start().await;
    let count = json!({"model": "m", "messages": body["messages"]});
    let counted = post(&sim, "/v1/messages/count_tokens", &NEW, &count).await.json();
    assert_eq!(counted["input_tokens"], answer["usage"]["input_tokens"]);
}

#[tokio::test]
async fn a_stream_has_one_block_at_a_time() {
    let mut body = user(&json!("call:weather {\"city\":\"Rome\"}\ncall:weather\nsay: wait"));
    (body["tools"], body["stream"]) = (json!([tool()]), true.into());
    body["thinking"] = json!({"type": "enabled", "budget_tokens": 1024});
    let reply = send(&body).await;
    let events = chunks(&reply);
    let names: Vec<&str> = events.iter().filter_map(|event| event["type"].as_str()).collect();
    assert_eq!((names[0], names[names.len() - 1]), ("message_start", "message_stop"));
    let mut open = None;
    for event in &events {
        match event["type"].as_str() {
            Some("content_block_start") => assert_eq!(open.replace(event["index"].clone()), None),
            Some("content_block_delta") => assert_eq!(open.as_ref(), Some(&event["index"])),
            Some("content_block_stop") => assert_eq!(open.take().as_ref(), Some(&event["index"])),
            _ => {}
        }
    }
    assert_eq!(joined(&events, "/delta/text"), "wait");
    assert_eq!(joined(&events, "/delta/partial_json"), r#"{"city":"Rome"}"#);
    assert!(!joined(&events, "/delta/signature").is_empty());
    assert_eq!(joined(&events, "/delta/stop_reason"), "tool_use");
    let text = String::from_utf8(reply.body).unwrap();
    assert!(text.starts_with("event: message_start\ndata: "), "{text}");
}

#[tokio::test]
async fn reasoning_must_come_back_unaltered_while_tools_run() {
    let sim = Sim::start().await;
    let mut body = user(&json!("call:weather {}"));
    body["tools"] = json!([tool()]);
    body["thinking"] = json!({"type": "enabled", "budget_tokens": 1024});
    let first = post(&sim, MESSAGES, &OLD, &body).await.json();
    let id = first["content"][1]["id"].clone();
    let result =
        json!({"role": "user", "content": [{"type": "tool_result", "tool_use_id": id, "content": "sun"}]});
    let turn = |content: &Value| {
        let mut body = body.clone();
        let messages = body["messages"].as_array_mut().unwrap();
        messages.extend([json!({"role": "assistant", "content": content}), result.clone()]);
        body
    };
    let back = post(&sim, MESSAGES, &OLD, &turn(&first["content"])).await.json();
    assert_eq!(back["content"][1]["text"], "results: sun");
    let mut altered = first["content"].clone();
    altered[0]["thinking"] = "else".into();
    assert!(refused(&turn(&altered)).await.contains("Invalid `signature` in `thinking` block"));
    altered.as_array_mut().unwrap().remove(0);
    assert!(refused(&turn(&altered)).await.contains("Expected `thinking`"));
    let mut other = turn(&first["content"]);
    other["model"] = "another".into();
    assert!(refused(&other).await.contains("Invalid `signature`"));
}

#[tokio::test]
async fn calls_and_results_belong_together() {
    let calls = json!({"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "weather", "input": {}}]});
    let result = |id: &str| json!({"type": "tool_result", "tool_use_id": id, "content": "x"});
    let with = |next: Value| {
        let mut body = user(&json!("hi"));
        let next = json!({"role": "user", "content": next});
        body["messages"].as_array_mut().unwrap().extend([calls.clone(), next]);
        body
    };
    assert_eq!(send(&with(json!([result("a")]))).await.status, 200);
    assert!(
        refused(&with(json!("next"))).await.contains("without `tool_result` blocks immediately after: a")
    );
    assert!(refused(&with(json!([result("a"), result("b")]))).await.contains("unexpected `tool_use_id`"));
    let late = with(json!([{"type": "text", "text": "and"}, result("a")]));
    assert!(refused(&late).await.contains("must come before"));
}

#[tokio::test]
async fn what_does_not_fit_is_refused_by_its_place() {
    for (field, value, want) in [
        ("max_tokens", Value::Null, "max_tokens: Input should be a valid number"),
        ("n", json!(1), "n: Extra inputs are not permitted"),
        ("temperature", json!(1.5), "temperature: must be between 0 and 1"),
        ("tool_choice", json!({"type": "any"}), "while providing tools"),
        ("messages", json!([]), "at least one message"),
        ("messages", json!([{"role": "assistant", "content": "x"}]), "first message"),
        ("messages", json!([{"role": "user", "content": " "}]), "messages.0.content: text must not be blank"),
    ] {
        let mut body = user(&json!("hi"));
        body[field] = value;
        let why = refused(&body).await;
        assert!(why.contains(want), "{why}");
    }
    let sim = Sim::start().await;
    let body = user(&json!("hi"));
    assert_eq!(post(&sim, MESSAGES, &OLD[1..], &body).await.status, 401);
    assert_eq!(post(&sim, MESSAGES, &["x-goog-api-key: k", OLD[1]], &body).await.status, 401);
    assert_eq!(post(&sim, MESSAGES, &OLD[..1], &body).await.status, 400);
    let mut sampled = body.clone();
    sampled["temperature"] = 1.into();
    assert_eq!(post(&sim, MESSAGES, &OLD, &sampled).await.status, 200);
    assert_eq!(post(&sim, MESSAGES, &NEW, &sampled).await.status, 400);
}

#[tokio::test]
async fn images_structure_stops_refusals_and_errors() {
    let image =
        json!({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": IMAGE}});
    let answer = send(&user(&json!([image, {"type": "text", "text": "what?"}]))).await.json();
    assert_eq!(answer["content"][0]["text"], format!("echo: what?\nsaw 1 image(s) {SEEN}"));
    let mut body = user(&json!("one two"));
    body["stop_sequences"] = json!(["two"]);
    let stopped = send(&body).await.json();
    assert_eq!(
        (&stopped["stop_reason"], &stopped["stop_sequence"]),
        (&json!("stop_sequence"), &json!("two"))
    );
    let mut body = user(&json!("hi"));
    body["output_config"] =
        json!({"format": {"type": "json_schema", "schema": {"type": "object", "properties": {}}}});
    assert_eq!(send(&body).await.json()["content"][0]["text"], "{}");
    let refused = send(&user(&json!("refuse: no"))).await.json();
    assert_eq!(
        (&refused["stop_reason"], &refused["stop_details"]["type"]),
        (&json!("refusal"), &json!("refusal"))
    );
    let busy = send(&user(&json!("error:529"))).await;
    assert_eq!((busy.status, &busy.json()["error"]["type"]), (529, &json!("overloaded_error")));
    assert!(busy.header("request-id").is_some());
}

#[tokio::test]
async fn marked_prefixes_are_written_once_and_then_read() {
    let sim = Sim::start().await;
    let mut body = user(&json!("hi"));
    body["system"] = json!([{"type": "text", "text": "a long prompt ..", "cache_control": {"type": "ephemeral", "ttl": "1h"}}]);
    let first = post(&sim, MESSAGES, &OLD, &body).await.json()["usage"].clone();
    assert_eq!(
        (&first["cache_creation"]["ephemeral_1h_input_tokens"], &first["input_tokens"]),
        (&json!(4), &json!(1))
    );
    let second = post(&sim, MESSAGES, &OLD, &body).await.json()["usage"].clone();
    assert_eq!(
        (&second["cache_read_input_tokens"], &second["cache_creation_input_tokens"]),
        (&json!(4), &json!(0))
    );
}

#[tokio::test]
async fn edits_of_the_context_need_their_beta() {
    let sim = Sim::start().await;
    let mut body = user(&json!("hi"));
    body["context_management"] = json!({"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]});
    assert!(refused(&body).await.contains("context_management: Extra inputs are not permitted"));
    let beta = "anthropic-beta: interleaved-thinking-2025-05-14, context-management-2025-06-27";
    assert_eq!(post(&sim, MESSAGES, &[OLD[0], OLD[1], beta], &body).await.status, 200);
    body["context_management"]["edits"][0]["type"] = "forget".into();
    let unknown = post(&sim, MESSAGES, &[OLD[0], OLD[1], beta], &body).await;
    assert!(unknown.json()["error"]["message"].as_str().unwrap().contains("context_management.edits.0.type"));
}

#[tokio::test]
async fn system_messages_among_the_others_are_for_newer_models() {
    for (model, taken) in [
        ("claude-haiku-4-5", false),
        ("claude-opus-4-7", false),
        ("claude-sonnet-4-5-20250929", false),
        ("claude-sonnet-4@20250514", false),
        ("claude-3-5-sonnet-20241022", false),
        ("claude-opus-4-8", true),
        ("claude-sonnet-5", true),
        ("claude-of-tomorrow", true),
        ("m", true),
    ] {
        let body = json!({"model": model, "max_tokens": 9, "messages": [
            {"role": "user", "content": "hi"}, {"role": "system", "content": "be brief"}]});
        let reply = send(&body).await;
        assert_eq!(reply.status == 200, taken, "{model}");
        if !taken {
            let why = reply.json()["error"]["message"].as_str().unwrap().to_owned();
            assert!(why.starts_with("messages.1.role: role 'system'"), "{why}");
        }
    }
}

#[tokio::test]
async fn google_serves_it_under_its_own_paths() {
    let sim = Sim::start().await;
    let path = "/v1/projects/p/locations/eu/publishers/anthropic/models/claude@1:streamRawPredict";
    let mut body = user(&json!("hi"));
    body["anthropic_version"] = "vertex-2023-10-16".into();
    assert_eq!(
        post(&sim, path, &["authorization: Bearer t"], &body).await.status,
        400,
        "a model in the body"
    );
    body.as_object_mut().unwrap().remove("model");
    let reply = post(&sim, path, &["authorization: Bearer t"], &body).await;
    assert_eq!(chunks(&reply)[0]["message"]["model"], "claude@1");
    assert_eq!(post(&sim, path, &["x-api-key: k"], &body).await.status, 401);
}
