//! Whole answers of every dialect, plain and streamed.

use std::{fs, path::PathBuf};

use bytes::Bytes;
use serde_json::json;

use super::*;
use crate::{
    ChatTap,
    Dialect::{self as D, Anthropic, Bedrock, Cohere, Gemini, OpenAiChat, OpenAiResponses},
    StreamPipe, StreamSummary, codec,
    tap::Verbatim,
};

fn fixture(dialect: &str, name: &str) -> Vec<u8> {
    let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "fixtures", dialect, name].iter().collect();
    fs::read(path).unwrap()
}

const FIXTURES: [(D, &str, &str); 6] = [
    (OpenAiChat, "chat", "stream.sse"),
    (OpenAiResponses, "responses", "stream.sse"),
    (Anthropic, "anthropic", "stream.sse"),
    (Gemini, "gemini", "stream.sse"),
    (Cohere, "cohere", "stream.sse"),
    (Bedrock, "bedrock", "stream.bin"),
];

#[test]
fn the_fixtures_of_every_dialect() {
    for (dialect, folder, stream) in FIXTURES {
        let stream = fixture(folder, stream);
        let answers =
            [plain(codec(dialect), &fixture(folder, "response.json")), streamed(codec(dialect), &stream)];
        for answer in answers {
            let answer = answer.unwrap_or_else(|| panic!("{folder}"));
            assert!(answer.text.starts_with("I read both"), "{folder}: {}", answer.text);
            let read = (answer.refusal, answer.finish, answer.tool_calls, answer.json_valid);
            assert_eq!(read, (false, "tool_calls", 2, false), "{folder}");
            assert_eq!(answer.mean_logprob.is_some(), dialect == Gemini, "{folder}");
        }
        assert_eq!(streamed(codec(dialect), &stream[..stream.len() / 3]), None, "{folder}: cut");
        assert_eq!(plain(codec(dialect), b"{}"), None, "{folder}");
    }
    assert_eq!(plain(codec(Anthropic), &fixture("anthropic", "error.json")), None);
    assert_eq!(streamed(codec(Bedrock), &fixture("bedrock", "stream-exception.bin")), None);
    assert_eq!(
        streamed(codec(OpenAiChat), b"data: {\"choices\":[]}\n\ndata: {\"error\":{\"message\":\"m\"}}\n\n"),
        None
    );
}

fn chat(message: &serde_json::Value, finish: &str) -> Answer {
    let logprobs =
        json!({ "content": [{ "token": "a", "logprob": -0.5 }, { "token": "b", "logprob": -1.5 }] });
    let choice = json!({ "index": 0, "message": message, "finish_reason": finish, "logprobs": logprobs });
    let other =
        json!({ "index": 1, "message": { "role": "assistant", "content": "x" }, "finish_reason": "length" });
    let body = json!({ "id": "i", "model": "m", "choices": [choice, other] });
    plain(codec(OpenAiChat), body.to_string().as_bytes()).unwrap()
}

#[test]
fn json_is_told_strictly_and_only_the_first_choice_counts() {
    let say = |text: &str| chat(&json!({ "role": "assistant", "content": text }), "stop");
    let read = say(" {\"a\": [1]}\n");
    assert_eq!((read.json_valid, read.finish, read.mean_logprob), (true, "stop", Some(-1.0)));
    assert_eq!(read.text, " {\"a\": [1]}\n");
    for text in ["", "{", "{} {}", "```json\n{}\n```", "Sure: {}"] {
        assert!(!say(text).json_valid, "{text}");
    }
}

#[test]
fn logprobs_of_a_stream_are_averaged_over_all_of_it() {
    let chunk = |text: &str, logprob: f64| {
        let logprobs = json!({ "content": [{ "token": text, "logprob": logprob }] });
        let choice = json!({ "index": 0, "delta": { "content": text }, "logprobs": logprobs });
        format!("data: {}\r\n\r\n", json!({ "choices": [choice] }))
    };
    let end = "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"length\"}]}\n\ndata: [DONE]";
    let stream = format!("{}{}: a comment\n\n{end}", chunk("4", -0.25), chunk("2", -0.75));
    let read = streamed(codec(OpenAiChat), stream.as_bytes()).unwrap();
    assert_eq!((&*read.text, read.json_valid, read.finish), ("42", true, "length"));
    assert!((read.mean_logprob.unwrap() + 0.5).abs() < 1e-12);
}

