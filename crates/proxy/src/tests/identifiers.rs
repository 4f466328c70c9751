//! Names, ids and end users within what a target takes of them, and back in the client's own words.

use http::Method;
use serde_json::{Value, json};

use super::harness::{Bench, Plan, Reply};

/// A name that a plug-in of a coding agent gives a tool: 67 letters, with a dot.
const LONG: &str = "mcp__plugin_atlassian_atlassian__createCompassComponent.Relationship";

async fn bench(kinds: &'static [&'static str]) -> Bench {
    Bench::start(Plan { simulators: kinds.len(), kinds, ..Plan::default() }).await
}

async fn post(bench: &Bench, path: &str, body: &Value) -> Reply {
    let mut request = bench.client.request(Method::POST, path, &body.to_string());
    request.headers_mut().insert("anthropic-version", "2023-06-01".parse().unwrap());
    bench.client.plain.send(request).await
}

/// A request of an Anthropic client that offers one tool and demands it.
fn asking(text: &str, stream: bool) -> Value {
    json!({
        "model": "chat", "max_tokens": 500, "stream": stream,
        "messages": [{"role": "user", "content": text}],
        "tools": [{"name": LONG, "description": "d", "input_schema": {"type": "object", "properties": {}}}],
        "tool_choice": {"type": "tool", "name": LONG},
    })
}

