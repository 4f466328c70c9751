//! Bedrock's converse, its binary frames and invoke.

use serde_json::{Value, json};

use super::{IMAGE, SEEN, post};
use crate::client::{Reply, Sim};

const KEY: [&str; 1] = ["authorization: Bearer k"];

fn user(text: &str) -> Value {
    json!({"messages": [{"role": "user", "content": [{"text": text}]}]})
}

fn with_tool(text: &str) -> Value {
    let mut body = user(text);
    body["toolConfig"] =
        json!({"tools": [{"toolSpec": {"name": "weather", "inputSchema": {"json": {"type": "object"}}}}]});
    body
}

fn thinking(mut body: Value) -> Value {
    body["additionalModelRequestFields"] = json!({"thinking": {"type": "enabled", "budget_tokens": 1024}});
    body
}

async fn send(operation: &str, body: &Value) -> Reply {
    let sim = Sim::start().await;
    post(&sim, &format!("/model/claude.v1%3A0/{operation}"), &KEY, body).await
}

async fn answer(body: &Value) -> Value {
    send("converse", body).await.json()
}

async fn refused(body: &Value) -> String {
    let reply = send("converse", body).await;
    assert_eq!((reply.status, reply.header("x-amzn-errortype")), (400, Some("ValidationException")));
    reply.json()["message"].as_str().unwrap().to_owned()
}

fn number(bytes: &[u8]) -> usize {
    usize::try_from(u32::from_be_bytes(bytes.try_into().unwrap())).unwrap()
}

/// The frames of a stream: event or exception name, and payload. Checksums are checked by the frames' own tests.
fn frames(body: &[u8]) -> Vec<(String, Value)> {
    let mut rest = body;
    let mut out = Vec::new();
    while !rest.is_empty() {
        let (frame, after) = rest.split_at(number(&rest[..4]));
        let head = number(&frame[4..8]);
        let first = &frame[12..12 + head];
        let name_length = usize::from(first[0]);
        let value = &first[1 + name_length + 3..];
        let length = usize::from(u16::from_be_bytes([first[2 + name_length], first[3 + name_length]]));
        let name = String::from_utf8(value[..length].to_vec()).unwrap();
        out.push((name, serde_json::from_slice(&frame[12 + head..frame.len() - 4]).unwrap()));
        rest = after;
    }
    out
}

fn joined(frames: &[(String, Value)], pointer: &str) -> String {
    frames.iter().filter_map(|(_, event)| event.pointer(pointer)?.as_str()).collect()
}

#[tokio::test]
async fn a_plain_answer_and_its_count() {
    let plain = answer(&user("hello")).await;
    assert_eq!(plain["output"]["message"]["content"], json!([{"text": "echo: hello"}]));
    assert_eq!(
        (&plain["stopReason"], &plain["usage"]),
        (&json!("end_turn"), &json!({"inputTokens": 2, "outputTokens": 3, "totalTokens": 5}))
    );
    let counted = send("count-tokens", &json!({"input": {"converse": user("hello")}})).await;
    assert_eq!(counted.json(), json!({"inputTokens": 2}));
}

#[tokio::test]
async fn a_stream_is_frames_with_usage_last() {
    let reply = send("converse-stream", &thinking(with_tool("say: wait\ncall:weather {\"a\":1}"))).await;
    assert_eq!(reply.header("content-type"), Some("application/vnd.amazon.eventstream"));
    let frames = frames(&reply.body);
    assert_eq!(frames[0], ("messageStart".into(), json!({"role": "assistant"})));
    let names: Vec<&str> = frames.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names[names.len() - 2..], ["messageStop", "metadata"]);
    assert_eq!(joined(&frames, "/delta/text"), "wait");
    assert_eq!(joined(&frames, "/delta/toolUse/input"), r#"{"a":1}"#);
    assert!(joined(&frames, "/delta/reasoningContent/text").starts_with("I think about"));
    assert!(!joined(&frames, "/delta/reasoningContent/signature").is_empty());
    assert_eq!(joined(&frames, "/stopReason"), "tool_use");
    assert!(frames.last().unwrap().1["usage"]["outputTokens"].as_u64() > Some(0));
}

