//! Errors in Google's words (docs/spec/errors.md#classes).

use std::time::Duration;

use domain::ErrorKind;
use serde_json::{Value, json};

use crate::{
    error::{ClientErrorBody, ErrorAnswer, ErrorClass, MAX_MESSAGE, ProviderError},
    error_phrases,
    json::Json,
};

/// Reads an error answer; bodies that are no error of Google's are judged by their status alone.
pub(super) fn decode(answer: &ErrorAnswer<'_>) -> (ErrorClass, Option<ProviderError>) {
    let value: Value = serde_json::from_slice(answer.body).unwrap_or_default();
    // Streams that are not asked for as events fail as an array of one.
    match value.get(0).unwrap_or(&value).get("error") {
        Some(error) if error.is_object() => {
            let (class, said) = read(error, answer.status);
            (class, Some(said))
        }
        _ => (by_status(answer.status), crate::error::provider_error(answer.body)),
    }
}

/// The error inside an answer or an event of status 200, if it is one.
pub(super) fn inside(body: Json<'_>) -> (ErrorClass, Option<ProviderError>) {
    let members = body.object().ok().flatten();
    let error = match members.and_then(|members| members.peek("error")) {
        Some(error) => Some(error),
        // An array of one, as in `decode`.
        None => body
            .array()
            .ok()
            .flatten()
            .and_then(|list| list.first()?.object().ok()?.and_then(|m| m.peek("error"))),
    };
    let value: Option<Value> = error.and_then(|error| serde_json::from_str(error.raw()).ok());
    match value.filter(Value::is_object) {
        Some(error) => {
            let (class, said) = read(&error, 0);
            (class, Some(said))
        }
        None => (ErrorClass::ServerError, None),
    }
}

fn read(error: &Value, http: u16) -> (ErrorClass, ProviderError) {
    let text = |name: &str| error.get(name).and_then(Value::as_str);
    let code = error.get("code").and_then(Value::as_u64).and_then(|code| u16::try_from(code).ok());
    let mut message = text("message").unwrap_or_default().to_owned();
    let details: Vec<&Value> = error.get("details").and_then(Value::as_array).into_iter().flatten().collect();
    let reason = details.iter().find_map(|detail| detail.get("reason")?.as_str());
    let field = details.iter().find_map(|detail| {
        detail
            .get("fieldViolations")?
            .as_array()?
            .iter()
            .find_map(|violation| violation.get("field")?.as_str())
    });
    let status = text("status").unwrap_or_default();
    let class = class(status, code.unwrap_or(http), reason, &message, &details);
    message.truncate(message.floor_char_boundary(MAX_MESSAGE));
    let owned = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    let code = reason.map(str::to_owned).or_else(|| code.map(|code| code.to_string()));
    (class, ProviderError { message, kind: owned(status), code, param: field.and_then(owned) })
}

/// Classifies an error inside a stream.
pub(super) fn classify_error(said: &ProviderError) -> ErrorClass {
    let code = said.code.as_deref();
    let number = code.and_then(|code| code.parse().ok()).unwrap_or_default();
    class(said.kind.as_deref().unwrap_or_default(), number, code, &said.message, &[])
}

/// When to ask again: Google says it in the body (`google.rpc.RetryInfo`) and in no header.
pub(super) fn retry_delay(body: &[u8]) -> Option<Duration> {
    let value: Value = serde_json::from_slice(body).ok()?;
    let details = value.get(0).unwrap_or(&value).get("error")?.get("details")?.as_array()?;
    let delay = details.iter().find_map(|detail| detail.get("retryDelay")?.as_str())?;
    // protobuf's JSON of a Duration: whole seconds, and at most nine digits of their fraction.
    let seconds = delay.strip_suffix('s')?;
    let (whole, part) = seconds.split_once('.').unwrap_or((seconds, "0"));
    let nanos = part
        .parse::<u32>()
        .ok()?
        .checked_mul(10_u32.checked_pow(9_u32.checked_sub(part.len().try_into().ok()?)?)?)?;
    Some(Duration::new(whole.parse().ok()?, nanos))
}

