//! What Gemini's clients send and get where another dialect answers them (docs/spec/cases.md, by number).

use serde_json::{Value, json};
use wire::{
    Dialect::{Anthropic, Gemini, OpenAiChat},
    canonical::{Call, Event, Family, Finish, Image, Media, Part, PartKind, Role, Turn},
    codec,
    scan::PathParamsRef,
};

use crate::support::{
    calls::{answered, call, finish, named_call, reply, signature, thought, written},
    envelope, events, read, target, translated,
};

const PATH: PathParamsRef<'_> = PathParamsRef { model: Some("gemini-3-pro"), stream: Some(false) };
const NEW: &str = "gemini-3-pro";

fn write(call: &Call<'_>, model: &str, lenient: bool) -> Result<(Value, Vec<String>), String> {
    written(call, OpenAiChat, (Gemini, &target(model)), lenient)
}

fn told(parts: Vec<Part<'static>>, finish: Finish) -> Value {
    answered(Gemini, &reply(parts, finish))
}

#[test]
fn case_10_foreign_seals_pass_through_a_client_and_come_back() {
    let body = told(
        vec![
            thought("plan", Some(signature(Family::Anthropic, "c2Vh"))),
            Part::new(PartKind::RedactedReasoning(signature(Family::Anthropic, "aGlk"))),
            named_call("toolu_1", "f", "{}"),
        ],
        Finish::ToolCalls,
    );
    let content = &body["candidates"][0]["content"];
    assert!(!body.to_string().contains("c2Vh"), "the seal is wrapped");
    let call = json!({"contents": [{"role": "user", "parts": [{"text": "a"}]}, content,
        {"parts": [{"functionResponse": {"id": "toolu_1", "name": "f", "response": {}}}]}], "generationConfig": {"maxOutputTokens": 9}});
    let (written, _) =
        translated((Gemini, PATH, &call.to_string()), Anthropic, &target("claude-x"), false).unwrap();
    let expected = json!([{"type": "thinking", "thinking": "plan", "signature": "c2Vh"},
        {"type": "redacted_thinking", "data": "aGlk"},
        {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}}]);
    assert_eq!(written["messages"][1]["content"], expected);
}

#[test]
fn a_streamed_history_is_one_turn_again() {
    let mut encoder = codec(Gemini).stream_encoder(envelope());
    let (mut out, choice) = (Vec::new(), 0);
    for event in [
        Event::Reasoning { choice, text: "pl".into() },
        Event::Reasoning { choice, text: "an".into() },
        Event::Signature { choice, signature: signature(Family::Anthropic, "c2Vh") },
        Event::Text { choice, text: "He".into() },
        Event::Text { choice, text: "llo".into() },
    ] {
        encoder.event(&event, &mut out);
    }
    let chunk =
        |event: &[u8]| -> Value { serde_json::from_slice(event.strip_prefix(b"data: ").unwrap()).unwrap() };
    let out = String::from_utf8(out).unwrap().replace("\r\n", "\n");
    let mut contents: Vec<Value> = events(out.as_bytes())
        .into_iter()
        .map(|event| chunk(event)["candidates"][0]["content"].clone())
        .collect();
    contents.insert(0, json!({"parts": [{"text": "a"}]}));
    let body = json!({ "contents": contents, "generationConfig": {"maxOutputTokens": 9} }).to_string();
    let (written, _) = translated((Gemini, PATH, &body), Anthropic, &target("claude-x"), false).unwrap();
    let expected = json!([{"type": "thinking", "thinking": "plan", "signature": "c2Vh"}, {"type": "text", "text": "Hello"}]);
    assert_eq!(written["messages"][1]["content"], expected);
}

