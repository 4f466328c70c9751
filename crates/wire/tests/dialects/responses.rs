//! OpenAI Responses: fixtures read, written and read again.

use proptest::prelude::*;
use serde_json::{Value, json};
use wire::{
    Api,
    Dialect::OpenAiResponses,
    Edits,
    canonical::{Effort, Family, Finish, LossReport, Media, OutputFormat, PartKind, Role, Show, ToolMode},
    codec,
    error::{ClientErrorBody, DecodeError, ErrorAnswer},
    json::Json,
    scan::PathParamsRef,
};

use crate::support::{
    Answer, Sum, calls::extras, envelope, events, fixture, read, retell, target, translated,
};

fn text(name: &str) -> String {
    String::from_utf8(fixture("responses", name).to_vec()).unwrap()
}

/// An event's type and its data.
fn parsed(event: &[u8]) -> (String, Value) {
    let (name, data) = str::from_utf8(event).unwrap().trim_end().split_once("\ndata: ").unwrap();
    let data: Value = serde_json::from_str(data).unwrap();
    assert_eq!(name.strip_prefix("event: "), data["type"].as_str());
    (data["type"].as_str().unwrap().replace("response.", ""), data)
}

#[test]
fn a_call_is_read_field_by_field() {
    let body = text("request.json");
    let json = Json::parse(body.as_bytes()).unwrap();
    let call = codec(OpenAiResponses).decode_request(PathParamsRef::default(), json, &Sum).unwrap();
    assert_eq!(
        (&*call.model, call.stream, call.stream_usage, call.max_output),
        ("gpt-5", true, true, Some(500))
    );
    let roles: Vec<_> = call.turns.iter().map(|turn| (turn.role, turn.parts.len())).collect();
    let expected = [
        (Role::System, 1),
        (Role::Developer, 1),
        (Role::User, 6),
        (Role::Assistant, 5),
        (Role::Tool, 3),
        (Role::Assistant, 2),
        (Role::User, 1),
    ];
    assert_eq!(roles, expected);
    let PartKind::Image(image) = &call.turns[2].parts[3].kind else { panic!() };
    assert_eq!(image.media, Media::File("file-1".into()));
    let PartKind::Reasoning { text, signature: Some(seal) } = &call.turns[3].parts[0].kind else { panic!() };
    assert_eq!((&**text, &*seal.text, seal.family), ("Two gauges.", "gAAAAABo==", Family::OpenAi));
    assert_eq!(seal.item.as_deref(), Some("rs_1"));
    let PartKind::ToolCall(note) = &call.turns[3].parts[4].kind else { panic!() };
    assert!(note.custom && note.arguments == "not json");
    let PartKind::ToolResult(result) = &call.turns[4].parts[0].kind else { panic!() };
    assert_eq!((&*result.id, result.content.len()), ("call_south", 2));
    let choice = call.tool_choice.unwrap();
    assert_eq!((choice.mode, choice.allowed), (ToolMode::Required, vec!["gauge".into()]));
    assert_eq!((call.reasoning.effort, call.reasoning.show), (Some(Effort::XHigh), Some(Show::Detailed)));
    assert!(matches!(&call.format, OutputFormat::Schema(schema) if schema.strict == Some(true)));
    assert_eq!((call.sampling.logprobs, call.sampling.top_logprobs), (true, Some(3)));
    assert_eq!((call.verbosity.as_deref(), call.store), (Some("low"), Some(false)));
    assert_eq!(extras(OpenAiResponses, &call.extra), [("prompt_cache_key", true), ("novelty", false)]);
}

#[test]
fn a_call_is_written_as_it_was_read() {
    let body = text("request.json");
    let mut target = target("gpt-5");
    target.max_output = Some(9);
    let (written, dropped) =
        translated((OpenAiResponses, PathParamsRef::default(), &body), OpenAiResponses, &target, false)
            .unwrap();
    assert_eq!(written, serde_json::from_str::<Value>(&body).unwrap());
    assert!(dropped.is_empty(), "{dropped:?}");
}

