//! The tricky cases of docs/spec/cases.md that concern Chat Completions, by number, and every quirk of its copies.

use serde_json::{Value, json};
use wire::{
    Dialect::{self, Anthropic, OpenAiChat},
    Quirks,
    canonical::{Call, Event, Family, Finish, Image, Media, Part, PartKind, Role, Signature, Turn},
    codec,
    json::Json,
    quirks::ReasoningReplay,
    scan::PathParamsRef,
};

use crate::support::{
    Sum,
    calls::{answered, call, finish, reply, result_of, streamed, tool_call, written},
    envelope, events, read, target,
};

fn sealed(family: Family) -> Option<Signature<'static>> {
    Some(Signature { family, text: "c2VhbA==".into(), item: None })
}

fn thought(family: Option<Family>) -> Part<'static> {
    Part::new(PartKind::Reasoning { text: "hm".into(), signature: family.and_then(sealed) })
}

fn write(
    call: &Call<'_>,
    quirks: &Quirks,
    client: Dialect,
    lenient: bool,
) -> Result<(Value, Vec<String>), String> {
    let target = wire::canonical::TargetFacts { quirks, ..target("m") };
    written(call, client, (OpenAiChat, &target), lenient)
}

fn strict(call: &Call<'_>, quirks: &Quirks) -> Result<Value, String> {
    write(call, quirks, Anthropic, false).map(|(body, _)| body)
}

fn decoded(body: &Value) -> Result<String, String> {
    let text = body.to_string();
    let call = codec(OpenAiChat).decode_request(
        PathParamsRef::default(),
        Json::parse(text.as_bytes()).unwrap(),
        &Sum,
    );
    call.map(|call| format!("{:?}", call.turns)).map_err(|error| error.to_string())
}

#[test]
fn case_2_every_call_has_its_result_and_every_result_its_call() {
    let calls = json!({"role": "assistant", "tool_calls": [
        {"id": "a", "type": "function", "function": {"name": "f", "arguments": ""}},
        {"id": "b", "type": "function", "function": {"name": "f", "arguments": ""}}]});
    let result = |id: &str| json!({"role": "tool", "tool_call_id": id, "content": "x"});
    let with = |rest: &[Value]| {
        let messages: Vec<_> = std::iter::once(&calls).chain(rest).collect();
        decoded(&json!({"model": "m", "messages": messages}))
    };
    assert!(with(&[result("b"), result("a")]).is_ok());
    assert_eq!(with(&[result("b")]).unwrap_err(), "`messages` holds no result for the call `a`");
    let user = json!({"role": "user", "content": "x"});
    assert!(with(&[result("a"), user, result("b")]).unwrap_err().contains("`b`"));
    let error = with(&[result("a"), result("b"), result("c")]).unwrap_err();
    assert_eq!(error, "`messages` holds a result for `c`, a call that is not open");
}

