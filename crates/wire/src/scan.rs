//! The one pass over a request body: it proves that the body is JSON and finds what routing needs.

mod members;
pub(crate) mod shared;

use std::{fmt, ops::Range};

use crate::json::Fault;
pub use crate::{
    api::Api,
    bound::input_bound,
    splice::{Edits, splice},
};

/// Longest end-user name that is taken from a body; a longer one is ignored rather than cut.
pub const MAX_USER: usize = 256;
/// Most answers one request may ask for (the documented maximum of `n`).
pub const MAX_CHOICES: u64 = 128;
/// Largest output limit that is believed: far above any model, far below what could overflow a price.
pub const MAX_OUTPUT: u64 = 1_000_000_000;

/// What the gateway knows of a request without building a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestFacts {
    /// The model the client named, escapes resolved; never empty.
    pub model: String,
    /// Where the token of `model` stands in the body, quotes included.
    pub model_span: Range<usize>,
    /// Whether a stream was asked for.
    pub stream: bool,
    /// Whether the client itself asked for usage in the stream.
    pub include_usage: bool,
    /// The most tokens one answer may have; the larger one where a body holds both
    /// `max_completion_tokens` and `max_tokens`, since providers differ in which they obey.
    pub max_output: Option<u64>,
    /// How many answers were asked for (`n`), from 1.
    pub choices: u64,
    /// The end user: `user`, else `safety_identifier`, else `metadata.user_id`.
    pub user: Option<String>,
    /// Elements of `messages`; inputs of an embeddings request.
    pub messages: u32,
    /// Content parts that are images.
    pub images: u32,
    /// Content parts that are audio.
    pub audio: u32,
    /// Content parts that are files.
    pub files: u32,
    /// Characters of the text to be spoken (speech only).
    pub characters: u64,
    /// Offset of the brace that closes the body.
    pub(crate) close: usize,
    pub(crate) stream_options: StreamOptions,
    /// Span of `max_completion_tokens`' value where it is null.
    pub(crate) null_limit: Option<Range<usize>>,
}

impl RequestFacts {
    /// What every call has; the rest is nothing.
    #[must_use]
    pub fn plain(model: String, model_span: Range<usize>) -> Self {
        Self {
            model,
            model_span,
            stream: false,
            include_usage: false,
            max_output: None,
            choices: 1,
            user: None,
            messages: 0,
            images: 0,
            audio: 0,
            files: 0,
            characters: 0,
            close: 0,
            stream_options: StreamOptions::Absent,
            null_limit: None,
        }
    }
}

/// How `stream_options` stands in the body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum StreamOptions {
    #[default]
    Absent,
    Null(Range<usize>),
    Object {
        /// Offset of its closing brace.
        close: usize,
        empty: bool,
        /// Span of `include_usage`'s value.
        include_usage: Option<Range<usize>>,
    },
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
