//! Errors in Cohere's words (docs/spec/errors.md#classes).

use serde_json::{Value, json};

use crate::{
    error::{ClientErrorBody, ErrorAnswer, ErrorClass, ProviderError, provider_error},
    error_phrases,
};

/// Reads an error answer.
pub(super) fn decode(answer: &ErrorAnswer<'_>) -> (ErrorClass, Option<ProviderError>) {
    let said = provider_error(answer.body);
    let message = said.as_ref().map(|said| said.message.to_ascii_lowercase()).unwrap_or_default();
    (class(answer.status, &message), said)
}

/// Classes by status; two of them are told apart by words, for Cohere has no codes.
pub(super) fn class(status: u16, message: &str) -> ErrorClass {
    match status {
        // Inside a stream as well, where no status is.
        0 | 400 | 422 if message.contains("too many tokens") => ErrorClass::ContextTooLong,
        0 | 400 | 403 | 413 | 422 if let Some(class) = error_phrases::class(status, message) => class,
        401 | 498 => ErrorClass::BadCredential,
        403 => error_phrases::narrowed(ErrorClass::BadCredential, message),
        402 if let Some(class) = error_phrases::class(status, message) => class,
        402 => ErrorClass::NoCredit,
        404 => ErrorClass::NotFound,
        408 | 504 => ErrorClass::Timeout,
        413 => ErrorClass::TooLarge,
        // The limit of a trial key by the month: waiting some seconds does not help.
        429 if message.contains("per month") => ErrorClass::NoCredit,
        429 => error_phrases::narrowed(ErrorClass::RateLimited, message),
        503 => ErrorClass::Overloaded,
        400..=499 => ErrorClass::BadRequest,
        _ => ErrorClass::ServerError,
    }
}

/// The error inside a stream of status 200.
pub(super) fn inside(message: Option<&str>) -> ProviderError {
    let mut message = message.unwrap_or("the provider ended the answer with an error").to_owned();
    message.truncate(message.floor_char_boundary(crate::error::MAX_MESSAGE));
    ProviderError { message, kind: None, code: None, param: None }
}

/// Writes an error body.
pub(super) fn encode(error: &ClientErrorBody<'_>) -> Vec<u8> {
    let mut body = json!({ "message": error.message, "id": error.request, "code": error.code });
    put(&mut body, error);
    body.to_string().into_bytes()
}

/// Writes an error inside a stream: the end of the message.
pub(super) fn encode_event(error: &ClientErrorBody<'_>) -> Vec<u8> {
    let mut delta = json!({ "error": error.message, "finish_reason": "ERROR", "code": error.code });
    put(&mut delta, error);
    let event = json!({ "type": "message-end", "id": error.request, "delta": delta });
    format!("event: message-end\ndata: {event}\n\n").into_bytes()
}

fn put(body: &mut Value, error: &ClientErrorBody<'_>) {
    if let Some(param) = error.param {
        body["param"] = param.into();
    }
    if let Some(extra) = error.extra {
        body["portcullis"] = extra.clone();
    }
}
