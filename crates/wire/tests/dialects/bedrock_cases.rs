//! The tricky cases of docs/spec/cases.md that concern Bedrock Converse, by number.

use serde_json::{Value, json};
use wire::{
    Dialect::{self, Bedrock, Gemini, OpenAiChat},
    canonical::{
        Call, Document, Effort, Event, Extra, Family, Finish, Image, Media, OutputFormat, Part, PartKind,
        Role, Signature, Tool, ToolChoice, ToolMode, ToolResult, Turn,
    },
    codec,
    json::Json,
    scan::PathParamsRef,
};

use wire::canonical::Strictness;

use crate::support::{
    Sum,
    calls::{Leniency, answered, call, finish, reply, signature, tool_call, user, written},
    envelope, frames, read, target,
};

const CLAUDE: &str = "anthropic.claude-opus-5-v1:0";
const LLAMA: &str = "meta.llama4-17b-instruct-v1:0";

fn result(id: &'static str, text: &'static str) -> Part<'static> {
    Part::new(PartKind::ToolResult(ToolResult {
        id: id.into(),
        name: "f".into(),
        content: vec![Part::text(text)],
        structured: None,
        error: text.is_empty(),
    }))
}

fn tool(name: &'static str) -> Tool<'static> {
    Tool {
        name: name.into(),
        description: Some("".into()),
        schema: None,
        strict: None,
        cache: None,
        foreign: None,
    }
}

fn write(
    call: &Call<'_>,
    (client, model): (Dialect, &str),
    leniency: impl Leniency,
) -> Result<(Value, Vec<String>), String> {
    written(call, client, (Bedrock, &target(model)), leniency)
}

fn strict(call: &Call<'_>) -> Result<Value, String> {
    write(call, (OpenAiChat, CLAUDE), false).map(|(body, _)| body)
}

#[test]
fn case_1_3_and_25_turns_alternate_and_blank_text_goes() {
    let mut call = call(vec![
        user("a"),
        Turn::new(Role::Assistant, vec![Part::text(" ")]),
        user("b"),
        Turn::new(Role::Assistant, vec![Part::text(""), tool_call("x", ""), tool_call("y", "{\"n\":1}")]),
        Turn::new(Role::Tool, vec![result("x", "1"), result("y", "")]),
        user("c"),
    ]);
    call.tools = vec![tool("f")];
    let body = strict(&call).unwrap();
    let uses = json!([{"toolUse": {"toolUseId": "x", "name": "f", "input": {}}}, {"toolUse": {"toolUseId": "y", "name": "f", "input": {"n": 1}}}]);
    let results = json!([{"toolResult": {"toolUseId": "x", "content": [{"text": "1"}]}},
        {"toolResult": {"toolUseId": "y", "content": [{"json": {}}], "status": "error"}}, {"text": "c"}]);
    let messages = json!([{"role": "user", "content": [{"text": "a"}, {"text": "b"}]},
        {"role": "assistant", "content": uses}, {"role": "user", "content": results}]);
    assert_eq!(body["messages"], messages);
    let spec = json!([{"toolSpec": {"name": "f", "inputSchema": {"json": {"type": "object"}}}}]);
    assert_eq!(body["toolConfig"], json!({"tools": spec}), "an empty description is refused there");
}

#[test]
fn case_4_and_26_what_cannot_be_built_is_refused_in_either_mode() {
    let turns = vec![user("a"), Turn::new(Role::Assistant, vec![tool_call("call_7", "nonsense")])];
    let mut broken = call(turns);
    broken.tools = vec![tool("f")];
    let first = call(vec![Turn::new(Role::Assistant, vec![Part::text("hello")])]);
    for lenient in [false, true] {
        let error = write(&broken, (OpenAiChat, CLAUDE), lenient).unwrap_err();
        assert!(error.contains("call_7"), "{error}");
        let error = write(&first, (OpenAiChat, CLAUDE), lenient).unwrap_err();
        assert!(error.contains("starts with the user"), "{error}");
    }
}

#[test]
fn case_5_and_6_ids_fit_the_alphabet_and_length() {
    let long: &'static str = "x".repeat(65).leak();
    let mut call = call(vec![
        user("a"),
        Turn::new(
            Role::Assistant,
            vec![
                tool_call(long, "{}"),
                tool_call("a.b:c-d_e", "{}"),
                tool_call("", "{}"),
                tool_call("a b", "{}"),
            ],
        ),
        Turn::new(
            Role::Tool,
            vec![result(long, "1"), result("a.b:c-d_e", "2"), result("", "3"), result("a b", "4")],
        ),
    ]);
    call.tools = vec![tool("f")];
    let messages = &strict(&call).unwrap()["messages"];
    for at in 0..4 {
        let id = messages[1]["content"][at]["toolUse"]["toolUseId"].as_str().unwrap();
        assert_eq!(messages[2]["content"][at]["toolResult"]["toolUseId"], id);
        assert!(
            id.len() <= 64 && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.:-".contains(&byte))
        );
        assert_eq!(id == "a.b:c-d_e", at == 1);
    }
}

#[test]
fn case_8_and_9_another_familys_seals_come_back_and_go_nowhere_else() {
    let mut calling = tool_call("call_1", "{}");
    let PartKind::ToolCall(inner) = &mut calling.kind else { panic!() };
    inner.signature = Some(signature(Family::Gemini, "step"));
    let thought =
        PartKind::Reasoning { text: "hm".into(), signature: Some(signature(Family::Gemini, "CiQ+/w==")) };
    let parts = vec![
        Part::new(thought),
        Part::new(PartKind::RedactedReasoning(signature(Family::Gemini, "r"))),
        calling,
    ];
    let answer = answered(Bedrock, &reply(parts.clone(), Finish::ToolCalls));
    let body =
        json!({"messages": [{"role": "user", "content": [{"text": "a"}]}, answer["output"]["message"]]})
            .to_string();
    let path = PathParamsRef { model: Some("m"), stream: None };
    let mut call = codec(Bedrock).decode_request(path, Json::parse(body.as_bytes()).unwrap(), &Sum).unwrap();
    assert_eq!(call.turns[1].parts, parts);
    call.tools = vec![tool("f")];
    let content = json!([{"toolUse": {"toolUseId": "call_1", "name": "f", "input": {}}}]);
    assert_eq!(strict(&call).unwrap()["messages"][1]["content"], content);
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
    let mut encoder = codec(Bedrock).stream_encoder(envelope());
    let (mut out, mut terminal) = (Vec::new(), Vec::new());
    let said = [
        Event::Text { choice, text: "a".into() },
        start(0),
        start(1),
        part(1, "{\"y\":2}"),
        part(0, "{}"),
        Event::Redacted {
            choice,
            signature: Signature { family: Family::Anthropic, text: "?".into(), item: None },
        },
        finish(Finish::ToolCalls),
    ];
    said.iter().for_each(|event| encoder.event(event, &mut out));
    encoder.end(&mut out, &mut terminal);
    assert_eq!(frames(&terminal).len(), 1);
    out.extend(terminal);
    let answer = read(Bedrock, frames(&out));
    let expected =
        ["text a", "call toolu_0192aa_0 f {}", "call toolu_0192aa_1 f {\"y\":2}", "redacted Anthropic Pw=="];
    assert_eq!((answer.parts, answer.finish), (expected.map(str::to_owned).into(), Some(Finish::ToolCalls)));
}

#[test]
fn case_27_and_28_no_tool_at_all_and_json_without_a_schema() {
    let history = vec![
        user("a"),
        Turn::new(Role::Assistant, vec![tool_call("x", "{}")]),
        Turn::new(Role::Tool, vec![result("x", "1")]),
    ];
    let none = Some(ToolChoice { mode: ToolMode::None, allowed: Vec::new() });
    let plain = Call { tools: vec![tool("f")], tool_choice: none.clone(), ..call(vec![user("a")]) };
    assert_eq!(strict(&plain).unwrap()["toolConfig"], Value::Null);
    let forbidden = Call { tools: vec![tool("f")], tool_choice: none, ..call(history.clone()) };
    assert!(strict(&forbidden).unwrap_err().starts_with("`tool_choice`"));
    let (body, dropped) = write(&forbidden, (OpenAiChat, CLAUDE), true).unwrap();
    assert_eq!((&body["toolConfig"]["toolChoice"], dropped), (&Value::Null, vec!["tool_choice".to_owned()]));
    let toolless = call(history);
    let (body, dropped) = write(&toolless, (OpenAiChat, CLAUDE), false).unwrap();
    assert_eq!(body["toolConfig"]["tools"][0]["toolSpec"]["name"], "f");
    assert_eq!(dropped, ["tools"], "what the tools take is not known, and that is said");
    let json = Call { format: OutputFormat::Json, ..call(vec![user("a")]) };
    assert!(strict(&json).unwrap_err().starts_with("`response_format`"));
}

#[test]
fn media_are_bytes_and_documents_have_safe_names() {
    let image = |media| Part::new(PartKind::Image(Image { media, detail: None }));
    let url = image(Media::Url { url: "https://x.example/a.png".into(), mime: None });
    let call_of = |part| call(vec![Turn::new(Role::User, vec![Part::text("a"), part])]);
    assert_eq!(
        strict(&call_of(url.clone())).unwrap_err(),
        "`messages[].content[] (image)` cannot be expressed by Bedrock Converse"
    );
    let (body, dropped) = write(&call_of(url), (Gemini, CLAUDE), true).unwrap();
    assert_eq!(
        (body["messages"][0]["content"].as_array().unwrap().len(), dropped),
        (1, vec!["contents[].parts[] (image)".to_owned()])
    );
    let tiff = image(Media::Base64 { mime: "image/tiff".into(), data: "".into() });
    assert!(strict(&call_of(tiff)).is_err());
    let document = || {
        Part::new(PartKind::Document(Document {
            media: Some(Media::Base64 { mime: "application/pdf".into(), data: "JVBERi0=".into() }),
            text: None,
            name: Some("../a\"b.pdf".into()),
            context: None,
            cite: false,
        }))
    };
    let body = strict(&call(vec![Turn::new(Role::User, vec![document(), document()])])).unwrap();
    let name = |at: usize| body["messages"][0]["content"][at]["document"]["name"].clone();
    assert_eq!((name(0), name(1)), (json!("---a-b-pdf"), json!("---a-b-pdf 2")));
}

#[test]
fn what_only_some_models_know_is_written_for_those() {
    let mut call = call(vec![user("a")]);
    call.tools = vec![tool("f")];
    call.parallel_tools = Some(false);
    call.tool_choice = Some(ToolChoice { mode: ToolMode::Named("f".into()), allowed: Vec::new() });
    call.reasoning.effort = Some(Effort::High);
    call.extra = vec![Extra { name: "novelty".into(), value: Json::parse(b"[1.50]").unwrap() }];
    let (body, dropped) = write(&call, (OpenAiChat, CLAUDE), false).unwrap();
    assert_eq!(dropped, ["novelty"], "an unknown field of another dialect goes nowhere");
    let expected = json!({"tool_choice": {"type": "tool", "name": "f", "disable_parallel_tool_use": true},
        "thinking": {"type": "adaptive"}});
    assert_eq!(body["additionalModelRequestFields"], expected);
    assert_eq!(
        (&body["outputConfig"]["effort"], &body["toolConfig"]["toolChoice"]),
        (&json!("high"), &Value::Null)
    );
    let refused = write(&call, (OpenAiChat, LLAMA), Strictness::Strict).unwrap_err();
    assert!(refused.starts_with("`parallel_tool_calls`"), "{refused}");
    let (_, dropped) = write(&call, (OpenAiChat, LLAMA), false).unwrap();
    assert_eq!(dropped, ["parallel_tool_calls", "reasoning_effort", "novelty"]);
    call.parallel_tools = None;
    let (body, _) = write(&call, (OpenAiChat, "amazon.nova-2"), false).unwrap();
    let config = json!({"type": "enabled", "maxReasoningEffort": "high"});
    assert_eq!(body["additionalModelRequestFields"]["reasoningConfig"], config);
    assert_eq!(body["toolConfig"]["toolChoice"], json!({"tool": {"name": "f"}}));
}
