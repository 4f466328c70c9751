//! Errors in each dialect's words: as a response, and inside a stream that has begun.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde_json::{Value, json};

use crate::endpoint::Dialect;
use crate::frames;
use crate::problem::Problem;
use crate::sse::Sse;

/// An error response in the making.
pub(crate) struct Failure {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// How a stream is framed, which decides how it fails.
#[derive(Clone, Copy)]
pub(crate) enum Framing {
    Chat(Sse),
    Responses(Sse),
    Anthropic(Sse),
    Gemini(Sse),
    /// One JSON array that grows, which Gemini streams without `alt=sse`.
    Array,
    Cohere(Sse),
    /// Binary frames.
    Bedrock,
}

impl Framing {
    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Self::Array => "application/json",
            Self::Bedrock => "application/vnd.amazon.eventstream",
            _ => "text/event-stream",
        }
    }

    fn sse(self) -> Option<Sse> {
        match self {
            Self::Chat(sse) | Self::Responses(sse) | Self::Anthropic(sse) => Some(sse),
            Self::Gemini(sse) | Self::Cohere(sse) => Some(sse),
            Self::Array | Self::Bedrock => None,
        }
    }

    /// A comment, where the framing has comments.
    pub(crate) fn comment(self) -> Option<Bytes> {
        self.sse().map(Sse::comment)
    }

    /// What a provider sends so that a silent connection stays open.
    pub(crate) fn ping(self) -> Option<Bytes> {
        match self {
            Self::Anthropic(sse) => Some(sse.typed(&json!({"type": "ping"}))),
            _ => self.comment(),
        }
    }

    /// The error inside a stream of which so many events have been written.
    pub(crate) fn error(self, problem: &Problem, written: usize) -> Bytes {
        match self {
            Self::Chat(sse) => sse.data(&openai(problem).to_string()),
            Self::Responses(sse) => sse.typed(&json!({
                "type": "error",
                "code": problem.code.clone().unwrap_or_else(|| openai_words(problem.status).1.unwrap_or("server_error").into()),
                "message": problem.message,
                "param": problem.param,
                "sequence_number": written,
            })),
            Self::Anthropic(sse) => sse.event(Some("error"), &anthropic(problem, None).to_string()),
            Self::Gemini(sse) => sse.data(&gemini(problem).to_string()),
            Self::Array => Bytes::from([if written == 0 { "[" } else { "," }, &gemini(problem).to_string(), "]"].concat()),
            Self::Cohere(sse) => sse.typed(&json!({
                "type": "message-end",
                "delta": {"error": problem.message, "finish_reason": "ERROR"},
            })),
            Self::Bedrock => {
                let name = match problem.status.as_u16() {
                    400 => "validationException",
                    429 => "throttlingException",
                    503 => "serviceUnavailableException",
                    424 => "modelStreamErrorException",
                    _ => "internalServerException",
                };
                frames::exception(name, &json!({"message": problem.message}).to_string())
            }
        }
    }
}

/// OpenAI's type and code for a status.
fn openai_words(status: StatusCode) -> (&'static str, Option<&'static str>) {
    match status.as_u16() {
        401 => ("invalid_request_error", Some("invalid_api_key")),
        404 => ("invalid_request_error", Some("model_not_found")),
        429 => ("requests", Some("rate_limit_exceeded")),
        500.. => ("server_error", None),
        _ => ("invalid_request_error", None),
    }
}

fn openai(problem: &Problem) -> Value {
    let (kind, code) = openai_words(problem.status);
    json!({"error": {
        "message": problem.message,
        "type": problem.kind.as_deref().unwrap_or(kind),
        "param": problem.param,
        "code": problem.code.as_deref().or(code),
    }})
}

fn anthropic(problem: &Problem, request_id: Option<&str>) -> Value {
    let kind = match problem.status.as_u16() {
        401 => "authentication_error",
        402 => "billing_error",
        403 => "permission_error",
        404 => "not_found_error",
        409 => "conflict_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        504 => "timeout_error",
        529 => "overloaded_error",
        500.. => "api_error",
        _ => "invalid_request_error",
    };
    let mut error = json!({"type": problem.kind.as_deref().unwrap_or(kind), "message": problem.message});
    if let Some(code) = &problem.code {
        error["details"] = json!({ "error_code": code });
    }
    json!({"type": "error", "error": error, "request_id": request_id})
}

