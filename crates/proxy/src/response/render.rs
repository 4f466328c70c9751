//! Errors rendered in the client's own dialect, as whole responses or as events inside a stream.

use bytes::Bytes;
use domain::{ErrorKind, RequestId};
use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use serde_json::{Value, json};
use wire::{Dialect, codec::ErrorHeader, error::ClientErrorBody};

use super::{body::ResponseBody, explain::write_explanation, metadata::ResponseMetadata};
use crate::error::{FailedAttempt, GatewayError};

/// A whole JSON response.
pub(crate) fn json_response(status: StatusCode, body: Vec<u8>) -> Response<ResponseBody> {
    let mut response = Response::new(ResponseBody::full(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// An error as an event inside a stream that already carries content.
pub(crate) fn error_event(error: &GatewayError, request: RequestId, dialect: Dialect) -> Bytes {
    let extra = extra(error, request);
    let codec = wire::codec(dialect);
    let event = encode(error, request, &extra, |body| codec.encode_error_event(body));
    Bytes::from(event)
}

/// An error as a whole response.
pub(crate) fn error_response(error: &GatewayError, mut metadata: ResponseMetadata) -> Response<ResponseBody> {
    let details = error.details();
    metadata.route = metadata.route.or_else(|| details.route.clone());
    metadata.rate_limits = details.rate_limits.unwrap_or(metadata.rate_limits);
    let codec = wire::codec(metadata.dialect);
    let extra = extra(error, metadata.request);
    let body = encode(error, metadata.request, &extra, |body| codec.encode_error(body));
    let mut response = json_response(error.http_status(), body);
    let headers = response.headers_mut();
    metadata.write(headers);
    if let Some(ErrorHeader { name, value }) = codec.error_header(details.kind) {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    if let Some(explanation) = &details.explanation {
        write_explanation(explanation, headers);
    }
    if let Some(seconds) = details.retry_after {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    if let Some(methods) = details.allow {
        headers.insert(header::ALLOW, HeaderValue::from_static(methods));
    }
    if details.kind == ErrorKind::BudgetExceeded {
        headers.insert(HeaderName::from_static("x-should-retry"), HeaderValue::from_static("false"));
    }
    response
}

/// Hands the error to the function that writes it in the client's dialect.
fn encode(
    error: &GatewayError,
    request: RequestId,
    extra: &Value,
    write: impl FnOnce(&ClientErrorBody<'_>) -> Vec<u8>,
) -> Vec<u8> {
    let details = error.details();
    write(&ClientErrorBody {
        kind: details.kind,
        status: error.http_status().as_u16(),
        message: &details.message,
        code: error.code(),
        param: details.param.as_deref(),
        request: &request.to_string(),
        extra: Some(extra),
    })
}

/// What the gateway adds to the error of the dialect.
fn extra(error: &GatewayError, request: RequestId) -> Value {
    let details = error.details();
    let mut extra = json!({ "code": details.kind.code(), "request_id": request });
    if let Some(attempts) = &details.attempts {
        extra["attempts"] = listed(attempts);
    }
    extra
}

/// The attempts as people read them: where, how it ended, how long, what it cost.
fn listed(attempts: &[FailedAttempt]) -> Value {
    let line = |FailedAttempt { attempt, message }: &FailedAttempt| {
        let mut line = json!({
            "attempt": attempt.number,
            "target": format!("{}/{}", attempt.provider, attempt.model),
            "outcome": attempt.outcome.as_str(),
            "status": attempt.status,
            "duration_ms": attempt.duration_us / 1_000,
            // The cost of usage without a price is unknown.
            "cost_usd": attempt.is_priced().then_some(attempt.cost),
            "estimated": attempt.estimated,
        });
        if let Some(message) = message {
            line["message"] = message.as_str().into();
        }
        line
    };
    attempts.iter().map(line).collect()
}
