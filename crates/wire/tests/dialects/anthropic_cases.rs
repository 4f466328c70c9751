//! The tricky cases of docs/spec/cases.md that concern Anthropic Messages, by number.

use serde_json::{Value, json};
use wire::{
    Dialect::{Anthropic, Cohere, Gemini, OpenAiChat},
    canonical::{
        Call, Effort, Event, Family, Finish, LossReport, OutputFormat, Part, PartKind, Role, Tool,
        ToolChoice, ToolMode, Turn,
    },
    codec,
    json::Json,
    scan::PathParamsRef,
};

use wire::canonical::Strictness;

use crate::support::{
    Sum,
    calls::{Leniency, answered, call, finish, reply, result_of, signature, streamed, tool_call, written},
    envelope, events, read, target,
};

fn result(id: &'static str, text: &'static str) -> Part<'static> {
    result_of("f", id, vec![Part::text(text)])
}

fn limited(turns: Vec<Turn<'static>>) -> Call<'static> {
    Call { max_output: Some(100), ..call(turns) }
}

fn write(
    call: &Call<'_>,
    client: wire::Dialect,
    leniency: impl Leniency,
) -> Result<(Value, Vec<String>), String> {
    written(call, client, (Anthropic, &target("m")), leniency)
}

fn strict(call: &Call<'_>) -> Result<Value, String> {
    write(call, OpenAiChat, false).map(|(body, _)| body)
}

#[test]
fn case_1_and_3_results_are_one_user_turn_and_empty_arguments_are_an_object() {
    let turns = vec![
        Turn::new(Role::User, vec![Part::text("go")]),
        Turn::new(
            Role::Assistant,
            vec![tool_call("a", ""), tool_call("b", "null"), tool_call("c", "{\"x\":1e400}")],
        ),
        Turn::new(Role::Tool, vec![result("a", "1"), result("b", "2"), result("c", "3")]),
        Turn::new(Role::User, vec![Part::text("and then")]),
    ];
    let losses = LossReport::new(OpenAiChat, Anthropic, Strictness::Default);
    let body = codec(Anthropic).encode_request(&limited(turns), &target("m"), losses).unwrap().body;
    let body = String::from_utf8(body).unwrap();
    assert!(body.contains(r#""input":{}"#) && body.contains(r#""input":{"x":1e400}"#), "{body}");
    let user = body.split(r#"{"role":"user","content":["#).nth(1).unwrap();
    let order: Vec<_> = ["tool_use_id\":\"a", "tool_use_id\":\"b", "tool_use_id\":\"c", "and then"]
        .map(|text| user.find(text).unwrap())
        .into();
    assert!(order.is_sorted() && body.matches(r#""role""#).count() == 3, "{body}");
}

#[test]
fn case_4_arguments_that_are_no_object_are_refused_by_name() {
    for arguments in ["not json", "[1]", "\"x\"", r#"{"a":1,"a":2}"#, "{"] {
        let turns = vec![Turn::new(Role::Assistant, vec![tool_call("call_7", arguments)])];
        for lenient in [false, true] {
            let error = write(&limited(turns.clone()), OpenAiChat, lenient).unwrap_err();
            assert!(error.contains("call_7") && error.contains("no JSON object"), "{error}");
        }
    }
}

#[test]
fn case_5_and_6_ids_are_minted_or_made_legal_on_both_sides() {
    let turns = vec![
        Turn::new(Role::Assistant, vec![tool_call("", "{}"), tool_call("functions.f:0", "{}")]),
        Turn::new(Role::Tool, vec![result("functions.f:0", "2"), result("", "1")]),
    ];
    let messages = &strict(&limited(turns)).unwrap()["messages"];
    let (calls, results) = (&messages[0]["content"], &messages[1]["content"]);
    assert_eq!((&calls[0]["id"], &results[1]["tool_use_id"]), (&json!("call_1"), &json!("call_1")));
    assert_eq!(calls[1]["id"], results[0]["tool_use_id"]);
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
    assert!(calls[1]["id"].as_str().unwrap().bytes().all(legal));
}

#[test]
fn case_7_later_system_turns_are_never_hoisted() {
    let turns = vec![
        Turn::new(Role::System, vec![Part::text("first")]),
        Turn::new(Role::Developer, vec![Part::text("second")]),
        Turn::new(Role::User, vec![Part::text("hi")]),
        Turn::new(Role::System, vec![Part::text("late")]),
    ];
    let refused = write(&limited(turns.clone()), OpenAiChat, Strictness::Strict).unwrap_err();
    assert!(refused.starts_with("`messages[].role`"), "{refused}");
    let (body, dropped) = write(&limited(turns), OpenAiChat, false).unwrap();
    assert_eq!(body["system"].as_array().unwrap().len(), 2);
    assert_eq!(body["messages"][0]["content"][1]["text"], "\n<system>\nlate\n</system>\n");
    assert_eq!(dropped, ["messages[].role"]);
}

#[test]
fn case_8_and_10_another_familys_seal_comes_back_from_the_client() {
    let thought =
        PartKind::Reasoning { text: "hm".into(), signature: Some(signature(Family::Gemini, "CiQ+/w==")) };
    let mut calling = tool_call("call_1", "{}");
    let PartKind::ToolCall(inner) = &mut calling.kind else { panic!() };
    inner.signature = Some(signature(Family::Gemini, "step"));
    let parts = vec![
        Part::new(thought),
        Part::new(PartKind::RedactedReasoning(signature(Family::Gemini, "r"))),
        calling,
    ];
    let mut answer = answered(Anthropic, &reply(parts.clone(), Finish::ToolCalls));
    let id = answer["content"][2]["id"].clone();
    let content = json!([{"type": "tool_result", "tool_use_id": id, "content": "ok"}]);
    let body = json!({"model": "m", "max_tokens": 1, "messages": [
        {"role": "assistant", "content": answer["content"].take()}, {"role": "user", "content": content}]});
    let body = body.to_string();
    let call = codec(Anthropic).decode_request(
        PathParamsRef::default(),
        Json::parse(body.as_bytes()).unwrap(),
        &Sum,
    );
    let call = call.unwrap();
    assert_eq!(call.turns[0].parts, parts);
    assert!(matches!(&call.turns[1].parts[0].kind, PartKind::ToolResult(result) if result.id == "call_1"));
    // Case 9: Anthropic itself gets none of it.
    let body = strict(&call).unwrap();
    assert_eq!(
        body["messages"][0]["content"],
        json!([{"type": "tool_use", "id": "call_1", "name": "f", "input": {}}])
    );
}

#[test]
fn case_12_and_14_refusals_and_stop_sequences_are_told_as_far_as_they_are_known() {
    let refusal =
        answered(Anthropic, &reply(vec![Part::new(PartKind::Refusal("No.".into()))], Finish::Refusal));
    assert_eq!((&refusal["content"][0]["text"], &refusal["stop_reason"]), (&json!("No."), &json!("refusal")));
    assert_eq!(refusal["stop_details"]["type"], "refusal");
    let stopped = reply(vec![Part::text("x")], Finish::StopSequence);
    assert_eq!(answered(Anthropic, &stopped)["stop_sequence"], Value::Null);
    let asked = Call {
        sampling: wire::canonical::Sampling { stop: vec!["END".into()], ..Default::default() },
        ..limited(Vec::new())
    };
    let mut envelope = envelope();
    envelope.echo = codec(Anthropic).echo(&asked).into();
    let body: Value = serde_json::from_slice(&codec(Anthropic).encode_response(&stopped, &envelope)).unwrap();
    assert_eq!((&body["stop_reason"], &body["stop_sequence"]), (&json!("stop_sequence"), &json!("END")));
}

#[test]
fn case_15_a_call_cut_by_the_limit_is_left_out_of_a_plain_answer_and_stays_in_a_stream() {
    let parts = vec![Part::text("so"), tool_call("a", "{\"x\": \"un")];
    let body = answered(Anthropic, &reply(parts, Finish::Length));
    assert_eq!((body["content"].as_array().unwrap().len(), &body["stop_reason"]), (1, &json!("max_tokens")));
    let choice = 0;
    let stream = streamed(
        Anthropic,
        &[
            Event::CallStart {
                choice,
                call: 0,
                id: "a".into(),
                name: "f".into(),
                signature: None,
                custom: false,
            },
            Event::CallArguments { choice, call: 0, fragment: "{\"x\": \"un".into() },
            finish(Finish::Length),
        ],
    );
    let answer = read(Anthropic, events(&stream));
    assert_eq!((answer.parts[0].as_str(), answer.finish), ("call a f {\"x\": \"un", Some(Finish::Length)));
}

#[test]
fn case_23_calls_that_grow_side_by_side_become_blocks_one_after_the_other() {
    let choice = 0;
    let start = |call| Event::CallStart {
        choice,
        call,
        id: "".into(),
        name: "f".into(),
        signature: None,
        custom: false,
    };
    let part =
        |call, fragment: &'static str| Event::CallArguments { choice, call, fragment: fragment.into() };
    let stream = streamed(
        Anthropic,
        &[
            Event::Reasoning { choice, text: "hm".into() },
            Event::Text { choice, text: "a".into() },
            start(0),
            part(0, "{\"x\""),
            start(1),
            part(1, "{\"y\""),
            part(0, ":1}"),
            part(1, ":2}"),
            Event::Text { choice, text: "b".into() },
            finish(Finish::ToolCalls),
        ],
    );
    let answer = read(Anthropic, events(&stream));
    let expected = [
        "thought hm",
        "text a",
        "call toolu_0192aa_0 f {\"x\":1}",
        "call toolu_0192aa_1 f {\"y\":2}",
        "text b",
    ];
    assert_eq!(answer.parts, expected);
    assert_eq!(answer.usage.map(|usage| usage.input()), Some(17), "the estimate where nothing is said");
}

#[test]
fn case_25_and_28_blank_text_goes_and_json_without_a_schema_is_refused() {
    let turns = vec![
        Turn::new(Role::User, vec![Part::text("a")]),
        Turn::new(Role::Assistant, vec![Part::text("  ")]),
        Turn::new(Role::User, vec![Part::text("b")]),
    ];
    let mut call = limited(turns);
    let body = strict(&call).unwrap();
    let texts = json!([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]);
    assert_eq!(body["messages"], json!([{"role": "user", "content": texts}]));
    call.format = OutputFormat::Json;
    assert!(strict(&call).unwrap_err().starts_with("`response_format`"));
}

#[test]
fn tools_are_chosen_as_the_dialect_can() {
    let tool = |name: &'static str| Tool {
        name: name.into(),
        description: None,
        schema: None,
        strict: None,
        cache: None,
        foreign: None,
    };
    let mut call = limited(vec![Turn::new(Role::User, vec![Part::text("a")])]);
    call.tools = vec![tool("f"), tool("g")];
    call.parallel_tools = Some(false);
    assert_eq!(
        strict(&call).unwrap()["tool_choice"],
        json!({"type": "auto", "disable_parallel_tool_use": true})
    );
    for (mode, choice) in [
        (ToolMode::None, json!({"type": "none"})),
        (ToolMode::Required, json!({"type": "any", "disable_parallel_tool_use": true})),
        (
            ToolMode::Named("f".into()),
            json!({"type": "tool", "name": "f", "disable_parallel_tool_use": true}),
        ),
    ] {
        call.tool_choice = Some(ToolChoice { mode, allowed: Vec::new() });
        assert_eq!(strict(&call).unwrap()["tool_choice"], choice);
    }
    call.tool_choice = Some(ToolChoice { mode: ToolMode::Required, allowed: vec!["g".into()] });
    let tools = json!([{"name": "g", "input_schema": {"type": "object"}}]);
    assert_eq!(strict(&call).unwrap()["tools"], tools);
}

#[test]
fn thinking_is_asked_for_in_the_models_words() {
    let ask = |client, sampling: Option<bool>, effort, budget, limit| {
        let mut call = limited(vec![Turn::new(Role::User, vec![Part::text("a")])]);
        call.max_output = Some(limit);
        call.reasoning.effort = effort;
        call.reasoning.budget = budget;
        let mut target = target("m");
        target.sampling = sampling.into();
        let encoded = codec(Anthropic).encode_request(
            &call,
            &target,
            LossReport::new(client, Anthropic, Strictness::Default),
        );
        encoded.map(|encoded| {
            let body: Value = serde_json::from_slice(&encoded.body).unwrap();
            (body["thinking"].clone(), body["output_config"]["effort"].clone(), encoded.dropped)
        })
    };
    let none = Vec::<String>::new;
    let adaptive = json!({"type": "adaptive"});
    let enabled = |budget: u64| json!({"type": "enabled", "budget_tokens": budget});
    let high = Some(Effort::High);
    assert_eq!(ask(OpenAiChat, None, high, None, 9_000).unwrap(), (adaptive, json!("high"), none()));
    assert_eq!(
        ask(OpenAiChat, Some(true), high, None, 9_000).unwrap(),
        (enabled(8_999), Value::Null, none())
    );
    let without = (Value::Null, Value::Null, vec!["reasoning_effort".to_owned()]);
    assert_eq!(ask(OpenAiChat, Some(true), high, None, 1_000).unwrap(), without, "no budget fits");
    let off = (json!({"type": "disabled"}), Value::Null, none());
    assert_eq!(ask(OpenAiChat, None, Some(Effort::None), None, 9_000).unwrap(), off);
    assert_eq!(ask(OpenAiChat, None, Some(Effort::Minimal), None, 9_000).unwrap().1, "low");
    assert_eq!(ask(Gemini, None, None, Some(2_048), 9_000).unwrap(), (enabled(2_048), Value::Null, none()));
    assert_eq!(ask(Gemini, Some(false), None, Some(2_048), 9_000).unwrap().1, "low");
    assert_eq!(ask(Cohere, None, None, Some(5), 9_000).unwrap().2, ["thinking.token_budget"]);
}