fn gemini(problem: &Problem) -> Value {
    let status = match problem.status.as_u16() {
        401 => "UNAUTHENTICATED",
        403 => "PERMISSION_DENIED",
        404 => "NOT_FOUND",
        409 => "ABORTED",
        429 => "RESOURCE_EXHAUSTED",
        499 => "CANCELLED",
        501 => "UNIMPLEMENTED",
        503 => "UNAVAILABLE",
        504 => "DEADLINE_EXCEEDED",
        500.. => "INTERNAL",
        _ => "INVALID_ARGUMENT",
    };
    let mut error = json!({
        "code": problem.status.as_u16(),
        "message": problem.message,
        "status": problem.kind.as_deref().unwrap_or(status),
    });
    let mut details = Vec::new();
    if let Some(reason) = &problem.code {
        details.push(json!({"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason,
            "domain": "googleapis.com"}));
    }
    if let Some(seconds) = problem.retry_after {
        details.push(json!({"@type": "type.googleapis.com/google.rpc.RetryInfo",
            "retryDelay": format!("{seconds}s")}));
    }
    if !details.is_empty() {
        error["details"] = details.into();
    }
    json!({ "error": error })
}

/// AWS's exception for a status, and the status that it really has.
fn bedrock(status: StatusCode) -> &'static str {
    match status.as_u16() {
        401 | 403 => "AccessDeniedException",
        404 => "ResourceNotFoundException",
        408 => "ModelTimeoutException",
        424 => "ModelErrorException",
        429 => "ThrottlingException",
        503 | 529 => "ServiceUnavailableException",
        500.. => "InternalServerException",
        _ => "ValidationException",
    }
}

/// The error response of a dialect to the request of this number.
pub(crate) fn failure(dialect: Dialect, problem: &Problem, number: u64) -> Failure {
    let id = format!("sim-{number}");
    let mut headers = HeaderMap::new();
    let mut set = |name: &'static str, value: &str| {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    };
    let limited = problem.status == StatusCode::TOO_MANY_REQUESTS;
    let body = match dialect {
        Dialect::OpenAi => {
            if limited {
                set("x-ratelimit-remaining-requests", "0");
            }
            openai(problem)
        }
        Dialect::Anthropic => {
            if limited {
                set("anthropic-ratelimit-requests-remaining", "0");
            }
            anthropic(problem, Some(&id))
        }
        Dialect::Gemini => gemini(problem),
        Dialect::Cohere => json!({"id": id, "message": problem.message}),
        Dialect::Bedrock => {
            set("x-amzn-errortype", problem.kind.as_deref().unwrap_or_else(|| bedrock(problem.status)));
            json!({"message": problem.message})
        }
    };
    let told = problem.retry_after.filter(|_| dialect != Dialect::Gemini);
    if let Some(seconds) = told {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    Failure { status: problem.status, headers, body: Bytes::from(body.to_string()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limited() -> Problem {
        Problem { retry_after: Some(7), ..Problem::new(StatusCode::TOO_MANY_REQUESTS, "slow down") }
    }

    fn body(dialect: Dialect, problem: &Problem) -> Value {
        serde_json::from_slice(&failure(dialect, problem, 3).body).unwrap()
    }

    #[test]
    fn every_dialect_has_its_own_error_body() {
        let problem = limited();
        assert_eq!(body(Dialect::OpenAi, &problem)["error"]["code"], "rate_limit_exceeded");
        let anthropic = body(Dialect::Anthropic, &problem);
        assert_eq!(
            (&anthropic["type"], &anthropic["error"]["type"]),
            (&json!("error"), &json!("rate_limit_error"))
        );
        assert_eq!(anthropic["request_id"], "sim-3");
        let gemini = body(Dialect::Gemini, &problem);
        assert_eq!(gemini["error"]["status"], "RESOURCE_EXHAUSTED");
        assert_eq!(gemini["error"]["details"][0]["retryDelay"], "7s");
        assert_eq!(body(Dialect::Cohere, &problem), json!({"id": "sim-3", "message": "slow down"}));
        let bedrock = failure(Dialect::Bedrock, &problem, 3);
        assert_eq!(bedrock.headers["x-amzn-errortype"], "ThrottlingException");
        assert_eq!(
            (&bedrock.headers["retry-after"], &bedrock.body),
            (&"7".parse().unwrap(), &Bytes::from(r#"{"message":"slow down"}"#))
        );
        assert!(!failure(Dialect::Gemini, &problem, 3).headers.contains_key("retry-after"));
    }

    #[test]
    fn every_framing_fails_in_its_own_way() {
        let problem = Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "boom");
        let sse = Sse::default();
        let text = |framing: Framing, written| {
            String::from_utf8_lossy(&framing.error(&problem, written)).into_owned()
        };
        assert!(text(Framing::Chat(sse), 1).starts_with(r#"data: {"error":{"message":"boom""#));
        assert!(text(Framing::Responses(sse), 4).contains(r#""sequence_number":4"#));
        assert!(text(Framing::Anthropic(sse), 1).starts_with("event: error\ndata: {\"type\":\"error\""));
        assert!(text(Framing::Gemini(sse), 1).contains(r#""status":"INTERNAL""#));
        assert!(text(Framing::Array, 0).starts_with("[{") && text(Framing::Array, 2).starts_with(",{"));
        assert!(text(Framing::Cohere(sse), 1).contains(r#""finish_reason":"ERROR""#));
        assert!(text(Framing::Bedrock, 1).contains("internalServerException"));
    }
}
