//! Bedrock Converse: fixtures read, written and read again.

use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{Value, json};
use wire::{
    Api,
    Dialect::{Anthropic, Bedrock, OpenAiChat},
    Edits, StreamPipe,
    canonical::{
        CacheTtl, Effort, Family, Finish, LossReport, Media, OutputFormat, PartKind, ReasoningMode, Role,
    },
    codec,
    error::{ClientErrorBody, DecodeError, ErrorAnswer, ErrorClass},
    json::Json,
    scan::PathParamsRef,
    tap::{Translation, Verbatim},
};

use crate::support::{Answer, Sum, envelope, events, fixture, frames, read, retell, target, translated};

const CLAUDE: &str = "eu.anthropic.claude-opus-5-v1:0";
const NOVA: &str = "amazon.nova-2-pro-v1:0";

const fn path(model: &str) -> PathParamsRef<'_> {
    PathParamsRef { model: Some(model), stream: Some(true) }
}

fn text(name: &str) -> String {
    String::from_utf8(fixture("bedrock", name).to_vec()).unwrap()
}

fn again(body: &str, model: &str) -> Result<(Value, Vec<String>), String> {
    translated((Bedrock, path(model), body), Bedrock, &target(model), false)
}

#[test]
fn a_call_is_read_field_by_field() {
    let body = codec(Bedrock).prepare(&fixture("bedrock", "request.json"));
    let call = codec(Bedrock).decode_request(path(CLAUDE), Json::parse(&body).unwrap(), &Sum).unwrap();
    assert_eq!((&*call.model, call.stream, call.max_output), (CLAUDE, true, Some(4096)));
    let roles: Vec<_> = call.turns.iter().map(|turn| (turn.role, turn.parts.len())).collect();
    let expected =
        [(Role::System, 2), (Role::User, 1), (Role::Assistant, 5), (Role::Tool, 2), (Role::User, 4)];
    assert_eq!(roles, expected);
    assert_eq!(call.turns[0].parts[1].cache, Some(CacheTtl::OneHour));
    assert_eq!(
        (call.turns[4].parts[0].cache, call.tools[1].cache),
        (Some(CacheTtl::FiveMinutes), Some(CacheTtl::FiveMinutes))
    );
    let PartKind::Reasoning { signature: Some(seal), .. } = &call.turns[2].parts[0].kind else { panic!() };
    assert_eq!((&*seal.text, seal.family), ("c2lnbmF0dXJlLW9uZQ==", Family::Anthropic));
    let PartKind::ToolCall(tool) = &call.turns[2].parts[3].kind else { panic!() };
    assert_eq!(tool.arguments, r#"{"side": "north", "mm": 12345678901234567890}"#);
    let PartKind::ToolResult(result) = &call.turns[3].parts[0].kind else { panic!() };
    assert_eq!((result.structured.unwrap().raw(), result.content.len()), (r#"{"metres": 2.50}"#, 0));
    let PartKind::ToolResult(result) = &call.turns[3].parts[1].kind else { panic!() };
    assert_eq!((&*result.id, result.error, result.content.len()), ("tooluse_south", true, 2));
    let PartKind::Image(image) = &call.turns[4].parts[1].kind else { panic!() };
    assert!(
        matches!(&image.media, Media::Base64 { mime, data } if mime == "image/jpeg" && data == "/9j/4AA=")
    );
    let OutputFormat::Schema(schema) = &call.format else { panic!() };
    assert_eq!(schema.schema.raw(), r#"{"type":"object","properties":{"metres":{"type":"number"}}}"#);
    assert_eq!((call.reasoning.effort, call.reasoning.budget), (Some(Effort::High), Some(2048)));
    assert_eq!(call.reasoning.mode, Some(ReasoningMode::On));
    assert_eq!(
        (call.sampling.top_k.unwrap().raw(), call.sampling.temperature.unwrap().raw()),
        ("40", "0.70")
    );
    assert_eq!((call.metadata.len(), call.service_tier.is_some(), call.extra.len()), (2, true, 0));
}

#[test]
fn a_call_is_written_as_it_was_read() {
    for (name, model) in [("request.json", CLAUDE), ("request-nova.json", NOVA)] {
        let (written, dropped) = again(&text(name), model).unwrap();
        let mut expected: Value = serde_json::from_str(&text(name)).unwrap();
        if model == CLAUDE {
            expected["additionalModelResponseFieldPaths"] = json!(["/stop_sequence"]);
        }
        assert_eq!(written, expected, "{name}");
        assert!(dropped.is_empty(), "{name}: {dropped:?}");
    }
}

#[test]
fn claude_is_asked_the_same_on_both_platforms() {
    let (body, dropped) = translated(
        (Anthropic, PathParamsRef::default(), &anthropic("request.json")),
        Bedrock,
        &target(CLAUDE),
        true,
    )
    .unwrap();
    assert_eq!(body["system"][2], json!({"cachePoint": {"type": "default", "ttl": "1h"}}));
    assert_eq!(body["outputConfig"]["effort"], "xhigh");
    assert_eq!(
        body["additionalModelRequestFields"]["thinking"],
        json!({"type": "adaptive", "display": "summarized"})
    );
    let thought =
        json!({"reasoningText": {"text": "Two gauges to read.", "signature": "c2lnbmF0dXJlLW9uZQ=="}});
    assert_eq!(body["messages"][1]["content"][0]["reasoningContent"], thought);
    assert_eq!(
        dropped,
        ["messages[].content[] (image)", "metadata.user_id"],
        "addresses and files of others cannot be read there"
    );
    let back = translated((Bedrock, path(CLAUDE), &body.to_string()), Anthropic, &target("claude-x"), false);
    let (back, _) = back.unwrap();
    let original: Value = serde_json::from_str(&anthropic("request.json")).unwrap();
    for member in ["max_tokens", "system", "thinking", "output_config", "stop_sequences"] {
        assert_eq!(back[member], original[member], "{member}");
    }
    assert_eq!(back["messages"][1], original["messages"][1]);
}

fn anthropic(name: &str) -> String {
    String::from_utf8(fixture("anthropic", name).to_vec()).unwrap()
}

#[test]
fn wrong_types_are_named_by_their_place() {
    let message = |block: Value| json!({"messages": [{"role": "user", "content": [block]}]});
    for (body, place) in [
        (json!({"messages": 1}), "messages"),
        (json!({"messages": [{"role": "robot"}]}), "messages[0].role"),
        (message(json!({"text": 1})), "messages[0].content[0].text"),
        (message(json!({"text": "a", "image": {}})), "messages[0].content[0]"),
        (
            message(json!({"image": {"format": "bmp", "source": {"bytes": ""}}})),
            "messages[0].content[0].image.format",
        ),
        (message(json!({"cachePoint": {"ttl": "2h"}})), "messages[0].content[0].cachePoint.ttl"),
        (json!({"inferenceConfig": {"maxTokens": -1}}), "inferenceConfig.maxTokens"),
        (
            json!({"toolConfig": {"tools": [{"toolSpec": {"name": "x"}}]}}),
            "toolConfig.tools[0].toolSpec.inputSchema",
        ),
        (json!({"toolConfig": {"toolChoice": {"none": {}}}}), "toolConfig.toolChoice"),
        (json!({"requestMetadata": {"a": 1}}), "requestMetadata.a"),
        (
            json!({"outputConfig": {"textFormat": {"type": "json_schema", "structure": {"jsonSchema": {"schema": "nonsense"}}}}}),
            "outputConfig.textFormat.structure.jsonSchema.schema",
        ),
    ] {
        let body = codec(Bedrock).prepare(&Bytes::from(body.to_string()));
        let error = codec(Bedrock).decode_request(path("m"), Json::parse(&body).unwrap(), &Sum).unwrap_err();
        assert_eq!(error.field, place, "{body:?}");
    }
}

#[test]
fn the_stream_says_what_the_plain_answer_says() {
    let body = text("response.json");
    let plain = Answer::of(&codec(Bedrock).decode_response(Json::parse(body.as_bytes()).unwrap()).unwrap());
    let expected = [
        "thought Both sides, then.",
        "seal Anthropic c2lnbmF0dXJlLXR3bw==",
        "redacted Anthropic aGlkZGVu",
        "text I read both \"gauges\" 🌊.",
        r#"call tooluse_a gauge {"side": "north", "mm": 12345678901234567890}"#,
        "call tooluse_b bell {}",
    ];
    assert_eq!(
        (plain.parts.as_slice(), plain.finish),
        (&expected.map(str::to_owned)[..], Some(Finish::ToolCalls))
    );
    let usage = plain.usage.unwrap();
    assert_eq!(
        (usage.input_uncached, usage.cache_read, usage.write_5m, usage.write_1h),
        (21, 1000, 100, 200)
    );
    assert_eq!(read(Bedrock, frames(&fixture("bedrock", "stream.bin"))), plain);
}

#[test]
fn an_answer_is_written_as_it_was_read() {
    let body = text("response.json");
    let reply = codec(Bedrock).decode_response(Json::parse(body.as_bytes()).unwrap()).unwrap();
    let written: Value =
        serde_json::from_slice(&codec(Bedrock).encode_response(&reply, &envelope())).unwrap();
    let mut expected: Value = serde_json::from_str(&body).unwrap();
    expected["metrics"]["latencyMs"] = 0.into();
    expected.as_object_mut().unwrap().remove("additionalModelResponseFields");
    assert_eq!(written, expected);
}

#[test]
fn a_written_stream_reads_the_same_however_it_arrived() {
    let stream = fixture("bedrock", "stream.bin");
    let (whole, seen) = retell(Bedrock, Bedrock, [&stream[..]]);
    assert!(seen.done && seen.finish && seen.error.is_none() && seen.usage.is_some(), "{seen:?}");
    assert_eq!(read(Bedrock, frames(&whole)), read(Bedrock, frames(&stream)));
    for at in 0..=stream.len() {
        assert_eq!(retell(Bedrock, Bedrock, [&stream[..at], &stream[at..]]).0, whole, "split at {at}");
    }
    assert_eq!(retell(Bedrock, Bedrock, stream.chunks(1)).0, whole, "byte by byte");
    let (told, seen) = retell(Bedrock, Anthropic, stream.chunks(3));
    assert_eq!(read(Anthropic, events(&told)).parts, read(Bedrock, frames(&stream)).parts);
    assert!(seen.done);
    let sse = fixture("anthropic", "stream.sse");
    let (told, _) = retell(Anthropic, Bedrock, sse.chunks(5));
    let (told, original) = (read(Bedrock, frames(&told)), read(Anthropic, events(&sse)));
    assert_eq!((told.parts, told.finish), (original.parts, original.finish));
}

#[test]
fn only_streams_of_text_take_comments() {
    let verbatim = |name| StreamPipe::Verbatim(Verbatim::new(codec(name))).comments();
    let translated = |from, to| {
        let (decoder, encoder) = (codec(from).stream_decoder(), codec(to).stream_encoder(envelope()));
        StreamPipe::Translation(Translation::new(decoder, encoder)).comments()
    };
    assert!(verbatim(Anthropic) && translated(Bedrock, Anthropic));
    assert!(!verbatim(Bedrock) && !translated(Anthropic, Bedrock));
}

#[test]
fn a_cut_or_broken_stream_is_never_whole() {
    let stream = fixture("bedrock", "stream.bin");
    let all = frames(&stream);
    let stop = stream.len() - all[all.len() - 1].len() - all[all.len() - 2].len();
    for end in [0, 5, 200, stop, stop + 9] {
        assert!(!retell(Bedrock, Anthropic, [&stream[..end]]).1.done, "cut at {end}");
    }
    let mut broken = stream.to_vec();
    broken[stop + 40] ^= 1;
    let mut tap = StreamPipe::Verbatim(Verbatim::new(codec(Bedrock)));
    assert!(tap.feed(Bytes::from(broken), &mut Vec::new()).is_err());
}

#[test]
fn exceptions_in_a_stream_are_errors() {
    for (name, message) in
        [("stream-exception.bin", "Too many tokens, please wait."), ("stream-error.bin", "It broke.")]
    {
        let answer = read(Bedrock, frames(&fixture("bedrock", name)));
        assert_eq!((answer.errors, answer.ended), (vec![message.to_owned()], false), "{name}");
    }
    let (told, seen) = retell(Bedrock, Anthropic, [&fixture("bedrock", "stream-exception.bin")[..]]);
    assert_eq!(seen.error.unwrap().kind.as_deref(), Some("throttlingException"));
    assert!(!String::from_utf8(told).unwrap().contains("message_stop"));
}

#[test]
fn an_error_is_read_by_its_exception() {
    for (status, kind, body, class) in [
        (
            400,
            Some("ValidationException:http://internal.amazon.com/"),
            text("error.json"),
            ErrorClass::ContextTooLong,
        ),
        (400, Some("ValidationException"), r#"{"message":"bad"}"#.to_owned(), ErrorClass::BadRequest),
        (403, Some("AccessDeniedException"), "{}".to_owned(), ErrorClass::ModelForbidden),
        (
            400,
            None,
            r#"{"__type":"com.amazon#ServiceQuotaExceededException","Message":"full"}"#.to_owned(),
            ErrorClass::NoCredit,
        ),
        (429, Some("ThrottlingException"), "{}".to_owned(), ErrorClass::RateLimited),
        (429, Some("ModelNotReadyException"), "{}".to_owned(), ErrorClass::Overloaded),
        (424, Some("ModelErrorException"), "{}".to_owned(), ErrorClass::ServerError),
        (408, Some("ModelTimeoutException"), "{}".to_owned(), ErrorClass::Timeout),
        (0, Some("throttlingException"), "{}".to_owned(), ErrorClass::RateLimited),
        (404, None, "<html>".to_owned(), ErrorClass::NotFound),
    ] {
        let answer = ErrorAnswer { status, error_type: kind, body: body.as_bytes() };
        assert_eq!(codec(Bedrock).decode_error(&answer).0, class, "{status} {kind:?}");
    }
    let reply = codec(Bedrock).decode_response(Json::parse(br#"{"message":"x"}"#).unwrap());
    assert!(matches!(reply, Err(DecodeError::Malformed(_))));
}

#[test]
fn an_error_is_written_where_clients_look() {
    let error = ClientErrorBody {
        kind: domain::ErrorKind::RateLimited,
        status: 429,
        message: "slow down",
        code: "rate_limited",
        param: None,
        request: "req-1",
        extra: Some(&json!({"attempts": 2})),
    };
    let body: Value = serde_json::from_slice(&codec(Bedrock).encode_error(&error)).unwrap();
    let expected = json!({"__type": "ThrottlingException", "message": "slow down", "code": "rate_limited",
        "requestId": "req-1", "portcullis": {"attempts": 2}});
    assert_eq!(
        (body, codec(Bedrock).error_header(error.kind).unwrap().value),
        (expected, "ThrottlingException")
    );
    assert_eq!(read(Bedrock, [&codec(Bedrock).encode_error_event(&error)[..]]).errors, ["slow down"]);
}

#[test]
fn the_same_dialect_changes_nothing_but_a_missing_limit() {
    let body = fixture("bedrock", "request.json");
    let facts = codec(Bedrock).scan(Api::Converse, path(CLAUDE), &body).unwrap();
    assert_eq!((facts.images, facts.files, facts.max_output), (2, 2, Some(4096)));
    let edits = Edits { model: "other", want_usage: true, output_limit: Some(5), old_limit_name: false };
    assert_eq!(codec(Bedrock).verbatim(&body, &facts, &edits), body);
    let body = Bytes::from_static(br#"{"messages":[]}"#);
    let facts = codec(Bedrock).scan(Api::Converse, path(CLAUDE), &body).unwrap();
    let limited = codec(Bedrock).verbatim(&body, &facts, &edits);
    assert_eq!(str::from_utf8(&limited), Ok(r#"{"messages":[],"inferenceConfig":{"maxTokens":5}}"#));
}

proptest! {
    #[test]
    fn mutated_bytes_never_panic(at in 0..4_000_usize, byte in any::<u8>(), cut in 0..4_000_usize) {
        for name in ["request.json", "request-nova.json", "response.json", "error.json", "stream.bin"] {
            let mut bytes = fixture("bedrock", name).to_vec();
            bytes.truncate(cut + 1);
            let at = at % bytes.len();
            bytes[at] = byte;
            let _ = codec(Bedrock).scan(Api::Converse, path("m"), &bytes);
            let _ = codec(Bedrock).decode_error(&ErrorAnswer { status: 400, error_type: None, body: &bytes });
            let mut tap = StreamPipe::Verbatim(Verbatim::new(codec(Bedrock)));
            let _ = tap.feed(Bytes::copy_from_slice(&bytes), &mut Vec::new());
            let bytes = codec(Bedrock).prepare(&bytes.into());
            let Ok(json) = Json::parse(&bytes) else { continue };
            let _ = codec(Bedrock).decode_response(json);
            if let Ok(call) = codec(Bedrock).decode_request(path("m"), json, &Sum) {
                let _ = codec(Bedrock).encode_request(&call, &target(CLAUDE), LossReport::new(OpenAiChat, Bedrock, wire::canonical::Strictness::Lenient));
            }
        }
    }
}