/// Answers of a prompt that was refused, and of a model that declined in words.
fn refusals() -> Vec<(D, serde_json::Value, bool)> {
    let usage = json!({ "inputTokens": 1, "outputTokens": 0, "totalTokens": 1 });
    vec![
        (
            OpenAiChat,
            json!({ "choices": [{ "index": 0, "message": { "content": null, "refusal": "No." }, "finish_reason": "stop" }] }),
            false,
        ),
        (
            OpenAiChat,
            json!({ "choices": [{ "index": 0, "message": { "content": "" }, "finish_reason": "content_filter" }] }),
            true,
        ),
        (
            OpenAiChat,
            json!({ "choices": [{ "index": 0, "message": { "content": "half" }, "finish_reason": "content_filter" }] }),
            false,
        ),
        (
            Anthropic,
            json!({ "type": "message", "role": "assistant", "id": "i", "model": "m", "content": [], "stop_reason": "refusal", "usage": { "input_tokens": 1, "output_tokens": 0 } }),
            true,
        ),
        (Gemini, serde_json::from_slice(&fixture("gemini", "blocked.json")).unwrap(), true),
        (Gemini, json!({ "candidates": [{ "index": 0, "finishReason": "SAFETY" }] }), true),
        (
            Bedrock,
            json!({ "output": { "message": { "role": "assistant", "content": [] } }, "stopReason": "content_filtered", "usage": usage }),
            true,
        ),
    ]
}

#[test]
fn refusals_are_told_from_prompts_that_were_blocked() {
    for (dialect, body, blocked) in refusals() {
        let body = body.to_string();
        let read = plain(codec(dialect), body.as_bytes()).unwrap_or_else(|| panic!("{body}"));
        assert!(read.refusal, "{body}");
        let reply = codec(dialect).decode_response(Json::parse(body.as_bytes()).unwrap()).unwrap();
        assert_eq!(reply.blocked(), blocked, "{body}");
        assert_eq!(crate::chat_blocked(body.as_bytes()), blocked && dialect == OpenAiChat, "{body}");
    }
}

fn seen(mut tap: StreamPipe, stream: &str) -> StreamSummary {
    let mut pieces = Vec::new();
    tap.feed(Bytes::copy_from_slice(stream.as_bytes()), &mut pieces).unwrap();
    tap.finish(&mut pieces);
    tap.seen().clone()
}

#[test]
fn a_stream_that_is_blocked_before_content_says_so() {
    let verbatim = |dialect: D| StreamPipe::Verbatim(Verbatim::new(codec(dialect)));
    let chat = |delta: &str, reason: &str| {
        let stream = format!(
            "data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"role\":\"assistant\",\"content\":\"{delta}\"}}}}]}}\n\ndata: {{\"choices\":[{{\"index\":0,\"delta\":{{}},\"finish_reason\":\"{reason}\"}}]}}\n\n"
        );
        [seen(StreamPipe::Chat(ChatTap::new(true)), &stream), seen(verbatim(OpenAiChat), &stream)]
            .map(|seen| seen.blocked)
    };
    assert_eq!(chat("", "content_filter"), [true; 2]);
    assert_eq!(chat("half", "content_filter"), [false; 2]);
    assert_eq!(chat("", "stop"), [false; 2]);
    let blocked: serde_json::Value = serde_json::from_slice(&fixture("gemini", "blocked.json")).unwrap();
    let gemini = seen(verbatim(Gemini), &format!("data: {blocked}\r\n\r\n"));
    assert!(gemini.blocked && gemini.content);
}
