//! What a tap hands on, and why it gives up.

use std::fmt;

use bytes::Bytes;

use crate::sse::MAX_EVENT;

/// What the tap hands on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OutputChunk {
    /// Bytes to relay as they are: one or more whole events (or the LF of a CRLF that two chunks share).
    Relay(Bytes),
    /// The terminal `data: [DONE]` event, whole; a comment may go in front of it.
    Done(Bytes),
}

/// Why a stream cannot be tapped any further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TapError {
    /// An event exceeds [`MAX_EVENT`] bytes.
    EventTooLarge,
    /// An event cannot be read.
    InvalidEvent,
}

impl fmt::Display for TapError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EventTooLarge => write!(f, "the provider sent an event of more than {MAX_EVENT} bytes"),
            Self::InvalidEvent => f.write_str("the provider sent an event that cannot be read"),
        }
    }
}

impl std::error::Error for TapError {}