#[test]
fn wrong_types_are_named_by_their_place() {
    let with = |item: Value| json!({"model": "m", "input": [item]});
    for (body, place) in [
        (json!([]), ""),
        (json!({"input": "x"}), "model"),
        (json!({"model": "m"}), "input"),
        (with(json!({"role": "robot", "content": ""})), "input[0].role"),
        (with(json!({"role": "user"})), "input[0].content"),
        (with(json!({"role": "user", "content": [{"text": ""}]})), "input[0].content[0].type"),
        (
            with(json!({"role": "user", "content": [{"type": "input_image"}]})),
            "input[0].content[0].image_url",
        ),
        (with(json!({"role": "user", "content": [{"type": "input_file"}]})), "input[0].content[0].file_data"),
        (with(json!({"type": "function_call", "name": "f"})), "input[0].call_id"),
        (with(json!({"type": "function_call_output", "call_id": "x"})), "input[0].output"),
        (with(json!({"type": "item_reference", "id": "msg_1"})), "input[0]"),
        (with(json!({"id": "msg_1"})), "input[0]"),
        (json!({"model": "m", "input": "x", "previous_response_id": "resp_1"}), "previous_response_id"),
        (json!({"model": "m", "input": "x", "conversation": "conv_1"}), "conversation"),
        (json!({"model": "m", "input": "x", "prompt": {"id": "p"}}), "prompt"),
        (json!({"model": "m", "input": "x", "background": true}), "background"),
        (json!({"model": "m", "input": "x", "tools": [{"type": "function"}]}), "tools[0].name"),
        (json!({"model": "m", "input": "x", "reasoning": {"effort": "huge"}}), "reasoning.effort"),
        (json!({"model": "m", "input": "x", "text": {"format": {"type": "xml"}}}), "text.format.type"),
    ] {
        let body = body.to_string();
        let json = Json::parse(body.as_bytes()).unwrap();
        let error = codec(OpenAiResponses).decode_request(PathParamsRef::default(), json, &Sum).unwrap_err();
        assert_eq!(error.field, place, "{body}");
    }
}

#[test]
fn the_stream_says_what_the_plain_answer_says() {
    let body = text("response.json");
    let reply = codec(OpenAiResponses).decode_response(Json::parse(body.as_bytes()).unwrap()).unwrap();
    let plain = Answer::of(&reply);
    let expected = [
        "thought Both sides, then.",
        "seal OpenAi gAAAAABp==",
        "text I read both \"gauges\" 🌊.",
        r#"call call_a gauge {"side": "north", "mm": 12345678901234567890}"#,
        "call call_b bell {}",
    ];
    assert_eq!(
        (plain.parts.as_slice(), plain.finish),
        (&expected.map(String::from)[..], Some(Finish::ToolCalls))
    );
    let usage = plain.usage.unwrap();
    assert_eq!((usage.input_uncached, usage.cache_read, usage.cache_write), (100, 1000, 100));
    assert_eq!((usage.output_visible, usage.reasoning), (50, 40));
    assert_eq!(read(OpenAiResponses, events(&fixture("responses", "stream.sse"))), plain);
}

#[test]
fn an_answer_is_written_as_it_was_read() {
    let body = text("response.json");
    let reply = codec(OpenAiResponses).decode_response(Json::parse(body.as_bytes()).unwrap()).unwrap();
    let written: Value =
        serde_json::from_slice(&codec(OpenAiResponses).encode_response(&reply, &envelope())).unwrap();
    let mut expected: Value = serde_json::from_str(&body).unwrap();
    for (at, id) in ["rs_0192aa_0", "msg_0192aa_1", "fc_0192aa_2", "fc_0192aa_3"].into_iter().enumerate() {
        expected["output"][at]["id"] = id.into();
    }
    expected["id"] = "resp_0192aa".into();
    for (key, value) in [
        ("temperature", Value::Null),
        ("top_p", Value::Null),
        ("background", json!(false)),
        ("top_logprobs", json!(0)),
    ] {
        expected[key] = value;
    }
    expected["reasoning"]["effort"] = Value::Null;
    assert_eq!(written, expected);
}

#[test]
fn what_the_call_said_is_repeated() {
    let body = text("request.json");
    let json = Json::parse(body.as_bytes()).unwrap();
    let call = codec(OpenAiResponses).decode_request(PathParamsRef::default(), json, &Sum).unwrap();
    let asked: Value = serde_json::from_str(&body).unwrap();
    let mut envelope = envelope();
    envelope.echo = codec(OpenAiResponses).echo(&call).into();
    let answer = text("response.json");
    let reply = codec(OpenAiResponses).decode_response(Json::parse(answer.as_bytes()).unwrap()).unwrap();
    let written: Value =
        serde_json::from_slice(&codec(OpenAiResponses).encode_response(&reply, &envelope)).unwrap();
    let keys = ["instructions", "max_output_tokens", "metadata", "parallel_tool_calls", "reasoning", "store"];
    for key in keys.into_iter().chain([
        "temperature",
        "text",
        "tool_choice",
        "tools",
        "top_logprobs",
        "top_p",
        "user",
    ]) {
        assert_eq!(written[key], asked[key], "{key}");
    }
}

