//! The tricky cases that concern Gemini (docs/spec/cases.md, by number), from and to other dialects' calls.

use serde_json::{Value, json};
use wire::{
    Dialect::{Anthropic, Gemini, OpenAiChat},
    canonical::{
        Call, Effort, Family, Field, Image, Media, Part, PartKind, Reasoning, ReasoningMode, Role, Tool,
        ToolChoice, ToolMode, Turn,
    },
    scan::PathParamsRef,
};

use wire::canonical::Strictness;

use crate::support::{
    calls::{Leniency, call, named_call, result, signature, thought, user, written},
    target, translated,
};

const PATH: PathParamsRef<'_> = PathParamsRef { model: Some("gemini-3-pro"), stream: Some(false) };
const NEW: &str = "gemini-3-pro";
const OLD: &str = "gemini-2.5-flash";

fn write(call: &Call<'_>, model: &str, leniency: impl Leniency) -> Result<(Value, Vec<String>), String> {
    written(call, OpenAiChat, (Gemini, &target(model)), leniency)
}

fn contents(call: &Call<'_>, model: &str) -> Value {
    write(call, model, false).unwrap().0["contents"].clone()
}

#[test]
fn case_1_and_26_results_stand_alone_in_the_order_of_their_calls() {
    let call = call(vec![
        user("a"),
        user("b"),
        Turn::new(
            Role::Assistant,
            vec![named_call("x", "f", ""), named_call("y", "f", "{}"), named_call("z", "g", "null")],
        ),
        Turn::new(Role::Tool, vec![result("z", vec![Part::text("3")]), result("y", Vec::new())]),
        Turn::new(Role::Tool, vec![result("x", vec![Part::text("1"), Part::text("one")])]),
        user("go on"),
    ]);
    let expected = json!([
        {"role": "user", "parts": [{"text": "a"}, {"text": "b"}]},
        {"role": "model", "parts": [
            {"functionCall": {"name": "f", "args": {}}},
            {"functionCall": {"name": "f", "args": {}}},
            {"functionCall": {"name": "g", "args": {}}},
        ]},
        {"role": "user", "parts": [
            {"functionResponse": {"name": "f", "response": {"output": "1\none"}}},
            {"functionResponse": {"name": "f", "response": {"output": ""}}},
            {"functionResponse": {"name": "g", "response": {"output": "3"}}},
        ]},
        {"role": "user", "parts": [{"text": "go on"}]},
    ]);
    assert_eq!(contents(&call, OLD), expected);
}

#[test]
fn case_2_a_missing_or_unknown_result_is_refused() {
    let calls = Turn::new(Role::Assistant, vec![named_call("x", "f", "{}")]);
    for (after, wanted) in [
        (vec![user("hi")], "tool call \"x\""),
        (vec![Turn::new(Role::Tool, vec![result("q", Vec::new())])], "tool call \"x\""),
        (
            vec![Turn::new(Role::Tool, vec![result("x", Vec::new()), result("q", Vec::new())])],
            "tool result \"q\"",
        ),
    ] {
        let call = call([vec![user("a"), calls.clone()], after].concat());
        let error = write(&call, NEW, true).unwrap_err();
        assert!(error.contains(wanted), "{error}");
    }
    let response = |name: &str| json!({"functionResponse": {"name": name, "response": {}}});
    for (parts, wanted) in [(json!([response("g")]), "\"g\""), (json!([{ "text": "hi" }]), "\"f\"")] {
        let body = json!({"contents": [{"role": "model", "parts": [{"functionCall": {"name": "f"}}]},
            {"role": "user", "parts": parts}]});
        let error = translated((Gemini, PATH, &body.to_string()), Gemini, &target(NEW), true).unwrap_err();
        assert!(error.contains(wanted) && error.starts_with("`contents[1]"), "{error}");
    }
}

