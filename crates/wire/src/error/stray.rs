//! Errors inside streams and answers that do not stand where the dialect puts them.

use serde_json::Value;

use super::provider::{ProviderError, capped, error_member, provider_error};
use crate::sse;

/// The error that an event is, where it is no event of an answer: it is called `error`, says so in `type` or `object`, or
/// has a member `error`. What is called an error needs no JSON.
pub(crate) fn stray_error(event: &[u8], payload: &[u8]) -> Option<ProviderError> {
    let named = sse::name(event) == Some(b"error");
    if !named && memchr::memmem::find(payload, b"\"error\"").is_none() {
        return None;
    }
    let value: Value = serde_json::from_slice(payload).unwrap_or_default();
    let says = ["type", "object"].iter().any(|key| value.get(key).is_some_and(|word| word == "error"));
    let holds = || value.get("error").is_some_and(|error| error_member(error).is_some());
    if !(named || says || holds()) {
        return None;
    }
    let unread = || ProviderError {
        message: capped(String::from_utf8_lossy(payload.trim_ascii()).into_owned()),
        kind: None,
        code: None,
        param: None,
    };
    Some(provider_error(payload).unwrap_or_else(unread))
}

/// The error of a plain chat answer that stands inside its choices: every one has an `error`, or ended in one.
pub(crate) fn choices_error(answer: &Value) -> Option<ProviderError> {
    let choices = answer.get("choices")?.as_array()?;
    let failed = |choice: &Value| {
        let error = choice.get("error").and_then(error_member);
        let reason = choice.get("finish_reason").and_then(Value::as_str);
        error.or_else(|| reason.filter(|reason| FAILURES.contains(reason)).map(|_| unexplained()))
    };
    let mut errors = choices.iter().map(failed).collect::<Option<Vec<_>>>()?;
    (!errors.is_empty()).then(|| errors.swap_remove(0))
}

/// Finish reasons of chat that are failures of the provider.
pub(crate) const FAILURES: [&str; 3] = ["error", "network_error", "insufficient_system_resource"];

/// An end in an error, without an explanation.
pub(crate) fn unexplained() -> ProviderError {
    let message = "the provider ended the answer with an error".to_owned();
    ProviderError { message, kind: None, code: None, param: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(event: &str) -> Option<String> {
        let data = event.lines().filter_map(|line| line.strip_prefix("data: ")).collect::<String>();
        stray_error(event.as_bytes(), data.as_bytes()).map(|error| error.message)
    }

    #[test]
    fn errors_are_found_by_their_name_type_or_member() {
        for (event, expected) in [
            ("event: error\ndata: {\"message\":\"m\"}\n\n", Some("m")),
            ("event:error\ndata: the model fell over\n\n", Some("the model fell over")),
            ("data: {\"object\":\"error\",\"message\":\"m\",\"code\":400}\n\n", Some("m")),
            ("data: {\"type\":\"error\",\"detail\":\"m\"}\n\n", Some("m")),
            ("data: {\"error\":\"m\"}\n\n", Some("m")),
            ("data: {\"error\":{\"message\":\"m\"}}\n\n", Some("m")),
            ("data: {\"error\":null,\"message\":\"m\"}\n\n", None),
            ("data: {\"error\":{}}\n\n", None),
            ("data: {\"type\":\"errors\",\"message\":\"m\"}\n\n", None),
            ("event: ping\ndata: {\"message\":\"m\"}\n\n", None),
        ] {
            assert_eq!(message(event).as_deref(), expected, "{event:?}");
        }
    }

    #[test]
    fn an_answer_failed_when_all_of_its_choices_did() {
        let error =
            |json: &str| choices_error(&serde_json::from_str(json).unwrap()).map(|error| error.message);
        let unexplained = unexplained().message;
        for (answer, expected) in [
            (r#"{"choices":[{"error":{"message":"m"},"message":{}}]}"#, Some("m")),
            (r#"{"choices":[{"finish_reason":"error"}]}"#, Some(&*unexplained)),
            (r#"{"choices":[{"finish_reason":"error"},{"error":"m"}]}"#, Some(&*unexplained)),
            (r#"{"choices":[{"finish_reason":"stop"},{"error":"m"}]}"#, None),
            (r#"{"choices":[{"error":null,"finish_reason":"stop"}]}"#, None),
            (r#"{"choices":[]}"#, None),
            ("{}", None),
        ] {
            assert_eq!(error(answer).as_deref(), expected, "{answer}");
        }
    }
}
