//! Ids that a call and its result share, end users and metadata within what each target takes.

use serde_json::{Value, json};
use wire::{
    Dialect::{self, Anthropic, Bedrock, Cohere, Gemini, OpenAiChat, OpenAiResponses},
    scan::PathParamsRef,
};

use crate::support::{target, translated};

const GEMINI: PathParamsRef<'_> = PathParamsRef { model: Some("m"), stream: Some(false) };
const NOTHING: PathParamsRef<'_> = PathParamsRef { model: None, stream: None };

fn made(id: Option<&str>, name: &str) -> Value {
    let mut call = json!({"functionCall": {"name": name, "args": {}}});
    if let Some(id) = id {
        call["functionCall"]["id"] = id.into();
    }
    call
}

fn done(id: Option<&str>, name: &str, text: &str) -> Value {
    let mut result = json!({"functionResponse": {"name": name, "response": {"output": text}}});
    if let Some(id) = id {
        result["functionResponse"]["id"] = id.into();
    }
    result
}

/// The ids of the calls, and of the results with their texts, in a body of this dialect.
fn ids(dialect: Dialect, body: &Value) -> (Vec<String>, Vec<(String, String)>) {
    let (mut calls, mut results) = (Vec::new(), Vec::new());
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let items = list(if dialect == OpenAiResponses { &body["input"] } else { &body["messages"] });
    for item in items {
        match dialect {
            OpenAiResponses if item["type"] == "function_call" => calls.push(text(&item["call_id"])),
            OpenAiResponses if item["type"] == "function_call_output" => {
                results.push((text(&item["call_id"]), text(&item["output"])));
            }
            OpenAiChat | Cohere => {
                calls.extend(list(&item["tool_calls"]).iter().map(|call| text(&call["id"])));
                if item["role"] == "tool" {
                    results.push((text(&item["tool_call_id"]), item["content"].to_string()));
                }
            }
            _ => {
                for block in list(&item["content"]) {
                    for call in [&block["id"], &block["toolUse"]["toolUseId"]] {
                        calls.extend(call.as_str().map(str::to_owned));
                    }
                    for (id, said) in [
                        (&block["tool_use_id"], &block["content"]),
                        (&block["toolResult"]["toolUseId"], &block["toolResult"]["content"]),
                    ] {
                        results.extend(id.as_str().map(|id| (id.to_owned(), said.to_string())));
                    }
                }
            }
        }
    }
    (calls, results)
}

const TARGETS: [Dialect; 5] = [OpenAiChat, OpenAiResponses, Anthropic, Cohere, Bedrock];

fn written(contents: &Value, to: Dialect) -> Value {
    let body = json!({ "contents": contents }).to_string();
    translated((Gemini, GEMINI, &body), to, &target("m"), false).unwrap().0
}

#[test]
fn case_5_a_result_without_an_id_has_that_of_its_call() {
    let contents = json!([
        {"role": "user", "parts": [{"text": "x"}]},
        {"role": "model", "parts": [made(Some("c1"), "f"), made(Some("c2"), "g"), made(Some("c3"), "f")]},
        {"role": "user", "parts": [done(None, "g", "two"), done(None, "f", "one"), done(None, "f", "three")]},
        {"role": "model", "parts": [made(Some("c4"), "f")]},
        {"role": "user", "parts": [done(None, "f", "four")]},
    ]);
    for to in TARGETS {
        let (calls, results) = ids(to, &written(&contents, to));
        assert_eq!(calls, ["c1", "c2", "c3", "c4"], "{to:?}");
        for (id, word) in [("c1", "one"), ("c2", "two"), ("c3", "three"), ("c4", "four")] {
            let found: Vec<_> = results.iter().filter(|(of, _)| of == id).collect();
            assert!(matches!(&found[..], [(_, said)] if said.contains(word)), "{to:?}: {results:?}");
        }
    }
}