#[test]
fn case_4_arguments_that_are_no_object_are_refused_by_name() {
    for arguments in ["[1]", "{", "7", r#"{"a":1,"a":2}"#] {
        let call =
            call(vec![user("a"), Turn::new(Role::Assistant, vec![named_call("call-9", "f", arguments)])]);
        assert!(write(&call, NEW, true).unwrap_err().contains("call-9"), "{arguments}");
    }
}

#[test]
fn case_5_calls_without_ids_find_their_results_by_name_and_order() {
    let call = |name: &str| json!({"functionCall": {"name": name, "args": {"n": 1}}});
    let answer =
        |name: &str, text: &str| json!({"functionResponse": {"name": name, "response": {"output": text}}});
    let body = json!({"contents": [
        {"role": "user", "parts": [{"text": "a"}]},
        {"role": "model", "parts": [call("f"), call("g"), call("f")]},
        {"parts": [answer("g", "1"), answer("f", "2"), answer("f", "3")]},
    ]})
    .to_string();
    let (written, _) = translated((Gemini, PATH, &body), Anthropic, &target("claude-x"), false).unwrap();
    let ids = |list: &Value, key: &str| -> Vec<String> {
        list["content"]
            .as_array()
            .unwrap()
            .iter()
            .map(|block| block[key].as_str().unwrap().to_owned())
            .collect()
    };
    let calls = ids(&written["messages"][1], "id");
    let results = ids(&written["messages"][2], "tool_use_id");
    assert_eq!(results, [calls[1].clone(), calls[0].clone(), calls[2].clone()]);
    assert_eq!(written["messages"][2]["content"][2]["content"], "3");
    let (again, _) = translated((Gemini, PATH, &body), Gemini, &target(OLD), false).unwrap();
    assert_eq!(again["contents"][1]["parts"], json!([call("f"), call("g"), call("f")]));
    assert_eq!(again["contents"][2]["parts"], json!([answer("f", "2"), answer("g", "1"), answer("f", "3")]));
}

#[test]
fn case_7_a_later_system_turn_is_tagged() {
    let system = Turn::new(Role::Developer, vec![Part::text("rules")]);
    let call = call(vec![system.clone(), user("a"), system]);
    assert!(write(&call, NEW, Strictness::Strict).unwrap_err().starts_with("`messages[].role`"));
    let (written, dropped) = write(&call, NEW, false).unwrap();
    assert_eq!(written["systemInstruction"], json!({"parts": [{"text": "rules"}]}));
    let parts = json!([{"text": "a"}, {"text": "\n<system>\nrules\n</system>\n"}]);
    assert_eq!((&written["contents"][0]["parts"], dropped), (&parts, vec!["messages[].role".to_owned()]));
}

#[test]
fn case_8_seals_return_to_the_call_or_text_they_came_with() {
    let google = |text| Some(signature(Family::Gemini, text));
    let call = call(vec![
        user("a"),
        Turn::new(
            Role::Assistant,
            vec![
                thought("plan", google("czE=")),
                Part::text("now"),
                thought("", google("czI=")),
                named_call("x", "f", "{}"),
            ],
        ),
        Turn::new(Role::Tool, vec![result("x", Vec::new())]),
        Turn::new(Role::Assistant, vec![Part::text("done"), thought("", google("czM="))]),
    ]);
    let written = contents(&call, NEW);
    let expected = json!([{"text": "plan", "thought": true, "thoughtSignature": "czE="}, {"text": "now"},
        {"functionCall": {"id": "x", "name": "f", "args": {}}, "thoughtSignature": "czI="}]);
    assert_eq!(written[1]["parts"], expected);
    assert_eq!(written[3]["parts"], json!([{"text": "done", "thoughtSignature": "czM="}]));
}

