//! What the scan accepts, finds and refuses.

use proptest::prelude::*;

use super::*;
use crate::input_bound;

/// A chat body with more members.
fn chat(more: &str) -> String {
    format!(r#"{{"model":"m","messages":[]{more}}}"#)
}

fn ok(body: &str) -> RequestFacts {
    scan(Api::Chat, body.as_bytes()).unwrap_or_else(|error| panic!("{body}: {error}"))
}

fn refusal(api: Api, body: &str) -> (Option<&'static str>, String) {
    let error = scan(api, body.as_bytes()).expect_err(body);
    (error.field, error.to_string())
}

#[test]
fn a_small_body_has_its_defaults() {
    let facts = ok(r#" { "messages" : [ {} , {} ] , "model" : "a\/b\u00e9" } "#);
    assert_eq!((&*facts.model, facts.model_span.clone()), ("a/bé", 40..52));
    assert_eq!((facts.stream, facts.include_usage, facts.max_output, facts.choices), (false, false, None, 1));
    assert_eq!((facts.messages, facts.images, facts.audio, facts.files, &facts.user), (2, 0, 0, 0, &None));
}

#[test]
fn fields_are_read_wherever_they_stand() {
    let facts =
        ok(&chat(r#","n":3,"stream":true,"max_tokens":9,"stream_options":{"x":1,"include_usage":true}"#));
    assert_eq!(
        (facts.stream, facts.include_usage, facts.max_output, facts.choices),
        (true, true, Some(9), 3)
    );
    let nulls = ok(&chat(r#","n":null,"stream":null,"max_tokens":null,"stream_options":null,"user":null"#));
    let plain = ok(&chat(""));
    assert_eq!(
        (nulls.stream, nulls.choices, nulls.max_output),
        (plain.stream, plain.choices, plain.max_output)
    );
    // A key's escapes are resolved, as every provider does.
    assert!(ok(&chat(r#","str\u0065am":true"#)).stream);
    assert_eq!(ok(&chat(r#","x":{"model":"other","stream":true},"\ud800":1"#)).model, "m");
}

#[test]
fn the_larger_output_limit_counts() {
    let limit = |more: &str| ok(&chat(more)).max_output;
    assert_eq!(limit(r#","max_completion_tokens":5,"max_tokens":9"#), Some(9));
    assert_eq!(limit(r#","max_tokens":5,"max_completion_tokens":9"#), Some(9));
    assert_eq!(limit(r#","max_tokens":5,"max_completion_tokens":null"#), Some(5));
}

#[test]
fn the_user_is_found_in_order() {
    let user = |more: &str| ok(&chat(more)).user;
    let all = r#","metadata":{"a":1,"user_id":"m"},"safety_identifier":"s","user":"u""#;
    assert_eq!(user(all).as_deref(), Some("u"));
    assert_eq!(user(&all.replace(r#","user":"u""#, "")).as_deref(), Some("s"));
    assert_eq!(user(r#","metadata":{"user_id":"m"}"#).as_deref(), Some("m"));
    assert_eq!(user(&format!(r#","user":"{}""#, "u".repeat(256))).unwrap().len(), 256);
    for ignored in [r#""""#, "7", "null", "{}", r#""\ud800""#, &format!("\"{}\"", "u".repeat(257))] {
        assert_eq!(user(&format!(r#","metadata":[],"user":{ignored}"#)), None, "{ignored}");
    }
}

#[test]
fn parts_are_counted_by_type_or_by_payload() {
    let facts = ok(r#"{"model":"m","messages":[{"role":"user","content":"image_url"},{"content":[
        {"type":"text","text":"{\"type\":\"image_url\"}"},
        {"type":"image_url","image_url":{"url":"u"}},
        {"image_url":{"url":"u"}},
        {"\u0074ype":"image\u005furl"},
        {"type":"input_audio","input_audio":{}},
        {"type":"file","file":{"file_id":"f"}},
        "text", null
    ]},{"role":"tool","content":[{"type":"image_url"}]}],"tools":[{"type":"image_url"}]}"#);
    assert_eq!((facts.messages, facts.images, facts.audio, facts.files), (3, 4, 1, 1));
}

#[test]
fn inputs_of_embeddings_are_counted() {
    let inputs = |input: &str| {
        let body = format!(r#"{{"model":"m","input":{input},"stream":7,"max_tokens":"x"}}"#);
        let facts = scan(Api::Embeddings, body.as_bytes()).unwrap_or_else(|error| panic!("{body}: {error}"));
        assert_eq!((facts.stream, facts.max_output), (false, None), "chat's fields mean nothing here");
        facts.messages
    };
    for (input, count) in
        [("\"a\"", 1), ("[]", 0), (r#"["a","b"]"#, 2), ("[1,2,3]", 1), ("[[1,2],[3]]", 2), ("[ -1 ]", 1)]
    {
        assert_eq!(inputs(input), count, "{input}");
    }
}

#[test]
fn wrong_fields_are_refused_by_name() {
    let table = [
        (r#","n":0"#, "n"),
        (r#","n":129"#, "n"),
        (r#","n":1.5"#, "n"),
        (r#","n":-1"#, "n"),
        (r#","n":"2""#, "n"),
        (r#","max_tokens":0"#, "max_tokens"),
        (r#","max_tokens":1e3"#, "max_tokens"),
        (r#","max_tokens":1000000001"#, "max_tokens"),
        (r#","max_completion_tokens":99999999999999999999999999"#, "max_completion_tokens"),
        (r#","max_completion_tokens":-1"#, "max_completion_tokens"),
        (r#","stream":"true""#, "stream"),
        (r#","stream":1"#, "stream"),
        (r#","stream_options":true"#, "stream_options"),
        (r#","stream_options":{"include_usage":"yes"}"#, "stream_options.include_usage"),
        (
            r#","stream_options":{"include_usage":true,"include_\u0075sage":false}"#,
            "stream_options.include_usage",
        ),
        (r#","model":"m""#, "model"),
        (r#","mod\u0065l":"x""#, "model"),
        (r#","messages":[]"#, "messages"),
        (r#","stream":true,"stream":true"#, "stream"),
        (r#","max_tokens":null,"max_tokens":5"#, "max_tokens"),
        (r#","user":"a","user":"b""#, "user"),
        (r#","metadata":{"user_id":"a","user_id":"b"}"#, "metadata.user_id"),
    ];
    for (more, field) in table {
        let (named, text) = refusal(Api::Chat, &chat(more));
        assert_eq!(named, Some(field), "{more}");
        assert!(text.starts_with(&format!("`{field}` ")), "{text}");
    }
    assert!(scan(Api::Chat, chat(r#","seed":1,"seed":2"#).as_bytes()).is_ok(), "what is not read may repeat");
}

#[test]
fn required_fields_are_named() {
    let table = [
        (Api::Chat, r#"{"messages":[]}"#, "model"),
        (Api::Chat, r#"{"model":"","messages":[]}"#, "model"),
        (Api::Chat, r#"{"model":null,"messages":[]}"#, "model"),
        (Api::Chat, r#"{"model":["m"],"messages":[]}"#, "model"),
        (Api::Chat, r#"{"model":"\udc00","messages":[]}"#, "model"),
        (Api::Chat, "{}", "model"),
        (Api::Chat, r#"{"model":"m"}"#, "messages"),
        (Api::Chat, r#"{"model":"m","messages":null}"#, "messages"),
        (Api::Chat, r#"{"model":"m","messages":["hi"]}"#, "messages"),
        (Api::Embeddings, r#"{"model":"m","messages":[]}"#, "input"),
        (Api::Embeddings, r#"{"model":"m","input":null}"#, "input"),
        (Api::Embeddings, r#"{"input":"a"}"#, "model"),
    ];
    for (api, body, field) in table {
        assert_eq!(refusal(api, body).0, Some(field), "{body}");
    }
}

#[test]
fn what_is_no_json_object_is_refused_with_its_place() {
    let table = [
        ("", "invalid JSON at byte 0: expected an object"),
        ("[]", "invalid JSON at byte 0: expected an object"),
        (r#"{"model":"m","messages":[]} x"#, "invalid JSON at byte 28: expected nothing after the value"),
        (r#"{"model":"m","mess"#, "invalid JSON at byte 18: expected the end of the string"),
        (r#"{"model":"m",}"#, "invalid JSON at byte 13: expected a key in quotes"),
    ];
    for (body, text) in table {
        assert_eq!(refusal(Api::Chat, body), (None, text.to_owned()));
    }
    let mut body = chat(r#","x":"é""#).into_bytes();
    let at = body.iter().position(|&byte| byte == 0xc3).unwrap();
    body[at + 1] = b'x';
    let error = scan(Api::Chat, &body).unwrap_err();
    assert_eq!(error.to_string(), format!("invalid JSON at byte {at}: expected UTF-8"));
    let deep = chat(&format!(r#","x":{}{}"#, "[".repeat(200), "]".repeat(200)));
    assert!(refusal(Api::Chat, &deep).1.contains("128 levels"));
}

#[test]
fn the_bound_covers_bytes_and_media() {
    let body = chat(r#","stream":true"#);
    assert_eq!(input_bound(&ok(&body), body.len()), body.len() as u64 + 1024);
    let media = r#"{"model":"m","messages":[{"content":[{"type":"image_url"},{"type":"image_url"},{"type":"file"}]}]}"#;
    assert_eq!(input_bound(&ok(media), 100), 100 + 1024 + 8 + 2 * 48_169 + (1 << 20));
    assert_eq!(input_bound(&ok(media), usize::MAX), u64::MAX);
}

proptest! {
    #[test]
    fn serde_json_agrees_on_mutated_bodies(edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4)) {
        let mut body = chat(r#","stream":true,"stream_options":{"include_usage":null},"user":"é\n😀","x":[1.5e3,{}],"n":2"#).into_bytes();
        for (index, byte) in edits {
            let at = index.index(body.len());
            body[at] = byte;
        }
        let valid = str::from_utf8(&body).is_ok_and(|text| serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok());
        match scan(Api::Chat, &body) {
            Ok(facts) => {
                prop_assert!(valid);
                prop_assert_eq!(serde_json::from_slice::<String>(&body[facts.model_span.clone()]).unwrap(), facts.model);
            }
            Err(error) => prop_assert!(error.field.is_some() || !valid || body[0] != b'{', "{}", error),
        }
    }

    #[test]
    fn no_bytes_panic(body in prop::collection::vec(any::<u8>(), 0..80), cut in any::<prop::sample::Index>()) {
        let _ = scan(Api::Embeddings, &body);
        let text = chat(r#","stream_options":{"include_usage":true},"metadata":{"user_id":"x\u00e9"}"#);
        let end = cut.index(text.len());
        let mut mixed = text.as_bytes()[..end].to_vec();
        prop_assert!(scan(Api::Chat, &mixed).is_err());
        mixed.extend_from_slice(&body);
        let _ = scan(Api::Chat, &mixed);
    }
}
