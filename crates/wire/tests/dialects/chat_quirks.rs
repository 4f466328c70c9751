//! Every quirk of Chat Completions' copies, and what the dialect cannot say.

use serde_json::{Value, json};
use wire::{
    Dialect::{self, Anthropic, OpenAiChat, OpenAiResponses},
    Quirks,
    canonical::{
        CacheTtl, Call, Effort, Image, Media, OutputFormat, Part, PartKind, Reasoning, Role, Sampling,
        Schema, Tool, ToolChoice, ToolMode, Turn,
    },
    json::Json,
    quirks::{CacheMarks, Efforts, Seed, Thinking, ToolChoices},
};

use wire::canonical::Strictness;

use crate::support::{
    calls::{Leniency, call, user, written},
    target,
};

fn write(
    call: &Call<'_>,
    quirks: &Quirks,
    client: Dialect,
    leniency: impl Leniency,
) -> Result<(Value, Vec<String>), String> {
    let target = wire::canonical::TargetFacts { quirks, ..target("m") };
    written(call, client, (OpenAiChat, &target), leniency)
}

fn strict(call: &Call<'_>, quirks: &Quirks) -> Result<Value, String> {
    write(call, quirks, Anthropic, false).map(|(body, _)| body)
}

#[test]
fn what_cannot_be_said_is_refused_or_told() {
    let number = |text: &'static str| Some(Json::parse(text.as_bytes()).unwrap());
    let mut asked = call(vec![user("hi")]);
    asked.sampling.top_k = number("5");
    assert_eq!(
        write(&asked, &Quirks::NONE, Anthropic, Strictness::Strict).unwrap_err(),
        "`top_k` cannot be expressed by OpenAI Chat Completions"
    );
    assert_eq!(write(&asked, &Quirks::NONE, Anthropic, false).unwrap().1, ["top_k"]);
    assert_eq!(strict(&asked, &Quirks { top_k: true, ..Quirks::NONE }).unwrap()["top_k"], 5);
    let file = Part::new(PartKind::Image(Image { media: Media::File("f1".into()), detail: None }));
    let refused = strict(&call(vec![Turn::new(Role::User, vec![file])]), &Quirks::NONE).unwrap_err();
    assert!(refused.starts_with("`messages[].content[] (image)`"), "{refused}");
    let mut cached = call(vec![user("hi")]);
    cached.turns[0].parts[0].cache = Some(CacheTtl::OneHour);
    let (body, dropped) = write(&cached, &Quirks::NONE, Anthropic, false).unwrap();
    assert_eq!((&body["messages"][0]["content"], &*dropped[0]), (&json!("hi"), "cache_control"));
    for (marks, key, ttl) in [
        (CacheMarks::Breakpoint, "prompt_cache_breakpoint", "12h"),
        (CacheMarks::CacheControl, "cache_control", "1h"),
    ] {
        let body = strict(&cached, &Quirks { cache_marks: marks, ..Quirks::NONE }).unwrap();
        assert_eq!(body["messages"][0]["content"][0][key]["ttl"], ttl);
    }
}

#[test]
fn tools_are_chosen_as_the_provider_knows_it() {
    let tool = |name: &'static str| Tool {
        name: name.into(),
        description: None,
        schema: Some(Json::parse(br#"{"$schema":"s","$id":"i","type":"object"}"#).unwrap()),
        strict: Some(false),
        cache: None,
        foreign: None,
    };
    let with = |mode: ToolMode<'static>, allowed: &[&'static str], known| {
        let allowed = allowed.iter().map(|name| (*name).into()).collect();
        let mut asked = call(vec![user("hi")]);
        asked.tools = vec![tool("f"), tool("g")];
        asked.tool_choice = Some(ToolChoice { mode, allowed });
        let quirks = Quirks { tool_choice: known, no_schema_keywords: true, no_strict: true, ..Quirks::NONE };
        let body = strict(&asked, &quirks)?;
        assert_eq!(body["tools"][0]["function"]["parameters"], json!({"type": "object", "properties": {}}));
        assert_eq!(body["tools"][0]["function"].get("strict"), None);
        Ok::<_, String>((body["tools"].as_array().unwrap().len(), body["tool_choice"].clone()))
    };
    use ToolChoices as T;
    assert_eq!(with(ToolMode::Required, &[], T::Any).unwrap(), (2, json!("any")));
    assert_eq!(with(ToolMode::Required, &["g"], T::NoAllowed).unwrap(), (1, json!("required")));
    assert_eq!(with(ToolMode::Named("f".into()), &[], T::NoNamed).unwrap(), (1, json!("required")));
    assert_eq!(with(ToolMode::Auto, &[], T::Unknown).unwrap(), (2, Value::Null));
    for known in [T::NoRequired, T::AutoNone, T::Auto, T::Unknown] {
        assert!(with(ToolMode::Required, &[], known).is_err(), "{known:?}");
    }
    assert!(with(ToolMode::None, &[], T::Auto).is_err());
}