fn class(status: &str, code: u16, reason: Option<&str>, message: &str, details: &[&Value]) -> ErrorClass {
    let message = message.to_ascii_lowercase();
    match status {
        "INVALID_ARGUMENT" | "FAILED_PRECONDITION" | "OUT_OF_RANGE" => {
            if matches!(reason, Some("API_KEY_INVALID" | "API_KEY_EXPIRED"))
                || message.contains("api key not valid")
            {
                ErrorClass::BadCredential
            } else if message.contains("token count")
                && (message.contains("exceeds") || message.contains("only supports up to"))
            {
                ErrorClass::ContextTooLong
            } else if let Some(class) = error_phrases::class(0, &message) {
                class
            } else if message.contains("payload size exceeds") {
                ErrorClass::TooLarge
            } else {
                ErrorClass::BadRequest
            }
        }
        "UNAUTHENTICATED" => ErrorClass::BadCredential,
        "PERMISSION_DENIED" => error_phrases::narrowed(ErrorClass::BadCredential, &message),
        "NOT_FOUND" => ErrorClass::NotFound,
        "RESOURCE_EXHAUSTED" if is_spent(details, "PerModel") => ErrorClass::ModelForbidden,
        "RESOURCE_EXHAUSTED" if is_spent(details, "") => ErrorClass::NoCredit,
        "RESOURCE_EXHAUSTED" => error_phrases::narrowed(ErrorClass::RateLimited, &message),
        "UNAVAILABLE" => ErrorClass::Overloaded,
        "DEADLINE_EXCEEDED" => ErrorClass::Timeout,
        "INTERNAL" | "UNKNOWN" | "ABORTED" | "CANCELLED" | "DATA_LOSS" | "UNIMPLEMENTED" => {
            ErrorClass::ServerError
        }
        _ => by_status(code),
    }
}

/// Whether a quota by the day with this word in its name is used up: waiting some seconds does not help.
fn is_spent(details: &[&Value], word: &str) -> bool {
    let violations = details.iter().filter_map(|detail| detail.get("violations")?.as_array()).flatten();
    violations
        .filter_map(|violation| violation.get("quotaId")?.as_str())
        .any(|quota| quota.contains("PerDay") && quota.contains(word))
}

const fn by_status(status: u16) -> ErrorClass {
    match status {
        401 | 403 => ErrorClass::BadCredential,
        402 => ErrorClass::NoCredit,
        404 => ErrorClass::NotFound,
        408 | 504 => ErrorClass::Timeout,
        413 => ErrorClass::TooLarge,
        429 => ErrorClass::RateLimited,
        503 => ErrorClass::Overloaded,
        400..=499 => ErrorClass::BadRequest,
        _ => ErrorClass::ServerError,
    }
}

/// Writes an error body. `error` comes first: the official client looks for it there in streams.
pub(super) fn encode(error: &ClientErrorBody<'_>) -> Vec<u8> {
    let mut details = vec![json!({
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": error.code,
        "domain": "portcullis",
        "metadata": { "request": error.request },
    })];
    if let Some(param) = error.param {
        details.push(json!({
            "@type": "type.googleapis.com/google.rpc.BadRequest",
            "fieldViolations": [{ "field": param, "description": error.message }],
        }));
    }
    let mut inside = json!({
        "code": error.status,
        "message": error.message,
        "status": status(error.kind, error.status),
        "details": details,
    });
    if let Some(extra) = error.extra {
        inside["portcullis"] = extra.clone();
    }
    json!({ "error": inside }).to_string().into_bytes()
}

/// The name of a status among Google's own.
const fn status(kind: ErrorKind, status: u16) -> &'static str {
    match (kind, status) {
        (ErrorKind::RateLimited | ErrorKind::BudgetExceeded, _) | (_, 429) => "RESOURCE_EXHAUSTED",
        (ErrorKind::UpstreamTimeout, _) | (_, 408 | 504) => "DEADLINE_EXCEEDED",
        (_, 401) => "UNAUTHENTICATED",
        (_, 403) => "PERMISSION_DENIED",
        (_, 404) => "NOT_FOUND",
        (_, 409) => "ABORTED",
        (_, 400..=499) => "INVALID_ARGUMENT",
        (_, 502 | 503) => "UNAVAILABLE",
        _ => "INTERNAL",
    }
}
