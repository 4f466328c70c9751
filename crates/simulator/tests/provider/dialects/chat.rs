//! OpenAI's chat completions and the endpoints around them.

use serde_json::{Value, json};

use super::{IMAGE, SEEN, chunks, joined, post};
use crate::client::Sim;

const CHAT: &str = "/v1/chat/completions";

fn tool() -> Value {
    json!({"type": "function", "function": {"name": "weather", "parameters":
        {"type": "object", "properties": {"city": {"type": "string"}}}}})
}

fn user(text: &str) -> Value {
    json!({"model": "m", "messages": [{"role": "user", "content": text}]})
}

async fn call(body: &Value) -> Value {
    let sim = Sim::start().await;
    post(&sim, CHAT, &[], body).await.json()
}

async fn stream(mut body: Value) -> Vec<Value> {
    let sim = Sim::start().await;
    body["stream"] = true.into();
    chunks(&post(&sim, CHAT, &[], &body).await)
}

#[tokio::test]
async fn the_last_user_message_is_echoed_and_tokens_are_quarter_bytes() {
    let answer = call(&json!({"model": "m", "messages": [
        {"role": "user", "content": "first"},
        {"role": "assistant", "content": null},
        {"role": "user", "content": [{"type": "text", "text": "ein \"é\""}]},
    ]}))
    .await;
    assert_eq!(answer["choices"][0]["message"]["content"], "echo: ein \"é\"");
    assert_eq!(answer["usage"], json!({"prompt_tokens": 4, "completion_tokens": 4, "total_tokens": 8}));
}

#[tokio::test]
async fn the_output_limit_cuts_and_says_so() {
    let mut body = user("hello");
    body["max_tokens"] = 2.into();
    let answer = call(&body).await;
    assert_eq!(answer["choices"][0]["message"]["content"], "echo: he");
    assert_eq!(answer["choices"][0]["finish_reason"], "length");
    assert_eq!(answer["usage"]["completion_tokens"], 2);
}

