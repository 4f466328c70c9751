//! Gemini generateContent: fixtures read, written and read again.

use bytes::Bytes;
use domain::ServiceTier;
use proptest::prelude::*;
use serde_json::{Value, json};
use wire::{
    Api,
    Dialect::Gemini,
    Edits,
    canonical::{Effort, Family, Finish, OutputFormat, PartKind, Role, Show, ToolMode},
    codec,
    error::{ClientErrorBody, DecodeError, ErrorAnswer, ErrorClass},
    json::Json,
    scan::PathParamsRef,
};

use crate::support::{
    Answer, Sum, calls::extras, envelope, events, fixture, read, retell, target, translated,
};

const PATH: PathParamsRef<'_> = PathParamsRef { model: Some("gemini-3-pro"), stream: Some(true) };

fn text(name: &str) -> String {
    String::from_utf8(fixture("gemini", name).to_vec()).unwrap()
}

fn value(name: &str) -> Value {
    serde_json::from_str(&text(name)).unwrap()
}

fn again(body: &str, model: &str) -> Result<(Value, Vec<String>), String> {
    translated((Gemini, PATH, body), Gemini, &target(model), false)
}

/// The stream with LF line ends.
fn stream(name: &str) -> Bytes {
    text(name).replace("\r\n", "\n").into()
}

