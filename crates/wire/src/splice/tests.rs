//! The splices change what they must and not a byte more.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::{Api, Dialect, scan, scan::PathParamsRef};

fn spliced(body: &str, model: &str, want_usage: bool, output_limit: Option<u64>) -> String {
    let body = Bytes::from(body.to_owned());
    let facts = scan(Api::Chat, &body).unwrap();
    let out = splice(&body, &facts, &Edits { model, want_usage, output_limit, old_limit_name: false });
    String::from_utf8(out.to_vec()).unwrap()
}

#[test]
fn nothing_to_do_costs_no_copy() {
    let text = r#"{"model":"m\u0061","messages":[],"stream":true,"stream_options":{"include_usage":true},"max_tokens":5}"#;
    let body = Bytes::from(text);
    let facts = scan(Api::Chat, &body).unwrap();
    let out = splice(
        &body,
        &facts,
        &Edits { model: "ma", want_usage: true, output_limit: Some(9), old_limit_name: false },
    );
    assert_eq!((out.as_ptr(), out.len()), (body.as_ptr(), body.len()));
}

#[test]
fn the_model_is_replaced_in_place() {
    let body = r#"{ "big" : 90071992547409931234567890, "model" :  "route" , "x":1.50, "messages":[] }"#;
    let expected =
        r#"{ "big" : 90071992547409931234567890, "model" :  "a\"b\\é" , "x":1.50, "messages":[] }"#;
    assert_eq!(spliced(body, "a\"b\\é", true, None), expected, "and a plain request gets no stream_options");
}

#[test]
fn usage_is_asked_for_in_every_starting_position() {
    let table = [
        (
            r#"{"model":"m","messages":[],"stream":true}"#,
            r#"{"model":"m","messages":[],"stream":true,"stream_options":{"include_usage":true}}"#,
        ),
        (
            r#"{"stream_options":null,"model":"m","messages":[],"stream":true}"#,
            r#"{"stream_options":{"include_usage":true},"model":"m","messages":[],"stream":true}"#,
        ),
        (
            r#"{"stream_options":{ },"model":"m","messages":[],"stream":true}"#,
            r#"{"stream_options":{ "include_usage":true},"model":"m","messages":[],"stream":true}"#,
        ),
        (
            r#"{"stream_options":{"a":[{}]},"model":"m","messages":[],"stream":true}"#,
            r#"{"stream_options":{"a":[{}],"include_usage":true},"model":"m","messages":[],"stream":true}"#,
        ),
        (
            r#"{"stream_options":{"include_usage":false,"a":1},"model":"m","messages":[],"stream":true}"#,
            r#"{"stream_options":{"include_usage":true,"a":1},"model":"m","messages":[],"stream":true}"#,
        ),
        (
            r#"{"stream_options":{"include_usage": null},"model":"m","messages":[],"stream":true}"#,
            r#"{"stream_options":{"include_usage": true},"model":"m","messages":[],"stream":true}"#,
        ),
    ];
    for (body, expected) in table {
        assert_eq!(spliced(body, "m", true, None), expected);
        assert_eq!(spliced(body, "m", false, None), body);
    }
}

