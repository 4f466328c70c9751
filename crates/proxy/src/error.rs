//! Why the gateway does not serve a request: the data of an error, without its rendering.

use domain::{Attempt, ErrorKind};
use http::StatusCode;
use serde_json::{Map, Value};

use crate::rate_limits::RateLimits;

/// An error of the gateway; boxed, so that results on the path without errors stay small.
#[derive(Clone, Debug)]
pub(crate) struct GatewayError(Box<ErrorDetails>);

/// What is known of an error.
#[derive(Clone, Debug)]
pub(crate) struct ErrorDetails {
    pub(crate) kind: ErrorKind,
    pub(crate) message: String,
    /// The request's field at fault.
    pub(crate) param: Option<String>,
    /// The provider's own error, where the fault is the request's.
    pub(crate) provider: Option<ProviderFault>,
    /// Seconds after which the client may try again.
    pub(crate) retry_after: Option<u64>,
    /// The attempts that were made, where the error lists them.
    pub(crate) attempts: Option<Vec<FailedAttempt>>,
    /// An HTTP status outside the contract's list (405).
    pub(crate) status: Option<StatusCode>,
    /// The methods that the path takes (405).
    pub(crate) allow: Option<&'static str>,
    /// The route, where it became known before the error.
    pub(crate) route: Option<String>,
    /// The kind of the limit that was reached.
    pub(crate) limit: Option<&'static str>,
    /// How full the limit is that was reached.
    pub(crate) rate_limits: Option<RateLimits>,
    /// What led to the error, where the client asks for an explanation.
    pub(crate) explanation: Option<Map<String, Value>>,
}

/// An attempt that failed, with what the provider said.
#[derive(Clone, Debug)]
pub(crate) struct FailedAttempt {
    pub(crate) attempt: Attempt,
    /// Free of secrets, and only where the fault is not the credential's: what is wrong with those is the operator's
    /// business.
    pub(crate) message: Option<String>,
}

impl FailedAttempt {
    /// Attempts of which the provider's words are not kept.
    pub(crate) fn list(attempts: &[Attempt]) -> Vec<Self> {
        attempts.iter().map(|attempt| Self { attempt: attempt.clone(), message: None }).collect()
    }
}

/// A provider blamed the request; its status and code are the client's to see.
#[derive(Clone, Debug)]
pub(crate) struct ProviderFault {
    pub(crate) status: u16,
    pub(crate) code: Option<String>,
}

impl GatewayError {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(ErrorDetails {
            kind,
            message: message.into(),
            param: None,
            provider: None,
            retry_after: None,
            attempts: None,
            status: None,
            allow: None,
            route: None,
            limit: None,
            rate_limits: None,
            explanation: None,
        }))
    }

    /// Names the request's field at fault.
    pub(crate) fn param(mut self, param: Option<&str>) -> Self {
        self.0.param = param.map(str::to_owned);
        self
    }

    /// The provider blamed the request: the client sees its status and code.
    pub(crate) fn with_provider_error(mut self, status: u16, code: Option<String>) -> Self {
        self.0.provider = Some(ProviderFault { status, code });
        self
    }

    /// When the client may try again, in seconds.
    pub(crate) fn retry_after(mut self, seconds: u64) -> Self {
        self.0.retry_after = Some(seconds);
        self
    }

    /// An HTTP status in place of the kind's own.
    pub(crate) fn status(mut self, status: StatusCode) -> Self {
        self.0.status = Some(status);
        self
    }

    /// Status 405, with the methods that the path takes.
    pub(crate) fn allow(mut self, methods: &'static str) -> Self {
        self.0.allow = Some(methods);
        self.status(StatusCode::METHOD_NOT_ALLOWED)
    }

    /// A limit of this kind was reached.
    pub(crate) fn with_limit(mut self, kind: &'static str) -> Self {
        self.0.limit = Some(kind);
        self
    }

    /// How full the limit is that was reached.
    pub(crate) fn with_rate_limits(mut self, limits: RateLimits) -> Self {
        self.0.rate_limits = Some(limits);
        self
    }

    /// The route by which the request was to be served.
    pub(crate) fn with_route(mut self, route: &str) -> Self {
        self.0.route = Some(route.to_owned());
        self
    }

    /// Lists the attempts that were made.
    pub(crate) fn attempts(mut self, attempts: Vec<FailedAttempt>) -> Self {
        self.0.attempts = Some(attempts);
        self
    }

    /// What led to the error, where the client asks for an explanation.
    pub(crate) fn with_explanation(mut self, explanation: Option<Map<String, Value>>) -> Self {
        self.0.explanation = explanation;
        self
    }

    pub(crate) fn details(&self) -> &ErrorDetails {
        &self.0
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

    /// The status of the response.
    pub(crate) fn http_status(&self) -> StatusCode {
        let code = self.0.provider.as_ref().map_or_else(|| self.0.kind.status(), |fault| fault.status);
        self.0
            .status
            .unwrap_or_else(|| StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR))
    }

    /// The code in the error's body: the provider's own where it blamed the request, else the contract's.
    pub(crate) fn code(&self) -> &str {
        let own = self.0.provider.as_ref().and_then(|fault| fault.code.as_deref());
        own.unwrap_or_else(|| self.0.kind.code())
    }
}
