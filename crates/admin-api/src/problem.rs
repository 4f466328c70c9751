//! The body of every error: problem details (RFC 9457) that name the field.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{FieldError, Invalid};

/// `application/problem+json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, thiserror::Error)]
#[error("{detail}")]
pub struct Problem {
    /// A stable name of the kind of problem, `urn:portcullis:problem:invalid`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The same for people.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What happened this time, and what would help.
    pub detail: String,
    /// The first field at fault, as a path from the root of what was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// Every field at fault.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
}

impl Problem {
    /// A problem without a field.
    pub fn new(status: u16, code: &str, title: &str, detail: impl Into<String>) -> Self {
        Self {
            kind: format!("urn:portcullis:problem:{code}"),
            title: title.to_owned(),
            status,
            detail: detail.into(),
            field: None,
            errors: Vec::new(),
        }
    }

    /// Adds the fields at fault.
    #[must_use]
    pub fn with_errors(mut self, errors: Vec<FieldError>) -> Self {
        self.field = errors.first().map(|error| error.field.clone()).filter(|field| !field.is_empty());
        self.errors = errors;
        self
    }
}

impl From<Invalid> for Problem {
    fn from(invalid: Invalid) -> Self {
        Self::new(400, "invalid", "The request is invalid", invalid.to_string()).with_errors(invalid.0)
    }
}
