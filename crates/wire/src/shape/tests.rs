//! What the shapes of calls are, in every dialect.

mod everywhere;
mod samples;

use proptest::prelude::*;
use serde_json::{Value, json};

use self::{
    everywhere::everywhere,
    samples::{CODE, NO_CODE},
};
use super::*;

fn chat(messages: &Value) -> Shape {
    shape_of(Api::Chat, &json!({ "model": "m", "messages": messages }))
}

fn shape_of(api: Api, body: &Value) -> Shape {
    let path = PathParamsRef { model: Some("m"), stream: Some(false) };
    shape(api, path, &Bytes::from(body.to_string()))
}

fn code_share(text: &str) -> f64 {
    chat(&json!([{ "role": "user", "content": text }])).code_share
}

#[test]
fn the_same_call_has_the_same_shape_in_every_dialect() {
    let user = "Please fix:\n```rust\nfn main() {}\n```";
    let shapes: Vec<_> =
        everywhere("Be brief.", user, true).iter().map(|(api, body)| shape_of(*api, body)).collect();
    let first = &shapes[0];
    assert_eq!((first.tools, first.json, first.reasoning_effort), (1, true, Some("high")));
    assert_eq!(first.schema.as_deref(), Some(r#"{"type":"object","required":["a"]}"#));
    assert_eq!(first.text_bytes, 9 + user.len() as u64);
    assert!((first.code_share - 12.0 / 23.0).abs() < 1e-9, "{}", first.code_share);
    assert_ne!(first.prefix, 0);
    for (shape, (api, _)) in shapes.iter().zip(everywhere("", "", false)) {
        assert_eq!(shape, first, "{}", api.name());
    }
}

#[test]
fn what_a_prompt_begins_with_makes_the_prefix() {
    let of = |system, user| shape_of(Api::Chat, &everywhere(system, user, false)[0].1).prefix;
    let same = of("a", "b");
    assert_eq!(same, of("a", "b"));
    // In every process and version: replicas of two versions have to agree.
    assert_eq!(same, 0x34a4_5209_b746_3839);
    for other in [of("a", "c"), of("ab", ""), of("", "ab"), of("c", "b")] {
        assert_ne!(same, other);
    }
    let later = chat(&json!([
        { "role": "user", "content": "one" },
        { "role": "assistant", "content": "x" },
        { "role": "user", "content": "two" },
    ]));
    assert_eq!(later.prefix, chat(&json!([{ "role": "user", "content": "one" }])).prefix);
}

#[test]
fn efforts_and_formats_as_they_were_said() {
    let chat = |more: Value| {
        let mut body = json!({ "model": "m", "messages": [{ "role": "user", "content": "x" }] });
        for (name, value) in more.as_object().unwrap() {
            body[name] = value.clone();
        }
        shape_of(Api::Chat, &body)
    };
    let plain = chat(json!({}));
    assert_eq!((plain.reasoning_effort, plain.json, plain.logprobs, plain.tools), (None, false, false, 0));
    assert_eq!(chat(json!({ "reasoning_effort": "none" })).reasoning_effort, Some("none"));
    let loose = chat(json!({ "response_format": { "type": "json_object" }, "logprobs": true }));
    assert_eq!((loose.json, loose.schema, loose.logprobs), (true, None, true));
    let claude = |thinking: Value| {
        let body = json!({ "model": "m", "max_tokens": 9, "thinking": thinking, "messages": [{ "role": "user", "content": "x" }] });
        shape_of(Api::Messages, &body).reasoning_effort
    };
    assert_eq!(claude(json!({ "type": "adaptive" })), Some("medium"));
    assert_eq!(claude(json!({ "type": "disabled" })), Some("none"));
    assert_eq!(claude(json!({ "type": "enabled", "budget_tokens": 1_024 })), Some("minimal"));
}

#[test]
fn what_cannot_be_read_has_no_shape() {
    for body in ["", "{", "[]", r#"{"model":"m","messages":[{"role":"robot"}]}"#] {
        assert_eq!(
            shape(Api::Chat, PathParamsRef::default(), &Bytes::from(body)),
            Shape::default(),
            "{body}"
        );
    }
    let call = &everywhere("a", "b", false)[0].1;
    assert_eq!(shape_of(Api::Embeddings, call), Shape::default());
    assert_eq!(shape_of(Api::CountTokens, &everywhere("a", "b", false)[2].1), Shape::default());
}

#[test]
fn code_is_told_from_prose_and_data() {
    for (name, text, least) in CODE {
        let share = code_share(text);
        assert!(share >= least, "{name}: {share}");
    }
    for (name, text) in NO_CODE {
        let share = code_share(text);
        assert!(share < 0.05, "{name}: {share}");
    }
}

#[test]
fn later_turns_count_most_and_a_question_about_code_is_one_about_code() {
    let file = CODE[0].1;
    let turns = |texts: &[&str]| {
        let turns: Vec<_> = texts.iter().map(|text| json!({ "role": "user", "content": text })).collect();
        chat(&json!(turns)).code_share
    };
    let prose = "a few words of plain text, ".repeat(file.len() / 27);
    assert!(turns(&[file, "and what is line three for"]) > 0.8);
    let (first, last) = (turns(&[file, &prose]), turns(&[&prose, file]));
    assert!((0.2..0.4).contains(&first) && (0.6..0.8).contains(&last), "{first} {last}");
    let spoken =
        json!([{ "role": "assistant", "content": file }, { "role": "user", "content": "thanks a lot" }]);
    assert!(chat(&spoken).code_share < 0.01, "what the model wrote is not what the user wrote");
}

#[test]
fn a_large_prompt_is_looked_at_in_part() {
    let words = "word ".repeat(60_000);
    let parts =
        json!([{ "type": "text", "text": words }, { "type": "text", "text": "x = f(1);\n".repeat(90_000) }]);
    assert!(chat(&json!([{ "role": "user", "content": parts }])).code_share < 0.01);
}

#[test]
fn real_files() {
    for source in [
        include_str!("line.rs"),
        include_str!("../scan/members.rs"),
        include_str!("../dialects/gemini/error.rs"),
    ] {
        assert!(code_share(source) > 0.8, "{} of {}", code_share(source), &source[..60]);
    }
    for other in [
        include_str!("../../../../README.md"),
        include_str!("../../fixtures/openai/response.json"),
        include_str!("../../fixtures/gemini/request.json"),
    ] {
        assert!(code_share(other) < 0.3, "{} of {}", code_share(other), &other[..60]);
    }
}

#[test]
fn the_fixtures_of_every_dialect() {
    let fixtures: [(Api, &[u8], u32, &str); 6] = [
        (Api::Chat, include_bytes!("../../fixtures/chat/request.json"), 2, "xhigh"),
        (Api::Responses, include_bytes!("../../fixtures/responses/request.json"), 2, "xhigh"),
        (Api::Messages, include_bytes!("../../fixtures/anthropic/request.json"), 2, "xhigh"),
        (Api::Gemini, include_bytes!("../../fixtures/gemini/request.json"), 3, "low"),
        (Api::Cohere, include_bytes!("../../fixtures/cohere/request.json"), 2, "minimal"),
        (Api::Converse, include_bytes!("../../fixtures/bedrock/request.json"), 2, "high"),
    ];
    for (api, body, tools, effort) in fixtures {
        let path = PathParamsRef { model: Some("m"), stream: Some(false) };
        let shape = shape(api, path, &Bytes::from_static(body));
        let read = (shape.tools, shape.json, shape.reasoning_effort);
        assert_eq!(read, (tools, true, Some(effort)), "{}", api.name());
        assert!(shape.prefix != 0 && shape.text_bytes > 0, "{}", api.name());
    }
}

proptest! {
    #[test]
    fn any_text_has_a_share(text in "(```|~~~|/\\*|\"\"\"|@@ |[ -~é]{0,20}|\n|\t|  ){0,40}") {
        let share = code_share(&text);
        prop_assert!((0.0..=1.0).contains(&share), "{}", share);
    }
}
