//! What a model takes where its dialect could say more, and spellings that mean the same.

use serde_json::{Value, json};
use wire::{
    Dialect::{self, Anthropic, Bedrock, Cohere, Gemini, OpenAiChat, OpenAiResponses},
    canonical::{LossReport, Strictness, Support, TargetFacts, fit_call},
    codec,
    json::Json,
    scan::PathParamsRef,
};

use crate::support::{Sum, target};

const NOTHING: PathParamsRef<'_> = PathParamsRef { model: None, stream: None };

/// A client's body as a target's model takes it, with what was lost.
fn fitted(from: Dialect, body: &Value, to: Dialect, facts: &TargetFacts<'_>) -> (Value, Vec<String>) {
    let text = body.to_string();
    let mut call = codec(from).decode_request(NOTHING, Json::parse(text.as_bytes()).unwrap(), &Sum).unwrap();
    let mut losses = LossReport::new(from, to, Strictness::Default);
    fit_call(&mut call, to, facts, &mut losses);
    let encoded = codec(to).encode_request(&call, facts, losses).unwrap();
    (serde_json::from_slice(&encoded.body).unwrap(), encoded.dropped)
}

fn chat(more: &Value) -> Value {
    let mut body =
        json!({"model": "m", "max_tokens": 3_000, "messages": [{"role": "user", "content": "hi"}]});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

fn messages(more: &Value) -> Value {
    chat(more)
}

#[test]
fn an_effort_is_the_nearest_that_the_model_has() {
    let off = json!({"thinking": {"type": "disabled"}});
    for (model, body, effort, named) in [
        ("gpt-4o-mini", messages(&off), Value::Null, true),
        ("o3", messages(&off), "low".into(), true),
        ("gpt-5-mini", messages(&off), "minimal".into(), true),
        ("gpt-5.1", messages(&off), "none".into(), false),
        ("o3", messages(&json!({"output_config": {"effort": "xhigh"}})), "high".into(), true),
        ("nobody-knows-it", messages(&json!({"output_config": {"effort": "high"}})), "high".into(), false),
    ] {
        let (sent, dropped) = fitted(Anthropic, &body, OpenAiChat, &target(model));
        assert_eq!(
            (&sent["reasoning_effort"], !dropped.is_empty()),
            (&effort, named),
            "{model}: {dropped:?}"
        );
    }
    let facts = TargetFacts { reasoning: Support::Unsupported, ..target("m") };
    let asked = messages(&json!({"output_config": {"effort": "high"}}));
    let (sent, dropped) = fitted(Anthropic, &asked, OpenAiChat, &facts);
    assert_eq!((sent.get("reasoning_effort"), dropped), (None, vec!["output_config.effort".to_owned()]));
}

#[test]
fn geminis_third_pro_has_no_minimal() {
    for (model, level) in [("gemini-3-pro-preview", "LOW"), ("gemini-3-flash", "MINIMAL")] {
        let (sent, _) =
            fitted(OpenAiChat, &chat(&json!({"reasoning_effort": "none"})), Gemini, &target(model));
        assert_eq!(sent["generationConfig"]["thinkingConfig"]["thinkingLevel"], level, "{model}");
    }
}

#[test]
fn sealed_thoughts_are_asked_only_of_models_that_think() {
    let include = |body: &Value, reasoning| {
        let facts = TargetFacts { reasoning, ..target("gpt-4o-mini") };
        fitted(OpenAiChat, body, OpenAiResponses, &facts).0.get("include").cloned()
    };
    let sealed = Some(json!(["reasoning.encrypted_content"]));
    assert_eq!(include(&chat(&json!({})), Support::Unknown), None);
    assert_eq!(include(&chat(&json!({})), Support::Supported), sealed);
    assert_eq!(include(&chat(&json!({"reasoning_effort": "low"})), Support::Unknown), sealed);
}

#[test]
fn what_claude_refuses_together_is_not_sent_together() {
    let facts = |model| TargetFacts { sampling: Support::Supported, ..target(model) };
    let both = chat(&json!({"temperature": 0.2, "top_p": 0.9}));
    let (sent, dropped) = fitted(OpenAiChat, &both, Anthropic, &facts("claude-sonnet-4-5"));
    assert_eq!((&sent["temperature"], sent.get("top_p")), (&json!(0.2), None));
    assert_eq!(dropped, ["top_p"]);
    let (sent, dropped) = fitted(OpenAiChat, &both, Anthropic, &facts("claude-3-5-haiku"));
    assert_eq!((&sent["top_p"], dropped.len()), (&json!(0.9), 0));
    let (sent, dropped) = fitted(OpenAiChat, &both, Bedrock, &target("anthropic.claude-of-tomorrow"));
    assert_eq!((&sent["inferenceConfig"]["topP"], dropped.len()), (&json!(0.9), 0), "nobody knows it");

    let function = json!([{"type": "function", "function": {"name": "f", "parameters": {}}}]);
    let forced = chat(&json!({"reasoning_effort": "medium", "tool_choice": "required", "tools": function}));
    for (to, model) in [(Anthropic, "claude-sonnet-4-5"), (Bedrock, "anthropic.claude-sonnet-4-5-v1:0")] {
        let (sent, dropped) = fitted(OpenAiChat, &forced, to, &facts(model));
        assert!(!sent.to_string().contains("thinking"), "{sent}");
        assert_eq!(dropped, ["reasoning_effort"]);
    }
    let warm = chat(&json!({"reasoning_effort": "medium", "temperature": 0.3}));
    let (sent, dropped) = fitted(OpenAiChat, &warm, Anthropic, &facts("claude-sonnet-4-5"));
    assert_eq!((&sent["thinking"]["type"], sent.get("temperature")), (&json!("enabled"), None));
    assert_eq!(dropped, ["temperature"]);
}

#[test]
fn a_mode_for_json_is_said_in_words_where_there_is_none() {
    let asked = json!({
        "model": "m", "max_tokens": 99, "response_format": {"type": "json_object"},
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "hi"}],
    });
    for to in [Anthropic, Bedrock] {
        let (sent, dropped) = fitted(OpenAiChat, &asked, to, &target("m"));
        let system = sent["system"].to_string();
        assert!(system.contains("Be brief.") && system.contains("one JSON object"), "{system}");
        assert_eq!(dropped, ["response_format (as an instruction)"]);
    }
}