#[tokio::test]
async fn parallel_calls_come_whole_and_in_fragments() {
    let mut body = user("call:weather {\"city\":\"Rome\"}\ncall:weather {\"city\":\"Oslo\"}");
    body["tools"] = json!([tool()]);
    let answer = call(&body).await;
    let choice = &answer["choices"][0];
    assert_eq!(
        (&choice["finish_reason"], &choice["message"]["content"]),
        (&json!("tool_calls"), &Value::Null)
    );
    assert_eq!(choice["message"]["tool_calls"][1]["function"]["arguments"], r#"{"city":"Oslo"}"#);
    let events = stream(body).await;
    let calls: Vec<&Value> =
        events.iter().filter_map(|e| e.pointer("/choices/0/delta/tool_calls/0")).collect();
    let second: String = calls
        .iter()
        .filter(|call| call["index"] == 1)
        .filter_map(|call| call["function"]["arguments"].as_str())
        .collect();
    assert_eq!(second, r#"{"city":"Oslo"}"#);
    assert!(calls.len() >= 8, "{}", calls.len());
}

#[tokio::test]
async fn results_need_their_calls_and_are_quoted() {
    let call_of = json!({"role": "assistant", "tool_calls":
        [{"id": "a", "type": "function", "function": {"name": "weather", "arguments": "{}"}}]});
    let result = json!({"role": "tool", "tool_call_id": "a", "content": "sunny"});
    let question = json!({"role": "user", "content": "?"});
    let body = |messages: Value| json!({"model": "m", "tools": [tool()], "messages": messages});
    let answer = call(&body(json!([question, call_of, result]))).await;
    assert_eq!(answer["choices"][0]["message"]["content"], "results: sunny");
    let lonely = call(&body(json!([question, result]))).await;
    assert!(lonely["error"]["message"].as_str().unwrap().contains("role 'tool'"));
    let open = call(&body(json!([question, call_of]))).await;
    assert!(open["error"]["message"].as_str().unwrap().ends_with("response messages: a"));
}

#[tokio::test]
async fn images_structure_reasoning_and_refusals() {
    let mut body = user("");
    body["messages"][0]["content"] = json!([{"type": "text", "text": "what?"},
        {"type": "image_url", "image_url": {"url": format!("data:image/png;base64,{IMAGE}")}}]);
    let answer = call(&body).await;
    assert_eq!(answer["choices"][0]["message"]["content"], format!("echo: what?\nsaw 1 image(s) {SEEN}"));
    let mut body = user("hello");
    body["response_format"] = json!({"type": "json_schema", "json_schema": {"name": "s", "schema":
        {"type": "object", "properties": {"n": {"type": "integer"}}}}});
    assert_eq!(joined(&stream(body).await, "/choices/0/delta/content"), r#"{"n":0}"#);
    let mut body = user("hello");
    body["reasoning_effort"] = "low".into();
    let answer = call(&body).await;
    assert_eq!(answer["choices"][0]["message"]["reasoning_content"], "I think about: hello");
    assert_eq!(answer["usage"]["completion_tokens_details"]["reasoning_tokens"], 5);
    let refused = call(&user("refuse: no")).await;
    assert_eq!(refused["choices"][0]["message"]["refusal"], "I cannot help with that: no");
    let filtered = call(&user("filter:")).await;
    assert_eq!(filtered["choices"][0]["finish_reason"], "content_filter");
}

#[tokio::test]
async fn several_answers_stops_and_log_probabilities() {
    let mut body = user("one two three");
    (body["n"], body["stop"], body["logprobs"], body["top_logprobs"]) =
        (2.into(), "three".into(), true.into(), 2.into());
    let answer = call(&body).await;
    assert_eq!(answer["choices"][1]["message"]["content"], "echo: one two ");
    let tokens = answer["choices"][0]["logprobs"]["content"].as_array().unwrap();
    let text: String = tokens.iter().filter_map(|token| token["token"].as_str()).collect();
    assert_eq!((text.as_str(), tokens[0]["top_logprobs"].as_array().unwrap().len()), ("echo: one two ", 2));
    let events = stream(body).await;
    let second = events.iter().filter(|event| event["choices"][0]["index"] == 1);
    assert!(second.count() > 3);
}

#[tokio::test]
async fn strange_fields_are_refused_unless_the_script_allows_them() {
    let sim = Sim::start().await;
    let mut body = user("hi");
    body["top_k"] = 3.into();
    let refused = post(&sim, CHAT, &[], &body).await;
    assert_eq!((refused.status, &refused.json()["error"]["param"]), (400, &json!("top_k")));
    let ordered = post(&sim, CHAT, &[], &user("error:429 retry-after:7")).await;
    assert_eq!((ordered.status, ordered.header("retry-after")), (429, Some("7")));
    sim.script("m", r#"{"allow_unknown":true}"#).await;
    assert_eq!(post(&sim, CHAT, &[], &body).await.status, 200);
}

#[tokio::test]
async fn azure_names_the_model_in_the_path() {
    let sim = Sim::start().await;
    let body = json!({"messages": [{"role": "user", "content": "hi"}]});
    let path = "/openai/deployments/gpt/chat/completions?api-version=2025-01-01&key=secret";
    let reply = post(&sim, path, &["api-key: k"], &body).await;
    assert_eq!(reply.json()["model"], "gpt");
    let log = sim.get("/_sim/requests?model=gpt").await.json();
    assert_eq!(log["requests"][0]["query"], "api-version=2025-01-01");
    assert_eq!(sim.get("/_sim/requests?model=other").await.json()["requests"], json!([]));
}

#[tokio::test]
async fn the_other_endpoints_answer() {
    let sim = Sim::start().await;
    let done = post(&sim, "/v1/completions", &[], &json!({"model": "m", "prompt": "hi"})).await.json();
    assert_eq!(done["choices"][0]["text"], "echo: hi");
    let images = json!({"model": "m", "prompt": "a cat", "n": 2});
    let images = post(&sim, "/v1/images/generations", &[], &images).await.json();
    assert_eq!(images["data"].as_array().unwrap().len(), 2);
    let speech = json!({"model": "m", "input": "hello", "voice": "alloy", "response_format": "wav"});
    let speech = post(&sim, "/v1/audio/speech", &[], &speech).await;
    assert_eq!((speech.header("content-type"), speech.body.len()), (Some("audio/wav"), 64));
    let input = json!(["peace", "violence"]);
    let flags = post(&sim, "/v1/moderations", &[], &json!({ "input": input })).await.json();
    assert_eq!(
        (&flags["results"][0]["flagged"], &flags["results"][1]["flagged"]),
        (&json!(false), &json!(true))
    );
}