#[test]
fn case_15_a_call_that_was_cut_is_left_out() {
    let cut = || vec![Part::text("so"), named_call("x", "f", r#"{"a": "#)];
    let body = told(cut(), Finish::Length);
    assert_eq!(body["candidates"][0]["content"]["parts"], json!([{"text": "so"}]));
    assert_eq!(body["candidates"][0]["finishReason"], "MAX_TOKENS");
    assert_eq!(told(cut(), Finish::ToolCalls)["candidates"][0]["finishReason"], "MALFORMED_FUNCTION_CALL");
    assert_eq!(told(cut(), Finish::Refusal)["candidates"][0]["finishReason"], "SAFETY");
}

#[test]
fn case_23_calls_that_grow_side_by_side_come_whole_and_in_order() {
    let mut encoder = codec(Gemini).stream_encoder(envelope());
    let (mut out, mut last, choice) = (Vec::new(), Vec::new(), 0);
    let start = |call, name: &'static str| Event::CallStart {
        choice,
        call,
        id: "".into(),
        name: name.into(),
        signature: None,
        custom: false,
    };
    let grow = |call, text: &'static str| Event::CallArguments { choice, call, fragment: text.into() };
    for event in [
        start(0, "f"),
        grow(0, "{\"a\":"),
        start(1, "g"),
        grow(1, "{}"),
        Event::CallEnd { choice, call: 1 },
        grow(0, "1}"),
        finish(Finish::ToolCalls),
    ] {
        encoder.event(&event, &mut out);
    }
    encoder.end(&mut out, &mut last);
    out.extend_from_slice(&last);
    let text = String::from_utf8(out).unwrap().replace("\r\n", "\n");
    let answer = read(Gemini, events(text.as_bytes()));
    assert_eq!(answer.parts, ["call  f {\"a\":1}", "call  g {}"]);
    assert_eq!(answer.finish, Some(Finish::ToolCalls));
}

#[test]
fn what_a_stream_keeps_is_bounded() {
    let mut encoder = codec(Gemini).stream_encoder(envelope());
    let (mut out, mut last, choice, call) = (Vec::new(), Vec::new(), 0, 0);
    encoder.event(
        &Event::CallStart { choice, call, id: "".into(), name: "f".into(), signature: None, custom: false },
        &mut out,
    );
    let fragment = "x".repeat(1 << 20);
    for _ in 0..6 {
        encoder.event(&Event::CallArguments { choice, call, fragment: fragment.as_str().into() }, &mut out);
    }
    encoder.end(&mut out, &mut last);
    assert!(out.is_empty() && last.len() < 1000);
    assert!(String::from_utf8(last).unwrap().contains("MALFORMED_FUNCTION_CALL"));
    let call = json!({"functionCall": {"name": "f"}});
    let body = json!({"contents": [{"role": "model", "parts": vec![call; 1025]}]}).to_string();
    let refused = translated((Gemini, PATH, &body), Gemini, &target(NEW), false).unwrap_err();
    assert!(refused.starts_with("`contents[0].parts[1024]`"), "{refused}");
}

#[test]
fn googles_own_schemas_become_json_schema_before_the_call_is_read() {
    let schema = json!({"type": "OBJECT", "nullable": true, "propertyOrdering": ["a"], "properties": {
        "a": {"type": "ARRAY", "items": {"type": "STRING", "maxLength": "8", "example": "x"}},
        "type": {"anyOf": [{"type": "NUMBER"}], "nullable": true}}});
    let expected = json!({"type": ["object", "null"], "properties": {
        "a": {"type": "array", "items": {"type": "string", "maxLength": 8, "examples": ["x"]}},
        "type": {"anyOf": [{"type": "number"}, {"type": "null"}]}}});
    let body = json!({"contents": [{"parts": [{"text": "a"}]}],
        "tools": [{"function_declarations": [{"name": "f", "parameters": schema}]}],
        "generation_config": {"response_mime_type": "application/json", "response_schema": schema}});
    let prepared = codec(Gemini).prepare(&body.to_string().into());
    let (written, _) =
        translated((Gemini, PATH, str::from_utf8(&prepared).unwrap()), Gemini, &target(NEW), false).unwrap();
    assert_eq!(written["tools"][0]["functionDeclarations"][0]["parametersJsonSchema"], expected);
    assert_eq!(written["generationConfig"]["responseJsonSchema"], expected);
    let untouched = bytes::Bytes::from_static(br#"{"contents":[]}"#);
    assert_eq!(codec(Gemini).prepare(&untouched).as_ptr(), untouched.as_ptr());
}

#[test]
fn what_gemini_knows_alone_is_refused_elsewhere_and_the_other_way_round() {
    let mut body = json!({"contents": [{"parts": [{"text": "a"}]}], "safetySettings": [], "generationConfig": {"maxOutputTokens": 9}});
    let said_nothing =
        translated((Gemini, PATH, &body.to_string()), Anthropic, &target("claude-x"), false).unwrap();
    assert!(said_nothing.1.is_empty(), "{said_nothing:?}");
    body["safetySettings"] =
        json!([{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_LOW_AND_ABOVE"}]);
    let refused =
        translated((Gemini, PATH, &body.to_string()), Anthropic, &target("claude-x"), false).unwrap_err();
    assert!(refused.starts_with("`safetySettings`"), "{refused}");
    let code = json!({"contents": [{"parts": [{"executableCode": {"code": "1"}}]}], "generationConfig": {"maxOutputTokens": 9}});
    assert!(translated((Gemini, PATH, &code.to_string()), Anthropic, &target("claude-x"), false).is_err());
    let file = Part::new(PartKind::Image(Image { media: Media::File("file-1".into()), detail: None }));
    let call = call(vec![Turn::new(Role::User, vec![Part::text("a"), file])]);
    assert!(write(&call, NEW, false).unwrap_err().contains("image"));
    assert_eq!(write(&call, NEW, true).unwrap().0["contents"][0]["parts"], json!([{"text": "a"}]));
}

#[test]
fn dialects_without_streams_of_their_own_ends_end_here() {
    // Google's stream has no terminal event: the end of the body and a reason for every candidate make it whole.
    let chunk = |index: u32, reason: &str| {
        format!(
            "data: {{\"candidates\":[{{\"index\":{index},\"content\":{{\"parts\":[{{\"text\":\"x\"}}]}}{reason}}}]}}\n\n"
        )
    };
    let stop = r#","finishReason":"STOP""#;
    let open = [chunk(0, ""), chunk(1, ""), chunk(0, stop)];
    assert!(!read(Gemini, open.iter().map(String::as_bytes)).ended);
    let whole = [chunk(0, ""), chunk(1, stop), chunk(0, stop)];
    assert!(read(Gemini, whole.iter().map(String::as_bytes)).ended);
    let many = chunk(4_000_000, "");
    let mut decoder = codec(Gemini).stream_decoder();
    assert!(decoder.event(many.as_bytes(), &mut |_| ()).is_err());
}