#[test]
fn case_9_foreign_seals_are_stripped_and_the_step_is_marked_for_new_models() {
    let claude = Some(signature(Family::Anthropic, "c2Vh"));
    let step = |id| {
        Turn::new(
            Role::Assistant,
            vec![thought("plan", claude.clone()), named_call(id, "f", "{}"), named_call("z", "f", "{}")],
        )
    };
    let done = |id| Turn::new(Role::Tool, vec![result(id, Vec::new()), result("z", Vec::new())]);
    let call = call(vec![user("a"), step("x"), done("x"), user("b"), step("y"), done("y")]);
    let written = contents(&call, NEW);
    let seals: Vec<_> = [1, 4]
        .into_iter()
        .flat_map(|at| written[at]["parts"].as_array().unwrap().clone())
        .map(|part| part["thoughtSignature"].clone())
        .collect();
    let marker = json!("skip_thought_signature_validator");
    assert_eq!(seals, [Value::Null, Value::Null, marker, Value::Null], "only the current turn's first call");
    assert!(!contents(&call, OLD).to_string().contains("thoughtSignature"));
}

#[test]
fn case_13_an_image_in_a_result_goes_behind_the_results_of_older_models() {
    let media = Media::Base64 { mime: "image/png".into(), data: "iVBO".into() };
    let image = Part::new(PartKind::Image(Image { media, detail: None }));
    let call = call(vec![
        user("a"),
        Turn::new(Role::Assistant, vec![named_call("x", "f", "{}"), named_call("y", "f", "{}")]),
        Turn::new(Role::Tool, vec![result("x", vec![Part::text("lamp"), image])]),
        Turn::new(Role::Tool, vec![result("y", Vec::new())]),
    ]);
    let blob = json!({"inlineData": {"mimeType": "image/png", "data": "iVBO"}});
    let (written, dropped) = write(&call, OLD, false).unwrap();
    let results = &written["contents"][2]["parts"];
    assert_eq!(results[0]["functionResponse"]["response"], json!({"output": "lamp\nsee image 1"}));
    assert_eq!(results.as_array().unwrap().len(), 2);
    assert_eq!(written["contents"][3]["parts"], json!([{"text": "image 1:"}, blob]));
    assert_eq!(dropped.len(), 1);
    let newer = contents(&call, NEW);
    assert_eq!(newer[2]["parts"][0]["functionResponse"]["parts"], json!([blob]));
    assert_eq!(newer.as_array().unwrap().len(), 3);
}

#[test]
fn thinking_is_asked_for_by_level_or_budget() {
    let config = |reasoning: Reasoning, model: &str| {
        let call = Call { reasoning, max_output: Some(20_000), ..call(vec![user("a")]) };
        let mut config = write(&call, model, false).unwrap().0["generationConfig"]["thinkingConfig"].take();
        // Chat Completions' clients see thoughts where they asked for thinking.
        let shown = config.as_object_mut().and_then(|config| config.remove("includeThoughts"));
        assert_eq!(shown, reasoning.wanted().then_some(json!(true)), "{reasoning:?}");
        if config == json!({}) { Value::Null } else { config }
    };
    let effort = |effort| Reasoning { effort: Some(effort), ..Reasoning::default() };
    let mode = |mode| Reasoning { mode: Some(mode), ..Reasoning::default() };
    let budget = |budget| Reasoning { budget: Some(budget), ..Reasoning::default() };
    for (reasoning, new, old) in [
        (Reasoning::default(), Value::Null, Value::Null),
        (effort(Effort::None), json!({"thinkingLevel": "MINIMAL"}), json!({"thinkingBudget": 0})),
        (effort(Effort::Medium), json!({"thinkingLevel": "MEDIUM"}), json!({"thinkingBudget": 8192})),
        (effort(Effort::Max), json!({"thinkingLevel": "XHIGH"}), json!({"thinkingBudget": 19_999})),
        (mode(ReasoningMode::Off), json!({"thinkingLevel": "MINIMAL"}), json!({"thinkingBudget": 0})),
        (mode(ReasoningMode::Adaptive), Value::Null, json!({"thinkingBudget": -1})),
        (budget(500), json!({"thinkingBudget": 500}), json!({"thinkingBudget": 500})),
    ] {
        assert_eq!((config(reasoning, NEW), config(reasoning, OLD)), (new, old), "{reasoning:?}");
    }
    let off = Call { reasoning: mode(ReasoningMode::Off), ..call(vec![user("a")]) };
    let (written, dropped) = write(&off, "gemini-2.5-pro", false).unwrap();
    assert_eq!(written["generationConfig"]["thinkingConfig"]["thinkingBudget"], 128);
    assert_eq!(dropped, [Field::Reasoning.name_in(OpenAiChat)]);
}