#[test]
fn an_output_limit_is_set_only_where_there_is_none() {
    let with = |more: &str| format!(r#"{{"model":"m","messages":[]{more}}}"#);
    for (more, expected) in [
        ("", r#","max_completion_tokens":7"#),
        (r#","max_completion_tokens":null"#, r#","max_completion_tokens":7"#),
        (r#","max_tokens":null"#, r#","max_tokens":null,"max_completion_tokens":7"#),
        (r#","max_tokens":3"#, r#","max_tokens":3"#),
        (
            r#","max_tokens":3,"max_completion_tokens":null"#,
            r#","max_tokens":3,"max_completion_tokens":null"#,
        ),
    ] {
        assert_eq!(spliced(&with(more), "m", true, Some(7)), with(expected), "{more}");
    }
}

#[test]
fn a_target_that_knows_the_old_name_of_the_limit_gets_that() {
    for (more, expected) in [
        ("", r#","max_tokens":7"#),
        (r#","max_tokens": null,"a":1"#, r#","max_tokens": 7,"a":1"#),
        (r#","max_completion_tokens":null"#, r#","max_completion_tokens":null,"max_tokens":7"#),
    ] {
        let body = Bytes::from(format!(r#"{{"model":"m","messages":[]{more}}}"#));
        let facts = scan(Api::Chat, &body).unwrap();
        let edits = Edits { model: "m", want_usage: true, output_limit: Some(7), old_limit_name: true };
        let expected = format!(r#"{{"model":"m","messages":[]{expected}}}"#);
        assert_eq!(splice(&body, &facts, &edits), expected);
    }
}

#[test]
fn each_dialect_gets_a_limit_wherever_there_is_none() {
    let path = PathParamsRef { model: Some("m"), stream: Some(false) };
    let cohere = r#""model":"m","messages":[]"#;
    for (dialect, body, expected) in [
        (Dialect::Bedrock, "{ }", r#"{ "inferenceConfig":{"maxTokens":9}}"#),
        (Dialect::Bedrock, r#"{"a":1 } "#, r#"{"a":1 ,"inferenceConfig":{"maxTokens":9}} "#),
        (Dialect::Bedrock, r#"{"inferenceConfig":null}"#, r#"{"inferenceConfig":{"maxTokens":9}}"#),
        (Dialect::Bedrock, r#"{"inferenceConfig":{},"b":2}"#, r#"{"inferenceConfig":{"maxTokens":9},"b":2}"#),
        (
            Dialect::Bedrock,
            r#"{"inferenceConfig":{"topP":1}}"#,
            r#"{"inferenceConfig":{"topP":1,"maxTokens":9}}"#,
        ),
        (
            Dialect::Bedrock,
            r#"{"inferenceConfig":{"maxTokens":null}}"#,
            r#"{"inferenceConfig":{"maxTokens":9}}"#,
        ),
        (
            Dialect::Bedrock,
            r#"{"inferenceConfig":{"maxTokens":3}}"#,
            r#"{"inferenceConfig":{"maxTokens":3}}"#,
        ),
        (
            Dialect::Gemini,
            r#"{"contents":[]}"#,
            r#"{"contents":[],"generationConfig":{"maxOutputTokens":9}}"#,
        ),
        (
            Dialect::Gemini,
            r#"{"generation_config":{"top_p":1 },"contents":[]}"#,
            r#"{"generation_config":{"top_p":1 ,"maxOutputTokens":9},"contents":[]}"#,
        ),
        (
            Dialect::Gemini,
            r#"{"generationConfig":null,"contents":[]}"#,
            r#"{"generationConfig":{"maxOutputTokens":9},"contents":[]}"#,
        ),
        (
            Dialect::Gemini,
            r#"{"generationConfig":{"max_output_tokens":null},"contents":[]}"#,
            r#"{"generationConfig":{"max_output_tokens":9},"contents":[]}"#,
        ),
        (Dialect::OpenAiResponses, r#"{"model":"m"}"#, r#"{"model":"m","max_output_tokens":9}"#),
        (
            Dialect::OpenAiResponses,
            r#"{"max_output_tokens":null,"model":"m"}"#,
            r#"{"max_output_tokens":9,"model":"m"}"#,
        ),
        (Dialect::Cohere, &format!("{{{cohere}}}"), &format!(r#"{{{cohere},"max_tokens":9}}"#)),
        (
            Dialect::Cohere,
            &format!(r#"{{"max_tokens":null,{cohere}}}"#),
            &format!(r#"{{"max_tokens":9,{cohere}}}"#),
        ),
        (Dialect::Anthropic, r#"{"model":"m","messages":[]}"#, r#"{"model":"m","messages":[]}"#),
    ] {
        let (codec, body) = (crate::codec(dialect), Bytes::from(body.to_owned()));
        let facts = codec.scan(Api::of(dialect), path, &body).unwrap();
        let edits = Edits { model: "m", want_usage: true, output_limit: Some(9), old_limit_name: false };
        let limited = codec.verbatim(&body, &facts, &edits);
        assert_eq!(str::from_utf8(&limited), Ok(expected), "{dialect:?}");
    }
}

#[test]
fn all_three_together_keep_the_prefix() {
    let body =
        "{\"stream_options\":{},\"stream\":true,\n\"messages\":[{\"content\":\"hi\"}],\"model\":\"r\"\n}\n";
    let expected = "{\"stream_options\":{\"include_usage\":true},\"stream\":true,\n\"messages\":[{\"content\":\"hi\"}],\"model\":\"gpt\"\n,\"max_completion_tokens\":1}\n";
    assert_eq!(spliced(body, "gpt", true, Some(1)), expected);
    let body = r#"{"messages":[],"model":"m","stream":true}"#;
    assert!(spliced(body, "m", true, Some(1)).starts_with(body.strip_suffix('}').unwrap()));
}

/// A member in one of the forms a client may send it in.
fn member() -> impl Strategy<Value = (&'static str, Value)> {
    let options = [
        Value::Null,
        json!({}),
        json!({"a": 1}),
        json!({"include_usage": null}),
        json!({"a": 1, "include_usage": false}),
    ];
    let limits = [Value::Null, json!(5)];
    prop_oneof![
        prop::sample::select(options.to_vec()).prop_map(|value| ("stream_options", value)),
        prop::sample::select(limits.to_vec()).prop_map(|value| ("max_completion_tokens", value)),
        prop::sample::select(limits.to_vec()).prop_map(|value| ("max_tokens", value)),
        any::<bool>().prop_map(|value| ("stream", value.into())),
        any::<String>().prop_map(|value| ("unknown", json!({ "model": value, "stream_options": {} }))),
    ]
}

proptest! {
    #[test]
    fn nothing_else_changes(
        members in prop::collection::btree_map(0..6_u8, member(), 0..6),
        (name, model, want_usage) in ("[a-z\"\\\\é]{1,9}", "[a-z\"\\\\é]{1,9}", any::<bool>()),
        limit in prop::option::of(1..100_u64),
        pretty: bool,
    ) {
        let mut document: serde_json::Map<String, Value> = members.into_values().map(|(key, value)| (key.to_owned(), value)).collect();
        document.insert("model".into(), name.clone().into());
        document.insert("messages".into(), json!([{ "content": name }]));
        let text = if pretty { serde_json::to_string_pretty(&document) } else { serde_json::to_string(&document) }.unwrap();
        let out = spliced(&text, &model, want_usage, limit);

        let mut expected = document.clone();
        expected.insert("model".into(), model.clone().into());
        if want_usage && document.get("stream") == Some(&Value::Bool(true)) {
            let options = expected.entry("stream_options").or_insert_with(|| json!({}));
            if options.is_null() {
                *options = json!({});
            }
            options["include_usage"] = true.into();
        }
        let limited = ["max_tokens", "max_completion_tokens"].iter().any(|key| document.get(*key).is_some_and(Value::is_number));
        if let (Some(limit), false) = (limit, limited) {
            expected.insert("max_completion_tokens".into(), limit.into());
        }
        // Compared as text too: member order must hold, and no member may stand there twice.
        let got: Value = serde_json::from_str(&out).unwrap();
        prop_assert_eq!(got.to_string(), Value::Object(expected).to_string());
        prop_assert!(scan(Api::Chat, out.as_bytes()).is_ok());
        prop_assert_eq!(spliced(&out, &model, want_usage, limit), out, "a second splice has nothing to do");
    }
}
