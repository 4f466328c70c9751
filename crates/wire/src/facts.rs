//! What the gateway knows of a request without building a document.

use std::ops::Range;

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
    /// Where an output limit goes if the client set none.
    pub(crate) limit_place: LimitPlace,
    /// The value of `max_tokens` where it is null, in OpenAI Chat, which has two names for the limit.
    pub(crate) null_max_tokens: Option<Range<usize>>,
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
            limit_place: LimitPlace::Absent,
            null_max_tokens: None,
        }
    }
}

/// Where an output limit goes in a body that has none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum LimitPlace {
    /// Neither the field is there nor the object that it belongs into.
    #[default]
    Absent,
    /// The value of the field, which is null or says the same.
    Value(Range<usize>),
    /// The value of the object that it belongs into, which is null.
    NullObject(Range<usize>),
    /// The brace that closes that object.
    Close(usize),
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