#[test]
fn case_3_and_15_empty_arguments_are_an_object_and_cut_ones_stay_cut() {
    let turns = vec![
        Turn::new(Role::Assistant, vec![tool_call("a", ""), tool_call("b", "{\"x\": \"un")]),
        Turn::new(Role::Tool, vec![result_of("f", "a", Vec::new()), result_of("f", "b", Vec::new())]),
    ];
    let body = strict(&call(turns), &Quirks::NONE).unwrap();
    let calls = &body["messages"][0]["tool_calls"];
    assert_eq!(calls[0]["function"]["arguments"], "{}");
    assert_eq!(calls[1]["function"]["arguments"], "{\"x\": \"un");
    let parts = vec![tool_call("a", ""), tool_call("b", "{\"x\": \"un")];
    let answer = answered(OpenAiChat, &reply(parts, Finish::Length));
    assert_eq!(answer["choices"][0]["finish_reason"], "length");
    assert_eq!(answer["choices"][0]["message"]["tool_calls"][1]["function"]["arguments"], "{\"x\": \"un");
    let start = |call| Event::CallStart {
        choice: 0,
        call,
        id: "".into(),
        name: "f".into(),
        signature: None,
        custom: false,
    };
    let ended = streamed(OpenAiChat, &[start(0), start(1), finish(Finish::ToolCalls)]);
    let expected = ["call call_0192aa_0_0 f ", "call call_0192aa_0_1 f {}{}"];
    assert_eq!(read(OpenAiChat, events(&ended)).parts.len(), expected.len());
    assert_eq!(String::from_utf8(ended).unwrap().matches(r#""arguments":"{}""#).count(), 2);
    let cut = streamed(OpenAiChat, &[start(0), finish(Finish::Length)]);
    assert!(!String::from_utf8(cut).unwrap().contains("{}\"}"));
}

#[test]
fn case_5_and_6_ids_are_minted_or_made_legal_on_both_sides() {
    let long: &'static str = "x".repeat(41).leak();
    let turns = vec![
        Turn::new(
            Role::Assistant,
            vec![tool_call("", "{}"), tool_call(long, "{}"), tool_call("abc123XYZ", "{}")],
        ),
        Turn::new(Role::Tool, ["", long, "abc123XYZ"].map(|id| result_of("f", id, Vec::new())).into()),
    ];
    for (nine, legal) in [(false, 40), (true, 9)] {
        let quirks = Quirks { nine_letter_ids: nine, ..Quirks::NONE };
        let body = strict(&call(turns.clone()), &quirks).unwrap();
        for at in 0..3 {
            let id = body["messages"][0]["tool_calls"][at]["id"].as_str().unwrap();
            assert_eq!(body["messages"][1 + at]["tool_call_id"], id);
            assert!(if nine {
                id.len() == legal && id.bytes().all(|b| b.is_ascii_alphanumeric())
            } else {
                id.len() <= legal
            });
        }
        assert_eq!(body["messages"][0]["tool_calls"][2]["id"], "abc123XYZ");
    }
}

#[test]
fn case_8_and_10_another_familys_seals_come_back_in_the_id() {
    let redacted = Part::new(PartKind::RedactedReasoning(sealed(Family::Anthropic).unwrap()));
    let parts = vec![
        thought(Some(Family::Anthropic)),
        redacted,
        Part::text("so"),
        tool_call("call_1", "{}"),
        tool_call("call_2", "{}"),
    ];
    let answer = answered(OpenAiChat, &reply(parts.clone(), Finish::ToolCalls));
    let message = &answer["choices"][0]["message"];
    assert_eq!(
        (&message["reasoning_content"], &message["tool_calls"][1]["id"]),
        (&json!("hm"), &json!("call_2"))
    );
    let results: Vec<Value> = (0..2)
        .map(|at| json!({"role": "tool", "tool_call_id": message["tool_calls"][at]["id"], "content": "x"}))
        .collect();
    // Claude takes its seal only with the very text that it is on, so that comes back in the id as well.
    for keeps_thoughts in [true, false] {
        let mut message = message.clone();
        if !keeps_thoughts {
            message.as_object_mut().unwrap().remove("reasoning_content");
        }
        let body = json!({"model": "m", "messages": [message, results[0], results[1]]}).to_string();
        let json = Json::parse(body.as_bytes()).unwrap();
        let call = codec(OpenAiChat).decode_request(PathParamsRef::default(), json, &Sum).unwrap();
        assert_eq!(call.turns[0].parts, parts);
        assert!(
            matches!(&call.turns[1].parts[0].kind, PartKind::ToolResult(result) if result.id == "call_1")
        );
    }
    let events = [
        Event::Reasoning { choice: 0, text: "hm".into() },
        Event::Signature { choice: 0, signature: sealed(Family::Anthropic).unwrap() },
        Event::CallStart {
            choice: 0,
            call: 0,
            id: "call_1".into(),
            name: "f".into(),
            signature: None,
            custom: false,
        },
    ];
    let carried = streamed(OpenAiChat, &events);
    let id = streamed(OpenAiChat, &events[2..]);
    assert!(String::from_utf8(carried).unwrap().contains("call_1.pc1a"));
    assert!(!String::from_utf8(id).unwrap().contains(".pc1"));
}

#[test]
fn case_9_thoughts_go_back_to_their_own_family_only() {
    let with = |family, back| {
        let turns = vec![Turn::new(Role::Assistant, vec![thought(family), Part::text("so")])];
        let quirks = Quirks { thoughts_back: back, ..Quirks::NONE };
        strict(&call(turns), &quirks).unwrap()["messages"][0].take()
    };
    let plain = json!({"role": "assistant", "content": "so"});
    assert_eq!(with(Some(Family::Anthropic), ReasoningReplay::Reasoning), plain);
    assert_eq!(with(None, ReasoningReplay::Nowhere), plain);
    assert_eq!(with(None, ReasoningReplay::Reasoning)["reasoning"], "hm");
    assert_eq!(with(None, ReasoningReplay::ReasoningContent)["reasoning_content"], "hm");
    assert_eq!(with(None, ReasoningReplay::ThinkingPart)["content"][0]["thinking"][0]["text"], "hm");
    let details = r#"[{"type":"reasoning.text","text":"hm"}]"#;
    let signature = Some(Signature { family: Family::Compatible, text: details.into(), item: None });
    let part = Part::new(PartKind::Reasoning { text: "hm".into(), signature });
    let quirks = Quirks { thoughts_back: ReasoningReplay::ReasoningDetails, ..Quirks::NONE };
    let body = strict(&call(vec![Turn::new(Role::Assistant, vec![part])]), &quirks).unwrap();
    assert_eq!(body["messages"][0]["reasoning_details"], serde_json::from_str::<Value>(details).unwrap());
}

#[test]
fn case_12_and_32_refusals_and_filters_are_no_empty_success() {
    let refused =
        answered(OpenAiChat, &reply(vec![Part::new(PartKind::Refusal("No.".into()))], Finish::Refusal));
    let choice = &refused["choices"][0];
    assert_eq!((&choice["message"]["refusal"], &choice["finish_reason"]), (&json!("No."), &json!("stop")));
    let mut blocked = reply(Vec::new(), Finish::ContentFilter);
    let choice = answered(OpenAiChat, &blocked)["choices"][0].take();
    assert_eq!(
        (&choice["message"]["content"], &choice["finish_reason"]),
        (&Value::Null, &json!("content_filter"))
    );
    assert!(choice["message"]["refusal"].is_string());
    blocked.choices[0].explanation = Some("Because.".into());
    assert_eq!(answered(OpenAiChat, &blocked)["choices"][0]["message"]["refusal"], "Because.");
    let stream =
        streamed(OpenAiChat, &[Event::Start { id: None, model: None }, finish(Finish::ContentFilter)]);
    assert_eq!(read(OpenAiChat, events(&stream)).finish, Some(Finish::ContentFilter));
    let body = r#"{"choices":[{"message":{"refusal":"No."},"finish_reason":"stop"}]}"#;
    let read = codec(OpenAiChat).decode_response(Json::parse(body.as_bytes()).unwrap()).unwrap();
    assert_eq!(read.choices[0].finish, Finish::Refusal);
}

#[test]
fn case_13_images_of_results_are_shown_behind_all_of_them() {
    let image = Part::new(PartKind::Image(Image {
        media: Media::Base64 { mime: "image/png".into(), data: "AA==".into() },
        detail: None,
    }));
    let turns = vec![
        Turn::new(Role::Assistant, vec![tool_call("a", "{}"), tool_call("b", "{}")]),
        Turn::new(
            Role::Tool,
            vec![result_of("f", "a", vec![image]), result_of("f", "b", vec![Part::text("39")])],
        ),
    ];
    let (body, dropped) = write(&call(turns), &Quirks::NONE, Anthropic, false).unwrap();
    let messages = body["messages"].as_array().unwrap();
    let roles: Vec<_> = messages.iter().map(|message| message["role"].as_str().unwrap()).collect();
    assert_eq!(roles, ["assistant", "tool", "tool", "user"]);
    assert_eq!((&messages[1]["content"], &messages[2]["content"]), (&json!("see image 1"), &json!("39")));
    assert_eq!(messages[3]["content"][1]["image_url"]["url"], "data:image/png;base64,AA==");
    assert_eq!(dropped, ["messages[].content[] (media in a tool result)"]);
}

#[test]
fn case_18_usage_is_told_to_who_asked_for_it() {
    let usage = domain::Usage { input_uncached: 3, ..domain::Usage::default() };
    let all = [Event::Text { choice: 0, text: "x".into() }, Event::Usage(usage), finish(Finish::End)];
    assert!(String::from_utf8(streamed(OpenAiChat, &all)).unwrap().contains(r#""prompt_tokens":3"#));
    let mut quiet = envelope();
    quiet.stream_usage = false;
    let mut encoder = codec(OpenAiChat).stream_encoder(quiet);
    let (mut out, mut terminal) = (Vec::new(), Vec::new());
    all.iter().for_each(|event| encoder.event(event, &mut out));
    encoder.end(&mut out, &mut terminal);
    assert!(!String::from_utf8(out).unwrap().contains("usage"));
}

#[test]
fn case_23_and_24_calls_grow_side_by_side_and_text_around_them_is_one() {
    let start = |call, id: &'static str| Event::CallStart {
        choice: 0,
        call,
        id: id.into(),
        name: "f".into(),
        signature: None,
        custom: false,
    };
    let more =
        |call, fragment: &'static str| Event::CallArguments { choice: 0, call, fragment: fragment.into() };
    let all = [start(0, "a"), start(1, "b"), more(0, "{"), more(1, "["), more(0, "}"), more(1, "]")];
    let stream = String::from_utf8(streamed(OpenAiChat, &all)).unwrap();
    let indices: Vec<_> = stream
        .match_indices(r#""tool_calls":[{"index":"#)
        .map(|(at, key)| &stream[at + key.len()..=at + key.len()])
        .collect();
    assert_eq!(indices, ["0", "1", "0", "1", "0", "1"]);
    let parts = || vec![Part::text("one "), Part::text("two"), tool_call("a", "{}"), Part::text("three")];
    let turns = vec![
        Turn::new(Role::Assistant, parts()),
        Turn::new(Role::Tool, vec![result_of("f", "a", Vec::new())]),
    ];
    let body = strict(&call(turns), &Quirks::NONE).unwrap();
    assert_eq!(body["messages"][0]["content"], "one two\nthree");
}
