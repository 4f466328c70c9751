//! Gemini's signature at the end of a text: no block of its own where it would be the last.

use serde_json::{Value, json};
use wire::{
    Dialect::{self, Anthropic, Bedrock, Gemini},
    codec,
    json::Json,
};

use crate::support::{envelope, retell};

fn answer(parts: &Value) -> String {
    let content = json!({"role": "model", "parts": parts});
    json!({"candidates": [{"index": 0, "content": content, "finishReason": "STOP"}], "modelVersion": "gemini-3"})
        .to_string()
}

/// The kinds of the blocks in a whole answer.
fn blocks(to: Dialect, parts: &Value) -> Vec<String> {
    let text = answer(parts);
    let reply = codec(Gemini).decode_response(Json::parse(text.as_bytes()).unwrap()).unwrap();
    let written: Value = serde_json::from_slice(&codec(to).encode_response(&reply, &envelope())).unwrap();
    let (list, kind): (_, fn(&Value) -> String) = match to {
        Anthropic => (&written["content"], |block| block["type"].as_str().unwrap().to_owned()),
        _ => (&written["output"]["message"]["content"], |block| {
            block.as_object().unwrap().keys().next().unwrap().clone()
        }),
    };
    list.as_array().unwrap().iter().map(kind).collect()
}

/// The whole stream of an answer that comes in chunks of these parts; only the last one says that it ends.
fn stream(to: Dialect, chunks: &[Value]) -> String {
    let last = chunks.len() - 1;
    let events: Vec<String> = chunks
        .iter()
        .enumerate()
        .map(|(at, parts)| {
            let text = answer(parts);
            let text = if at < last { text.replace(r#","finishReason":"STOP""#, "") } else { text };
            format!("data: {text}\n\n")
        })
        .collect();
    let (written, seen) = retell(Gemini, to, events.iter().map(String::as_bytes));
    assert!(seen.done);
    String::from_utf8(written).unwrap()
}

#[test]
fn a_signature_that_ends_an_answer_is_no_block() {
    let thought = json!({"text": "hm", "thought": true});
    let text = json!({"text": "done", "thoughtSignature": "c2ln"});
    let call = json!({"functionCall": {"name": "f", "args": {}}, "thoughtSignature": "c2lnMg=="});
    for (to, [thinking, said, called]) in
        [(Anthropic, ["thinking", "text", "tool_use"]), (Bedrock, ["reasoningContent", "text", "toolUse"])]
    {
        assert_eq!(blocks(to, &json!([thought, text])), [thinking, said]);
        // In front of a call it stays, as do signatures without anything before them.
        assert_eq!(blocks(to, &json!([text, call])), [said, thinking, called]);
        assert_eq!(blocks(to, &json!([{"text": "", "thoughtSignature": "c2ln"}])), [thinking]);
    }
}

#[test]
fn nor_is_one_that_ends_a_stream() {
    let chunks = [
        json!([{"text": "hm", "thought": true}]),
        json!([{"text": "do"}]),
        json!([{"text": "ne", "thoughtSignature": "c2ln"}]),
    ];
    let written = stream(Anthropic, &chunks);
    assert!(written.contains(r#""index":1,"content_block":{"type":"text""#), "{written}");
    assert!(!written.contains("signature_delta") && !written.contains(r#""index":2"#), "{written}");
    let call = json!([{"functionCall": {"name": "f", "args": {}}}]);
    let written = stream(Anthropic, &[&chunks[..], &[call]].concat());
    assert!(written.contains("signature_delta"), "{written}");
    assert!(written.contains(r#""index":3,"content_block":{"type":"tool_use""#), "{written}");
}
