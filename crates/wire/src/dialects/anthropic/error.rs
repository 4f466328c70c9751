//! Errors: reading a provider's, writing the gateway's.

use domain::ErrorKind;

use super::stream_encoder::frame;
use crate::{
    error::{ClientErrorBody, ErrorAnswer, ErrorClass, MAX_MESSAGE, ProviderError, provider_error},
    error_phrases,
    json::{
        Json,
        out::{self, ObjectOut},
    },
};

/// Reads an error answer (docs/spec/errors.md#classes): by code, then by type, then by status; by words only where
/// there is no code.
pub(super) fn decode(answer: &ErrorAnswer<'_>) -> (ErrorClass, Option<ProviderError>) {
    let error = Json::parse(answer.body).ok().and_then(read).or_else(|| provider_error(answer.body));
    (classify(answer.status, error.as_ref()), error)
}

/// Reads an error that came with a status of success, or inside a stream.
pub(super) fn in_success(json: Json<'_>) -> Option<(ErrorClass, ProviderError)> {
    let error = read(json).or_else(|| provider_error(json.raw().as_bytes()))?;
    Some((classify(0, Some(&error)), error))
}

fn read(json: Json<'_>) -> Option<ProviderError> {
    let error = json.object().ok().flatten()?.peek("error")?.object().ok().flatten()?;
    let text = |key: &str| error.peek(key).and_then(Json::text).map(capped);
    let details = error.peek("details").and_then(|details| details.object().ok().flatten());
    let code = details.and_then(|details| details.peek("error_code")).and_then(Json::text).map(capped);
    Some(ProviderError { message: text("message")?, kind: text("type"), code, param: None })
}

fn capped(text: impl Into<String>) -> String {
    let mut text = text.into();
    text.truncate(text.floor_char_boundary(MAX_MESSAGE));
    text
}

/// Classifies an error; status 0: it was inside an answer or a stream.
pub(super) fn classify(status: u16, error: Option<&ProviderError>) -> ErrorClass {
    let code = error.and_then(|error| error.code.as_deref());
    match code {
        Some(code) if code.ends_with("_spend_limit_reached") || code.contains("billing") => {
            return ErrorClass::NoCredit;
        }
        Some("request_body_too_large_after_decoding" | "image_dimensions_too_large") => {
            return ErrorClass::TooLarge;
        }
        _ => {}
    }
    let message = error.map_or("", |error| &error.message).to_ascii_lowercase();
    let worded = error_phrases::class(status, &message).filter(|_| code.is_none());
    let says = |phrases: &[&str]| code.is_none() && phrases.iter().any(|phrase| message.contains(phrase));
    match error.and_then(|error| error.kind.as_deref()) {
        Some("invalid_request_error") if let Some(class) = worded => class,
        Some("invalid_request_error") if says(&["credit balance is too low"]) => ErrorClass::NoCredit,
        Some("invalid_request_error") if matches!(status, 0 | 400 | 422) => ErrorClass::BadRequest,
        Some("conflict_error") => ErrorClass::BadRequest,
        Some("authentication_error") => ErrorClass::BadCredential,
        Some("permission_error") => ErrorClass::ModelForbidden,
        Some("billing_error") => ErrorClass::NoCredit,
        Some("not_found_error") => ErrorClass::NotFound,
        Some("request_too_large") => ErrorClass::TooLarge,
        Some("rate_limit_error") => error_phrases::narrowed(ErrorClass::RateLimited, &message),
        Some("timeout_error") => ErrorClass::Timeout,
        Some("overloaded_error") => ErrorClass::Overloaded,
        Some("api_error") => ErrorClass::ServerError,
        _ => match (status, worded) {
            (402, Some(class)) => class,
            (401, _) => ErrorClass::BadCredential,
            _ => error_phrases::narrowed(ErrorClass::of_status(status), &message),
        },
    }
}

/// Writes an error body.
pub(super) fn encode(error: &ClientErrorBody<'_>) -> Vec<u8> {
    let mut body = Vec::with_capacity(256);
    out::object(&mut body, |o| {
        o.text("type", "error");
        members(error, o);
    });
    body
}

/// Writes an error into a stream.
pub(super) fn encode_event(error: &ClientErrorBody<'_>) -> Vec<u8> {
    let mut event = Vec::with_capacity(256);
    frame(&mut event, "error", |o| members(error, o));
    event
}

fn members(error: &ClientErrorBody<'_>, o: &mut ObjectOut<'_>) {
    o.object("error", |o| {
        o.text("type", error_type(error.kind));
        o.text("message", error.message);
        o.object("details", |o| {
            o.text("error_code", error.code);
            o.text_if("param", error.param);
        });
        let extra = error.extra.map(ToString::to_string);
        o.raw_if("portcullis", extra.as_ref().and_then(|extra| Json::parse(extra.as_bytes()).ok()));
    });
    o.text("request_id", error.request);
}

/// Anthropic's word for the family of an error.
const fn error_type(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::InvalidRequest | ErrorKind::UnsupportedByTarget => "invalid_request_error",
        ErrorKind::RouteNotFound => "not_found_error",
        ErrorKind::RequestTooLarge => "request_too_large",
        ErrorKind::InvalidKey => "authentication_error",
        ErrorKind::Forbidden => "permission_error",
        ErrorKind::RateLimited => "rate_limit_error",
        ErrorKind::BudgetExceeded => "billing_error",
        ErrorKind::UpstreamTimeout => "timeout_error",
        ErrorKind::Overloaded => "overloaded_error",
        ErrorKind::AllTargetsFailed
        | ErrorKind::StoreUnavailable
        | ErrorKind::CacheMiss
        | ErrorKind::Internal => "api_error",
    }
}