#[test]
fn every_provider_is_told_to_think_in_its_own_way() {
    let with = |effort, budget, thinking, efforts| {
        let mut asked = call(vec![user("hi")]);
        asked.reasoning = Reasoning { effort, budget, ..Reasoning::default() };
        strict(&asked, &Quirks { thinking, efforts, ..Quirks::NONE }).unwrap()
    };
    let max = Some(Effort::Max);
    assert_eq!(with(max, None, Thinking::Effort, Efforts::ToXHigh)["reasoning_effort"], "xhigh");
    assert_eq!(with(None, Some(9_000), Thinking::Effort, Efforts::All)["reasoning_effort"], "medium");
    let deepseek = with(Some(Effort::Medium), None, Thinking::TypeAndEffort, Efforts::LowHighMax);
    assert_eq!(
        (&deepseek["thinking"]["type"], &deepseek["reasoning_effort"]),
        (&json!("enabled"), &json!("high"))
    );
    assert_eq!(with(Some(Effort::None), None, Thinking::Type, Efforts::All)["thinking"]["type"], "disabled");
    let qwen = with(None, Some(9_000), Thinking::Enable, Efforts::All);
    assert_eq!((&qwen["enable_thinking"], &qwen["thinking_budget"]), (&json!(true), &json!(9_000)));
    assert_eq!(
        with(None, Some(9_000), Thinking::Object, Efforts::All)["reasoning"],
        json!({"max_tokens": 9_000})
    );
    let mut asked = call(vec![user("hi")]);
    asked.reasoning.effort = max;
    let quirks = Quirks { thinking: Thinking::None, ..Quirks::NONE };
    assert!(write(&asked, &quirks, Anthropic, Strictness::Strict).is_err());
    let (body, dropped) = write(&asked, &quirks, Anthropic, false).unwrap();
    assert_eq!((body.get("reasoning_effort"), &*dropped[0]), (None, "thinking"));
}

#[test]
fn the_other_quirks_change_what_they_say() {
    let mut asked = Call {
        turns: vec![
            Turn::new(Role::Developer, vec![Part::text("a"), Part::text("b")]),
            Turn { name: Some("ana".into()), ..user("hi") },
            Turn::new(Role::Assistant, vec![Part::text("so")]),
        ],
        stream: true,
        max_output: Some(9),
        user: Some("u".into()),
        store: Some(true),
        verbosity: Some("low".into()),
        format: OutputFormat::Json,
        sampling: Sampling {
            seed: Json::parse(b"7").ok(),
            choices: 2,
            logprobs: true,
            ..Sampling::default()
        },
        ..call(Vec::new())
    };
    asked.parallel_tools = Some(true);
    let quirks = Quirks {
        old_limit_name: true,
        no_stream_options: true,
        no_developer_role: true,
        no_names: true,
        string_content: true,
        prefix_flag: true,
        no_json_object: true,
        seed: Seed::RandomSeed,
        no_logprobs: true,
        no_choices: true,
        no_account_fields: true,
        no_verbosity: true,
        always: &[("reasoning_split", "true")],
        ..Quirks::NONE
    };
    assert!(strict(&asked, &quirks).is_err());
    let (body, dropped) = write(&asked, &quirks, OpenAiResponses, true).unwrap();
    let expected = json!({"model": "m", "max_tokens": 9, "stream": true, "random_seed": 7, "reasoning_split": true,
        "messages": [{"role": "system", "content": "a\nb"}, {"role": "user", "content": "hi"},
            {"role": "assistant", "content": "so", "prefix": true}]});
    assert_eq!(body, expected);
    let named = ["messages[].name", "text.format", "include", "n", "text.verbosity", "user", "store"];
    assert_eq!(dropped, named);
    let schema = Schema { name: None, description: None, schema: Json::EMPTY_OBJECT, strict: Some(true) };
    let asked = Call { format: OutputFormat::Schema(schema), ..call(vec![user("hi")]) };
    let format = strict(&asked, &Quirks::NONE).unwrap()["response_format"]["json_schema"].take();
    assert_eq!(format, json!({"name": "answer", "schema": {}, "strict": true}));
}
