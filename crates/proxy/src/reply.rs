//! What the client is told: contract headers on every answer, and errors rendered in its own dialect.

use std::time::Duration;

use bytes::Bytes;
use domain::{Attempt, ErrorKind, RequestId, Timestamp, Usage};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use serde_json::{Map, Value, json};
use wire::{Dialect, codec::ErrorHeader, error::ClientErrorBody};

use crate::{explain, relay::ResponseBody};

/// Why a request is not served; boxed, because the way without trouble should not carry its size.
#[derive(Clone, Debug)]
pub(crate) struct GatewayError(Box<Details>);

#[derive(Clone, Debug)]
struct Details {
    kind: ErrorKind,
    message: String,
    /// The request's field at fault.
    param: Option<String>,
    /// The provider's own status and code, where the fault is the request's.
    provider: Option<(u16, Option<String>)>,
    retry_after: Option<u64>,
    attempts: Option<Value>,
    /// An HTTP detail outside the contract's list (405).
    status: Option<StatusCode>,
    /// The methods that the path takes (405).
    allow: Option<&'static str>,
    /// The route, where it became known before the trouble.
    route: Option<String>,
    /// The kind of the limit that was reached.
    limit: Option<&'static str>,
    /// What led to it, where the client asks for that.
    explained: Option<Map<String, Value>>,
}

