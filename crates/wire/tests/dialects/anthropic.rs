//! Anthropic Messages: fixtures in both versions of its API, read, written and read again.

use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{Value, json};
use wire::{
    Api,
    Dialect::{self, Anthropic},
    Edits,
    canonical::{
        CacheTtl, Effort, Family, Finish, LossReport, OutputFormat, PartKind, ReasoningMode, Role, Show,
        Support,
    },
    codec,
    codec::DialectCodec as _,
    dialects::anthropic,
    error::{ClientErrorBody, DecodeError, ErrorAnswer, ErrorClass},
    json::Json,
    scan::PathParamsRef,
};

use crate::support::{
    Answer, Sum, calls::extras, envelope, events, fixture, read, retell, target, translated,
};

const REQUESTS: [&str; 2] = ["request.json", "request-2023.json"];

fn text(name: &str) -> String {
    String::from_utf8(fixture("anthropic", name).to_vec()).unwrap()
}

fn value(name: &str) -> Value {
    serde_json::from_str(&text(name)).unwrap()
}

fn again(body: &str, sampling: Option<bool>) -> Result<(Value, Vec<String>), String> {
    let mut target = target("claude-x");
    target.sampling = sampling.into();
    translated((Anthropic, PathParamsRef::default(), body), Anthropic, &target, false)
}

