//! Calls of other dialects' clients in Anthropic's and Bedrock's words, and Anthropic's in theirs: the tricky ones.

use serde_json::{Value, json};
use wire::{
    Dialect::{self, Anthropic, Bedrock, Gemini, OpenAiChat},
    scan::PathParamsRef,
};

use crate::support::{target, translated};

const CLAUDE: &str = "anthropic.claude-opus-5-v1:0";

fn strict(client: Dialect, body: &Value, server: Dialect) -> Result<(Value, Vec<String>), String> {
    let path = PathParamsRef { model: Some("m"), stream: Some(false) };
    translated((client, path, &body.to_string()), server, &target(CLAUDE), false)
}

fn openai() -> Value {
    let call = |id: &str, side: &str| {
        let arguments = json!({ "side": side }).to_string();
        json!({"id": id, "type": "function", "function": {"name": "gauge", "arguments": arguments}})
    };
    json!({
        "model": "route", "max_completion_tokens": 900, "stop": "END",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": [{"type": "text", "text": "How high?"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}]},
            {"role": "assistant", "content": null, "tool_calls": [call("call_n", "north"), call("call_s", "south")]},
            {"role": "tool", "tool_call_id": "call_n", "content": "2 m"},
            {"role": "tool", "tool_call_id": "call_s", "content": "3 m"},
            {"role": "user", "content": "And the mean?"}
        ],
        "tools": [{"type": "function", "function": {"name": "gauge", "parameters": {"type": "object"}}}],
        "tool_choice": "required", "parallel_tool_calls": false,
        "response_format": {"type": "json_schema", "json_schema": {"name": "mean", "schema": {"type": "object"}}},
        "unheard_of": {"n": 1}
    })
}

#[test]
fn openais_call_in_anthropics_words() {
    let (body, dropped) = strict(OpenAiChat, &openai(), Anthropic).unwrap();
    let uses = ["north", "south"].map(|side| {
        json!({"type": "tool_use", "id": format!("call_{}", &side[..1]), "name": "gauge", "input": {"side": side}})
    });
    let image = json!({"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="});
    let expected = json!({
        "model": CLAUDE, "max_tokens": 900, "system": "Be brief.",
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "How high?"}, {"type": "image", "source": image}]},
            {"role": "assistant", "content": uses},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "call_n", "content": "2 m"},
                {"type": "tool_result", "tool_use_id": "call_s", "content": "3 m"},
                {"type": "text", "text": "And the mean?"}]}
        ],
        "tools": [{"name": "gauge", "input_schema": {"type": "object"}}],
        "tool_choice": {"type": "any", "disable_parallel_tool_use": true},
        "stop_sequences": ["END"],
        "output_config": {"format": {"type": "json_schema", "schema": {"type": "object"}}}
    });
    assert_eq!((body, dropped), (expected, vec!["unheard_of".to_owned()]));
}

#[test]
fn openais_call_in_bedrocks_words() {
    let (body, dropped) = strict(OpenAiChat, &openai(), Bedrock).unwrap();
    let expected = json!({
        "system": [{"text": "Be brief."}],
        "messages": [
            {"role": "user", "content": [{"text": "How high?"},
                {"image": {"format": "png", "source": {"bytes": "iVBORw0KGgo="}}}]},
            {"role": "assistant", "content": [
                {"toolUse": {"toolUseId": "call_n", "name": "gauge", "input": {"side": "north"}}},
                {"toolUse": {"toolUseId": "call_s", "name": "gauge", "input": {"side": "south"}}}]},
            {"role": "user", "content": [
                {"toolResult": {"toolUseId": "call_n", "content": [{"text": "2 m"}]}},
                {"toolResult": {"toolUseId": "call_s", "content": [{"text": "3 m"}]}},
                {"text": "And the mean?"}]}
        ],
        "inferenceConfig": {"maxTokens": 900, "stopSequences": ["END"]},
        "toolConfig": {"tools": [{"toolSpec": {"name": "gauge", "inputSchema": {"json": {"type": "object"}}}}]},
        "outputConfig": {"textFormat": {"type": "json_schema",
            "structure": {"jsonSchema": {"schema": "{\"type\":\"object\"}", "name": "mean"}}}},
        "additionalModelRequestFields": {"tool_choice": {"type": "any", "disable_parallel_tool_use": true}}
    });
    assert_eq!((body, dropped), (expected, vec!["unheard_of".to_owned()]));
}

#[test]
fn what_openai_can_say_and_claude_cannot_is_refused_by_its_own_name() {
    for (field, value) in [
        ("n", json!(2)),
        ("logit_bias", json!({"1": 2})),
        ("response_format", json!({"type": "json_object"})),
    ] {
        let mut body = openai();
        body[field] = value;
        for server in [Anthropic, Bedrock] {
            let error = strict(OpenAiChat, &body, server).unwrap_err();
            assert!(error.starts_with(&format!("`{field}` ")), "{field}: {error}");
        }
    }
}

#[test]
fn how_an_answer_is_drawn_is_left_out_and_told() {
    for (field, value) in [("seed", json!(1)), ("frequency_penalty", json!(0.5)), ("temperature", json!(1.5))]
    {
        let mut body = openai();
        body[field] = value;
        for server in [Anthropic, Bedrock] {
            let (_, dropped) = strict(OpenAiChat, &body, server).unwrap();
            assert_eq!(dropped, [field, "unheard_of"], "{field}");
        }
    }
}

#[test]
fn geminis_calls_without_ids_find_their_results() {
    let function =
        |name: &str, key: &str| json!({"functionResponse": {"name": name, "response": {"output": key}}});
    let body = json!({
        "contents": [
            {"role": "user", "parts": [{"text": "go"}]},
            {"role": "model", "parts": [{"functionCall": {"name": "f", "args": {"a": 1}}},
                {"functionCall": {"name": "g", "args": {}}}, {"functionCall": {"name": "f", "args": {"a": 2}}}]},
            {"role": "user", "parts": [function("g", "G"), function("f", "1"), function("f", "2")]}
        ],
        "tools": [{"functionDeclarations": [{"name": "f"}, {"name": "g"}]}]
    });
    let (body, _) = strict(Gemini, &body, Anthropic).unwrap();
    let (uses, results) = (&body["messages"][1]["content"], &body["messages"][2]["content"]);
    for (call, result) in [(1, 0), (0, 1), (2, 2)] {
        assert_eq!(uses[call]["id"], results[result]["tool_use_id"]);
    }
    assert_eq!(uses[2]["input"], json!({"a": 2}));
}

#[test]
fn anthropics_call_in_openais_words_and_back() {
    let body = json!({
        "model": "route", "max_tokens": 900, "system": "Be brief.",
        "messages": [
            {"role": "user", "content": "Go."},
            {"role": "assistant", "content": [{"type": "text", "text": "Well."},
                {"type": "tool_use", "id": "toolu_1", "name": "gauge", "input": {"mm": 12345678901234567890_u64}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "2 m"},
                {"type": "text", "text": "Thanks."}]}
        ],
        "tools": [{"name": "gauge", "input_schema": {"type": "object", "properties": {}}}]
    });
    let (openai, _) = strict(Anthropic, &body, OpenAiChat).unwrap();
    let roles: Vec<_> =
        openai["messages"].as_array().unwrap().iter().map(|message| message["role"].clone()).collect();
    assert_eq!(roles[1..], ["user", "assistant", "tool", "user"].map(Value::from));
    let (mut back, _) = strict(OpenAiChat, &openai, Anthropic).unwrap();
    back["model"] = "route".into();
    assert_eq!(back, body);
}