impl GatewayError {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        let message = message.into();
        let (param, provider, retry_after, attempts, status, route) = (None, None, None, None, None, None);
        let (allow, limit, explained) = (None, None, None);
        Self(Box::new(Details {
            kind,
            message,
            param,
            provider,
            retry_after,
            attempts,
            status,
            allow,
            route,
            limit,
            explained,
        }))
    }

    pub(crate) fn param(mut self, param: Option<&str>) -> Self {
        self.0.param = param.map(str::to_owned);
        self
    }

    /// The provider blamed the request: its status and code are the client's to see.
    pub(crate) fn said_by_provider(mut self, status: u16, code: Option<String>) -> Self {
        self.0.provider = Some((status, code));
        self
    }

    /// In seconds.
    pub(crate) fn retry_after(mut self, seconds: u64) -> Self {
        self.0.retry_after = Some(seconds);
        self
    }

    pub(crate) fn status(mut self, status: StatusCode) -> Self {
        self.0.status = Some(status);
        self
    }

    /// Status 405, with the methods that would do.
    pub(crate) fn allow(mut self, methods: &'static str) -> Self {
        self.0.allow = Some(methods);
        self.status(StatusCode::METHOD_NOT_ALLOWED)
    }

    /// A limit of this kind was reached.
    pub(crate) fn limited_by(mut self, kind: &'static str) -> Self {
        self.0.limit = Some(kind);
        self
    }

    pub(crate) fn on_route(mut self, route: &str) -> Self {
        self.0.route = Some(route.to_owned());
        self
    }

    pub(crate) fn attempts(mut self, attempts: &[Attempt]) -> Self {
        self.0.attempts = Some(listed(attempts));
        self
    }

    /// What led to it.
    pub(crate) fn explained(mut self, explained: Option<Map<String, Value>>) -> Self {
        self.0.explained = explained;
        self
    }

    pub(crate) fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    pub(crate) fn limit(&self) -> Option<&'static str> {
        self.0.limit
    }

    pub(crate) fn route(&self) -> Option<&str> {
        self.0.route.as_deref()
    }

    pub(crate) fn http_status(&self) -> StatusCode {
        let code = self.0.provider.as_ref().map_or_else(|| self.0.kind.status(), |(status, _)| *status);
        self.0
            .status
            .unwrap_or_else(|| StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR))
    }

    /// The code of the error body: the provider's own where it blamed the request, else the contract's.
    fn code(&self) -> &str {
        let own = self.0.provider.as_ref().and_then(|(_, code)| code.as_deref());
        own.unwrap_or_else(|| self.0.kind.code())
    }

    fn extra(&self, request: RequestId) -> Value {
        let mut extra = json!({ "code": self.0.kind.code(), "request_id": request });
        if let Some(attempts) = &self.0.attempts {
            extra["attempts"] = attempts.clone();
        }
        extra
    }

    /// As an event inside a stream that already carries content.
    pub(crate) fn event(&self, request: RequestId, dialect: Dialect) -> Bytes {
        let extra = self.extra(request);
        let codec = wire::codec(dialect);
        let said = self.said(&request, &extra, |error| codec.encode_error_event(error));
        Bytes::from(said)
    }

    /// The error as dialects write it.
    fn said(
        &self,
        request: &RequestId,
        extra: &Value,
        write: impl FnOnce(&ClientErrorBody<'_>) -> Vec<u8>,
    ) -> Vec<u8> {
        write(&ClientErrorBody {
            kind: self.0.kind,
            status: self.http_status().as_u16(),
            message: &self.0.message,
            code: self.code(),
            param: self.0.param.as_deref(),
            request: &request.to_string(),
            extra: Some(extra),
        })
    }

    /// As a whole answer.
    pub(crate) fn response(&self, mut notes: ResponseMetadata) -> Response<ResponseBody> {
        notes.route = notes.route.or_else(|| self.0.route.clone());
        let dialect = notes.dialect;
        let extra = self.extra(notes.request);
        let codec = wire::codec(dialect);
        let body = self.said(&notes.request, &extra, |error| codec.encode_error(error));
        let mut response = json_response(self.http_status(), body);
        let headers = response.headers_mut();
        notes.write(headers);
        if let Some(ErrorHeader { name, value }) = codec.error_header(self.0.kind) {
            headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        if let Some(explained) = &self.0.explained {
            explain::write(explained, headers);
        }
        if let Some(seconds) = self.0.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if let Some(methods) = self.0.allow {
            headers.insert(header::ALLOW, HeaderValue::from_static(methods));
        }
        if self.0.kind == ErrorKind::BudgetExceeded {
            headers.insert(HeaderName::from_static("x-should-retry"), HeaderValue::from_static("false"));
        }
        response
    }
}

/// A whole JSON answer.
pub(crate) fn json_response(status: StatusCode, body: Vec<u8>) -> Response<ResponseBody> {
    let mut response = Response::new(ResponseBody::whole(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// What the contract's response headers say of a request.
#[derive(Clone, Debug)]
pub(crate) struct ResponseMetadata {
    pub(crate) request: RequestId,
    /// Whose words the client speaks.
    pub(crate) dialect: Dialect,
    /// What the target could not express and the client let go.
    pub(crate) dropped: Vec<String>,
    pub(crate) route: Option<String>,
    pub(crate) provider: Option<String>,
    pub(crate) model: Option<String>,
    pub(crate) attempts: usize,
    pub(crate) fallback: Option<&'static str>,
    pub(crate) overhead: Duration,
    /// The model is taken out of service: when, and what to put in its place.
    pub(crate) retires: Option<(Timestamp, String)>,
}

impl ResponseMetadata {
    pub(crate) const fn new(request: RequestId, dialect: Dialect) -> Self {
        let (route, provider, model, fallback) = (None, None, None, None);
        let (attempts, overhead) = (0, Duration::ZERO);
        let dropped = Vec::new();
        let retires = None;
        Self { request, dialect, dropped, route, provider, model, attempts, fallback, overhead, retires }
    }

    /// Writes the headers that every answer carries.
    pub(crate) fn write(&self, headers: &mut HeaderMap) {
        let text = |value: &Option<String>| {
            value
                .as_deref()
                .and_then(|value| HeaderValue::from_str(value).ok())
                .unwrap_or(HeaderValue::from_static("none"))
        };
        let mut buffer = uuid::Uuid::encode_buffer();
        let request = self.request.0.hyphenated().encode_lower(&mut buffer);
        let request = HeaderValue::from_str(request).unwrap_or(HeaderValue::from_static("none"));
        let overhead = u64::try_from(self.overhead.as_micros()).unwrap_or(u64::MAX);
        headers.insert(HeaderName::from_static("x-portcullis-request-id"), request);
        headers.insert(HeaderName::from_static("x-portcullis-route"), text(&self.route));
        headers.insert(HeaderName::from_static("x-portcullis-provider"), text(&self.provider));
        headers.insert(HeaderName::from_static("x-portcullis-model"), text(&self.model));
        headers.insert(HeaderName::from_static("x-portcullis-attempts"), HeaderValue::from(self.attempts));
        let fallback = HeaderValue::from_static(self.fallback.unwrap_or("none"));
        headers.insert(HeaderName::from_static("x-portcullis-fallback"), fallback);
        headers.insert(HeaderName::from_static("x-portcullis-cache"), HeaderValue::from_static("off"));
        headers.insert(HeaderName::from_static("x-portcullis-overhead-us"), HeaderValue::from(overhead));
        if let Some((when, what)) = &self.retires {
            // RFC 8594.
            if let Ok(when) = HeaderValue::from_str(&when.http_date()) {
                headers.insert(HeaderName::from_static("sunset"), when);
            }
            if let Ok(what) = HeaderValue::from_str(what) {
                headers.insert(HeaderName::from_static("x-portcullis-warning"), what);
            }
        }
        if !self.dropped.is_empty()
            && let Ok(dropped) = HeaderValue::from_str(&self.dropped.join(", "))
        {
            headers.insert(HeaderName::from_static("x-portcullis-dropped"), dropped);
        }
    }
}

/// The attempts as people read them: where, how it ended, how long, what it cost.
fn listed(attempts: &[Attempt]) -> Value {
    let line = |attempt: &Attempt| {
        json!({
            "attempt": attempt.number,
            "target": format!("{}/{}", attempt.provider, attempt.model),
            "outcome": attempt.outcome.as_str(),
            "status": attempt.status,
            "duration_ms": attempt.duration_us / 1_000,
            // Of what was used without a price nobody knows the cost.
            "cost_usd": (attempt.price.is_some() || attempt.usage == Usage::default()).then_some(attempt.cost),
            "estimated": attempt.estimated,
        })
    };
    attempts.iter().map(line).collect()
}
