//! The shapes providers answer errors in.

use super::*;

#[test]
fn every_shape_is_read() {
    let some = |text: &str| Some(text.to_owned());
    let table = [
        (
            r#"{"error":{"message":"m","type":"t","code":"c","param":"p"}}"#,
            ("m", some("t"), some("c"), some("p")),
        ),
        (r#"{"error":{"message":"m","type":null,"code":502,"param":null}}"#, ("m", None, some("502"), None)),
        (r#"{"error":"text"}"#, ("text", None, None, None)),
        (r#"{"error":["a"]}"#, (r#"["a"]"#, None, None, None)),
        (r#"{"error":{"reason":"r","code":1}}"#, (r#"{"reason":"r","code":1}"#, None, some("1"), None)),
        (
            r#"{"object":"error","message":"m","type":"Bad","code":400}"#,
            ("m", some("Bad"), some("400"), None),
        ),
        (r#"{"error":true,"message":"m"}"#, ("m", None, None, None)),
        (r#"{"detail":"no such route"}"#, ("no such route", None, None, None)),
        (
            r#"{"detail":[{"loc":["body"],"msg":"bad"}]}"#,
            (r#"[{"loc":["body"],"msg":"bad"}]"#, None, None, None),
        ),
        (r#"[{"error":{"message":"m","code":400}}]"#, ("m", None, some("400"), None)),
    ];
    for (body, (message, kind, code, param)) in table {
        let expected = ProviderError { message: message.to_owned(), kind, code, param };
        assert_eq!(provider_error(body.as_bytes()), Some(expected), "{body}");
    }
}

#[test]
fn no_error_is_no_error() {
    for body in
        ["", "null", "[]", "{}", "<html>", r#"{"error":null}"#, r#"{"error":{}}"#, r#"{"error":""}"#, "\u{0}"]
    {
        assert_eq!(provider_error(body.as_bytes()), None, "{body}");
    }
}

#[test]
fn a_long_message_is_cut_between_characters() {
    let body =
        serde_json::json!({ "error": { "message": "é".repeat(5000), "code": "x".repeat(5000) } }).to_string();
    let error = provider_error(body.as_bytes()).unwrap();
    assert_eq!((error.message, error.code.unwrap().len()), ("é".repeat(MAX_MESSAGE / 2), MAX_MESSAGE));
    let odd = serde_json::json!({ "error": format!("x{}", "é".repeat(5000)) }).to_string();
    assert_eq!(provider_error(odd.as_bytes()).unwrap().message.len(), MAX_MESSAGE - 1);
}
