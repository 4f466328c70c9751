//! Claude's thoughts in tool loops of clients that have no place for their seal, and thoughts that clients expect to see.

use serde_json::{Value, json};
use wire::{
    Dialect::{self, Anthropic, Bedrock, Cohere, Gemini, OpenAiChat, OpenAiResponses},
    codec,
    json::Json,
    scan::PathParamsRef,
};

use crate::support::{target, translated};

const CLAUDE: &str = "anthropic.claude-opus-5-v1:0";

fn strict(client: Dialect, body: &Value, server: Dialect) -> Result<(Value, Vec<String>), String> {
    let path = PathParamsRef { model: Some("m"), stream: Some(false) };
    translated((client, path, &body.to_string()), server, &target(CLAUDE), false)
}

/// A tool loop of Chat Completions' with thinking asked for; `ids` are the calls'.
fn thinking_loop(id: &str) -> Value {
    json!({
        "model": "route", "max_completion_tokens": 4000, "reasoning_effort": "low",
        "messages": [
            {"role": "user", "content": "How high?"},
            {"role": "assistant", "content": null, "tool_calls": [
                {"id": id, "type": "function", "function": {"name": "gauge", "arguments": "{}"}}]},
            {"role": "tool", "tool_call_id": id, "content": "2 m"}
        ],
        "tools": [{"type": "function", "function": {"name": "gauge", "parameters": {"type": "object"}}}]
    })
}

/// The id under which a client gets a call that Claude made after it had thought.
fn sealed_id(client: Dialect) -> String {
    let answer = json!({
        "id": "msg_1", "type": "message", "role": "assistant", "model": "m", "stop_reason": "tool_use",
        "content": [{"type": "thinking", "thinking": "high\n\twater", "signature": "c2Vh"},
            {"type": "redacted_thinking", "data": "ZGFyaw=="},
            {"type": "tool_use", "id": "toolu_1", "name": "gauge", "input": {}}],
        "usage": {"input_tokens": 1, "output_tokens": 1}
    })
    .to_string();
    let reply = codec(Anthropic).decode_response(Json::parse(answer.as_bytes()).unwrap()).unwrap();
    let told = codec(client).encode_response(&reply, &crate::support::envelope());
    let told: Value = serde_json::from_slice(&told).unwrap();
    let message = if client == OpenAiChat { &told["choices"][0]["message"] } else { &told["message"] };
    message["tool_calls"][0]["id"].as_str().unwrap().to_owned()
}

#[test]
fn claudes_thoughts_come_back_whole_through_clients_without_a_place_for_seals() {
    for client in [OpenAiChat, Cohere] {
        let mut body = thinking_loop(&sealed_id(client));
        if client == Cohere {
            body.as_object_mut()
                .unwrap()
                .retain(|key, _| !matches!(&**key, "max_completion_tokens" | "reasoning_effort"));
            body["thinking"] = json!({"type": "enabled", "token_budget": 2048});
            body["messages"][1].as_object_mut().unwrap().remove("content");
        }
        let (written, _) = strict(client, &body, Anthropic).unwrap();
        assert_eq!(
            written["messages"][1]["content"],
            json!([{"type": "thinking", "thinking": "high\n\twater", "signature": "c2Vh"},
                {"type": "redacted_thinking", "data": "ZGFyaw=="},
                {"type": "tool_use", "id": "toolu_1", "name": "gauge", "input": {}}]),
            "{client:?}"
        );
        assert!(written["thinking"].is_object(), "{client:?}: {written}");
        let (written, _) = strict(client, &body, Bedrock).unwrap();
        assert_eq!(
            written["messages"][1]["content"][0]["reasoningContent"]["reasoningText"],
            json!({"text": "high\n\twater", "signature": "c2Vh"}),
        );
        assert!(written["additionalModelRequestFields"]["thinking"].is_object(), "{client:?}: {written}");
    }
}

#[test]
fn a_tool_loop_without_its_thoughts_goes_on_without_thinking() {
    let body = thinking_loop("call_1");
    let (written, dropped) = strict(OpenAiChat, &body, Anthropic).unwrap();
    assert_eq!((&written["thinking"], dropped), (&Value::Null, vec!["reasoning_effort".to_owned()]));
    let (written, dropped) = strict(OpenAiChat, &body, Bedrock).unwrap();
    assert_eq!(
        (&written["additionalModelRequestFields"], dropped),
        (&Value::Null, vec!["reasoning_effort".to_owned()])
    );
    // What comes after the loop is a new turn, in which Claude may think again.
    let mut after = body;
    let messages = after["messages"].as_array_mut().unwrap();
    messages.push(json!({"role": "assistant", "content": "2 m."}));
    messages.push(json!({"role": "user", "content": "Now?"}));
    assert!(strict(OpenAiChat, &after, Anthropic).unwrap().0["thinking"].is_object());
}

#[test]
fn thoughts_are_asked_for_where_the_client_expects_them_and_the_target_hides_them() {
    let thinking = json!({"type": "enabled", "budget_tokens": 2048});
    let with = |thinking: Value| json!({"model": "m", "max_tokens": 4096, "thinking": thinking, "messages": [{"role": "user", "content": "x"}]});
    let gemini = |body: &Value| {
        strict(Anthropic, body, Gemini).unwrap().0["generationConfig"]["thinkingConfig"]["includeThoughts"]
            .take()
    };
    let openai =
        |body: &Value| strict(Anthropic, body, OpenAiResponses).unwrap().0["reasoning"]["summary"].take();
    let shown = with(thinking.clone());
    assert_eq!((gemini(&shown), openai(&shown)), (json!(true), json!("auto")));
    let mut hidden = thinking;
    hidden["display"] = "omitted".into();
    let hidden = with(hidden);
    assert_eq!((gemini(&hidden), openai(&hidden)), (json!(false), Value::Null));
    let off = with(json!({"type": "disabled"}));
    assert_eq!((gemini(&off), openai(&off)), (Value::Null, Value::Null));
}