#[test]
fn a_written_stream_reads_the_same_however_it_arrived() {
    for name in ["stream.sse", "stream-vendor.sse"] {
        let stream = fixture("responses", name);
        let (whole, seen) = retell(OpenAiResponses, OpenAiResponses, [&stream[..]]);
        assert!(seen.done && seen.finish && seen.error.is_none() && seen.usage.is_some(), "{name}: {seen:?}");
        for at in 0..=stream.len() {
            let split = retell(OpenAiResponses, OpenAiResponses, [&stream[..at], &stream[at..]]);
            assert_eq!(split.0, whole, "{name}: split at {at}");
        }
        assert_eq!(
            retell(OpenAiResponses, OpenAiResponses, stream.chunks(1)).0,
            whole,
            "{name}: byte by byte"
        );
    }
    let stream = fixture("responses", "stream.sse");
    let written = retell(OpenAiResponses, OpenAiResponses, [&stream[..]]).0;
    let mut again = read(OpenAiResponses, events(&written));
    let expected = read(OpenAiResponses, events(&stream));
    again.id.clone_from(&expected.id);
    assert_eq!(again, expected);
}

#[test]
fn a_written_stream_follows_the_grammar() {
    let stream = fixture("responses", "stream.sse");
    let (written, _) = retell(OpenAiResponses, OpenAiResponses, [&stream[..]]);
    let written: Vec<_> = events(&written).into_iter().map(parsed).collect();
    let original: Vec<_> = events(&stream).into_iter().map(parsed).collect();
    let kinds = |events: &[(String, Value)]| -> Vec<String> {
        let kind = |(kind, data): &(String, Value)| format!("{kind} {}", data["output_index"]);
        events.iter().map(kind).collect()
    };
    assert_eq!(kinds(&written), kinds(&original));
    for (at, ((_, written), (_, original))) in written.iter().zip(&original).enumerate() {
        assert_eq!(written["sequence_number"], at, "numbers without gaps");
        for key in ["delta", "text", "arguments", "name", "content_index", "summary_index", "logprobs"] {
            assert_eq!(written[key], original[key], "{key} of event {at}");
        }
        for key in ["item", "part"] {
            let names = |value: &Value| value.as_object().map(|o| o.keys().cloned().collect::<Vec<_>>());
            assert_eq!(names(&written[key]), names(&original[key]), "{key} of event {at}");
        }
        assert_eq!(written["item_id"].is_string(), original["item_id"].is_string());
    }
    let last = &written.last().unwrap().1["response"];
    assert_eq!((last["status"].as_str(), last["output"].as_array().unwrap().len()), (Some("completed"), 4));
    assert_eq!(last["output"][2]["id"], written[17].1["item_id"]);
}

