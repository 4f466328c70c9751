//! Calls of free-form tools in streams: between OpenAI's two dialects they stay what they are.

use serde_json::{Value, json};
use wire::Dialect::{OpenAiChat, OpenAiResponses};

use crate::support::retell;

const PATCH: [&str; 2] = ["*** Begin Patch\n", "*** End \"Patch\""];

fn events(text: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(text).unwrap();
    let data = text.lines().filter_map(|line| line.strip_prefix("data: ")).filter(|data| *data != "[DONE]");
    data.map(|data| serde_json::from_str(data).unwrap()).collect()
}

#[test]
fn from_chat_to_responses() {
    let chunk = |delta: Value, finish: Value| {
        let choice = json!({"index": 0, "delta": delta, "finish_reason": finish});
        format!("data: {}\n\n", json!({"id": "c", "model": "m", "choices": [choice]}))
    };
    let call = |fields: Value| chunk(json!({"tool_calls": [fields]}), Value::Null);
    let begun =
        json!({"index": 0, "id": "call_1", "type": "custom", "custom": {"name": "apply_patch", "input": ""}});
    let piece = |text: &str| call(json!({"index": 0, "custom": {"input": text}}));
    let end = chunk(json!({}), json!("tool_calls"));
    let stream = [call(begun), piece(PATCH[0]), piece(PATCH[1]), end, "data: [DONE]\n\n".to_owned()];
    let (written, seen) = retell(OpenAiChat, OpenAiResponses, stream.iter().map(String::as_bytes));
    assert!(seen.done);
    let events = events(&written);
    let of = |kind: &str| events.iter().filter(|event| event["type"] == kind).collect::<Vec<_>>();
    let added = &of("response.output_item.added")[0]["item"];
    assert_eq!((&added["type"], &added["name"]), (&json!("custom_tool_call"), &json!("apply_patch")));
    let deltas: Vec<_> =
        of("response.custom_tool_call_input.delta").iter().map(|event| event["delta"].clone()).collect();
    assert_eq!(deltas, PATCH);
    assert_eq!(of("response.custom_tool_call_input.done")[0]["input"], PATCH.concat());
    assert!(
        of("response.function_call_arguments.delta").is_empty()
            && of("response.function_call_arguments.done").is_empty()
    );
    let item = &of("response.completed")[0]["response"]["output"][0];
    assert_eq!((&item["type"], &item["input"]), (&json!("custom_tool_call"), &json!(PATCH.concat())));
}

#[test]
fn from_responses_to_chat() {
    let item = |input: &str| json!({"type": "custom_tool_call", "id": "ctc_1", "call_id": "call_1", "name": "apply_patch", "input": input});
    let delta = |text: &str| json!({"type": "response.custom_tool_call_input.delta", "output_index": 0, "item_id": "ctc_1", "delta": text});
    let response =
        |status: &str, output: Value| json!({"id": "r", "model": "m", "status": status, "output": output});
    let stream: Vec<String> = [
        json!({"type": "response.created", "response": response("in_progress", json!([]))}),
        json!({"type": "response.output_item.added", "output_index": 0, "item": item("")}),
        delta(PATCH[0]),
        delta(PATCH[1]),
        json!({"type": "response.output_item.done", "output_index": 0, "item": item(&PATCH.concat())}),
        json!({"type": "response.completed", "response": response("completed", json!([item(&PATCH.concat())]))}),
    ]
    .iter()
    .map(|event| format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap()))
    .collect();
    let (written, seen) = retell(OpenAiResponses, OpenAiChat, stream.iter().map(String::as_bytes));
    assert!(seen.done);
    let calls: Vec<Value> = events(&written)
        .iter()
        .flat_map(|event| event["choices"][0]["delta"]["tool_calls"].as_array().cloned().unwrap_or_default())
        .collect();
    assert_eq!(
        (&calls[0]["type"], &calls[0]["custom"]),
        (&json!("custom"), &json!({"name": "apply_patch", "input": ""}))
    );
    let input: String = calls.iter().map(|call| call["custom"]["input"].as_str().unwrap()).collect();
    assert_eq!(input, PATCH.concat());
    assert!(calls.iter().all(|call| call.get("function").is_none()), "{calls:?}");
}