#[test]
fn choices_of_tools_have_their_modes() {
    let tool = |strict| Tool {
        name: "f".into(),
        description: None,
        schema: None,
        strict,
        cache: None,
        foreign: None,
    };
    let written = |mode: Option<ToolMode<'static>>, allowed: &[&'static str], strict| {
        let tool_choice = mode
            .map(|mode| ToolChoice { mode, allowed: allowed.iter().map(|name| (*name).into()).collect() });
        let call = Call { tools: vec![tool(strict)], tool_choice, ..call(vec![user("a")]) };
        write(&call, NEW, false).unwrap().0["toolConfig"]["functionCallingConfig"].clone()
    };
    assert_eq!(written(None, &[], None), Value::Null);
    assert_eq!(written(None, &[], Some(true)), json!({"mode": "VALIDATED"}));
    assert_eq!(written(Some(ToolMode::Auto), &[], None), json!({"mode": "AUTO"}));
    assert_eq!(
        written(Some(ToolMode::Auto), &["f"], None),
        json!({"mode": "VALIDATED", "allowedFunctionNames": ["f"]})
    );
    assert_eq!(written(Some(ToolMode::None), &[], None), json!({"mode": "NONE"}));
    let named = json!({"mode": "ANY", "allowedFunctionNames": ["f"]});
    assert_eq!(written(Some(ToolMode::Named("f".into())), &[], None), named);
    let call = Call { tools: vec![tool(None)], parallel_tools: Some(false), ..call(vec![user("a")]) };
    assert!(write(&call, NEW, Strictness::Strict).unwrap_err().starts_with("`parallel_tool_calls`"));
    assert_eq!(write(&call, NEW, false).unwrap().1, ["parallel_tool_calls"]);
}

#[test]
fn an_anthropic_call_becomes_googles() {
    let body = json!({"model": "m", "max_tokens": 100, "system": "rules", "temperature": 0.5, "metadata": {"user_id": "u"},
        "tools": [{"name": "f", "input_schema": {"type": "object"}}], "tool_choice": {"type": "tool", "name": "f"},
        "messages": [{"role": "user", "content": [{"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}},
                {"type": "image", "source": {"type": "url", "url": "https://example.org/a.png"}}]},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "f", "input": {"n": 1.50}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "is_error": true, "content": "bad"},
                {"type": "text", "text": "again"}]}]});
    let from = (Anthropic, PathParamsRef::default(), &*body.to_string());
    let (written, mut dropped) = translated(from, Gemini, &target(OLD), false).unwrap();
    let expected = json!({
        "systemInstruction": {"parts": [{"text": "rules"}]},
        "contents": [
            {"role": "user", "parts": [{"text": "a"}, {"fileData": {"mimeType": "image/png", "fileUri": "https://example.org/a.png"}}]},
            {"role": "model", "parts": [{"functionCall": {"name": "f", "args": {"n": 1.50}}}]},
            {"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {"error": "bad"}}}]},
            {"role": "user", "parts": [{"text": "again"}]},
        ],
        "tools": [{"functionDeclarations": [{"name": "f", "parametersJsonSchema": {"type": "object"}}]}],
        "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["f"]}},
        "generationConfig": {"maxOutputTokens": 100, "temperature": 0.5},
    });
    assert_eq!(written, expected);
    dropped.sort();
    assert_eq!(dropped, ["cache_control", "metadata.user_id"]);
}
