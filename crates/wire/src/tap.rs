//! A stream on its way from provider to client: whole events pass, what they say is noted, errors are seen in time.

mod array;
mod chat;
pub(crate) mod frames;
mod note;
mod output;
mod run;
mod summary;
mod translate;
mod verbatim;

use bytes::Bytes;

pub use self::{
    array::ArrayPipe,
    chat::ChatTap,
    output::{OutputChunk, TapError},
    summary::StreamSummary,
    translate::Translation,
    verbatim::Verbatim,
};

/// Watches one stream, and translates it where client and provider speak different dialects.
pub enum StreamPipe {
    /// OpenAI Chat at both ends, with the one edit that the gateway's own wish for usage makes necessary.
    Chat(ChatTap),
    /// Another dialect at both ends: bytes pass as they are.
    Verbatim(Verbatim),
    /// Two dialects.
    Translation(Translation),
    /// One of these, before which a JSON array becomes events.
    Array(Box<ArrayPipe>),
}

impl std::fmt::Debug for StreamPipe {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StreamPipe").field("seen", self.seen()).finish_non_exhaustive()
    }
}

impl StreamPipe {
    /// What the stream said so far.
    #[must_use]
    pub const fn seen(&self) -> &StreamSummary {
        match self {
            Self::Chat(tap) => tap.seen(),
            Self::Verbatim(tap) => tap.seen(),
            Self::Translation(tap) => tap.seen(),
            Self::Array(array) => array.inner().seen(),
        }
    }

    /// Whether a comment may stand in front of the terminal event that the client gets.
    #[must_use]
    pub fn comments(&self) -> bool {
        match self {
            Self::Chat(_) => true,
            Self::Verbatim(tap) => tap.framing().comments(),
            Self::Translation(tap) => tap.framing().comments(),
            Self::Array(array) => array.inner().comments(),
        }
    }

    /// The same for a stream that comes as one JSON array.
    #[must_use]
    pub fn array(inner: Self) -> Self {
        Self::Array(Box::new(ArrayPipe::new(inner)))
    }

    /// What of the stream the client's dialect has no place for, so far.
    #[must_use]
    pub fn lost(&self) -> &[String] {
        match self {
            Self::Chat(_) | Self::Verbatim(_) => &[],
            Self::Translation(tap) => tap.lost(),
            Self::Array(array) => array.inner().lost(),
        }
    }

    /// Whether OpenAI Chat is spoken at both ends.
    #[must_use]
    pub const fn is_chat(&self) -> bool {
        match self {
            Self::Chat(_) => true,
            Self::Verbatim(_) | Self::Translation(_) => false,
            Self::Array(array) => array.inner().is_chat(),
        }
    }

    /// Whether the client cannot read an error as the provider wrote it.
    #[must_use]
    pub const fn hides_errors(&self) -> bool {
        match self {
            Self::Chat(_) | Self::Verbatim(_) => self.seen().disguised,
            Self::Translation(_) => true,
            Self::Array(array) => array.inner().hides_errors(),
        }
    }

    /// Takes the next bytes from the provider and appends what may go to the client.
    ///
    /// # Errors
    /// The stream must be given up. What was appended before is sound.
    pub fn feed(&mut self, chunk: Bytes, out: &mut Vec<OutputChunk>) -> Result<(), TapError> {
        match self {
            Self::Chat(tap) => tap.feed(chunk, out),
            Self::Verbatim(tap) => tap.feed(chunk, out),
            Self::Translation(tap) => tap.feed(&chunk, out),
            Self::Array(array) => array.feed(&chunk, out),
        }
    }

    /// The body ended. Passes on what lacks only its end; a terminal event is not made up, except where the dialect
    /// has none and the answer is whole.
    pub fn finish(&mut self, out: &mut Vec<OutputChunk>) {
        match self {
            Self::Chat(tap) => tap.finish(out),
            Self::Verbatim(tap) => tap.finish(out),
            Self::Translation(tap) => tap.finish(out),
            Self::Array(array) => array.finish(out),
        }
    }
}