#[test]
fn a_body_is_scanned_for_routing_and_metering() {
    let facts = codec(Gemini).scan(Api::Gemini, PATH, &fixture("gemini", "request.json")).unwrap();
    assert_eq!((&*facts.model, facts.stream, facts.include_usage), ("gemini-3-pro", true, true));
    assert_eq!((facts.max_output, facts.choices, facts.messages), (Some(2048), 2, 5));
    assert_eq!((facts.images, facts.audio, facts.files), (3, 1, 2));
    let count = br#"{"generate_content_request":{"contents":[{"parts":[]}],"cachedContent":"c"}}"#;
    let facts = codec(Gemini).scan(Api::Gemini, PATH, count).unwrap();
    assert_eq!((facts.messages, facts.files, facts.choices), (1, 1, 1));
    let bytes = Bytes::from_static(count);
    let edits = Edits { model: "other", want_usage: true, output_limit: None, old_limit_name: false };
    assert_eq!(codec(Gemini).verbatim(&bytes, &facts, &edits), bytes);
    for (body, field) in [
        ("{}", Some("contents")),
        (r#"{"contents":[],"contents":[]}"#, Some("contents")),
        (r#"{"contents":[1]}"#, Some("contents")),
        (r#"{"contents":[],"generationConfig":{},"generation_config":{}}"#, Some("generationConfig")),
        (
            r#"{"contents":[],"generation_config":{"max_output_tokens":0}}"#,
            Some("generationConfig.maxOutputTokens"),
        ),
        (
            r#"{"contents":[],"generationConfig":{"candidateCount":1000}}"#,
            Some("generationConfig.candidateCount"),
        ),
        (r#"{"contents":[]"#, None),
    ] {
        assert_eq!(
            codec(Gemini).scan(Api::Gemini, PATH, body.as_bytes()).unwrap_err().field,
            field,
            "{body}"
        );
    }
    assert_eq!(
        codec(Gemini).scan(Api::Gemini, PathParamsRef::default(), count).unwrap_err().field,
        Some("model")
    );
}

#[test]
fn a_call_is_read_field_by_field() {
    let body = text("request.json");
    let call = codec(Gemini).decode_request(PATH, Json::parse(body.as_bytes()).unwrap(), &Sum).unwrap();
    assert_eq!((&*call.model, call.stream, call.max_output), ("gemini-3-pro", true, Some(2048)));
    let roles: Vec<_> = call.turns.iter().map(|turn| (turn.role, turn.parts.len())).collect();
    let expected = [
        (Role::System, 2),
        (Role::User, 6),
        (Role::Assistant, 3),
        (Role::Tool, 2),
        (Role::Assistant, 2),
        (Role::User, 1),
    ];
    assert_eq!(roles, expected);
    let PartKind::Image(image) = &call.turns[1].parts[1].kind else { panic!() };
    assert_eq!(image.detail.as_deref(), Some("high"));
    let PartKind::ToolCall(tool) = &call.turns[2].parts[1].kind else { panic!() };
    assert_eq!(tool.arguments, r#"{"side": "north", "mm": 12345678901234567890}"#);
    assert_eq!(tool.signature.as_ref().unwrap().family, Family::Gemini);
    let PartKind::ToolResult(result) = &call.turns[3].parts[0].kind else { panic!() };
    assert_eq!(result.structured.unwrap().raw(), r#"{"level": 1.50, "unit": "m"}"#);
    assert_eq!((result.content.len(), result.error), (1, false));
    let PartKind::ToolResult(result) = &call.turns[3].parts[1].kind else { panic!() };
    assert!(result.error && result.structured.is_none() && result.content.len() == 1);
    let names: Vec<_> = call.tools.iter().map(|tool| (&*tool.name, tool.foreign.is_some())).collect();
    assert_eq!(names, [("gauge", false), ("bell", false), ("googleSearch", true)]);
    let choice = call.tool_choice.unwrap();
    assert_eq!((choice.mode, choice.allowed.len()), (ToolMode::Required, 2));
    assert_eq!((call.reasoning.effort, call.reasoning.show), (Some(Effort::Low), Some(Show::Auto)));
    assert_eq!((call.sampling.choices, call.sampling.top_logprobs), (2, Some(3)));
    assert_eq!(call.sampling.temperature.unwrap().raw(), "0.70");
    assert!(matches!(call.format, OutputFormat::Schema(_)));
    assert_eq!(
        extras(Gemini, &call.extra),
        [("generationConfig.speechConfig", true), ("safetySettings", true)]
    );
}

#[test]
fn a_call_is_written_as_it_was_read() {
    let (written, dropped) = again(&text("request.json"), "gemini-3-pro").unwrap();
    assert_eq!(written, value("request.json"));
    assert!(dropped.is_empty(), "{dropped:?}");
    assert!(written.to_string().contains("12345678901234567890"));
}

#[test]
fn both_cases_are_read() {
    let snake = text("request.json")
        .replace("systemInstruction", "system_instruction")
        .replace("inlineData", "inline_data")
        .replace("mimeType", "mime_type")
        .replace("thoughtSignature", "thought_signature")
        .replace("functionCallingConfig", "function_calling_config")
        .replace("functionDeclarations", "function_declarations")
        .replace("functionResponse", "function_response")
        .replace("thinkingConfig", "thinking_config")
        .replace("maxOutputTokens", "max_output_tokens")
        .replace("generationConfig", "generation_config")
        .replace("safetySettings", "safety_settings");
    assert_eq!(again(&snake, "gemini-3-pro").unwrap(), again(&text("request.json"), "gemini-3-pro").unwrap());
    let both = r#"{"contents":[{"parts":[{"text":"a","inlineData":null,"inline_data":null}]}]}"#;
    assert!(again(both, "m").unwrap_err().contains("no key twice"));
}

#[test]
fn wrong_types_are_named_by_their_place() {
    let part = |part: Value| json!({ "contents": [{ "parts": [part] }] });
    for (body, place) in [
        (json!([]), ""),
        (json!({}), "contents"),
        (json!({"contents": {}}), "contents"),
        (json!({"contents": [{"role": "robot"}]}), "contents[0].role"),
        (part(json!({})), "contents[0].parts[0]"),
        (part(json!({"text": 1})), "contents[0].parts[0].text"),
        (part(json!({"text": "a", "inlineData": {}})), "contents[0].parts[0]"),
        (part(json!({"inlineData": {"data": ""}})), "contents[0].parts[0].inlineData.mimeType"),
        (part(json!({"functionCall": {"name": "f", "args": []}})), "contents[0].parts[0].functionCall.args"),
        (
            json!({"contents": [], "systemInstruction": {"parts": [{"fileData": {"fileUri": "u"}}]}}),
            "systemInstruction.parts[0]",
        ),
        (
            json!({"contents": [], "tools": [{"functionDeclarations": [{}]}]}),
            "tools[0].functionDeclarations[0].name",
        ),
        (
            json!({"contents": [], "generationConfig": {"stopSequences": [1]}}),
            "generationConfig.stopSequences[0]",
        ),
        (
            json!({"contents": [], "generationConfig": {"thinkingConfig": {"thinkingBudget": -2}}}),
            "generationConfig.thinkingConfig.thinkingBudget",
        ),
        (
            json!({"contents": [], "toolConfig": {"functionCallingConfig": {"mode": "SOME"}}}),
            "toolConfig.functionCallingConfig.mode",
        ),
    ] {
        let body = body.to_string();
        let error =
            codec(Gemini).decode_request(PATH, Json::parse(body.as_bytes()).unwrap(), &Sum).unwrap_err();
        assert_eq!(error.field, place, "{body}");
    }
}

#[test]
fn the_stream_says_what_the_plain_answer_says() {
    let body = text("response.json");
    let plain = Answer::of(&codec(Gemini).decode_response(Json::parse(body.as_bytes()).unwrap()).unwrap());
    let expected = [
        "thought Both sides, then.",
        "text I read both \"gauges\" 🌊.",
        r#"call  gauge {"side": "north", "mm": 12345678901234567890}"#,
        "call  bell {}",
    ];
    assert_eq!(plain.parts, expected);
    assert_eq!(plain.finish, Some(Finish::ToolCalls), "Google says STOP");
    let usage = plain.usage.unwrap();
    assert_eq!(
        (usage.input_uncached, usage.cache_read, usage.tool_input, usage.audio_in),
        (100, 1000, 30, 20)
    );
    assert_eq!((usage.output_visible, usage.reasoning, usage.image_out), (45, 40, 5));
    assert_eq!(usage.service_tier, ServiceTier::Flex);
    assert_eq!(read(Gemini, events(&stream("stream.sse"))), plain);
}

#[test]
fn an_answer_is_written_as_it_was_read() {
    let body = text("response.json");
    let reply = codec(Gemini).decode_response(Json::parse(body.as_bytes()).unwrap()).unwrap();
    let written = codec(Gemini).encode_response(&reply, &envelope());
    assert_eq!(serde_json::from_slice::<Value>(&written).unwrap(), value("response.json"));
}

#[test]
fn a_written_stream_reads_the_same_however_it_arrived() {
    for name in ["stream.sse", "stream-oddities.sse"] {
        let stream = fixture("gemini", name);
        let (whole, seen) = retell(Gemini, Gemini, [&stream[..]]);
        assert!(seen.done && seen.finish && seen.error.is_none() && seen.usage.is_some(), "{name}: {seen:?}");
        for at in 0..=stream.len() {
            let split = retell(Gemini, Gemini, [&stream[..at], &stream[at..]]);
            assert_eq!(split.0, whole, "{name}: split at {at}");
        }
        assert_eq!(retell(Gemini, Gemini, stream.chunks(1)).0, whole, "{name}: byte by byte");
    }
    let (written, _) = retell(Gemini, Gemini, [&fixture("gemini", "stream.sse")[..]]);
    let written = String::from_utf8(written).unwrap();
    let last = written.rsplit("data: ").next().unwrap();
    assert!(last.contains("finishReason") && last.contains("usageMetadata"), "{last}");
    assert_eq!(written.matches("finishReason").count(), 1);
    let lines = written.replace("\r\n", "\n");
    assert_eq!(read(Gemini, events(lines.as_bytes())), read(Gemini, events(&stream("stream.sse"))));
}

#[test]
fn oddities_of_streams_are_read() {
    let answer = read(Gemini, events(&stream("stream-oddities.sse")));
    let expected =
        ["text Sea level", "foreign executableCode", "foreign functionCall", "seal Gemini c2VhbA=="];
    assert_eq!(answer.parts, expected);
    assert_eq!((answer.finish, answer.ended), (Some(Finish::Length), true));
    let usage = answer.usage.unwrap();
    assert_eq!((usage.input_uncached, usage.output_visible, usage.web_searches), (4, 2, 2));
}

#[test]
fn a_cut_stream_is_never_whole() {
    let stream = fixture("gemini", "stream.sse");
    let last = stream.windows(12).position(|bytes| bytes == b"finishReason").unwrap();
    for end in [0, 20, 400, last] {
        let (written, seen) = retell(Gemini, Gemini, [&stream[..end]]);
        assert!(!seen.done && !String::from_utf8(written).unwrap().contains("finishReason"), "cut at {end}");
    }
}

#[test]
fn a_prompt_that_is_blocked_is_a_filtered_answer() {
    // See docs/spec/cases.md#case-32.
    let body = text("blocked.json");
    let reply = codec(Gemini).decode_response(Json::parse(body.as_bytes()).unwrap()).unwrap();
    let plain = Answer::of(&reply);
    assert_eq!(
        (plain.finish, plain.explanation.as_deref()),
        (Some(Finish::ContentFilter), Some("PROHIBITED_CONTENT"))
    );
    assert_eq!(plain.usage.unwrap().input(), 9);
    let event = format!("data: {}\r\n\r\n", body.trim());
    assert_eq!(read(Gemini, [event.as_bytes()]), plain);
}

#[test]
fn an_error_is_read_by_status_and_reason() {
    let error = |code: u16, status: &str, message: &str, details: Value| {
        json!({"error": {"code": code, "message": message, "status": status, "details": details}}).to_string()
    };
    let reason = |reason: &str| json!([{ "@type": "x/google.rpc.ErrorInfo", "reason": reason }]);
    let quota = json!([{ "violations": [{ "quotaId": "GenerateRequestsPerDayPerProject" }] }]);
    for (status, body, class) in [
        (429, text("error.json"), ErrorClass::RateLimited),
        (429, format!("[{}]", text("error.json").trim()), ErrorClass::RateLimited),
        (429, error(429, "RESOURCE_EXHAUSTED", "quota", quota), ErrorClass::NoCredit),
        (
            400,
            error(400, "INVALID_ARGUMENT", "API key not valid.", reason("API_KEY_INVALID")),
            ErrorClass::BadCredential,
        ),
        (
            400,
            error(
                400,
                "INVALID_ARGUMENT",
                "The input token count (9) exceeds the maximum number of tokens allowed (8).",
                json!([]),
            ),
            ErrorClass::ContextTooLong,
        ),
        (400, error(400, "INVALID_ARGUMENT", "no", json!([])), ErrorClass::BadRequest),
        (403, error(403, "PERMISSION_DENIED", "no", json!([])), ErrorClass::BadCredential),
        (404, error(404, "NOT_FOUND", "no", json!([])), ErrorClass::NotFound),
        (503, error(503, "UNAVAILABLE", "overloaded", json!([])), ErrorClass::Overloaded),
        (500, error(500, "INTERNAL", "no", json!([])), ErrorClass::ServerError),
        (504, error(504, "DEADLINE_EXCEEDED", "no", json!([])), ErrorClass::Timeout),
        (502, "<html>".to_owned(), ErrorClass::ServerError),
        (413, String::new(), ErrorClass::TooLarge),
    ] {
        let answer = ErrorAnswer { status, error_type: None, body: body.as_bytes() };
        assert_eq!(codec(Gemini).decode_error(&answer).0, class, "{status} {body}");
    }
    let error = text("error.json");
    let reply = codec(Gemini).decode_response(Json::parse(error.as_bytes()).unwrap());
    assert!(matches!(reply, Err(DecodeError::Error(ErrorClass::RateLimited, _))));
    // In a stream with and without framing.
    for event in
        [format!("data: {}\n\n", error.trim()), format!("{error}\n"), format!("[{}]\n\n", error.trim())]
    {
        assert_eq!(read(Gemini, [event.as_bytes()]).errors.len(), 1, "{event}");
    }
}

#[test]
fn an_error_is_written_where_clients_look() {
    let extra = json!({ "attempts": 2 });
    let error = ClientErrorBody {
        kind: domain::ErrorKind::BudgetExceeded,
        status: 429,
        message: "no money",
        code: "budget_exceeded",
        param: Some("contents"),
        request: "r1",
        extra: Some(&extra),
    };
    let body: Value = serde_json::from_slice(&codec(Gemini).encode_error(&error)).unwrap();
    assert_eq!(body["error"]["code"], 429);
    assert_eq!(body["error"]["status"], "RESOURCE_EXHAUSTED");
    assert_eq!(body["error"]["details"][0]["reason"], "budget_exceeded");
    assert_eq!(body["error"]["details"][1]["fieldViolations"][0]["field"], "contents");
    assert_eq!(body["error"]["portcullis"]["attempts"], 2);
    let event = codec(Gemini).encode_error_event(&error);
    assert!(event.starts_with(b"data: {\"error\":"), "the official client looks for it there");
    assert_eq!(read(Gemini, [&event[..]]).errors, ["no money"]);
}

proptest! {
    #[test]
    fn nothing_makes_it_panic(at in 0usize..8000, with in any::<u8>(), cut in 0usize..8000, which in 0usize..5) {
        let names = ["request.json", "response.json", "stream.sse", "stream-oddities.sse", "error.json"];
        let mut bytes = fixture("gemini", names[which]).to_vec();
        let len = bytes.len();
        bytes[at % len] = with;
        bytes.truncate(len - cut % len / 4);
        let _ = codec(Gemini).scan(Api::Gemini, PATH, &bytes);
        let bytes = codec(Gemini).prepare(&bytes.into());
        if let Ok(json) = Json::parse(&bytes) {
            if let Ok(call) = codec(Gemini).decode_request(PATH, json, &Sum) {
                let losses = wire::canonical::LossReport::new(Gemini, Gemini, wire::canonical::Strictness::Lenient);
                let _ = codec(Gemini).encode_request(&call, &target("gemini-3-pro"), losses);
            }
            if let Ok(reply) = codec(Gemini).decode_response(json) {
                codec(Gemini).encode_response(&reply, &envelope());
            }
        }
        let mut decoder = codec(Gemini).stream_decoder();
        let mut encoder = codec(Gemini).stream_encoder(envelope());
        let mut out = Vec::new();
        for event in bytes.split_inclusive(|byte| *byte == b'\n') {
            let _ = decoder.event(event, &mut |event| encoder.event(&event, &mut out));
        }
        encoder.end(&mut out, &mut Vec::new());
    }
}
