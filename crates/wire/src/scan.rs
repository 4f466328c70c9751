//! The one pass over a request body: it proves that the body is JSON and finds what routing needs.

mod members;
pub(crate) mod shared;

use std::fmt;

use crate::{api::Api, facts::RequestFacts, json::Fault};

/// Longest end-user name that is taken from a body; a longer one is ignored rather than cut.
pub const MAX_USER: usize = 256;
/// Most answers one request may ask for (the documented maximum of `n`).
pub const MAX_CHOICES: u64 = 128;
/// Largest output limit that is believed: far above any model, far below what could overflow a price.
pub const MAX_OUTPUT: u64 = 1_000_000_000;

/// What the request line says, in dialects that put it there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PathParamsRef<'a> {
    /// The model, percent-decoded; without it, the body names the model.
    pub model: Option<&'a str>,
    /// Whether a stream is asked for; without it, the body says so.
    pub stream: Option<bool>,
}

/// Why a body was refused; the text is meant for the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScanError {
    /// The field at fault; `None` when the body is no JSON object at all.
    pub field: Option<&'static str>,
    at: usize,
    what: &'static str,
}

impl ScanError {
    pub(crate) const fn field(field: &'static str, what: &'static str) -> Self {
        Self { field: Some(field), at: 0, what }
    }
}

impl fmt::Display for ScanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.field {
            Some(field) => write!(f, "`{field}` {}", self.what),
            None => write!(f, "invalid JSON at byte {}: {}", self.at, self.what),
        }
    }
}

impl std::error::Error for ScanError {}

impl From<Fault> for ScanError {
    fn from(fault: Fault) -> Self {
        Self { field: None, at: fault.at, what: fault.what }
    }
}

/// Validates a request body (RFC 8259, UTF-8, at most 128 levels deep) and gives its facts.
///
/// # Errors
/// The body is not a JSON object, a field that is read has the wrong type or an absurd value, a required
/// one is missing, or one stands there twice: then gateway and provider might each believe another one.
pub fn scan(api: Api, body: &[u8]) -> Result<RequestFacts, ScanError> {
    let mut reader = shared::open(body)?;
    let facts = members::read(api, &mut reader)?;
    reader.end()?;
    Ok(facts)
}

#[cfg(test)]
mod tests;
