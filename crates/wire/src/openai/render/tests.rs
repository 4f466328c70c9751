//! What clients parse of the gateway's own words.

use super::*;

#[test]
fn an_error_has_all_four_members_and_the_extra_one_only_when_given() {
    let body =
        error_body("no \"such\" route", ErrorKind::RouteNotFound, "route_not_found", Some("model"), None);
    let expected = r#"{"error":{"message":"no \"such\" route","type":"invalid_request_error","param":"model","code":"route_not_found"}}"#;
    assert_eq!(String::from_utf8(body).unwrap(), expected);
    let extra = json!({ "attempts": [1] });
    let body = error_body("m", ErrorKind::AllTargetsFailed, "all_targets_failed", None, Some(&extra));
    let value: Value = serde_json::from_slice(&body).unwrap();
    let expected = json!({ "error": {
        "message": "m", "type": "server_error", "param": null, "code": "all_targets_failed",
        "portcullis": { "attempts": [1] },
    } });
    assert_eq!(value, expected);
}

#[test]
fn types_follow_openais_families() {
    let table = [
        (ErrorKind::InvalidRequest, "invalid_request_error"),
        (ErrorKind::RequestTooLarge, "invalid_request_error"),
        (ErrorKind::UnsupportedByTarget, "invalid_request_error"),
        (ErrorKind::InvalidKey, "authentication_error"),
        (ErrorKind::Forbidden, "permission_error"),
        (ErrorKind::RateLimited, "rate_limit_error"),
        (ErrorKind::BudgetExceeded, "insufficient_quota"),
        (ErrorKind::UpstreamTimeout, "server_error"),
        (ErrorKind::Internal, "server_error"),
    ];
    for (kind, expected) in table {
        let value: Value = serde_json::from_slice(&error_body("m", kind, kind.code(), None, None)).unwrap();
        assert_eq!(value["error"]["type"], expected);
        assert_eq!(value["error"]["code"], kind.code());
    }
}

#[test]
fn an_error_event_is_one_line_whatever_the_message_holds() {
    let event = error_event("a\nb\r\nc", ErrorKind::Internal, "internal", None, None);
    let line = event.strip_prefix(b"data: ").unwrap().strip_suffix(b"\n\n").unwrap();
    assert!(!line.contains(&b'\n') && !line.contains(&b'\r'));
    assert_eq!(serde_json::from_slice::<Value>(line).unwrap()["error"]["message"], "a\nb\r\nc");
}