#[tokio::test]
async fn an_error_inside_a_stream_is_an_exception_frame() {
    let sim = Sim::start().await;
    sim.script("m", r#"{"error_event_after":1,"status":429,"obfuscation":true,"error_message":"slow"}"#)
        .await;
    let reply = post(&sim, "/model/m/converse-stream", &KEY, &user("one two")).await;
    assert_eq!(reply.status, 429, "an error status is an error response");
    sim.script("m", r#"{"error_event_after":1,"obfuscation":true,"error_message":"slow"}"#).await;
    let reply = post(&sim, "/model/m/converse-stream", &KEY, &user("one two")).await;
    let frames = frames(&reply.body);
    assert_eq!(frames.last().unwrap(), &("internalServerException".into(), json!({"message": "slow"})));
    assert_eq!(frames[0].1["p"], "abcdefghij");
}

#[tokio::test]
async fn reasoning_comes_back_unaltered_and_results_follow_their_calls() {
    let body = thinking(with_tool("call:weather {}"));
    let first = answer(&body).await["output"]["message"].clone();
    let id = first["content"][1]["toolUse"]["toolUseId"].clone();
    let turn = |call: &Value, id: &Value| {
        let mut body = body.clone();
        let result = json!({"toolResult": {"toolUseId": id, "content": [{"json": {"sun": true}}]}});
        let messages = body["messages"].as_array_mut().unwrap();
        messages.extend([call.clone(), json!({"role": "user", "content": [result]})]);
        body
    };
    let back = answer(&turn(&first, &id)).await;
    assert_eq!(back["output"]["message"]["content"][1]["text"], r#"results: {"sun":true}"#);
    let mut altered = first.clone();
    altered["content"][0]["reasoningContent"]["reasoningText"]["text"] = "else".into();
    assert!(refused(&turn(&altered, &id)).await.contains("Invalid `signature`"));
    altered["content"].as_array_mut().unwrap().remove(0);
    assert!(refused(&turn(&altered, &id)).await.contains("Expected `thinking`"));
    assert!(refused(&turn(&first, &json!("other"))).await.contains("Expected toolResult blocks"));
    let mut bare = turn(&first, &id);
    bare.as_object_mut().unwrap().remove("toolConfig");
    assert!(refused(&bare).await.contains("toolConfig field must be defined"));
}

#[tokio::test]
async fn what_does_not_fit_is_refused() {
    let text = |role: &str| json!({"role": role, "content": [{"text": "x"}]});
    let document = json!({"document": {"format": "pdf", "name": "a_b.pdf", "source": {"bytes": IMAGE}}});
    let mut hot = user("hi");
    hot["inferenceConfig"] = json!({"temperature": 1.5});
    for (body, want) in [
        (json!({"messages": []}), "must start with a user message"),
        (json!({"messages": [text("assistant")]}), "must start with a user message"),
        (json!({"messages": [text("user"), text("user")]}), "must alternate"),
        (json!({"messages": [{"role": "user", "content": []}]}), "is empty"),
        (user(" "), "must not be blank"),
        (hot, "inferenceConfig.temperature"),
        (json!({"messages": [text("user")], "max_tokens": 1}), "extraneous key [max_tokens]"),
        (json!({"messages": [{"role": "user", "content": [{"text": "a"}, document]}]}), "document file name"),
        (
            json!({"messages": [{"role": "user", "content": [{"text": "a", "cachePoint": {"type": "default"}}]}]}),
            "exactly one field",
        ),
    ] {
        let why = refused(&body).await;
        assert!(why.contains(want), "{why}");
    }
    let sim = Sim::start().await;
    let bare = post(&sim, "/model/m/converse", &[], &user("hi")).await;
    assert_eq!((bare.status, bare.header("x-amzn-errortype")), (403, Some("InvalidSignatureException")));
}

#[tokio::test]
async fn images_structure_stops_caches_and_errors() {
    let mut body = user("what?");
    let image = json!({"image": {"format": "png", "source": {"bytes": IMAGE}}});
    body["messages"][0]["content"].as_array_mut().unwrap().push(image);
    assert_eq!(
        answer(&body).await["output"]["message"]["content"][0]["text"],
        format!("echo: what?\nsaw 1 image(s) {SEEN}")
    );
    let mut body = user("one two");
    body["inferenceConfig"] = json!({"stopSequences": ["two"]});
    body["additionalModelResponseFieldPaths"] = json!(["/stop_sequence"]);
    let stopped = answer(&body).await;
    assert_eq!(
        (&stopped["stopReason"], &stopped["additionalModelResponseFields"]["stop_sequence"]),
        (&json!("stop_sequence"), &json!("two"))
    );
    let mut body = user("hi");
    let schema =
        json!({"schema": "{\"type\":\"object\",\"properties\":{\"n\":{\"type\":\"integer\"}}}", "name": "s"});
    body["outputConfig"] =
        json!({"textFormat": {"type": "json_schema", "structure": {"jsonSchema": schema}}});
    assert_eq!(answer(&body).await["output"]["message"]["content"][0]["text"], r#"{"n":0}"#);
    let sim = Sim::start().await;
    let mut body = user("hi");
    body["system"] = json!([{"text": "a long prompt .."}, {"cachePoint": {"type": "default", "ttl": "1h"}}]);
    let first = post(&sim, "/model/m/converse", &KEY, &body).await.json()["usage"].clone();
    assert_eq!(
        (&first["cacheDetails"][0], &first["inputTokens"], &first["totalTokens"]),
        (&json!({"ttl": "1h", "inputTokens": 4}), &json!(1), &json!(7))
    );
    let second = post(&sim, "/model/m/converse", &KEY, &body).await.json()["usage"].clone();
    assert_eq!(second["cacheReadInputTokens"], 4);
    let busy = send("converse", &user("error:503")).await;
    assert_eq!((busy.status, busy.header("x-amzn-errortype")), (503, Some("ServiceUnavailableException")));
}

#[tokio::test]
async fn invoke_embeds() {
    let sim = Sim::start().await;
    let titan = json!({"inputText": "abcdefgh", "dimensions": 16});
    let titan = post(&sim, "/model/amazon.titan-embed-text-v2%3A0/invoke", &KEY, &titan).await.json();
    assert_eq!(
        (titan["embedding"].as_array().unwrap().len(), &titan["inputTextTokenCount"]),
        (16, &json!(2))
    );
    let cohere = json!({"texts": ["a", "b"], "input_type": "search_query"});
    let cohere = post(&sim, "/model/cohere.embed-v4%3A0/invoke", &KEY, &cohere).await;
    assert_eq!(cohere.header("x-amzn-bedrock-input-token-count"), Some("2"));
    assert_eq!(cohere.json()["embeddings"].as_array().unwrap().len(), 2);
    let claude = json!({"anthropic_version": "bedrock-2023-05-31", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]});
    let claude = post(&sim, "/model/anthropic.claude/invoke", &KEY, &claude).await.json();
    assert_eq!(claude["content"][0]["text"], "echo: hi");
}

#[tokio::test]
async fn a_script_may_want_a_signature() {
    let sim = Sim::start().await;
    sim.script("m", r#"{"require_sigv4":{"access_key_id":"AKID","secret_access_key":"secret"}}"#).await;
    let wrong = "authorization: AWS4-HMAC-SHA256 Credential=AKID/20261122/us-east-1/bedrock/aws4_request, SignedHeaders=host;x-amz-date, Signature=00";
    let headers = [wrong, "x-amz-date: 20261122T170000Z"];
    let reply = post(&sim, "/model/m/converse", &headers, &user("hi")).await;
    assert_eq!(reply.status, 403);
    assert!(reply.json()["message"].as_str().unwrap().contains("does not match"));
    let log = sim.get("/_sim/requests").await.json()["requests"][0].clone();
    assert_eq!((&log["signed"], &log["headers"]["authorization"]), (&json!(true), &Value::Null));
}

#[tokio::test]
async fn claude_takes_its_own_output_config_beside_the_common_fields() {
    let mut body = user("hello");
    let schema = json!({"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]});
    body["additionalModelRequestFields"] =
        json!({"output_config": {"effort": "low", "format": {"type": "json_schema", "schema": schema}}});
    let reply = answer(&body).await;
    assert_eq!(reply["output"]["message"]["content"][0]["text"], r#"{"n":0}"#);
    body["additionalModelRequestFields"]["output_config"]["effort"] = "frantic".into();
    assert!(refused(&body).await.contains("output_config.effort"));
}
