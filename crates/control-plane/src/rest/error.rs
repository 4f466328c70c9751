//! Every error of the API as problem details (RFC 9457).

use admin_api::{FieldError, Invalid, Problem};
use axum::{
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use store::StoreError;

use crate::plan::PlanError;

/// A problem on its way to the client.
#[derive(Debug)]
pub(super) struct ApiError {
    problem: Box<Problem>,
    header: Option<(HeaderName, HeaderValue)>,
}

impl ApiError {
    fn new(status: u16, code: &str, title: &str, detail: impl Into<String>) -> Self {
        Self { problem: Box::new(Problem::new(status, code, title, detail)), header: None }
    }

    fn with_header(mut self, name: HeaderName, value: &'static str) -> Self {
        self.header = Some((name, HeaderValue::from_static(value)));
        self
    }

    /// Without HTTP around it.
    pub(super) fn into_problem(self) -> Problem {
        *self.problem
    }

    pub(super) fn invalid(field: &str, message: impl Into<String>) -> Self {
        Invalid::new(field, message).into()
    }

    pub(super) fn unauthenticated() -> Self {
        let detail = "send an admin token: `Authorization: Bearer TOKEN`";
        Self::new(401, "unauthenticated", "Sign in", detail)
            .with_header(header::WWW_AUTHENTICATE, "Bearer realm=\"portcullis\"")
    }

    pub(super) fn unknown_token() -> Self {
        let detail = "the admin token is not known; send `Authorization: Bearer TOKEN`";
        Self::new(401, "unauthenticated", "Sign in", detail)
            .with_header(header::WWW_AUTHENTICATE, "Bearer realm=\"portcullis\", error=\"invalid_token\"")
    }

    pub(super) fn not_found(what: impl Into<String>) -> Self {
        Self::new(404, "not_found", "Not found", what)
    }

    pub(super) fn no_path(path: &str) -> Self {
        Self::not_found(format!("there is nothing at {path}; see /api/v1/openapi.json"))
    }

    pub(super) fn method_not_allowed() -> Self {
        let detail = "the path exists, but not with this method; see /api/v1/openapi.json";
        Self::new(405, "method_not_allowed", "Method not allowed", detail)
    }

    pub(super) fn too_slow() -> Self {
        Self::new(503, "timeout", "Took too long", "the request was not completed in time; try again")
            .with_header(header::RETRY_AFTER, "1")
    }

    pub(super) fn too_large(limit: usize) -> Self {
        Self::new(413, "too_large", "Body too large", format!("the body exceeds {limit} bytes"))
    }

    pub(super) fn unreadable(error: impl std::fmt::Display) -> Self {
        Self::new(400, "invalid", "The request is invalid", format!("the body cannot be read: {error}"))
    }

    pub(super) fn conflict(field: &str, detail: impl Into<String>) -> Self {
        let mut error = Self::new(409, "conflict", "Conflict with the current configuration", detail);
        if !field.is_empty() {
            let named = vec![FieldError::new(field, error.problem.detail.clone())];
            error.problem = Box::new(error.problem.with_errors(named));
        }
        error
    }

    /// What the store says of a parameter that it reads itself, at that parameter.
    pub(super) fn of_parameter(field: &str, error: StoreError) -> Self {
        match error {
            StoreError::Bad(message) => Self::invalid(field, message),
            other => other.into(),
        }
    }

    pub(super) fn internal(error: impl std::fmt::Display) -> Self {
        tracing::error!(%error, "an admin request failed");
        Self::new(500, "internal", "Internal error", "see the server's log for details")
    }

    pub(super) fn stale(revision: u64) -> Self {
        let detail =
            format!("the resource was changed after it was read; its current revision is {revision}");
        Self::new(412, "stale", "Changed in the meantime", detail)
    }
}

impl From<Invalid> for ApiError {
    fn from(invalid: Invalid) -> Self {
        Self { problem: Box::new(invalid.into()), header: None }
    }
}

impl From<PlanError> for ApiError {
    fn from(refused: PlanError) -> Self {
        match refused {
            PlanError::Invalid(invalid) => invalid.into(),
            PlanError::Conflict(detail) => Self::conflict("", detail),
        }
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match &error {
            StoreError::Taken { .. } => Self::conflict("name", error.to_string()),
            StoreError::Bad(message) => Self::new(400, "invalid", "The request is invalid", message.as_str()),
            _ if error.is_transient() => {
                tracing::warn!(%error, "the store failed an admin request");
                Self::new(
                    503,
                    "store_unavailable",
                    "The database is unavailable",
                    "it is not known whether a write took effect: read the resource, then try again",
                )
                .with_header(header::RETRY_AFTER, "1")
            }
            _ => {
                tracing::error!(%error, "the store failed an admin request");
                Self::new(500, "internal", "Internal error", "see the server's log for details")
            }
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, axum::Json(self.problem)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.extend(self.header.map(|(name, value)| (Some(name), value)));
        response
    }
}