#[test]
fn a_call_is_read_field_by_field() {
    let body = text("request.json");
    let call = codec(Anthropic).decode_request(
        PathParamsRef::default(),
        Json::parse(body.as_bytes()).unwrap(),
        &Sum,
    );
    let call = call.unwrap();
    assert_eq!(
        (&*call.model, call.stream, call.stream_usage, call.max_output),
        ("claude-opus-5", true, true, Some(4096))
    );
    let roles: Vec<_> = call.turns.iter().map(|turn| (turn.role, turn.parts.len())).collect();
    let expected =
        [(Role::System, 2), (Role::User, 1), (Role::Assistant, 5), (Role::Tool, 2), (Role::User, 5)];
    assert_eq!(roles, expected);
    assert_eq!(call.turns[0].parts[1].cache, Some(CacheTtl::OneHour));
    assert_eq!(call.turns[4].parts[0].cache, Some(CacheTtl::FiveMinutes));
    let PartKind::Reasoning { text, signature: Some(seal) } = &call.turns[2].parts[0].kind else { panic!() };
    assert_eq!(
        (&**text, &*seal.text, seal.family),
        ("Two gauges to read.", "c2lnbmF0dXJlLW9uZQ==", Family::Anthropic)
    );
    let PartKind::ToolCall(tool) = &call.turns[2].parts[3].kind else { panic!() };
    assert_eq!(tool.arguments, r#"{"side": "north", "mm": 12345678901234567890}"#);
    let PartKind::ToolResult(result) = &call.turns[3].parts[1].kind else { panic!() };
    assert_eq!((&*result.id, result.error, result.content.len()), ("toolu_south", true, 2));
    let PartKind::Document(document) = &call.turns[4].parts[2].kind else { panic!() };
    assert_eq!((document.name.as_deref(), document.cite), (Some("Tides"), true));
    assert_eq!(
        (call.tools.len(), call.tools[0].strict, call.tools[1].cache),
        (2, Some(true), Some(CacheTtl::FiveMinutes))
    );
    assert_eq!((call.parallel_tools, call.user.as_deref()), (Some(true), Some("keeper-7")));
    assert_eq!(
        (call.reasoning.mode, call.reasoning.effort),
        (Some(ReasoningMode::Adaptive), Some(Effort::XHigh))
    );
    assert_eq!(call.reasoning.show, Some(Show::Auto));
    assert!(matches!(call.format, OutputFormat::Schema(_)) && call.extra.is_empty());
    assert_eq!(call.sampling.stop, ["END", "STOP"]);
}

#[test]
fn a_call_is_written_as_it_was_read_in_both_versions() {
    for (name, sampling) in [(REQUESTS[0], None), (REQUESTS[1], Some(true))] {
        let (written, dropped) = again(&text(name), sampling).unwrap();
        let mut expected = value(name);
        expected["model"] = "claude-x".into();
        assert_eq!(written, expected, "{name}");
        assert!(dropped.is_empty(), "{name}: {dropped:?}");
    }
}

#[test]
fn the_older_version_is_written_only_for_sampling_fields_that_the_model_takes() {
    let body = text("request-2023.json");
    let json = Json::parse(body.as_bytes()).unwrap();
    let mut call = codec(Anthropic).decode_request(PathParamsRef::default(), json, &Sum).unwrap();
    let mut target = target("m");
    assert_eq!(codec(Anthropic).api_version(&call, &target), Some("2026-10-21"));
    target.sampling = Support::Supported;
    assert_eq!(codec(Anthropic).api_version(&call, &target), Some("2023-06-01"));
    call.sampling.temperature = None;
    call.sampling.top_p = None;
    call.sampling.top_k = None;
    assert_eq!(codec(Anthropic).api_version(&call, &target), Some("2026-10-21"));
    let (written, dropped) = again(&body, Some(false)).unwrap();
    assert_eq!(written.get("temperature"), None);
    assert_eq!(dropped[..3], ["temperature", "top_p", "top_k"]);
    let losses = LossReport::new(Dialect::OpenAiChat, Anthropic, wire::canonical::Strictness::Default);
    call.sampling.temperature = Some(Json::parse(b"1").unwrap());
    target.sampling = Support::Unknown;
    let encoded = codec(Anthropic).encode_request(&call, &target, losses).unwrap();
    assert_eq!(encoded.dropped, ["temperature"], "the default says nothing and is only told");
}

#[test]
fn wrong_types_are_named_by_their_place() {
    for (body, place) in [
        (json!({"messages": [], "max_tokens": 1}), "model"),
        (json!({"model": "m", "messages": []}), "max_tokens"),
        (json!({"model": "m", "max_tokens": 1}), "messages"),
        (
            json!({"model": "m", "max_tokens": 1, "messages": [{"role": "robot", "content": "x"}]}),
            "messages[0].role",
        ),
        (json!({"model": "m", "max_tokens": 1, "messages": [{"role": "user"}]}), "messages[0].content"),
        (
            json!({"model": "m", "max_tokens": 1, "messages": [{"role": "user", "content": [{"text": "x"}]}]}),
            "messages[0].content[0].type",
        ),
        (
            json!({"model": "m", "max_tokens": 1, "messages": [{"role": "user", "content": [{"type": "image", "source": {"type": "url"}}]}]}),
            "messages[0].content[0].source.url",
        ),
        (
            json!({"model": "m", "max_tokens": 1, "messages": [], "tools": [{"name": "x"}]}),
            "tools[0].input_schema",
        ),
        (
            json!({"model": "m", "max_tokens": 1, "messages": [], "thinking": {"type": "enabled"}}),
            "thinking.budget_tokens",
        ),
        (
            json!({"model": "m", "max_tokens": 1, "messages": [], "output_config": {"effort": "none"}}),
            "output_config.effort",
        ),
        (
            json!({"model": "m", "max_tokens": 1, "messages": [], "cache_control": {"type": "ephemeral", "ttl": "2h"}}),
            "cache_control.ttl",
        ),
        (json!([]), ""),
    ] {
        let body = body.to_string();
        let json = Json::parse(body.as_bytes()).unwrap();
        let error = codec(Anthropic).decode_request(PathParamsRef::default(), json, &Sum).unwrap_err();
        assert_eq!(error.field, place, "{body}");
    }
}

#[test]
fn what_has_no_place_is_kept_and_told_apart() {
    let body = json!({"model": "m", "max_tokens": 1, "inference_geo": "eu", "novelty": [1.5], "metadata": {"x": 1},
        "messages": [{"role": "user", "content": [{"type": "search_result", "source": "s", "title": "t", "content": []},
            {"type": "image", "source": {"type": "url", "url": "u"}, "transformations": {"a": "b"}}]}],
        "tools": [{"type": "web_search_20260318", "name": "web_search"}]});
    let text = body.to_string();
    let json = Json::parse(text.as_bytes()).unwrap();
    let call = codec(Anthropic).decode_request(PathParamsRef::default(), json, &Sum).unwrap();
    let expected = [
        ("messages[0].content[1].transformations", false),
        ("metadata.x", false),
        ("inference_geo", true),
        ("novelty", false),
    ];
    assert_eq!(extras(Anthropic, &call.extra), expected);
    assert_eq!(call.extra[0].value.raw(), r#"{"a":"b"}"#);
    assert!(
        matches!(&call.turns[0].parts[0].kind, PartKind::Foreign { kind, .. } if kind == "search_result")
    );
    assert!(call.tools[0].foreign.is_some());
    // For a target of the same words all that has a place at the top is written again.
    let losses = LossReport::new(Anthropic, Anthropic, wire::canonical::Strictness::Lenient);
    let encoded = codec(Anthropic).encode_request(&call, &target("m"), losses).unwrap();
    let written: Value = serde_json::from_slice(&encoded.body).unwrap();
    assert_eq!((&written["inference_geo"], &written["novelty"]), (&json!("eu"), &json!([1.5])));
    assert_eq!(
        (&written["tools"], &written["messages"][0]["content"][0]["title"]),
        (&body["tools"], &json!("t"))
    );
    assert_eq!(encoded.dropped, ["messages[0].content[1].transformations", "metadata.x"]);
    // A target of other words gets none of them.
    let strict = LossReport::new(Dialect::OpenAiChat, Anthropic, wire::canonical::Strictness::Default);
    assert!(codec(Anthropic).encode_request(&call, &target("m"), strict).is_err());
}

#[test]
fn the_stream_says_what_the_plain_answer_says() {
    let body = text("response.json");
    let plain = Answer::of(&codec(Anthropic).decode_response(Json::parse(body.as_bytes()).unwrap()).unwrap());
    let expected = [
        "thought Both sides, then.",
        "seal Anthropic c2lnbmF0dXJlLXR3bw==",
        "redacted Anthropic aGlkZGVu",
        "text I read both \"gauges\" 🌊.",
        r#"call toolu_a gauge {"side": "north", "mm": 12345678901234567890}"#,
        "call toolu_b bell {}",
    ];
    assert_eq!(plain.parts, expected);
    assert_eq!(plain.finish, Some(Finish::ToolCalls));
    let usage = plain.usage.unwrap();
    assert_eq!(
        (usage.input_uncached, usage.cache_read, usage.write_5m, usage.write_1h),
        (21, 1000, 100, 200)
    );
    assert_eq!((usage.output_visible, usage.reasoning), (50, 40));
    assert_eq!(read(Anthropic, events(&fixture("anthropic", "stream.sse"))), plain);
}

#[test]
fn an_answer_is_written_as_it_was_read() {
    let body = text("response.json");
    let reply = codec(Anthropic).decode_response(Json::parse(body.as_bytes()).unwrap()).unwrap();
    let written = codec(Anthropic).encode_response(&reply, &envelope());
    let mut expected = value("response.json");
    expected.as_object_mut().unwrap().remove("stop_details");
    expected["content"][2].as_object_mut().unwrap().remove("citations");
    expected["content"][3].as_object_mut().unwrap().remove("caller");
    assert_eq!(serde_json::from_slice::<Value>(&written).unwrap(), expected);
}

#[test]
fn a_written_stream_reads_the_same_however_it_arrived() {
    for name in ["stream.sse", "stream-vendor.sse"] {
        let stream = fixture("anthropic", name);
        let (whole, seen) = retell(Anthropic, Anthropic, [&stream[..]]);
        assert!(seen.done && seen.finish && seen.error.is_none() && seen.usage.is_some(), "{name}: {seen:?}");
        for at in 0..=stream.len() {
            let split = retell(Anthropic, Anthropic, [&stream[..at], &stream[at..]]);
            assert_eq!(split.0, whole, "{name}: split at {at}");
        }
        assert_eq!(retell(Anthropic, Anthropic, stream.chunks(1)).0, whole, "{name}: byte by byte");
    }
    let stream = fixture("anthropic", "stream.sse");
    let (written, _) = retell(Anthropic, Anthropic, [&stream[..]]);
    assert_eq!(read(Anthropic, events(&written)), read(Anthropic, events(&stream)));
}

#[test]
fn a_vendors_oddities_are_read() {
    let (written, _) = retell(Anthropic, Anthropic, [&fixture("anthropic", "stream-vendor.sse")[..]]);
    let answer = read(Anthropic, events(&written));
    assert_eq!(
        (answer.id.as_deref(), answer.parts.as_slice()),
        (Some("msg_0192aa"), &["text No".to_owned()][..])
    );
    assert_eq!(
        (answer.finish, answer.explanation.as_deref()),
        (Some(Finish::ContentFilter), Some("I would rather not."))
    );
}

#[test]
fn a_written_stream_follows_the_grammar() {
    let stream = fixture("anthropic", "stream.sse");
    let (written, _) = retell(Anthropic, Anthropic, [&stream[..]]);
    let kinds: Vec<_> = events(&written)
        .into_iter()
        .map(|event| {
            let (name, data) = str::from_utf8(event).unwrap().trim_end().split_once("\ndata: ").unwrap();
            let data: Value = serde_json::from_str(data).unwrap();
            assert_eq!(name.strip_prefix("event: "), data["type"].as_str());
            match (data["index"].as_u64(), data["type"].as_str().unwrap()) {
                (Some(index), kind) => format!("{kind} {index}"),
                (None, kind) => kind.to_owned(),
            }
        })
        .collect();
    let mut expected = vec!["message_start".to_owned()];
    for (index, deltas) in [3, 0, 2, 3, 1].into_iter().enumerate() {
        expected.push(format!("content_block_start {index}"));
        expected.extend(vec![format!("content_block_delta {index}"); deltas]);
        expected.push(format!("content_block_stop {index}"));
    }
    expected.extend(["message_delta".to_owned(), "message_stop".to_owned()]);
    assert_eq!(kinds, expected);
}

#[test]
fn a_cut_stream_is_never_whole() {
    let stream = fixture("anthropic", "stream.sse");
    let delta = stream.windows(13).position(|bytes| bytes == b"message_delta").unwrap();
    for end in [0, 20, 400, delta] {
        let (written, seen) = retell(Anthropic, Anthropic, [&stream[..end]]);
        assert!(!seen.done && !String::from_utf8(written).unwrap().contains("message_stop"), "cut at {end}");
    }
}

#[test]
fn an_error_is_read_by_code_then_type_then_status() {
    let error = |kind: &str, message: &str, code: Option<&str>| {
        let details = code.map(|code| json!({ "error_code": code }));
        json!({"type": "error", "error": {"type": kind, "message": message, "details": details}}).to_string()
    };
    for (status, body, class) in [
        (529, text("error.json"), ErrorClass::Overloaded),
        (400, error("invalid_request_error", "messages: bad", None), ErrorClass::BadRequest),
        (
            400,
            error("invalid_request_error", "prompt is too long: 9 tokens > 8 maximum", None),
            ErrorClass::ContextTooLong,
        ),
        (400, error("invalid_request_error", "Your credit balance is too low", None), ErrorClass::NoCredit),
        (429, error("rate_limit_error", "spend", Some("contract_spend_limit_reached")), ErrorClass::NoCredit),
        (429, error("rate_limit_error", "slow down", None), ErrorClass::RateLimited),
        (401, error("authentication_error", "no", None), ErrorClass::BadCredential),
        (413, "<html>".to_owned(), ErrorClass::TooLarge),
        (502, String::new(), ErrorClass::ServerError),
        (0, error("overloaded_error", "Overloaded", None), ErrorClass::Overloaded),
    ] {
        let answer = ErrorAnswer { status, error_type: None, body: body.as_bytes() };
        assert_eq!(codec(Anthropic).decode_error(&answer).0, class, "{status} {body}");
    }
    let error = text("error.json");
    let reply = codec(Anthropic).decode_response(Json::parse(error.as_bytes()).unwrap());
    assert!(matches!(reply, Err(DecodeError::Error(ErrorClass::Overloaded, _))));
    let event = format!("event: error\ndata: {}\n\n", error.trim());
    assert_eq!(read(Anthropic, [event.as_bytes()]).errors, ["Overloaded"]);
}

#[test]
fn an_error_is_written_where_clients_look() {
    let extra = json!({"attempts": 2});
    let error = ClientErrorBody {
        kind: domain::ErrorKind::BudgetExceeded,
        status: 402,
        message: "spent",
        code: "budget_exceeded",
        param: Some("max_tokens"),
        request: "req-1",
        extra: Some(&extra),
    };
    let body: Value = serde_json::from_slice(&codec(Anthropic).encode_error(&error)).unwrap();
    let details = json!({"error_code": "budget_exceeded", "param": "max_tokens"});
    let inner = json!({"type": "billing_error", "message": "spent", "details": details, "portcullis": extra});
    assert_eq!(body, json!({"type": "error", "error": inner, "request_id": "req-1"}));
    let event = codec(Anthropic).encode_error_event(&error);
    assert!(event.starts_with(b"event: error\ndata: {\"type\":\"error\",") && event.ends_with(b"\n\n"));
    assert_eq!(read(Anthropic, [&event[..]]).errors, ["spent"]);
}

#[test]
fn the_same_dialect_changes_the_model_and_nothing_else() {
    for name in REQUESTS {
        let body = fixture("anthropic", name);
        let facts = codec(Anthropic).scan(Api::Messages, PathParamsRef::default(), &body).unwrap();
        let edits = Edits {
            model: &facts.model.clone(),
            want_usage: true,
            output_limit: Some(5),
            old_limit_name: false,
        };
        assert_eq!(codec(Anthropic).verbatim(&body, &facts, &edits), body, "{name}");
        let edits = Edits { model: "other", ..edits };
        let changed = codec(Anthropic).verbatim(&body, &facts, &edits);
        assert_eq!(str::from_utf8(&changed).unwrap(), text(name).replacen(&facts.model, "other", 1));
    }
    let count = Bytes::from_static(br#"{"model":"m","messages":[]}"#);
    let facts = codec(Anthropic).scan(Api::Messages, PathParamsRef::default(), &count).unwrap();
    let edits = Edits { model: "m", want_usage: true, output_limit: Some(5), old_limit_name: false };
    assert_eq!(anthropic::Anthropic.verbatim(&count, &facts, &edits), count);
}

proptest! {
    #[test]
    fn mutated_bytes_never_panic(at in 0..3_000_usize, byte in any::<u8>(), cut in 0..3_000_usize) {
        for name in ["request.json", "request-2023.json", "response.json", "stream.sse", "stream-vendor.sse", "error.json"] {
            let mut bytes = fixture("anthropic", name).to_vec();
            bytes.truncate(bytes.len().max(1).min(cut + 1));
            let at = at % bytes.len();
            bytes[at] = byte;
            let _ = codec(Anthropic).scan(Api::Messages, PathParamsRef::default(), &bytes);
            let _ = codec(Anthropic).decode_error(&ErrorAnswer { status: 400, error_type: None, body: &bytes });
            let _ = codec(Anthropic).stream_decoder().event(&bytes, &mut |_| ());
            let Ok(json) = Json::parse(&bytes) else { continue };
            let _ = codec(Anthropic).decode_response(json);
            if let Ok(call) = codec(Anthropic).decode_request(PathParamsRef::default(), json, &Sum) {
                let _ = codec(Anthropic).encode_request(&call, &target("m"), LossReport::new(Anthropic, Anthropic, wire::canonical::Strictness::Lenient));
            }
        }
    }
}
