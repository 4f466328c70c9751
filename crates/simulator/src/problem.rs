//! Refusals and failures, before a dialect gives them its words.

use http::StatusCode;

use crate::field_schema::{Fault, Path};

/// Why a request is not answered. What is not set follows from the status in each dialect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) status: StatusCode,
    pub(crate) message: String,
    /// The dialect's word for the kind of error.
    pub(crate) kind: Option<String>,
    pub(crate) code: Option<String>,
    /// The field that is at fault.
    pub(crate) param: Option<String>,
    /// Seconds to wait.
    pub(crate) retry_after: Option<u64>,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), kind: None, code: None, param: None, retry_after: None }
    }

    /// A request that is at fault itself.
    pub(crate) fn bad(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    pub(crate) fn with_code(mut self, code: &str) -> Self {
        self.code = Some(code.to_owned());
        self
    }

    pub(crate) fn with_param(mut self, param: impl Into<String>) -> Self {
        self.param = Some(param.into());
        self
    }
}

/// A misfit as OpenAI words it.
pub(crate) fn openai_fault(path: &Path, fault: &Fault) -> Problem {
    let place = path.bracketed();
    let (message, code) = match fault {
        Fault::Unknown => (format!("Unknown parameter: '{place}'."), "unknown_parameter"),
        Fault::Missing => (format!("Missing required parameter: '{place}'."), "missing_required_parameter"),
        Fault::Type(kind) => (format!("Invalid type for '{place}': expected {kind}."), "invalid_type"),
        Fault::Value(why) => (format!("Invalid value for '{place}': {why}."), "invalid_value"),
    };
    Problem::bad(message).with_code(code).with_param(place)
}
