//! OpenAI Chat Completions, translated: fixtures read, written and read again.

use proptest::prelude::*;
use serde_json::{Value, json};
use wire::{
    Api,
    Dialect::OpenAiChat,
    Quirks,
    canonical::{
        CacheTtl, Effort, Finish, LossReport, Media, OutputFormat, PartKind, Role, TargetFacts, ToolMode,
    },
    codec,
    error::{ClientErrorBody, DecodeError, ErrorAnswer},
    json::Json,
    quirks::CacheMarks,
    scan::PathParamsRef,
};

use crate::support::{
    Answer, Sum, calls::extras, envelope, events, fixture, read, retell, target, translated,
};

static OPENAI: Quirks = Quirks { cache_marks: CacheMarks::Breakpoint, ..Quirks::NONE };

fn text(name: &str) -> String {
    String::from_utf8(fixture("chat", name).to_vec()).unwrap()
}

fn openai() -> TargetFacts<'static> {
    TargetFacts { quirks: &OPENAI, ..target("gpt-5-mini") }
}

#[test]
fn a_call_is_read_field_by_field() {
    let body = text("request.json");
    let json = Json::parse(body.as_bytes()).unwrap();
    let call = codec(OpenAiChat).decode_request(PathParamsRef::default(), json, &Sum).unwrap();
    assert_eq!(
        (&*call.model, call.stream, call.stream_usage, call.max_output),
        ("gpt-5-mini", true, true, Some(500))
    );
    let roles: Vec<_> = call.turns.iter().map(|turn| (turn.role, turn.parts.len())).collect();
    let expected = [
        (Role::System, 1),
        (Role::Developer, 1),
        (Role::User, 5),
        (Role::Assistant, 2),
        (Role::Tool, 2),
        (Role::Assistant, 2),
        (Role::User, 1),
    ];
    assert_eq!(roles, expected);
    assert_eq!(call.turns[1].parts[0].cache, Some(CacheTtl::TwelveHours));
    assert_eq!(call.turns[2].name.as_deref(), Some("ana"));
    let PartKind::Image(image) = &call.turns[2].parts[2].kind else { panic!() };
    assert_eq!(image.media, Media::Base64 { mime: "image/png".into(), data: "iVBORw0KGgo=".into() });
    let PartKind::ToolCall(tool) = &call.turns[3].parts[0].kind else { panic!() };
    assert_eq!(tool.arguments, r#"{"side": "north", "mm": 12345678901234567890}"#);
    assert!(matches!(&call.turns[5].parts[1].kind, PartKind::Refusal(words) if words == "I will not guess."));
    let choice = call.tool_choice.unwrap();
    assert_eq!((choice.mode, choice.allowed), (ToolMode::Required, vec!["gauge".into()]));
    assert_eq!((call.parallel_tools, call.reasoning.effort), (Some(false), Some(Effort::XHigh)));
    assert!(matches!(&call.format, OutputFormat::Schema(schema) if schema.strict == Some(true)));
    assert_eq!(call.sampling.temperature.unwrap().raw(), "0.70");
    assert_eq!(
        (call.sampling.choices, call.sampling.top_logprobs, call.sampling.stop.len()),
        (2, Some(3), 2)
    );
    assert_eq!((call.user.as_deref(), call.store, call.metadata.len()), (Some("user-17"), Some(false), 1));
    assert_eq!(extras(OpenAiChat, &call.extra), [("prompt_cache_key", true), ("novelty", false)]);
}

#[test]
fn a_call_is_written_as_it_was_read() {
    let body = text("request.json");
    let (written, dropped) =
        translated((OpenAiChat, PathParamsRef::default(), &body), OpenAiChat, &openai(), false).unwrap();
    assert_eq!(written, serde_json::from_str::<Value>(&body).unwrap());
    assert!(dropped.is_empty(), "{dropped:?}");
}

#[test]
fn numbers_and_arguments_keep_their_text() {
    let body = text("request.json");
    let json = Json::parse(body.as_bytes()).unwrap();
    let call = codec(OpenAiChat).decode_request(PathParamsRef::default(), json, &Sum).unwrap();
    let losses = LossReport::new(OpenAiChat, OpenAiChat, wire::canonical::Strictness::Default);
    let written = codec(OpenAiChat).encode_request(&call, &openai(), losses).unwrap().body;
    let written = String::from_utf8(written).unwrap();
    for text in ["\"temperature\":0.70", "\"seed\":9007199254740993", "90071992547409931234567890", "[1.50]"]
    {
        assert!(written.contains(text), "{text} in {written}");
    }
}

#[test]
fn wrong_types_are_named_by_their_place() {
    let with = |message: Value| json!({"model": "m", "messages": [message]});
    for (body, place) in [
        (json!([]), ""),
        (json!({"messages": []}), "model"),
        (json!({"model": "m"}), "messages"),
        (with(json!({"role": "robot", "content": ""})), "messages[0].role"),
        (with(json!({"role": "user"})), "messages[0].content"),
        (with(json!({"role": "user", "content": [{"text": ""}]})), "messages[0].content[0].type"),
        (
            with(json!({"role": "user", "content": [{"type": "image_url"}]})),
            "messages[0].content[0].image_url",
        ),
        (
            with(json!({"role": "user", "content": [{"type": "image_url", "image_url": {}}]})),
            "messages[0].content[0].image_url.url",
        ),
        (
            with(json!({"role": "user", "content": [{"type": "file", "file": {"file_data": "x"}}]})),
            "messages[0].content[0].file.file_data",
        ),
        (
            with(json!({"role": "assistant", "tool_calls": [{"id": "x", "function": {}}]})),
            "messages[0].tool_calls[0].function.name",
        ),
        (with(json!({"role": "tool", "content": "x"})), "messages[0].tool_call_id"),
        (
            json!({"model": "m", "messages": [], "tools": [{"type": "function", "function": {}}]}),
            "tools[0].function.name",
        ),
        (json!({"model": "m", "messages": [], "tool_choice": "sometimes"}), "tool_choice"),
        (json!({"model": "m", "messages": [], "reasoning_effort": "huge"}), "reasoning_effort"),
        (json!({"model": "m", "messages": [], "metadata": {"a": 1}}), "metadata.a"),
        (json!({"model": "m", "messages": [], "stop": [1]}), "stop[0]"),
        (json!({"model": "m", "messages": [], "response_format": {"type": "xml"}}), "response_format.type"),
    ] {
        let body = body.to_string();
        let json = Json::parse(body.as_bytes()).unwrap();
        let error = codec(OpenAiChat).decode_request(PathParamsRef::default(), json, &Sum).unwrap_err();
        assert_eq!(error.field, place, "{body}");
    }
}

#[test]
fn the_stream_says_what_the_plain_answer_says() {
    let body = text("response.json");
    let plain =
        Answer::of(&codec(OpenAiChat).decode_response(Json::parse(body.as_bytes()).unwrap()).unwrap());
    let expected = [
        "thought Both sides, then.",
        "text I read both.",
        r#"call call_a gauge {"side": "north", "mm": 12345678901234567890}"#,
        "call call_b bell {}",
    ];
    assert_eq!(plain.parts, expected);
    assert_eq!(plain.finish, Some(Finish::ToolCalls));
    let usage = plain.usage.unwrap();
    assert_eq!((usage.input_uncached, usage.cache_read, usage.cache_write), (100, 1000, 100));
    assert_eq!((usage.output_visible, usage.reasoning), (50, 40));
    assert_eq!(read(OpenAiChat, events(&fixture("chat", "stream.sse"))), plain);
}

#[test]
fn an_answer_is_written_as_it_was_read() {
    let body = text("response.json");
    let reply = codec(OpenAiChat).decode_response(Json::parse(body.as_bytes()).unwrap()).unwrap();
    let written: Value =
        serde_json::from_slice(&codec(OpenAiChat).encode_response(&reply, &envelope())).unwrap();
    let mut expected: Value = serde_json::from_str(&body).unwrap();
    expected["id"] = "chatcmpl-0192aa".into();
    assert_eq!(written, expected);
}

#[test]
fn a_written_stream_reads_the_same_however_it_arrived() {
    for name in ["stream.sse", "stream-vendor.sse"] {
        let stream = fixture("chat", name);
        let (whole, seen) = retell(OpenAiChat, OpenAiChat, [&stream[..]]);
        assert!(seen.done && seen.finish && seen.error.is_none() && seen.usage.is_some(), "{name}: {seen:?}");
        for at in 0..=stream.len() {
            let split = retell(OpenAiChat, OpenAiChat, [&stream[..at], &stream[at..]]);
            assert_eq!(split.0, whole, "{name}: split at {at}");
        }
        assert_eq!(retell(OpenAiChat, OpenAiChat, stream.chunks(1)).0, whole, "{name}: byte by byte");
    }
    let stream = fixture("chat", "stream.sse");
    let written = retell(OpenAiChat, OpenAiChat, [&stream[..]]).0;
    let mut expected = read(OpenAiChat, events(&stream));
    expected.id = Some("chatcmpl-0192aa".to_owned());
    assert_eq!(read(OpenAiChat, events(&written)), expected);
}

#[test]
fn a_written_stream_follows_the_grammar() {
    let (written, _) = retell(OpenAiChat, OpenAiChat, [&fixture("chat", "stream.sse")[..]]);
    let written = String::from_utf8(written).unwrap();
    let mut chunks: Vec<&str> = written.split_terminator("\n\n").collect();
    assert_eq!(chunks.pop(), Some("data: [DONE]"));
    let chunks: Vec<Value> = chunks
        .iter()
        .map(|chunk| serde_json::from_str(chunk.strip_prefix("data: ").unwrap()).unwrap())
        .collect();
    for chunk in &chunks {
        assert_eq!(
            (&chunk["id"], &chunk["object"], &chunk["created"], &chunk["model"]),
            (
                &json!("chatcmpl-0192aa"),
                &json!("chat.completion.chunk"),
                &json!(1_770_000_000),
                &json!("deepseek-v4")
            )
        );
    }
    let (last, body) = chunks.split_last().unwrap();
    assert_eq!((&last["choices"], &last["usage"]["total_tokens"]), (&json!([]), &json!(1290)));
    assert!(body.iter().all(|chunk| chunk["usage"].is_null() && chunk.get("usage").is_some()));
    assert_eq!(body[0]["choices"][0]["delta"]["role"], "assistant");
    assert!(body[1..].iter().all(|chunk| chunk["choices"][0]["delta"].get("role").is_none()));
    let finish: Vec<_> =
        body.iter().filter_map(|chunk| chunk["choices"][0]["finish_reason"].as_str()).collect();
    assert_eq!(finish, ["tool_calls"]);
    let call = &body.iter().find(|chunk| chunk["choices"][0]["delta"]["tool_calls"].is_array()).unwrap();
    let expected = json!([{"index": 0, "id": "call_a", "type": "function", "function": {"name": "gauge", "arguments": ""}}]);
    assert_eq!(call["choices"][0]["delta"]["tool_calls"], expected);
}

#[test]
fn a_vendors_oddities_are_read() {
    let (written, seen) = retell(OpenAiChat, OpenAiChat, [&fixture("chat", "stream-vendor.sse")[..]]);
    let answer = read(OpenAiChat, events(&written));
    let expected =
        ["thought Let me see. Hm.", "text Yes.", r#"call x1 f {"a":1}"#, r#"call x2 g {"b": 2.5}"#];
    let mut parts = answer.parts;
    // The vendor's seal travels in the first call's id.
    assert!(parts[2].starts_with("call x1.pc1c"), "{parts:?}");
    parts[2] = r#"call x1 f {"a":1}"#.to_owned();
    assert_eq!(parts, expected);
    assert_eq!((answer.finish, answer.model.as_deref()), (Some(Finish::ToolCalls), Some("m/x")));
    assert_eq!(seen.usage.unwrap().output(), 9, "the later of two places");
}

#[test]
fn errors_in_the_clothes_of_answers_are_errors() {
    for body in [
        json!({"error": {"message": "no", "code": 503}, "choices": []}),
        json!({"base_resp": {"status_code": 1004, "status_msg": "no"}, "choices": [{"message": {"content": "x"}}]}),
        json!({"choices": [{"index": 0, "message": {"content": "half"}, "finish_reason": "error"}]}),
    ] {
        let text = body.to_string();
        let reply = codec(OpenAiChat).decode_response(Json::parse(text.as_bytes()).unwrap());
        assert!(matches!(reply, Err(DecodeError::Error(..))), "{text}");
        let event = format!("data: {text}\n\n");
        let (_, seen) = retell(OpenAiChat, OpenAiChat, [event.as_bytes()]);
        assert!(seen.error.is_some() && !seen.done, "{text}");
    }
    for body in ["[]", "{}", r#"{"choices":[]}"#, r#"{"choices":[{}]}"#, r#"{"choices":[1]}"#] {
        let reply = codec(OpenAiChat).decode_response(Json::parse(body.as_bytes()).unwrap());
        assert!(matches!(reply, Err(DecodeError::Malformed(_))), "{body}");
    }
}

#[test]
fn a_cut_stream_is_never_whole() {
    let stream = fixture("chat", "stream.sse");
    let finish = str::from_utf8(&stream).unwrap().find(r#""finish_reason": "tool_calls""#).unwrap();
    for end in [0, 20, 700, finish] {
        let (written, seen) = retell(OpenAiChat, OpenAiChat, [&stream[..end]]);
        assert!(!seen.done && !String::from_utf8(written).unwrap().contains("[DONE]"), "cut at {end}");
    }
}

#[test]
fn an_error_is_written_where_clients_look() {
    let extra = json!({"attempts": 2});
    let error = ClientErrorBody {
        kind: domain::ErrorKind::UnsupportedByTarget,
        status: 400,
        message: "no",
        code: "unsupported_by_target",
        param: Some("top_k"),
        request: "req-1",
        extra: Some(&extra),
    };
    let body: Value = serde_json::from_slice(&codec(OpenAiChat).encode_error(&error)).unwrap();
    let inner = json!({"message": "no", "type": "invalid_request_error", "param": "top_k", "code": "unsupported_by_target", "portcullis": extra});
    assert_eq!(body, json!({ "error": inner }));
    assert_eq!(read(OpenAiChat, [&codec(OpenAiChat).encode_error_event(&error)[..]]).errors, ["no"]);
}

proptest! {
    #[test]
    fn mutated_bytes_never_panic(at in 0..4_000_usize, byte in any::<u8>(), cut in 0..4_000_usize) {
        for name in ["request.json", "response.json", "stream.sse", "stream-vendor.sse"] {
            let mut bytes = fixture("chat", name).to_vec();
            bytes.truncate(bytes.len().max(1).min(cut + 1));
            let at = at % bytes.len();
            bytes[at] = byte;
            let _ = codec(OpenAiChat).scan(Api::Chat, PathParamsRef::default(), &bytes);
            let _ = codec(OpenAiChat).decode_error(&ErrorAnswer { status: 400, error_type: None, body: &bytes });
            let _ = codec(OpenAiChat).stream_decoder().event(&bytes, &mut |_| ());
            let Ok(json) = Json::parse(&bytes) else { continue };
            let _ = codec(OpenAiChat).decode_response(json);
            if let Ok(call) = codec(OpenAiChat).decode_request(PathParamsRef::default(), json, &Sum) {
                let _ = codec(OpenAiChat).encode_request(&call, &target("m"), LossReport::new(OpenAiChat, OpenAiChat, wire::canonical::Strictness::Lenient));
            }
        }
    }
}
