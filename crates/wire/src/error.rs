//! Errors: what a provider's mean, what a decoder cannot read, what a client is told.

mod provider;
mod stray;

use domain::ErrorKind;

pub use self::provider::{ProviderError, provider_error};
pub(crate) use self::{
    provider::{MAX_MESSAGE, error_member},
    stray::{FAILURES, choices_error, stray_error, unexplained},
};
use crate::json::JsonError;

/// A provider's answer with an error status.
#[derive(Clone, Copy, Debug)]
pub struct ErrorAnswer<'a> {
    /// HTTP status; 0: the error stood inside a stream or an answer of status 200.
    pub status: u16,
    /// `x-amzn-ErrorType`, where there is one.
    pub error_type: Option<&'a str>,
    /// The body.
    pub body: &'a [u8],
}

/// The cause of a provider's error, and thereby what may help (docs/spec/errors.md#classes).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorClass {
    /// The request is at fault.
    BadRequest,
    /// The credential is not accepted.
    BadCredential,
    /// The credential has no money or quota left.
    NoCredit,
    /// The credential may not use this model, or has no money left for it; other models are not concerned.
    ModelForbidden,
    /// No such model or path there.
    NotFound,
    /// The body is too large for this provider.
    TooLarge,
    /// The prompt does not fit into the model's context.
    ContextTooLong,
    /// The prompt was refused by a filter.
    ContentBlocked,
    /// Too many requests or tokens for now.
    RateLimited,
    /// Too many requests or tokens of this model for now.
    ModelRateLimited,
    /// The provider has no capacity for now.
    Overloaded,
    /// The provider failed.
    ServerError,
    /// The provider gave up waiting for itself.
    Timeout,
}

impl ErrorClass {
    /// By status alone, for bodies that say nothing.
    pub(crate) const fn of_status(status: u16) -> Self {
        match status {
            401 | 403 => Self::BadCredential,
            402 => Self::NoCredit,
            404 => Self::NotFound,
            408 | 504 => Self::Timeout,
            413 => Self::TooLarge,
            429 => Self::RateLimited,
            503 | 529 => Self::Overloaded,
            400..=499 => Self::BadRequest,
            _ => Self::ServerError,
        }
    }
}

/// Why there is no answer in an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DecodeError {
    /// It is not what the dialect describes.
    Malformed(String),
    /// It is an error, whatever its status says.
    Error(ErrorClass, ProviderError),
}

impl From<JsonError> for DecodeError {
    fn from(error: JsonError) -> Self {
        Self::Malformed(error.to_string())
    }
}

/// An event that cannot be one of its dialect.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the provider sent an event that cannot be read: {0}")]
pub struct InvalidEvent(pub String);

impl From<JsonError> for InvalidEvent {
    fn from(error: JsonError) -> Self {
        Self(error.to_string())
    }
}

/// An error for a client.
#[derive(Clone, Copy, Debug)]
pub struct ClientErrorBody<'a> {
    /// The gateway's kind.
    pub kind: ErrorKind,
    /// The HTTP status it goes out with.
    pub status: u16,
    /// For people.
    pub message: &'a str,
    /// The gateway's stable code, or the provider's own where it blames the request.
    pub code: &'a str,
    /// The field at fault.
    pub param: Option<&'a str>,
    /// The gateway's request id.
    pub request: &'a str,
    /// What goes under `portcullis` (attempts, budget); a JSON object.
    pub extra: Option<&'a serde_json::Value>,
}
