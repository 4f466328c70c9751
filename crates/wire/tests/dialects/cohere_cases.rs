//! The tricky cases that concern Cohere (docs/spec/cases.md, by number), from and to other dialects' calls.

use serde_json::{Value, json};
use wire::{
    Dialect::{Anthropic, Cohere, Gemini, OpenAiChat},
    canonical::{
        Call, Document, Effort, Event, Family, Finish, Image, Media, Part, PartKind, Reasoning,
        ReasoningMode, Role, Sampling, Signature, Tool, ToolChoice, ToolMode, Turn,
    },
    json::Json,
    scan::PathParamsRef,
};

use wire::canonical::Strictness;

use crate::support::{
    calls::{Leniency, call, finish, result, streamed, tool_call, user, written},
    events, read, retell, target, translated,
};

const PATH: PathParamsRef<'_> = PathParamsRef { model: None, stream: None };

fn tool(name: &'static str, strict: Option<bool>) -> Tool<'static> {
    Tool { name: name.into(), description: None, schema: None, strict, cache: None, foreign: None }
}

fn number(text: &'static str) -> Option<Json<'static>> {
    Some(Json::parse(text.as_bytes()).unwrap())
}

fn write(call: &Call<'_>, leniency: impl Leniency) -> Result<(Value, Vec<String>), String> {
    written(call, OpenAiChat, (Cohere, &target("m")), leniency)
}

#[test]
fn a_named_tool_is_chosen_by_sending_it_alone() {
    let chosen = |mode: ToolMode<'static>, allowed: &[&'static str]| {
        let allowed = allowed.iter().map(|name| (*name).into()).collect();
        let tools = vec![tool("f", None), tool("g", None)];
        let call = Call { tools, tool_choice: Some(ToolChoice { mode, allowed }), ..call(vec![user("a")]) };
        let (written, _) = write(&call, false)?;
        let names = written["tools"].as_array().map_or(0, Vec::len);
        Ok::<_, String>((
            written["tool_choice"].clone(),
            names,
            written["tools"][0]["function"]["name"].clone(),
        ))
    };
    assert_eq!(chosen(ToolMode::Named("g".into()), &[]), Ok((json!("REQUIRED"), 1, json!("g"))));
    assert_eq!(chosen(ToolMode::Required, &[]), Ok((json!("REQUIRED"), 2, json!("f"))));
    assert_eq!(chosen(ToolMode::Auto, &["g"]), Ok((Value::Null, 1, json!("g"))));
    assert_eq!(chosen(ToolMode::Auto, &[]), Ok((Value::Null, 2, json!("f"))));
    assert_eq!(chosen(ToolMode::None, &[]), Ok((json!("NONE"), 2, json!("f"))));
    assert!(chosen(ToolMode::Named("h".into()), &[]).unwrap_err().starts_with("`tool_choice`"));
}

#[test]
fn strictness_is_one_for_all_tools() {
    let strict = |tools: Vec<Tool<'static>>| {
        write(&Call { tools, ..call(vec![user("a")]) }, Strictness::Strict)
            .map(|(written, _)| written["strict_tools"].clone())
    };
    assert_eq!(strict(vec![tool("f", Some(true)), tool("g", Some(true))]), Ok(json!(true)));
    assert_eq!(strict(vec![tool("f", None), tool("g", Some(false))]), Ok(Value::Null));
    assert!(
        strict(vec![tool("f", Some(true)), tool("g", None)])
            .unwrap_err()
            .starts_with("`tools[].function.strict`")
    );
}

