//! The tricky cases of docs/spec/cases.md that concern OpenAI Responses, by number, also across dialects.

use serde_json::{Value, json};
use wire::{
    Dialect::{Anthropic, OpenAiChat, OpenAiResponses},
    canonical::{Call, Event, Family, Finish, Part, PartKind, Role, Signature, Tool, Turn},
    codec,
    json::Json,
    scan::PathParamsRef,
};

use crate::support::{
    Sum,
    calls::{answered, call, finish, reply, result_of, streamed, tool_call, written},
    events, fixture, read, retell, target, translated,
};

fn sealed(family: Family) -> Signature<'static> {
    Signature { family, text: "c2VhbA==".into(), item: None }
}

fn thought(family: Family) -> Part<'static> {
    Part::new(PartKind::Reasoning { text: "hm".into(), signature: Some(sealed(family)) })
}

fn strict(call: &Call<'_>) -> Result<Value, String> {
    written(call, Anthropic, (OpenAiResponses, &target("m")), false).map(|(body, _)| body)
}

fn retold(said: &[Event<'_>]) -> Vec<Value> {
    let out = streamed(OpenAiResponses, said);
    let data = |event: &[u8]| {
        let (_, data) = str::from_utf8(event).unwrap().split_once("\ndata: ").unwrap();
        serde_json::from_str(data).unwrap()
    };
    events(&out).into_iter().map(data).collect()
}

#[test]
fn case_2_a_result_belongs_to_a_call() {
    let items = |items: Value| {
        let body = json!({"model": "m", "input": items}).to_string();
        let json = Json::parse(body.as_bytes()).unwrap();
        codec(OpenAiResponses)
            .decode_request(PathParamsRef::default(), json, &Sum)
            .map(|_| ())
            .map_err(|e| e.to_string())
    };
    let call = json!({"type": "function_call", "call_id": "a", "name": "f", "arguments": ""});
    let output = json!({"type": "function_call_output", "call_id": "a", "output": ""});
    let user = json!({"role": "user", "content": "x"});
    assert!(items(json!([call, user, output])).is_ok());
    assert!(items(json!([call, user])).unwrap_err().contains("no result for the call `a`"));
    assert!(items(json!([output])).unwrap_err().contains("`a`, a call that is not open"));
}

#[test]
fn case_5_8_and_10_seals_of_others_travel_in_items_and_ids() {
    let mut calling = tool_call("call_1", "{}");
    let PartKind::ToolCall(inner) = &mut calling.kind else { panic!() };
    inner.signature = Some(sealed(Family::Gemini));
    let redacted = Part::new(PartKind::RedactedReasoning(sealed(Family::Gemini)));
    let parts = vec![thought(Family::Gemini), redacted, calling];
    let mut answer = answered(OpenAiResponses, &reply(parts.clone(), Finish::ToolCalls));
    assert_eq!(answer["output"][0]["summary"][0]["text"], "hm");
    let mut input = answer["output"].take();
    let id = input[2]["call_id"].clone();
    input
        .as_array_mut()
        .unwrap()
        .push(json!({"type": "function_call_output", "call_id": id, "output": "ok"}));
    let body = json!({"model": "m", "input": input}).to_string();
    let json = Json::parse(body.as_bytes()).unwrap();
    let again = codec(OpenAiResponses).decode_request(PathParamsRef::default(), json, &Sum).unwrap();
    assert_eq!(again.turns[0].parts, parts);
    assert!(matches!(&again.turns[1].parts[0].kind, PartKind::ToolResult(result) if result.id == "call_1"));
    // Case 9: OpenAI itself gets none of it, and its own as it was.
    let body = strict(&again).unwrap();
    assert_eq!(body["input"][0]["type"], "function_call");
    let turns = vec![Turn::new(Role::Assistant, vec![thought(Family::OpenAi), Part::text("so")])];
    let expected = json!({"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}], "encrypted_content": "c2VhbA=="});
    assert_eq!(strict(&call(turns)).unwrap()["input"][0], expected);
    let minted = answered(OpenAiResponses, &reply(vec![tool_call("", "")], Finish::ToolCalls));
    assert_eq!(
        (&minted["output"][0]["call_id"], &minted["output"][0]["arguments"]),
        (&json!("call_0192aa_0"), &json!("{}"))
    );
}

#[test]
fn case_12_and_15_refusals_filters_and_limits_have_their_status() {
    let refused =
        answered(OpenAiResponses, &reply(vec![Part::new(PartKind::Refusal("No.".into()))], Finish::Refusal));
    assert_eq!(
        (&refused["status"], &refused["output"][0]["content"][0]["refusal"]),
        (&json!("completed"), &json!("No."))
    );
    let mut blocked = reply(vec![Part::text("So")], Finish::ContentFilter);
    blocked.choices[0].explanation = Some("Because.".into());
    let answer = answered(OpenAiResponses, &blocked);
    assert_eq!(answer["incomplete_details"]["reason"], "content_filter");
    assert_eq!(answer["output"][0]["content"][1]["refusal"], "Because.");
    let cut = answered(OpenAiResponses, &reply(vec![tool_call("a", "{\"x\": \"un")], Finish::Length));
    assert_eq!(
        (&cut["status"], &cut["output"][0]["arguments"]),
        (&json!("incomplete"), &json!("{\"x\": \"un"))
    );
    let start = Event::CallStart {
        choice: 0,
        call: 0,
        id: "a".into(),
        name: "f".into(),
        signature: None,
        custom: false,
    };
    let last = retold(&[start.clone(), finish(Finish::Length)]).pop().unwrap();
    assert_eq!(
        (&last["type"], &last["response"]["output"][0]["arguments"]),
        (&json!("response.incomplete"), &json!(""))
    );
    let last = retold(&[start, finish(Finish::ToolCalls)]).pop().unwrap();
    assert_eq!(last["response"]["output"][0]["arguments"], "{}");
    let last = retold(&[finish(Finish::ContentFilter)]).pop().unwrap();
    assert!(last["response"]["output"][0]["content"][0]["refusal"].is_string());
}

#[test]
fn case_21_nothing_is_stored_and_it_is_told() {
    let body =
        json!({"model": "m", "messages": [{"role": "user", "content": "hi"}], "store": true}).to_string();
    let (written, dropped) =
        translated((OpenAiChat, PathParamsRef::default(), &body), OpenAiResponses, &target("m"), false)
            .unwrap();
    assert_eq!((&written["store"], &*dropped), (&json!(false), &["store".to_owned()][..]));
    let body = json!({"model": "m", "input": "hi", "store": true}).to_string();
    let (written, dropped) =
        translated((OpenAiResponses, PathParamsRef::default(), &body), Anthropic, &target("m"), false)
            .unwrap();
    assert!(written.get("store").is_none() && dropped.contains(&"store".to_owned()), "{dropped:?}");
}

#[test]
fn case_22_a_schema_is_not_strict_unless_it_was() {
    let tool = |strict| Tool {
        name: "f".into(),
        description: None,
        schema: None,
        strict,
        cache: None,
        foreign: None,
    };
    let mut asked = call(vec![Turn::new(Role::User, vec![Part::text("hi")])]);
    asked.tools = vec![tool(None), tool(Some(true))];
    let tools = strict(&asked).unwrap()["tools"].take();
    assert_eq!((&tools[0]["strict"], &tools[1]["strict"]), (&json!(false), &json!(true)));
    assert_eq!(tools[0]["parameters"], json!({"type": "object", "properties": {}}));
}

#[test]
fn case_23_calls_grow_side_by_side() {
    let start = |call, id: &'static str| {
        let (id, name) = (id.into(), "f".into());
        Event::CallStart { choice: 0, call, id, name, signature: None, custom: false }
    };
    let more = |call, text: &'static str| Event::CallArguments { choice: 0, call, fragment: text.into() };
    let all = [
        start(0, "a"),
        start(1, "b"),
        more(0, "{"),
        more(1, "["),
        more(0, "}"),
        more(1, "]"),
        finish(Finish::ToolCalls),
    ];
    let written = retold(&all);
    let deltas = written.iter().filter(|event| event["delta"].is_string());
    let deltas: Vec<_> = deltas
        .map(|event| (event["output_index"].as_u64().unwrap(), event["delta"].as_str().unwrap()))
        .collect();
    assert_eq!(deltas, [(0, "{"), (1, "["), (0, "}"), (1, "]")]);
    let output = &written.last().unwrap()["response"]["output"];
    assert_eq!((&output[0]["arguments"], &output[1]["arguments"]), (&json!("{}"), &json!("[]")));
}

#[test]
fn case_24_order_is_kept() {
    let parts = || vec![Part::text("one"), tool_call("a", "{}"), Part::text("two")];
    let turns = vec![
        Turn::new(Role::Assistant, parts()),
        Turn::new(Role::Tool, vec![result_of("f", "a", vec![Part::text("ok")])]),
    ];
    let input = strict(&call(turns)).unwrap()["input"].take();
    let kinds: Vec<_> = input.as_array().unwrap().iter().map(|item| item["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["message", "function_call", "message", "function_call_output"]);
    let output = answered(OpenAiResponses, &reply(parts(), Finish::ToolCalls))["output"].take();
    let kinds: Vec<_> =
        output.as_array().unwrap().iter().map(|item| item["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["message", "function_call", "message"]);
}

#[test]
fn what_cannot_be_said_is_refused_in_the_clients_words() {
    for (field, value) in [("stop", json!(["END"])), ("n", json!(2)), ("logit_bias", json!({"1": 2}))] {
        let mut body = json!({"model": "m", "messages": [{"role": "user", "content": "hi"}]});
        body[field] = value;
        let asked = (OpenAiChat, PathParamsRef::default(), &*body.to_string());
        let refused = translated(asked, OpenAiResponses, &target("m"), false).unwrap_err();
        assert_eq!(refused, format!("`{field}` cannot be expressed by OpenAI Responses"));
        let (written, dropped) = translated(asked, OpenAiResponses, &target("m"), true).unwrap();
        assert_eq!((written.get(field), &*dropped), (None, &[field.to_owned()][..]));
    }
}

#[test]
fn hints_for_a_cache_are_dropped_and_told() {
    let body = json!({"model": "m", "input": "hi", "prompt_cache_key": "k", "prompt_cache_retention": "24h"});
    let asked = (OpenAiResponses, PathParamsRef::default(), &*body.to_string());
    let (written, dropped) = translated(asked, Anthropic, &target("m"), false).unwrap();
    assert!(written.get("prompt_cache_key").is_none());
    assert!(
        ["prompt_cache_key", "prompt_cache_retention"].iter().all(|key| dropped.contains(&(*key).to_owned()))
    );
    let (written, dropped) = translated(asked, OpenAiChat, &target("m"), false).unwrap();
    assert_eq!((&written["prompt_cache_key"], dropped.len()), (&json!("k"), 0));
}

#[test]
fn a_conversation_crosses_openais_two_dialects_and_comes_back() {
    let body = String::from_utf8(fixture("responses", "request.json").to_vec()).unwrap();
    let asked = (OpenAiResponses, PathParamsRef::default(), &*body);
    let (chat, dropped) = translated(asked, OpenAiChat, &target("m"), true).unwrap();
    let roles: Vec<_> = chat["messages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|message| message["role"].as_str().unwrap())
        .collect();
    let expected =
        ["system", "developer", "user", "assistant", "tool", "tool", "tool", "user", "assistant", "user"];
    assert_eq!(roles, expected);
    assert_eq!(chat["messages"][3]["tool_calls"][2]["custom"]["input"], "not json");
    assert_eq!((&chat["reasoning_effort"], &chat["prompt_cache_key"]), (&json!("xhigh"), &json!("k1")));
    assert!(!dropped.iter().any(|place| place.starts_with("tools[")), "{dropped:?}");
    assert!(chat["tools"].as_array().unwrap().iter().any(|tool| tool["type"] == "custom"), "{chat}");
    let mut chat = chat;
    chat["messages"][3]["tool_calls"][2]["type"] = "custom".into();
    let text = chat.to_string();
    let (again, _) =
        translated((OpenAiChat, PathParamsRef::default(), &text), OpenAiResponses, &target("m"), true)
            .unwrap();
    assert_eq!(again["instructions"], "Be brief.");
    assert_eq!(again["text"], serde_json::from_str::<Value>(&body).unwrap()["text"]);
    assert_eq!(again["tool_choice"], serde_json::from_str::<Value>(&body).unwrap()["tool_choice"]);
}

#[test]
fn every_stream_is_retold_between_the_two_and_anthropic() {
    let sources = [(OpenAiChat, "chat"), (OpenAiResponses, "responses"), (Anthropic, "anthropic")];
    for (server, folder) in sources {
        let stream = fixture(folder, "stream.sse");
        let told = read(server, events(&stream));
        let words = |parts: &[String]| -> Vec<String> {
            let plain = |part: &&String| part.starts_with("text ") || part.starts_with("thought ");
            parts.iter().filter(plain).cloned().collect()
        };
        let arguments = |parts: &[String]| -> Vec<String> {
            let calls = parts.iter().filter(|part| part.starts_with("call "));
            calls.map(|part| part.splitn(3, ' ').nth(2).unwrap().to_owned()).collect()
        };
        for (client, _) in sources {
            let (written, seen) = retell(server, client, [&stream[..]]);
            let retold = read(client, events(&written));
            assert!(seen.done, "{server:?} to {client:?}");
            assert_eq!(words(&retold.parts), words(&told.parts), "{server:?} to {client:?}");
            assert_eq!(arguments(&retold.parts), arguments(&told.parts), "{server:?} to {client:?}");
            assert_eq!(retold.finish, told.finish, "{server:?} to {client:?}");
            let totals =
                |answer: &crate::support::Answer| answer.usage.map(|usage| (usage.input(), usage.output()));
            assert_eq!(totals(&retold), totals(&told), "{server:?} to {client:?}");
        }
    }
}
