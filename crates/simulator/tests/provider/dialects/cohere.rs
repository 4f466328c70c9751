//! Cohere's chat and what search needs.

use serde_json::{Value, json};

use super::{IMAGE, SEEN, chunks, joined, post};
use crate::client::{Reply, Sim};

const KEY: [&str; 1] = ["authorization: Bearer k"];

fn user(text: &str) -> Value {
    json!({"model": "m", "messages": [{"role": "user", "content": text}]})
}

fn with_tool(text: &str) -> Value {
    let mut body = user(text);
    body["tools"] =
        json!([{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}]);
    body
}

async fn send(path: &str, body: &Value) -> Reply {
    let sim = Sim::start().await;
    post(&sim, path, &KEY, body).await
}

async fn answer(body: &Value) -> Value {
    send("/v2/chat", body).await.json()
}

#[tokio::test]
async fn a_plain_answer() {
    let plain = answer(&user("hello")).await;
    assert_eq!(plain["message"]["content"], json!([{"type": "text", "text": "echo: hello"}]));
    assert_eq!(plain["finish_reason"], "COMPLETE");
    assert_eq!(plain["usage"]["tokens"], json!({"input_tokens": 2, "output_tokens": 3}));
}

#[tokio::test]
async fn a_stream_tells_plan_calls_and_text_apart() {
    let mut body = with_tool("say: wait\ncall:weather {\"a\":1}\ncall:weather {}");
    body["stream"] = true.into();
    let reply = send("/v2/chat", &body).await;
    assert!(reply.body.starts_with(b"event: message-start\n") && reply.body.ends_with(b"data: [DONE]\n\n"));
    let events = chunks(&reply);
    assert_eq!(joined(&events, "/delta/message/tool_plan"), "wait");
    let deltas =
        |index: u64| -> Vec<Value> { events.iter().filter(|e| e["index"] == index).cloned().collect() };
    assert_eq!(joined(&deltas(0), "/delta/message/tool_calls/function/arguments"), r#"{"a":1}"#);
    assert_eq!(joined(&deltas(1), "/delta/message/tool_calls/function/arguments"), "{}");
    let last = events.last().unwrap();
    assert_eq!(
        (&last["type"], &last["delta"]["finish_reason"]),
        (&json!("message-end"), &json!("TOOL_CALL"))
    );
    let mut body = user("one two");
    (body["stream"], body["thinking"]) = (true.into(), json!({"type": "enabled"}));
    let events = chunks(&send("/v2/chat", &body).await);
    assert_eq!(joined(&events, "/delta/message/content/text"), "echo: one two");
    assert_eq!(joined(&events, "/delta/message/content/thinking"), "I think about: one two");
}

#[tokio::test]
async fn results_follow_their_calls() {
    let body = with_tool("call:weather {}");
    let call = answer(&body).await["message"].clone();
    let id = call["tool_calls"][0]["id"].clone();
    let mut back = body.clone();
    let messages = back["messages"].as_array_mut().unwrap();
    messages.push(call);
    messages.push(json!({"role": "tool", "tool_call_id": id, "content": [{"type": "document", "document": {"data": {"sun": 1}}}]}));
    assert_eq!(answer(&back).await["message"]["content"][0]["text"], r#"results: {"sun":1}"#);
    back["messages"][2]["tool_call_id"] = "other".into();
    assert!(answer(&back).await["message"].as_str().unwrap().contains("tool call id not found"));
}

#[tokio::test]
async fn what_does_not_fit_is_refused() {
    let with = |field: &str, value: Value| {
        let mut body = user("hi");
        body[field] = value;
        body
    };
    let mut ends = user("hi");
    ends["messages"].as_array_mut().unwrap().push(json!({"role": "assistant", "content": "x"}));
    let mut both = with_tool("hi");
    both["response_format"] = json!({"type": "json_object"});
    for (body, status, want) in [
        (with("top_k", json!(3)), 400, "parameter 'top_k' is not a valid field"),
        (with("max_tokens", json!("3")), 422, "invalid type"),
        (with("frequency_penalty", json!(1.5)), 400, "between 0 and 1"),
        (with("tool_choice", json!("NONE")), 400, "only be specified with tools"),
        (ends, 400, "the last message"),
        (both, 400, "not supported with tools"),
    ] {
        let reply = send("/v2/chat", &body).await;
        let why = reply.json()["message"].as_str().unwrap().to_owned();
        assert!(reply.status == status && why.contains(want), "{} {why}", reply.status);
    }
    let sim = Sim::start().await;
    assert_eq!(post(&sim, "/v2/chat", &["x-api-key: k"], &user("hi")).await.status, 401);
}

#[tokio::test]
async fn images_structure_limits_and_log_probabilities() {
    let mut body = user("");
    body["messages"][0]["content"] = json!([{"type": "text", "text": "what?"},
        {"type": "image_url", "image_url": {"url": format!("data:image/png;base64,{IMAGE}")}}]);
    assert_eq!(
        answer(&body).await["message"]["content"][0]["text"],
        format!("echo: what?\nsaw 1 image(s) {SEEN}")
    );
    let mut body = user("hello");
    body["response_format"] =
        json!({"type": "json_object", "json_schema": {"type": "object", "properties": {}}});
    assert_eq!(answer(&body).await["message"]["content"][0]["text"], "{}");
    let mut body = user("hello");
    (body["max_tokens"], body["logprobs"]) = (2.into(), true.into());
    let cut = answer(&body).await;
    assert_eq!((&cut["finish_reason"], &cut["logprobs"][1]["text"]), (&json!("MAX_TOKENS"), &json!("he")));
    let failed = send("/v2/chat", &user("error:498")).await;
    assert_eq!((failed.status, failed.json()["id"].is_string()), (498, true));
}

#[tokio::test]
async fn embeddings_ranks_and_tokens() {
    let body = json!({"model": "m", "input_type": "search_query", "texts": ["a", "bcdef"], "output_dimension": 16,
        "embedding_types": ["float", "int8", "ubinary", "base64"]});
    let embedded = send("/v2/embed", &body).await.json();
    assert_eq!(embedded["embeddings"]["float"][1].as_array().unwrap().len(), 16);
    assert_eq!(embedded["embeddings"]["ubinary"][0].as_array().unwrap().len(), 2);
    assert_eq!(embedded["meta"]["billed_units"]["input_tokens"], 3);
    let body =
        json!({"model": "m", "query": "red fox", "documents": ["blue", "a red fox", "red"], "top_n": 2});
    let ranked = send("/v2/rerank", &body).await.json();
    let order: Vec<&Value> = ranked["results"].as_array().unwrap().iter().map(|r| &r["index"]).collect();
    assert_eq!(order, [1, 2]);
    let tokens = send("/v1/tokenize", &json!({"model": "m", "text": "grüße"})).await.json();
    let text: String = tokens["token_strings"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert_eq!(text, "grüße");
}