#[test]
fn numbers_outside_coheres_bounds_are_refused_or_brought_inside() {
    let with = |sampling: Sampling<'static>, mode: Strictness| {
        write(&Call { sampling, ..call(vec![user("a")]) }, mode)
    };
    for (sampling, name, field, inside) in [
        (
            Sampling { frequency_penalty: number("-0.5"), ..Sampling::default() },
            "frequency_penalty",
            "frequency_penalty",
            json!(0),
        ),
        (
            Sampling { presence_penalty: number("1.5"), ..Sampling::default() },
            "presence_penalty",
            "presence_penalty",
            json!(1),
        ),
        (Sampling { top_p: number("0.001"), ..Sampling::default() }, "p", "top_p", json!(0.01)),
        (Sampling { top_k: number("900"), ..Sampling::default() }, "k", "top_k", json!(500)),
    ] {
        let refused = with(sampling.clone(), Strictness::Strict).unwrap_err();
        assert!(refused.starts_with(&format!("`{field}`")), "{refused}");
        let (written, dropped) = with(sampling, Strictness::Default).unwrap();
        assert_eq!((&written[name], &dropped[..]), (&inside, &[field.to_owned()][..]));
    }
    let all = Sampling { top_p: number("1"), frequency_penalty: number("1.0"), ..Sampling::default() };
    let (written, dropped) = with(all, Strictness::Default).unwrap();
    assert_eq!((&written["p"], &written["frequency_penalty"]), (&json!(0.99), &json!(1.0)));
    assert_eq!(dropped, ["top_p"]);
    let stop: Vec<_> = ["a", "b", "c", "d", "e", "f"].map(Into::into).into();
    let stops = Sampling { stop, ..Sampling::default() };
    assert!(with(stops.clone(), Strictness::Default).unwrap_err().starts_with("`stop`"));
    assert_eq!(with(stops, Strictness::Lenient).unwrap().0["stop_sequences"].as_array().unwrap().len(), 5);
    for (sampling, field) in [
        (Sampling { choices: 2, ..Sampling::default() }, "n"),
        (Sampling { top_logprobs: Some(3), ..Sampling::default() }, "top_logprobs"),
    ] {
        // docs/spec/cases.md#case-11: fewer choices than asked for are never given in silence.
        assert!(with(sampling.clone(), Strictness::Default).unwrap_err().starts_with(&format!("`{field}`")));
        assert_eq!(with(sampling, Strictness::Lenient).unwrap().1, [field]);
    }
}

#[test]
fn efforts_become_budgets() {
    let thinking = |reasoning: Reasoning| {
        let call = Call { reasoning, max_output: Some(3_000), ..call(vec![user("a")]) };
        write(&call, false).unwrap().0["thinking"].clone()
    };
    let effort = |effort| Reasoning { effort: Some(effort), ..Reasoning::default() };
    let mode = |mode| Reasoning { mode: Some(mode), ..Reasoning::default() };
    assert_eq!(thinking(Reasoning::default()), Value::Null);
    assert_eq!(thinking(effort(Effort::None)), json!({"type": "disabled"}));
    assert_eq!(thinking(effort(Effort::Low)), json!({"type": "enabled", "token_budget": 2048}));
    assert_eq!(thinking(effort(Effort::Max)), json!({"type": "enabled", "token_budget": 2999}));
    assert_eq!(thinking(mode(ReasoningMode::Off)), json!({"type": "disabled"}));
    assert_eq!(thinking(mode(ReasoningMode::On)), json!({"type": "enabled"}));
    assert_eq!(thinking(mode(ReasoningMode::Adaptive)), Value::Null);
}

#[test]
fn case_3_24_and_25_text_and_calls_in_one_turn() {
    let call = call(vec![
        user("a"),
        Turn::new(Role::Assistant, vec![Part::text("one"), tool_call("x", ""), Part::text("two")]),
        Turn::new(Role::Tool, vec![result("x", Vec::new())]),
    ]);
    let written = write(&call, false).unwrap().0;
    let assistant = json!({"role": "assistant", "tool_plan": "one\ntwo",
        "tool_calls": [{"id": "x", "type": "function", "function": {"name": "f", "arguments": "{}"}}]});
    assert_eq!(written["messages"][1], assistant);
    assert_eq!(written["messages"][2], json!({"role": "tool", "tool_call_id": "x", "content": ""}));
}

#[test]
fn case_8_a_seal_travels_in_the_id_of_a_call_and_returns_to_its_thoughts() {
    let stream = concat!(
        "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"m1\",\"model\":\"c\",\"usage\":{\"input_tokens\":1,\"output_tokens\":1}}}\n\n",
        "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"thinking\",\"thinking\":\"\",\"signature\":\"\"}}\n\n",
        "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"thinking_delta\",\"thinking\":\"plan\"}}\n\n",
        "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"signature_delta\",\"signature\":\"c2Vh\"}}\n\n",
        "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n",
        "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":1,\"content_block\":{\"type\":\"tool_use\",\"id\":\"t1\",\"name\":\"f\",\"input\":{}}}\n\n",
        "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":1}\n\n",
        "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"tool_use\"},\"usage\":{\"output_tokens\":5}}\n\n",
        "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
    );
    let (written, _) = retell(Anthropic, Cohere, [stream.as_bytes()]);
    let answer = read(Cohere, events(&written));
    let call = answer.parts[1].strip_prefix("call ").unwrap();
    let (id, rest) = call.split_once(' ').unwrap();
    assert!(id.starts_with("t1.") && rest == "f {}", "{call}");
    let again = json!({"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "a"},
        {"role": "assistant", "content": [{"type": "thinking", "thinking": "plan"}],
            "tool_calls": [{"id": id, "type": "function", "function": {"name": "f", "arguments": "{}"}}]},
        {"role": "tool", "tool_call_id": id, "content": "ok"}]})
    .to_string();
    let (written, _) = translated((Cohere, PATH, &again), Anthropic, &target("claude-x"), false).unwrap();
    let expected = json!([{"type": "thinking", "thinking": "plan", "signature": "c2Vh"},
        {"type": "tool_use", "id": "t1", "name": "f", "input": {}}]);
    assert_eq!(written["messages"][1]["content"], expected);
    assert_eq!(written["messages"][2]["content"][0]["tool_use_id"], "t1");
    // At another provider the seal is worth nothing and is not shown to it (docs/spec/cases.md#case-9).
    let (elsewhere, _) =
        translated((Cohere, PATH, &again), Gemini, &target("gemini-2.5-pro"), false).unwrap();
    assert_eq!(elsewhere["contents"][1]["parts"], json!([{"functionCall": {"name": "f", "args": {}}}]));
}