#[test]
fn a_copys_oddities_are_read() {
    let (written, seen) =
        retell(OpenAiResponses, OpenAiResponses, [&fixture("responses", "stream-vendor.sse")[..]]);
    let answer = read(OpenAiResponses, events(&written));
    assert_eq!(answer.parts, ["thought a\n\nb", "text Yes.", r#"call c1 f {"a":1}"#]);
    assert_eq!((answer.finish, answer.model.as_deref()), (Some(Finish::Length), Some("m")));
    assert_eq!(seen.usage.unwrap().web_searches, 2);
    let last = parsed(events(&written).last().unwrap()).1;
    assert_eq!(last["response"]["incomplete_details"], json!({"reason": "max_output_tokens"}));
    assert_eq!(last["response"]["output"][2]["status"], "incomplete");
}

#[test]
fn failures_are_errors_wherever_they_stand() {
    for body in [
        json!({"status": "failed", "error": {"code": "rate_limit_exceeded", "message": "no"}, "output": []}),
        json!({"status": "cancelled", "output": []}),
        json!({"status": "incomplete", "incomplete_details": {"reason": "steered"}, "output": []}),
        json!({"error": {"message": "no", "type": "server_error"}}),
    ] {
        let text = body.to_string();
        let reply = codec(OpenAiResponses).decode_response(Json::parse(text.as_bytes()).unwrap());
        assert!(matches!(reply, Err(DecodeError::Error(..))), "{text}");
        let event = format!("data: {}\n\n", json!({"type": "response.failed", "response": body}));
        let (_, seen) = retell(OpenAiResponses, OpenAiResponses, [event.as_bytes()]);
        assert!(seen.error.is_some() && !seen.done, "{text}");
    }
    for body in ["[]", "{}", r#"{"output":[1]}"#] {
        let reply = codec(OpenAiResponses).decode_response(Json::parse(body.as_bytes()).unwrap());
        assert!(matches!(reply, Err(DecodeError::Malformed(_))), "{body}");
    }
}

#[test]
fn an_error_is_written_where_clients_look() {
    let extra = json!({"attempts": 2});
    let (kind, status) = (domain::ErrorKind::AllTargetsFailed, 502);
    let (message, code, request) = ("no", "all_targets_failed", "req-1");
    let error = ClientErrorBody { kind, status, message, code, param: None, request, extra: Some(&extra) };
    let body: Value = serde_json::from_slice(&codec(OpenAiResponses).encode_error(&error)).unwrap();
    assert_eq!((&body["error"]["code"], &body["error"]["portcullis"]), (&json!(code), &extra));
    let event = codec(OpenAiResponses).encode_error_event(&error);
    let data = parsed(&event).1;
    let expected = json!({"type": "error", "code": code, "message": "no", "param": null, "sequence_number": 0, "portcullis": extra});
    assert_eq!(data, expected);
    assert_eq!(read(OpenAiResponses, [&event[..]]).errors, ["no"]);
}

#[test]
fn the_same_dialect_changes_the_model_and_nothing_else() {
    let body = fixture("responses", "request.json");
    let facts = codec(OpenAiResponses).scan(Api::Responses, PathParamsRef::default(), &body).unwrap();
    assert_eq!((facts.stream, facts.max_output, facts.messages), (true, Some(500), 12));
    assert_eq!((facts.images, facts.files, facts.user.as_deref()), (4, 2, Some("user-17")));
    let edits = Edits { model: "other", want_usage: true, output_limit: Some(5), old_limit_name: false };
    let changed = codec(OpenAiResponses).verbatim(&body, &facts, &edits);
    assert_eq!(str::from_utf8(&changed).unwrap(), text("request.json").replacen("gpt-5", "other", 1));
    for (body, field) in [
        (r#"{"input":"x"}"#, Some("model")),
        (r#"{"model":"m","input":1}"#, Some("input")),
        (r#"{"model":"m","input":[1]}"#, Some("input")),
        (r#"{"model":"m","model":"n"}"#, Some("model")),
        (r#"{"model":"m","max_output_tokens":0}"#, Some("max_output_tokens")),
        (r#"{"model":"m""#, None),
    ] {
        assert_eq!(
            codec(OpenAiResponses)
                .scan(Api::Responses, PathParamsRef::default(), body.as_bytes())
                .unwrap_err()
                .field,
            field
        );
    }
}

proptest! {
    #[test]
    fn mutated_bytes_never_panic(at in 0..4_000_usize, byte in any::<u8>(), cut in 0..4_000_usize) {
        for name in ["request.json", "response.json", "stream.sse", "stream-vendor.sse"] {
            let mut bytes = fixture("responses", name).to_vec();
            bytes.truncate(bytes.len().max(1).min(cut + 1));
            let at = at % bytes.len();
            bytes[at] = byte;
            let codec = codec(OpenAiResponses);
            let _ = codec.scan(Api::Responses, PathParamsRef::default(), &bytes);
            let _ = codec.decode_error(&ErrorAnswer { status: 400, error_type: None, body: &bytes });
            let mut decoder = codec.stream_decoder();
            for event in bytes.split(|byte| *byte == b'\n') {
                let _ = decoder.event(event, &mut |_| ());
            }
            let Ok(json) = Json::parse(&bytes) else { continue };
            let _ = codec.decode_response(json);
            if let Ok(call) = codec.decode_request(PathParamsRef::default(), json, &Sum) {
                let losses = LossReport::new(OpenAiResponses, OpenAiResponses, wire::canonical::Strictness::Lenient);
                let _ = (codec.echo(&call), codec.encode_request(&call, &target("m"), losses));
            }
        }
    }
}
