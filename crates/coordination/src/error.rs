//! Why a fleet cannot be opened.

use thiserror::Error;

/// A setting that cannot work; it never quotes the setting, which may hold a password.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{field}: {message}")]
pub struct CoordinationError {
    /// The setting.
    pub field: &'static str,
    /// What is wrong with it, and what to do.
    pub message: String,
}

impl CoordinationError {
    pub(crate) fn url(message: impl Into<String>) -> Self {
        Self { field: "--redis-url", message: message.into() }
    }
}