#[test]
fn case_8_geminis_seal_returns_to_its_call() {
    let stream = concat!(
        "data: {\"candidates\":[{\"content\":{\"parts\":[{\"functionCall\":{\"name\":\"f\",\"args\":{}},\"thoughtSignature\":\"czE=\"},",
        "{\"functionCall\":{\"name\":\"f\",\"args\":{}}}]},\"finishReason\":\"STOP\"}]}\n\n",
    );
    let (written, seen) = retell(Gemini, Cohere, [stream.as_bytes()]);
    assert!(seen.done);
    let answer = read(Cohere, events(&written));
    let ids: Vec<_> = answer.parts.iter().map(|part| part.split(' ').nth(1).unwrap()).collect();
    assert!(ids.len() == 2 && ids[0] != ids[1] && ids.iter().all(|id| id.starts_with("call_")), "{ids:?}");
    let call = |id: &str| json!({"id": id, "type": "function", "function": {"name": "f", "arguments": "{}"}});
    let result = |id: &str| json!({"role": "tool", "tool_call_id": id, "content": "ok"});
    let again = json!({"model": "m", "messages": [{"role": "user", "content": "a"},
        {"role": "assistant", "tool_calls": [call(ids[0]), call(ids[1])]}, result(ids[0]), result(ids[1])]});
    let (written, _) =
        translated((Cohere, PATH, &again.to_string()), Gemini, &target("gemini-2.5-pro"), false).unwrap();
    let first = json!({"functionCall": {"name": "f", "args": {}}, "thoughtSignature": "czE="});
    assert_eq!(written["contents"][1]["parts"][0], first);
    assert_eq!(written["contents"][2]["parts"].as_array().unwrap().len(), 2);
}

#[test]
fn case_9_thoughts_of_others_are_stripped() {
    let thought = |seal: Option<Family>| {
        let signature = seal.map(|family| Signature { family, text: "c2Vh".into(), item: None });
        Part::new(PartKind::Reasoning { text: "plan".into(), signature })
    };
    let written = |seal| {
        let said = Turn::new(Role::Assistant, vec![thought(seal), Part::text("so")]);
        write(&call(vec![user("a"), said, user("b")]), false).unwrap().0["messages"][1]["content"].clone()
    };
    assert_eq!(written(Some(Family::Anthropic)), json!("so"));
    assert_eq!(
        written(None),
        json!([{"type": "thinking", "thinking": "plan"}, {"type": "text", "text": "so"}])
    );
}

#[test]
fn case_13_images_of_results_follow_all_results() {
    let image = || {
        let media = Media::Base64 { mime: "image/png".into(), data: "iVBO".into() };
        Part::new(PartKind::Image(Image { media, detail: Some("original".into()) }))
    };
    let call = call(vec![
        user("a"),
        Turn::new(Role::Assistant, vec![tool_call("x", "{}"), tool_call("y", "{}")]),
        Turn::new(Role::Tool, vec![result("x", vec![Part::text("lamp"), image()])]),
        Turn::new(Role::Tool, vec![result("y", vec![image()])]),
        user("so?"),
    ]);
    let (written, dropped) = write(&call, false).unwrap();
    let roles: Vec<_> =
        written["messages"].as_array().unwrap().iter().map(|one| one["role"].clone()).collect();
    assert_eq!(roles, ["user", "assistant", "tool", "tool", "user", "user"]);
    assert_eq!(written["messages"][3]["content"], "see image 2");
    let images = written["messages"][4]["content"].as_array().unwrap();
    assert_eq!((images.len(), &images[2]["text"]), (4, &json!("image 2:")));
    assert_eq!(images[1]["image_url"], json!({"url": "data:image/png;base64,iVBO", "detail": "high"}));
    assert_eq!(dropped.len(), 1);
}

