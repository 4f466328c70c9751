//! Tools in namespaces, which OpenAI Responses alone has: out of them for every other dialect, and back in answers.

use bytes::Bytes;
use serde_json::{Value, json};
use wire::{
    Dialect::{self, OpenAiResponses},
    canonical::{
        Choice, Event, Finish, LossReport, Part, PartKind, Reply, Strictness, Text, ToolCall, ToolTable,
        fit_call,
    },
    codec,
    json::Json,
    scan::PathParamsRef,
};

use crate::support::{Sum, envelope, target};

/// What Codex offers: a function by itself, and several in a namespace, one of which is called like the first.
fn request(more: &Value) -> String {
    let function = |name: &str| {
        json!({"type": "function", "name": name, "description": "does it", "strict": false,
            "parameters": {"type": "object", "properties": {"target": {"type": "string"}}, "required": ["target"]}})
    };
    let namespace = json!({"type": "namespace", "name": "agents", "description": "Sub-agents.",
        "tools": [function("close"), function("spawn")]});
    let mut body = json!({"model": "m", "tools": [function("close"), namespace], "input": [
        {"role": "user", "content": "go"},
        {"type": "function_call", "call_id": "c1", "name": "spawn", "namespace": "agents", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c1", "output": "done"},
        {"type": "function_call", "call_id": "c2", "name": "close", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c2", "output": "done"},
    ]});
    for (field, value) in more.as_object().unwrap() {
        body[field] = value.clone();
    }
    body.to_string()
}

/// The request in a target's words, and the table of names.
fn sent(body: &str, to: Dialect) -> (Value, Vec<String>, ToolTable) {
    let prepared = codec(OpenAiResponses).prepare(&Bytes::copy_from_slice(body.as_bytes()));
    let json = Json::parse(&prepared).unwrap();
    let path = PathParamsRef { model: None, stream: None };
    let mut call = codec(OpenAiResponses).decode_request(path, json, &Sum).unwrap();
    let (facts, mut losses) = (target("m"), LossReport::new(OpenAiResponses, to, Strictness::Default));
    if to != OpenAiResponses {
        fit_call(&mut call, to, &facts, &mut losses);
    }
    let table = ToolTable::fit(&mut call, to);
    let encoded = codec(to).encode_request(&call, &facts, losses).unwrap();
    (serde_json::from_slice(&encoded.body).unwrap(), encoded.dropped, table)
}

/// Every string in a body.
fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(items) => items.iter().flat_map(texts).collect(),
        Value::Object(members) => members.values().flat_map(texts).collect(),
        _ => Vec::new(),
    }
}

#[test]
fn tools_come_out_of_their_namespace_and_calls_of_them_go_back_into_it() {
    for to in Dialect::ALL.into_iter().filter(|to| *to != OpenAiResponses) {
        let choice = json!({"type": "function", "name": "spawn", "namespace": "agents"});
        // Cohere is offered the chosen tool alone.
        let more = if to == Dialect::Cohere { json!({}) } else { json!({ "tool_choice": choice }) };
        let (body, dropped, table) = sent(&request(&more), to);
        let all = texts(&body);
        let named =
            |start: &str| all.iter().filter(|text| text.starts_with(start)).copied().collect::<Vec<_>>();
        let spawn = named("agents_spawn_");
        // The definition, the call and the choice; Gemini and Cohere name the result as well.
        assert!(spawn.len() >= 2 && spawn.iter().all(|name| *name == spawn[0]), "{to:?} {spawn:?}");
        assert_eq!(named("agents_close_").len(), 1, "{to:?}");
        assert!(named("close").len() >= 2, "{to:?}: the one outside keeps its name");
        assert!(dropped.contains(&"tools[].description (namespace)".to_owned()), "{to:?} {dropped:?}");

        let call = ToolCall {
            id: "c9".into(),
            name: Text::Owned(spawn[0].to_owned()),
            arguments: "{}".into(),
            signature: None,
            custom: false,
        };
        let choice = Choice {
            parts: vec![Part::new(PartKind::ToolCall(call))],
            finish: Finish::ToolCalls,
            stop_sequence: None,
            explanation: None,
            logprobs: Vec::new(),
            citations: None,
        };
        let mut reply = Reply { choices: vec![choice], ..Reply::default() };
        table.restore_reply(&mut reply);
        let written = codec(OpenAiResponses).encode_response(&reply, &envelope());
        let written: Value = serde_json::from_slice(&written).unwrap();
        let item = &written["output"][0];
        assert_eq!((&item["name"], &item["namespace"]), (&json!("spawn"), &json!("agents")), "{to:?} {item}");

        let mut stream = codec(OpenAiResponses).stream_encoder(envelope());
        let mut out = Vec::new();
        let name = Text::Borrowed(spawn[0]);
        let start =
            Event::CallStart { choice: 0, call: 0, id: "c9".into(), name, signature: None, custom: false };
        stream.event(&table.restore_event(start), &mut out);
        let out = String::from_utf8(out).unwrap();
        assert!(out.contains(r#""name":"spawn","namespace":"agents""#), "{to:?} {out}");
    }
}

#[test]
fn in_their_own_dialect_namespaces_stay() {
    let choice = json!({"type": "allowed_tools", "mode": "auto",
        "tools": [{"type": "function", "name": "spawn", "namespace": "agents"}]});
    let text = request(&json!({ "tool_choice": choice }));
    let (body, dropped, table) = sent(&text, OpenAiResponses);
    let asked: Value = serde_json::from_str(&text).unwrap();
    assert!(table.is_empty() && dropped.is_empty(), "{dropped:?}");
    assert_eq!(body["tools"][1], asked["tools"][1]);
    assert_eq!(body["tool_choice"], asked["tool_choice"]);
    let calls: Vec<_> =
        body["input"].as_array().unwrap().iter().filter(|item| item["type"] == "function_call").collect();
    assert_eq!((&calls[0]["name"], &calls[0]["namespace"]), (&json!("spawn"), &json!("agents")));
    assert_eq!((&calls[1]["name"], &calls[1]["namespace"]), (&json!("close"), &Value::Null));
}

#[test]
fn what_a_namespace_holds_may_be_anything() {
    for tools in [
        json!([]),
        json!([1, null, "x", {}, {"type": "function"}, {"name": ""}]),
        json!([{"type": "function", "name": "é".repeat(300), "parameters": 1, "strict": "no"}]),
        json!("none"),
    ] {
        for to in Dialect::ALL {
            let namespace = json!([{"type": "namespace", "name": "n", "tools": tools}]);
            let body = json!({"model": "m", "input": "hi", "tools": namespace}).to_string();
            let prepared = codec(OpenAiResponses).prepare(&Bytes::from(body));
            let json = Json::parse(&prepared).unwrap();
            let path = PathParamsRef { model: None, stream: None };
            let mut call = codec(OpenAiResponses).decode_request(path, json, &Sum).unwrap();
            let mut losses = LossReport::new(OpenAiResponses, to, Strictness::Default);
            fit_call(&mut call, to, &target("m"), &mut losses);
            let _ = ToolTable::fit(&mut call, to);
            let _ = codec(to).encode_request(&call, &target("m"), losses);
        }
    }
}
