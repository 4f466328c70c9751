//! What the gateway itself says in OpenAI's dialect: errors and the list of models.

use domain::ErrorKind;
use serde_json::{Value, json};

/// The body of an error answer; `extra` goes under `error.portcullis`.
pub(crate) fn error_body(
    message: &str,
    kind: ErrorKind,
    code: &str,
    param: Option<&str>,
    extra: Option<&Value>,
) -> Vec<u8> {
    let mut error = json!({ "message": message, "type": error_type(kind), "param": param, "code": code });
    if let Some(extra) = extra {
        error["portcullis"] = extra.clone();
    }
    json!({ "error": error }).to_string().into_bytes()
}

/// An error inside a stream that has begun: one event, on which OpenAI's clients raise.
pub(crate) fn error_event(
    message: &str,
    kind: ErrorKind,
    code: &str,
    param: Option<&str>,
    extra: Option<&Value>,
) -> Vec<u8> {
    let mut event = b"data: ".to_vec();
    event.extend_from_slice(&error_body(message, kind, code, param, extra));
    event.extend_from_slice(b"\n\n");
    event
}

/// OpenAI's word for the family of an error.
const fn error_type(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::InvalidRequest
        | ErrorKind::RouteNotFound
        | ErrorKind::UnsupportedByTarget
        | ErrorKind::RequestTooLarge => "invalid_request_error",
        ErrorKind::InvalidKey => "authentication_error",
        ErrorKind::Forbidden => "permission_error",
        ErrorKind::RateLimited => "rate_limit_error",
        ErrorKind::BudgetExceeded => "insufficient_quota",
        ErrorKind::AllTargetsFailed
        | ErrorKind::UpstreamTimeout
        | ErrorKind::Overloaded
        | ErrorKind::StoreUnavailable
        | ErrorKind::CacheMiss
        | ErrorKind::Internal => "server_error",
    }
}

#[cfg(test)]
mod tests;