#[tokio::test]
async fn a_long_name_of_a_tool_goes_to_every_provider_and_comes_back() {
    for kind in ["custom", "gemini", "cohere"] {
        let kinds: &'static [&'static str] = Box::leak(Box::new([kind]));
        let mut bench = bench(kinds).await;
        let plain = post(&bench, "/v1/messages", &asking("hi", false)).await;
        assert_eq!(plain.status, 200, "{kind}: {plain:?}");
        bench.event().await;
        let sent = String::from_utf8(bench.sim().body(1).await.to_vec()).unwrap();
        let name = sent.split('"').find(|word| word.starts_with("mcp__")).unwrap().to_owned();
        assert!(name.len() <= 64 && !name.contains('.'), "{name}");
        assert!(!sent.contains(LONG), "{sent}");
        // The simulator calls what it is told to call.
        let order = format!("call:{name} {{}}");
        let plain = post(&bench, "/v1/messages", &asking(&order, false)).await;
        assert_eq!(plain.json()["content"][0]["name"], LONG, "{kind}: {plain:?}");
        bench.event().await;
        let id = plain.json()["content"][0]["id"].clone();
        let stream = post(&bench, "/v1/messages", &asking(&order, true)).await;
        assert!(stream.text().contains(LONG) && !stream.text().contains(&name), "{kind}: {stream:?}");
        bench.event().await;
        let mut next = asking("hi", false);
        next["messages"] = json!([
            {"role": "user", "content": "hi"},
            {"role": "assistant", "content": [{"type": "tool_use", "id": id, "name": LONG, "input": {}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": id, "content": "done"}]},
        ]);
        let last = post(&bench, "/v1/messages", &next).await;
        assert_eq!(last.status, 200, "{kind}: {last:?}");
        let sent = bench.sim().body(4).await;
        assert!(!String::from_utf8_lossy(&sent).contains(LONG), "the history has the target's name too");
        bench.event().await;
        bench.finish().await;
    }
}

#[tokio::test]
async fn a_long_end_user_becomes_a_digest_and_that_is_said() {
    let mut bench = bench(&["custom"]).await;
    let mut body = asking("hi", false);
    let user = json!({"device_id": "a".repeat(64), "session_id": "b".repeat(60)}).to_string();
    body["metadata"] = json!({ "user_id": user });
    let reply = post(&bench, "/v1/messages", &body).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    assert_eq!(reply.header("x-portcullis-dropped"), "metadata.user_id");
    let sent: Value = serde_json::from_slice(&bench.sim().body(1).await).unwrap();
    assert!(sent["user"].as_str().unwrap().starts_with("user_"), "{sent}");
    bench.event().await;
    bench.finish().await;
}

#[tokio::test]
async fn calls_in_a_history_without_tools_are_answered() {
    let mut bench = bench(&["anthropic"]).await;
    let body = json!({"model": "chat", "messages": [
        {"role": "user", "content": "weather?"},
        {"role": "assistant", "content": null, "tool_calls":
            [{"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}]},
        {"role": "tool", "tool_call_id": "call_1", "content": "sunny"},
    ]});
    let reply = post(&bench, "/v1/chat/completions", &body).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    let sent: Value = serde_json::from_slice(&bench.sim().body(1).await).unwrap();
    assert_eq!(sent["tools"], json!([{"name": "weather", "input_schema": {"type": "object"}}]), "{sent}");
    assert_eq!(sent["tool_choice"], json!({"type": "none"}));
    bench.event().await;
    bench.finish().await;
}

/// A call that Gemini made with a sealed thought.
fn geminis_call() -> Value {
    let call =
        json!({"functionCall": {"name": "f", "args": {"a": 1}}, "thoughtSignature": "QUJD".repeat(100)});
    let parts = json!([{"text": "thinking", "thought": true}, call]);
    json!({
        "candidates": [{"content": {"role": "model", "parts": parts}, "finishReason": "STOP", "index": 0}],
        "usageMetadata": {"promptTokenCount": 5, "candidatesTokenCount": 1, "totalTokenCount": 6},
    })
}

/// The first turn is Gemini's; the other provider speaks the client's dialect.
async fn failed_over(kinds: &'static [&'static str]) -> Bench {
    let bench = bench(kinds).await;
    bench.sims[0].script(&json!({"raw_body": geminis_call().to_string()}).to_string()).await;
    bench
}

#[tokio::test]
async fn a_tool_loop_goes_on_at_a_provider_of_the_clients_own_dialect() {
    let mut bench = failed_over(&["gemini", "custom"]).await;
    let mut asked = json!({
        "model": "chat", "messages": [{"role": "user", "content": "x"}],
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}],
    });
    let first = bench.client.chat(&asked.to_string()).await;
    assert_eq!(first.header("x-portcullis-provider"), "a", "{first:?}");
    bench.event().await;
    let message = first.json()["choices"][0]["message"].clone();
    let id = message["tool_calls"][0]["id"].clone();
    assert!(id.as_str().unwrap().contains(".pc1"), "{id}");
    let turns = asked["messages"].as_array_mut().unwrap();
    turns.extend([message, json!({"role": "tool", "tool_call_id": id, "content": "7"})]);
    // The simulator knows no seal but its own: so it is not asked again.
    asked["model"] = "b/m".into();
    let second = bench.client.chat(&asked.to_string()).await;
    assert_eq!((second.status, second.header("x-portcullis-provider")), (200, "b"), "{second:?}");
    bench.event().await;
    let sent: Value = serde_json::from_slice(&bench.sims[1].body(1).await).unwrap();
    let (call, result) = (&sent["messages"][1]["tool_calls"][0]["id"], &sent["messages"][2]["tool_call_id"]);
    assert_eq!(call, result);
    assert!(call.as_str().unwrap().len() <= 40 && !sent.to_string().contains(".pc1"), "{sent}");
    assert!(sent["messages"][1].get("reasoning_content").is_none(), "{sent}");
    bench.finish().await;
}

#[tokio::test]
async fn thoughts_of_another_family_do_not_reach_claude() {
    let mut bench = failed_over(&["gemini", "anthropic"]).await;
    let mut asked = json!({
        "model": "chat", "max_tokens": 3000, "thinking": {"type": "enabled", "budget_tokens": 1024},
        "messages": [{"role": "user", "content": "x"}],
        "tools": [{"name": "f", "input_schema": {"type": "object", "properties": {}}}],
    });
    let first = post(&bench, "/v1/messages", &asked).await;
    assert_eq!(first.header("x-portcullis-provider"), "a", "{first:?}");
    bench.event().await;
    let content = first.json()["content"].clone();
    let id = content.as_array().unwrap().iter().find_map(|block| block.get("id").cloned()).unwrap();
    let turns = asked["messages"].as_array_mut().unwrap();
    let result = json!([{"type": "tool_result", "tool_use_id": id, "content": "7"}]);
    turns.extend([
        json!({"role": "assistant", "content": content}),
        json!({"role": "user", "content": result}),
    ]);
    // The simulator knows no seal but its own: so it is not asked again.
    asked["model"] = "b/m".into();
    let second = post(&bench, "/v1/messages", &asked).await;
    assert_eq!((second.status, second.header("x-portcullis-provider")), (200, "b"), "{second:?}");
    bench.event().await;
    let sent = String::from_utf8(bench.sims[1].body(1).await.to_vec()).unwrap();
    assert!(!sent.contains("pc1") && !sent.contains("signature"), "{sent}");
    bench.finish().await;
}

#[tokio::test]
async fn a_text_that_looks_like_a_seal_is_the_clients_own() {
    let mut bench = Bench::one().await;
    let reply = bench.client.say("see the file a.pc1g, please").await;
    assert_eq!(reply.status, 200);
    bench.event().await;
    let sent: Value = serde_json::from_slice(&bench.sim().body(1).await).unwrap();
    assert_eq!(sent["messages"][0]["content"], "see the file a.pc1g, please");
    bench.finish().await;
}