#[test]
fn anthropics_marks_in_chat_reach_those_that_have_them() {
    let mark = json!({"type": "ephemeral", "ttl": "1h"});
    let text = |text: &str| json!({"type": "text", "text": text, "cache_control": {"type": "ephemeral"}});
    let asked = json!({
        "model": "m",
        "max_tokens": 99,
        "messages": [
            {"role": "system", "content": "Be brief.", "cache_control": mark},
            {"role": "user", "content": [text("one"), {"type": "text", "text": "two"}]},
        ],
        "tools": [{"type": "function", "cache_control": mark, "function": {"name": "f", "parameters": {}}}],
    });
    let (sent, dropped) = fitted(OpenAiChat, &asked, Anthropic, &target("claude-x"));
    assert_eq!(sent["system"][0]["cache_control"], mark);
    assert_eq!(sent["tools"][0]["cache_control"], mark);
    assert_eq!(sent["messages"][0]["content"][0]["cache_control"], json!({"type": "ephemeral"}));
    assert_eq!(dropped, [""; 0]);
    let (sent, _) = fitted(OpenAiChat, &asked, Bedrock, &target("anthropic.claude-sonnet-4-5-v1:0"));
    assert_eq!(sent["system"][1]["cachePoint"]["ttl"], "1h");
    // A profile's name tells no vendor: the client's mark is sent. Another vendor's models are known to refuse it.
    for (model, points) in [
        ("m", 3),
        ("arn:aws:bedrock:us-east-1:1:application-inference-profile/a", 3),
        ("us.meta.llama3-3-70b-instruct-v1:0", 0),
    ] {
        let (sent, dropped) = fitted(OpenAiChat, &asked, Bedrock, &target(model));
        assert_eq!(sent.to_string().matches("cachePoint").count(), points, "{model}");
        assert_eq!(dropped.iter().any(|name| name == "cache_control"), points == 0, "{model}: {dropped:?}");
    }
    for to in [Gemini, Cohere, OpenAiResponses] {
        let (sent, dropped) = fitted(OpenAiChat, &asked, to, &target("m"));
        assert!(!sent.to_string().contains("cache"), "{sent}");
        assert_eq!(dropped, ["cache_control"], "what the client wrote is named");
    }
    // Five marks: the last four cover what the first one does.
    let many: Vec<Value> = ["a", "b", "c", "d", "e"].iter().map(|word| text(word)).collect();
    let (sent, dropped) = fitted(
        OpenAiChat,
        &chat(&json!({"messages": [{"role": "user", "content": many}]})),
        Anthropic,
        &target("claude-x"),
    );
    assert_eq!(sent.to_string().matches("cache_control").count(), 4);
    assert!(sent["messages"][0]["content"][0].get("cache_control").is_none());
    assert_eq!(dropped, ["cache_control"]);
    // What is no mark is an unknown field.
    let odd = json!({"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "x", "cache_control": {"type": 7}}]});
    assert_eq!(fitted(OpenAiChat, &odd, Anthropic, &target("claude-x")).1, ["messages[0].cache_control"]);
}

#[test]
fn a_tool_without_arguments_is_spelled_as_the_target_takes_it() {
    for schema in [json!({}), json!({"type": "object"}), json!({"type": "OBJECT"})] {
        let mut tool = json!({"name": "f"});
        tool["input_schema"] = schema.clone();
        let asked = messages(&json!({"tools": [tool]}));
        for (to, place) in [
            (OpenAiChat, "/tools/0/function/parameters"),
            (OpenAiResponses, "/tools/0/parameters"),
            (Cohere, "/tools/0/function/parameters"),
        ] {
            let (sent, _) = fitted(Anthropic, &asked, to, &target("m"));
            let parameters = sent.pointer(place).unwrap();
            assert_eq!(parameters["properties"], json!({}), "{to:?}: {schema}");
            assert!(parameters["type"].as_str().unwrap().eq_ignore_ascii_case("object"));
        }
    }
    for schema in [json!({}), json!({"description": "nothing"})] {
        let function = json!({"name": "f", "parameters": schema});
        let asked = chat(&json!({"tools": [{"type": "function", "function": function}]}));
        let (sent, _) = fitted(OpenAiChat, &asked, Anthropic, &target("m"));
        assert_eq!(sent["tools"][0]["input_schema"]["type"], "object");
        let (sent, _) = fitted(OpenAiChat, &asked, Bedrock, &target("m"));
        assert_eq!(sent["toolConfig"]["tools"][0]["toolSpec"]["inputSchema"]["json"]["type"], "object");
    }
    // Other forms of a schema stay what they are.
    let reference = json!({"$ref": "#/$defs/a", "$defs": {"a": {"type": "object"}}});
    let asked = messages(&json!({"tools": [{"name": "f", "input_schema": reference}]}));
    assert_eq!(
        fitted(Anthropic, &asked, OpenAiChat, &target("m")).0["tools"][0]["function"]["parameters"],
        reference
    );
}

#[test]
fn free_form_tools_are_the_same_in_both_dialects_of_openai() {
    let flat = json!({
        "type": "custom", "name": "apply_patch", "description": "d",
        "format": {"type": "grammar", "syntax": "lark", "definition": "start: /.+/"},
    });
    let nested = json!({"type": "custom", "custom": {
        "name": "apply_patch", "description": "d",
        "format": {"type": "grammar", "grammar": {"syntax": "lark", "definition": "start: /.+/"}},
    }});
    let responses = json!({"model": "m", "input": "x", "tools": [flat]});
    assert_eq!(fitted(OpenAiResponses, &responses, OpenAiChat, &target("m")).0["tools"][0], nested);
    let asked = chat(&json!({"tools": [nested]}));
    assert_eq!(fitted(OpenAiChat, &asked, OpenAiResponses, &target("m")).0["tools"][0], flat);
}

#[test]
fn a_system_message_at_the_end_is_text_of_the_user_for_cohere() {
    let turns = json!([{"role": "user", "content": "hi"}, {"role": "system", "content": "be brief"}]);
    let (sent, _) = fitted(OpenAiChat, &chat(&json!({"messages": turns})), Cohere, &target("m"));
    let last = sent["messages"].as_array().unwrap().last().unwrap();
    assert_eq!(last["role"], "user");
    assert!(last["content"].to_string().contains("<system>"), "{last}");
}

#[test]
fn marks_go_to_models_of_bedrock_that_may_know_them() {
    let content = json!([{"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}}]);
    let asked = chat(&json!({"messages": [{"role": "user", "content": content}]}));
    for (model, marked) in
        [("anthropic.claude-x", true), ("m", true), ("meta.llama3-3-70b-instruct-v1:0", false)]
    {
        let (sent, dropped) = fitted(OpenAiChat, &asked, Bedrock, &target(model));
        assert_eq!(sent.to_string().contains("cachePoint"), marked, "{model}");
        assert_eq!(dropped.is_empty(), marked, "{model}");
    }
}