#[test]
fn case_23_calls_that_grow_side_by_side_come_one_after_the_other() {
    let choice = 0;
    let start = |call, name: &'static str| Event::CallStart {
        choice,
        call,
        id: "".into(),
        name: name.into(),
        signature: None,
        custom: false,
    };
    let grow = |call, text: &'static str| Event::CallArguments { choice, call, fragment: text.into() };
    let text = |text: &'static str| Event::Text { choice, text: text.into() };
    let said = [
        text("so"),
        start(0, "f"),
        grow(0, "{\"a\":"),
        start(1, "g"),
        grow(1, "{}"),
        text("!"),
        grow(0, "1}"),
        finish(Finish::Length),
    ];
    let out = streamed(Cohere, &said);
    let answer = read(Cohere, events(&out));
    let expected = ["text so", "call call_0192aa_0 f {\"a\":1}", "call call_0192aa_1 g {}", "text !"];
    assert_eq!((&*answer.parts, answer.finish), (&expected.map(str::to_owned)[..], Some(Finish::Length)));
}

#[test]
fn documents_stand_beside_the_conversation_as_text() {
    let document = |name: Option<&'static str>, text: Option<&'static str>, media| {
        let (cite, name, text) = (name.is_some(), name.map(Into::into), text.map(Into::into));
        Part::new(PartKind::Document(Document { media, text, name, context: None, cite }))
    };
    let base64 =
        |mime: &'static str, data: &'static str| Some(Media::Base64 { mime: mime.into(), data: data.into() });
    let parts = vec![
        Part::text("a"),
        document(Some("Tides"), Some("High."), None),
        document(None, None, base64("text/plain", "TG93Lg==")),
    ];
    let (written, _) = write(&call(vec![Turn::new(Role::User, parts)]), false).unwrap();
    assert_eq!(written["documents"], json!([{"data": {"title": "Tides", "text": "High."}}, "Low."]));
    assert_eq!(
        (&written["messages"][0]["content"], &written["citation_options"]),
        (&json!("a"), &Value::Null)
    );
    let pdf =
        call(vec![Turn::new(Role::User, vec![document(None, None, base64("application/pdf", "JVBE"))])]);
    assert!(write(&pdf, false).unwrap_err().contains("document"));
    // Cohere's own documents become Anthropic's, to be cited.
    let body = json!({"model": "m", "max_tokens": 9, "documents": [{"id": "d", "data": {"t": 1}}],
        "messages": [{"role": "user", "content": "a"}]});
    let (written, _) =
        translated((Cohere, PATH, &body.to_string()), Anthropic, &target("claude-x"), false).unwrap();
    let block = &written["messages"][0]["content"][0];
    assert_eq!((&block["source"]["data"], &block["title"]), (&json!("{\"t\":1}"), &json!("d")));
    assert_eq!(block["citations"]["enabled"], true);
}

#[test]
fn what_cohere_cannot_say_is_refused_or_told() {
    let with = |change: fn(&mut Call<'static>)| {
        let mut call = call(vec![user("a")]);
        change(&mut call);
        call
    };
    for (call, field) in [
        (with(|call| call.verbosity = Some("low".into())), "verbosity"),
        (with(|call| call.metadata = vec![("a".into(), "b".into())]), "metadata"),
        (with(|call| call.service_tier = Some(wire::canonical::ServiceTier("flex".into()))), "service_tier"),
        (with(|call| call.turns[0].name = Some("ann".into())), "messages[].name"),
        (
            with(|call| call.turns.push(Turn::new(Role::Assistant, vec![Part::text("so")]))),
            "messages[].content[] (trailing assistant turn)",
        ),
    ] {
        let refused = write(&call, Strictness::Strict).unwrap_err();
        assert!(refused.starts_with(&format!("`{field}`")), "{refused}");
        let (written, dropped) = write(&call, true).unwrap();
        assert_eq!(
            (written["messages"].as_array().unwrap().len(), &dropped[..]),
            (1, &[field.to_owned()][..])
        );
    }
    let hints = with(|call| (call.user, call.store) = (Some("u".into()), Some(true)));
    assert_eq!(write(&hints, false).unwrap().1, ["user", "store"]);
    let tier = with(|call| call.service_tier = Some(wire::canonical::ServiceTier("priority".into())));
    assert_eq!(write(&tier, false).unwrap().0["priority"], 0);
    let system = call(vec![user("a"), Turn::new(Role::Developer, vec![Part::text("rules")]), user("b")]);
    assert_eq!(
        write(&system, false).unwrap().0["messages"][1],
        json!({"role": "system", "content": "rules"})
    );
}