#[test]
fn case_5_a_result_with_an_id_that_its_call_lacks_is_that_calls() {
    let contents = json!([
        {"role": "user", "parts": [{"text": "x"}]},
        {"role": "model", "parts": [made(Some("call_1"), "f"), made(None, "f")]},
        {"role": "user", "parts": [done(Some("call_1"), "f", "one"), done(Some("own"), "f", "two")]},
    ]);
    for to in TARGETS {
        let (calls, results) = ids(to, &written(&contents, to));
        assert_eq!(calls, ["call_1", "call_2"], "{to:?}: a minted id is no other call's");
        let of: Vec<_> = results.iter().map(|(id, _)| id).collect();
        assert_eq!(of, ["call_1", "call_2"], "{to:?}");
    }
}

#[test]
fn a_result_that_no_call_waits_for_is_refused_by_name() {
    let contents = json!([
        {"role": "user", "parts": [{"text": "x"}]},
        {"role": "model", "parts": [made(Some("c1"), "f")]},
        {"role": "user", "parts": [done(None, "g", "one")]},
    ]);
    let body = json!({ "contents": contents }).to_string();
    let error = translated((Gemini, GEMINI, &body), OpenAiChat, &target("m"), true).unwrap_err();
    assert!(error.contains("contents[2].parts[0].functionResponse") && error.contains("\"g\""), "{error}");
}

#[test]
fn case_6_ids_of_any_length_and_letters_fit_and_agree() {
    let long = "x".repeat(10_000);
    for id in [&*long, "functions.f:0", "é", "a b"] {
        let body = json!({"model": "m", "messages": [
            {"role": "user", "content": "x"},
            {"role": "assistant", "content": null, "tool_calls":
                [{"id": id, "type": "function", "function": {"name": "f", "arguments": "{}"}}]},
            {"role": "tool", "tool_call_id": id, "content": "one"},
            {"role": "assistant", "content": null, "tool_calls":
                [{"id": id, "type": "function", "function": {"name": "f", "arguments": "{}"}}]},
            {"role": "tool", "tool_call_id": id, "content": "two"},
        ]})
        .to_string();
        for (to, most) in [(OpenAiResponses, 64), (Anthropic, usize::MAX), (Bedrock, 64)] {
            let (body, _) = translated((OpenAiChat, NOTHING, &body), to, &target("m"), false).unwrap();
            let (calls, results) = ids(to, &body);
            assert!(calls.iter().all(|call| call.len() <= most), "{to:?}: {calls:?}");
            assert_ne!(calls[0], calls[1], "{to:?}: one id for one call");
            let of: Vec<_> = results.iter().map(|(id, _)| id).collect();
            assert_eq!(of, [&calls[0], &calls[1]], "{to:?}");
        }
    }
}

#[test]
fn end_users_and_metadata_keep_to_what_openai_takes() {
    let user = "u".repeat(150);
    let body = json!({"model": "m", "max_tokens": 9, "metadata": {"user_id": user},
        "messages": [{"role": "user", "content": "x"}]})
    .to_string();
    for to in [OpenAiChat, OpenAiResponses] {
        let (body, dropped) = translated((Anthropic, NOTHING, &body), to, &target("m"), false).unwrap();
        assert!(body["user"].as_str().unwrap().len() <= 64, "{body}");
        assert!(dropped.contains(&"metadata.user_id".to_owned()), "{dropped:?}");
    }
    let labels: serde_json::Map<_, _> = (0..20).map(|at| (format!("l{at:02}"), json!("v"))).collect();
    let body = json!({"labels": labels, "contents": [{"parts": [{"text": "x"}]}]}).to_string();
    let (body, dropped) = translated((Gemini, GEMINI, &body), OpenAiChat, &target("m"), false).unwrap();
    assert_eq!(body["metadata"].as_object().unwrap().len(), 16);
    assert!(dropped.contains(&"labels".to_owned()), "{dropped:?}");
}
