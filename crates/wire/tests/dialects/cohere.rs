//! Cohere Chat v2: fixtures read, written and read again.

use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{Value, json};
use wire::{
    Api,
    Dialect::Cohere,
    Edits,
    canonical::{Finish, Media, OutputFormat, PartKind, ReasoningMode, Role, ToolMode},
    codec,
    error::{ClientErrorBody, DecodeError, ErrorAnswer, ErrorClass},
    json::Json,
    scan::PathParamsRef,
};

use crate::support::{
    Answer, Sum, calls::extras, envelope, events, fixture, read, retell, target, translated,
};

const PATH: PathParamsRef<'_> = PathParamsRef { model: None, stream: None };

fn text(name: &str) -> String {
    String::from_utf8(fixture("cohere", name).to_vec()).unwrap()
}

fn value(name: &str) -> Value {
    serde_json::from_str(&text(name)).unwrap()
}

/// The stream with LF line ends.
fn stream(name: &str) -> Bytes {
    text(name).replace("\r\n", "\n").into()
}

fn plain(name: &str) -> Answer {
    let body = text(name);
    Answer::of(&codec(Cohere).decode_response(Json::parse(body.as_bytes()).unwrap()).unwrap())
}

#[test]
fn a_body_is_scanned_and_passed_on_with_another_model() {
    let body = fixture("cohere", "request.json");
    let facts = codec(Cohere).scan(Api::Cohere, PATH, &body).unwrap();
    assert_eq!(
        (&*facts.model, facts.stream, facts.include_usage),
        ("command-a-reasoning-08-2025", true, true)
    );
    assert_eq!((facts.max_output, facts.choices, facts.messages, facts.images), (Some(2048), 1, 7, 2));
    let edits = Edits { model: "other", want_usage: true, output_limit: Some(9), old_limit_name: false };
    let passed = codec(Cohere).verbatim(&body, &facts, &edits);
    let expected = text("request.json").replace("command-a-reasoning-08-2025", "other");
    assert_eq!(str::from_utf8(&passed).unwrap(), expected);
    for (body, field) in [
        (r#"{"messages":[]}"#, Some("model")),
        (r#"{"model":"m"}"#, Some("messages")),
        (r#"{"model":"m","mod\u0065l":"n","messages":[]}"#, Some("model")),
        (r#"{"model":"m","messages":[],"stream":1}"#, Some("stream")),
        (r#"{"model":"m","messages":[],"max_tokens":-1}"#, Some("max_tokens")),
        (r#"{"model":"m","messages":[1]}"#, Some("messages")),
        (r#"{"model":"m","messages":[]"#, None),
    ] {
        assert_eq!(
            codec(Cohere).scan(Api::Cohere, PATH, body.as_bytes()).unwrap_err().field,
            field,
            "{body}"
        );
    }
}

#[test]
fn a_call_is_read_field_by_field() {
    let body = text("request.json");
    let call = codec(Cohere).decode_request(PATH, Json::parse(body.as_bytes()).unwrap(), &Sum).unwrap();
    assert!(call.stream && call.max_output == Some(2048));
    let roles: Vec<_> = call.turns.iter().map(|turn| (turn.role, turn.parts.len())).collect();
    let expected = [
        (Role::System, 1),
        (Role::User, 3),
        (Role::Assistant, 4),
        (Role::Tool, 2),
        (Role::Assistant, 1),
        (Role::User, 3),
    ];
    assert_eq!(roles, expected);
    let PartKind::Image(image) = &call.turns[1].parts[1].kind else { panic!() };
    assert!(matches!(&image.media, Media::Base64 { mime, .. } if mime == "image/png"));
    assert_eq!(image.detail.as_deref(), Some("high"));
    let kinds: Vec<_> = call.turns[2].parts.iter().map(|part| std::mem::discriminant(&part.kind)).collect();
    assert_eq!(kinds[2], kinds[3]);
    let PartKind::ToolCall(tool) = &call.turns[2].parts[2].kind else { panic!() };
    assert_eq!(tool.arguments, r#"{"side": "north", "mm": 12345678901234567890}"#);
    let PartKind::ToolResult(result) = &call.turns[3].parts[0].kind else { panic!() };
    assert_eq!((&*result.id, result.content.len()), ("gauge_a", 2));
    let PartKind::Document(document) = &call.turns[5].parts[1].kind else { panic!() };
    assert_eq!((document.name.as_deref(), document.cite), (Some("doc-1"), false));
    assert!(call.tools.len() == 2 && call.tools.iter().all(|tool| tool.strict == Some(true)));
    assert_eq!(call.tool_choice.unwrap().mode, ToolMode::Required);
    assert_eq!((call.reasoning.mode, call.reasoning.budget), (Some(ReasoningMode::On), Some(1024)));
    assert_eq!(call.sampling.temperature.unwrap().raw(), "0.30");
    assert!(matches!(call.format, OutputFormat::Schema(_)) && call.sampling.logprobs);
    assert_eq!(extras(Cohere, &call.extra), [("safety_mode", true)]);
}

#[test]
fn a_call_is_written_as_it_was_read() {
    let body = text("request.json");
    let (written, dropped) = translated((Cohere, PATH, &body), Cohere, &target("m"), false).unwrap();
    let mut expected = value("request.json");
    expected["model"] = "m".into();
    assert_eq!(written, expected);
    assert!(dropped.is_empty(), "{dropped:?}");
}

#[test]
fn wrong_types_are_named_by_their_place() {
    let message = |message: Value| json!({ "model": "m", "messages": [message] });
    let with = |field: &str, value: Value| {
        let mut body = json!({"model": "m", "messages": [{"role": "user", "content": "x"}]});
        body[field] = value;
        body
    };
    for (body, place) in [
        (json!([]), ""),
        (json!({"messages": []}), "model"),
        (json!({"model": "m"}), "messages"),
        (message(json!({"role": "robot", "content": "x"})), "messages[0].role"),
        (message(json!({"role": "user"})), "messages[0].content"),
        (message(json!({"role": "assistant"})), "messages[0].content"),
        (message(json!({"role": "user", "content": 1})), "messages[0].content"),
        (message(json!({"role": "user", "content": [{"text": "x"}]})), "messages[0].content[0].type"),
        (
            message(json!({"role": "user", "content": [{"type": "image_url", "image_url": {}}]})),
            "messages[0].content[0].image_url.url",
        ),
        (message(json!({"role": "tool", "content": "x"})), "messages[0].tool_call_id"),
        (message(json!({"role": "tool", "tool_call_id": "x", "content": "x"})), "messages"),
        (
            message(json!({"role": "assistant", "tool_calls": [{"id": "a", "function": {}}]})),
            "messages[0].tool_calls[0].function.name",
        ),
        (with("tools", json!([{"type": "function"}])), "tools[0].function"),
        (with("tool_choice", json!("auto")), "tool_choice"),
        (with("response_format", json!({"type": "xml"})), "response_format.type"),
        (with("thinking", json!({"type": "enabled", "token_budget": -1})), "thinking.token_budget"),
        (with("documents", json!([{"id": "x"}])), "documents[0].data"),
        (with("stop_sequences", json!("x")), "stop_sequences"),
    ] {
        let body = body.to_string();
        let error =
            codec(Cohere).decode_request(PATH, Json::parse(body.as_bytes()).unwrap(), &Sum).unwrap_err();
        assert_eq!(error.field, place, "{body}");
    }
}

#[test]
fn the_stream_says_what_the_plain_answer_says() {
    let tools = plain("response.json");
    let expected = [
        "thought Both sides, then.",
        "text I read both \"gauges\" 🌊.",
        r#"call gauge_c gauge {"side": "north", "mm": 12345678901234567890}"#,
        "call bell_d bell {}",
    ];
    assert_eq!(tools.parts, expected);
    assert_eq!(tools.finish, Some(Finish::ToolCalls));
    let usage = tools.usage.unwrap();
    assert_eq!((usage.input_uncached, usage.cache_read, usage.output_visible), (120, 1000, 90));
    assert_eq!(read(Cohere, events(&stream("stream.sse"))), tools);
    let text = plain("response-text.json");
    assert_eq!(
        (text.finish, &*text.parts),
        (Some(Finish::StopSequence), &["text High at noon.".to_owned()][..])
    );
    let usage = text.usage.unwrap();
    assert_eq!(
        (usage.input(), usage.output(), usage.search_units),
        (9, 4, 2),
        "only what is billed was said"
    );
    assert_eq!(read(Cohere, events(&stream("stream-text.sse"))), text);
}

#[test]
fn an_answer_is_written_as_it_was_read() {
    let written = |name: &str| -> Value {
        let body = text(name);
        let reply = codec(Cohere).decode_response(Json::parse(body.as_bytes()).unwrap()).unwrap();
        serde_json::from_slice(&codec(Cohere).encode_response(&reply, &envelope())).unwrap()
    };
    let mut expected = value("response.json");
    let tokens = json!({"input_tokens": 1120, "output_tokens": 90});
    expected["usage"] = json!({"billed_units": tokens, "tokens": tokens, "cached_tokens": 1000});
    assert_eq!(written("response.json"), expected);
    let text = written("response-text.json");
    assert_eq!(text["message"]["content"], value("response-text.json")["message"]["content"]);
    let pieces: Vec<_> =
        text["logprobs"].as_array().unwrap().iter().map(|item| (&item["text"], &item["logprobs"])).collect();
    assert_eq!(
        pieces,
        [
            (&json!("High"), &json!([-0.10])),
            (&json!(" at noon."), &json!([-1.5])),
            (&json!(""), &json!([-0.2]))
        ]
    );
}

#[test]
fn a_written_stream_reads_the_same_however_it_arrived() {
    for name in ["stream.sse", "stream-text.sse"] {
        let bytes = fixture("cohere", name);
        let (whole, seen) = retell(Cohere, Cohere, [&bytes[..]]);
        assert!(seen.done && seen.finish && seen.error.is_none() && seen.usage.is_some(), "{name}: {seen:?}");
        for at in 0..=bytes.len() {
            assert_eq!(
                retell(Cohere, Cohere, [&bytes[..at], &bytes[at..]]).0,
                whole,
                "{name}: split at {at}"
            );
        }
        assert_eq!(retell(Cohere, Cohere, bytes.chunks(1)).0, whole, "{name}: byte by byte");
        assert_eq!(read(Cohere, events(&whole)), read(Cohere, events(&stream(name))), "{name}");
    }
}

#[test]
fn a_written_stream_follows_the_grammar() {
    let (written, _) = retell(Cohere, Cohere, [&fixture("cohere", "stream.sse")[..]]);
    let mut kinds = Vec::new();
    for event in events(&written) {
        let event = str::from_utf8(event).unwrap().trim_end();
        let Some((name, data)) = event.split_once("\ndata: ") else {
            assert_eq!(event, "data: [DONE]");
            continue;
        };
        let data: Value = serde_json::from_str(data).unwrap();
        assert_eq!(name.strip_prefix("event: "), data["type"].as_str());
        kinds.push(format!("{} {}", &name[7..], data["index"]));
        let message = &data["delta"]["message"];
        for list in ["content", "tool_calls"] {
            assert!(
                name.ends_with("message-start") || !message[list].is_array(),
                "objects in streams: {data}"
            );
        }
    }
    let expected = "message-start null, content-start 0, content-delta 0, content-delta 0, content-end 0, \
        content-start 1, content-delta 1, content-delta 1, content-end 1, \
        tool-call-start 0, tool-call-delta 0, tool-call-delta 0, tool-call-end 0, \
        tool-call-start 1, tool-call-delta 1, tool-call-end 1, message-end null";
    assert_eq!(kinds.join(", "), expected);
}

#[test]
fn a_cut_or_failed_stream_is_never_whole() {
    let bytes = fixture("cohere", "stream.sse");
    let end = bytes.windows(11).position(|window| window == b"message-end").unwrap();
    for end in [0, 20, 400, end] {
        let (written, seen) = retell(Cohere, Cohere, [&bytes[..end]]);
        assert!(!seen.done && !String::from_utf8(written).unwrap().contains("message-end"), "cut at {end}");
    }
    for (delta, said) in [
        (json!({"finish_reason": "ERROR", "error": "too hot"}), "too hot"),
        (json!({"finish_reason": "TIMEOUT"}), "the provider ended the answer with an error"),
    ] {
        let event = format!("data: {}\n\n", json!({"type": "message-end", "delta": delta}));
        let answer = read(Cohere, [event.as_bytes()]);
        assert_eq!((answer.errors, answer.finish, answer.ended), (vec![said.to_owned()], None, false));
    }
}

#[test]
fn an_error_is_read_by_status() {
    let message = |message: &str| json!({ "message": message }).to_string();
    for (status, body, class) in [
        (429, text("error.json"), ErrorClass::RateLimited),
        (429, message("You are past the per month request limit for this key"), ErrorClass::NoCredit),
        (400, message("too many tokens: 9 > 8"), ErrorClass::ContextTooLong),
        (400, message("no"), ErrorClass::BadRequest),
        (422, message("no"), ErrorClass::BadRequest),
        (401, message("no"), ErrorClass::BadCredential),
        (498, message("invalid token"), ErrorClass::BadCredential),
        (404, message("no"), ErrorClass::NotFound),
        (413, String::new(), ErrorClass::TooLarge),
        (501, String::new(), ErrorClass::ServerError),
        (503, "<html>".to_owned(), ErrorClass::Overloaded),
        (504, String::new(), ErrorClass::Timeout),
    ] {
        let answer = ErrorAnswer { status, error_type: None, body: body.as_bytes() };
        assert_eq!(codec(Cohere).decode_error(&answer).0, class, "{status} {body}");
    }
    let error = text("error.json");
    let reply = codec(Cohere).decode_response(Json::parse(error.as_bytes()).unwrap());
    assert!(matches!(reply, Err(DecodeError::Error(_, said)) if said.message.starts_with("You are")));
}

#[test]
fn an_error_is_written_where_clients_look() {
    let extra = json!({ "attempts": 2 });
    let error = ClientErrorBody {
        kind: domain::ErrorKind::BudgetExceeded,
        status: 429,
        message: "no money",
        code: "budget_exceeded",
        param: Some("messages"),
        request: "r1",
        extra: Some(&extra),
    };
    let body: Value = serde_json::from_slice(&codec(Cohere).encode_error(&error)).unwrap();
    let expected = json!({"message": "no money", "id": "r1", "code": "budget_exceeded", "param": "messages", "portcullis": extra});
    assert_eq!(body, expected);
    let event = codec(Cohere).encode_error_event(&error);
    assert!(event.starts_with(b"event: message-end\ndata: {"));
    assert_eq!(read(Cohere, [&event[..]]).errors, ["no money"]);
}

proptest! {
    #[test]
    fn nothing_makes_it_panic(at in 0usize..8000, with in any::<u8>(), cut in 0usize..8000, which in 0usize..5) {
        let names = ["request.json", "response.json", "stream.sse", "stream-text.sse", "response-text.json"];
        let mut bytes = fixture("cohere", names[which]).to_vec();
        let len = bytes.len();
        bytes[at % len] = with;
        bytes.truncate(len - cut % len / 4);
        let _ = codec(Cohere).scan(Api::Cohere, PATH, &bytes);
        if let Ok(json) = Json::parse(&bytes) {
            if let Ok(call) = codec(Cohere).decode_request(PATH, json, &Sum) {
                let losses = wire::canonical::LossReport::new(Cohere, Cohere, wire::canonical::Strictness::Lenient);
                let _ = codec(Cohere).encode_request(&call, &target("m"), losses);
            }
            if let Ok(reply) = codec(Cohere).decode_response(json) {
                codec(Cohere).encode_response(&reply, &envelope());
            }
        }
        let mut decoder = codec(Cohere).stream_decoder();
        let mut encoder = codec(Cohere).stream_encoder(envelope());
        let mut out = Vec::new();
        for event in bytes.split_inclusive(|byte| *byte == b'\n') {
            let _ = decoder.event(event, &mut |event| encoder.event(&event, &mut out));
        }
        encoder.end(&mut out, &mut Vec::new());
    }
}
