//! Content: what stands in a turn of the conversation or in an answer.

use super::{Signature, Text};
use crate::json::Json;

/// One piece of content.
#[derive(Clone, Debug, PartialEq)]
pub struct Part<'a> {
    /// What it is.
    pub kind: PartKind<'a>,
    /// Whether the provider should cache the prompt up to and with this part, and for how long. A hint.
    pub cache: Option<CacheTtl>,
}

/// How long a cached prompt should live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CacheTtl {
    /// Five minutes, also where the client named no lifetime.
    FiveMinutes,
    /// Thirty minutes.
    ThirtyMinutes,
    /// An hour.
    OneHour,
    /// Twelve hours.
    TwelveHours,
}

/// The kinds of content.
#[derive(Clone, Debug, PartialEq)]
pub enum PartKind<'a> {
    /// Text.
    Text(Text<'a>),
    /// An image.
    Image(Image<'a>),
    /// A document: a PDF, a text file, a spreadsheet.
    Document(Document<'a>),
    /// Sound.
    Audio(Media<'a>),
    /// Moving pictures.
    Video(Media<'a>),
    /// What the model thought before it answered.
    Reasoning {
        /// The thoughts, or their summary; empty where the provider hides them.
        text: Text<'a>,
        /// Without it some providers refuse to go on with a tool loop.
        signature: Option<Signature<'a>>,
    },
    /// Thoughts that only the provider can read.
    RedactedReasoning(Signature<'a>),
    /// The model calls a tool.
    ToolCall(ToolCall<'a>),
    /// What the tool answered.
    ToolResult(ToolResult<'a>),
    /// The model declined, in words.
    Refusal(Text<'a>),
    /// Something that only the dialect it came in knows; kept for the diagonal, ✗ elsewhere.
    Foreign {
        /// Its type, as the dialect calls it.
        kind: Text<'a>,
        /// All of it.
        raw: Json<'a>,
    },
}

/// Bytes of a medium, or where they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Media<'a> {
    /// Base64 (RFC 4648 §4, padded) with its media type.
    Base64 {
        /// `image/png`
        mime: Text<'a>,
        /// The bytes, as they were written.
        data: Text<'a>,
    },
    /// An address.
    Url {
        /// The address.
        url: Text<'a>,
        /// The media type, where the client said it.
        mime: Option<Text<'a>>,
    },
    /// A file that the provider holds.
    File(Text<'a>),
}

impl Media<'_> {
    /// Whether the bytes themselves are there.
    #[must_use]
    pub const fn is_inline(&self) -> bool {
        matches!(self, Self::Base64 { .. })
    }

    /// Whether somebody other than the provider can read it.
    #[must_use]
    pub const fn is_readable(&self) -> bool {
        !matches!(self, Self::File(_))
    }
}

/// An image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image<'a> {
    /// The image.
    pub media: Media<'a>,
    /// `auto`, `low`, `high`, `original`.
    pub detail: Option<Text<'a>>,
}

/// A document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document<'a> {
    /// The bytes; plain text is `text/plain` in [`Media::Base64`] or stands in `text`.
    pub media: Option<Media<'a>>,
    /// Plain text, where the document came as such.
    pub text: Option<Text<'a>>,
    /// Its file name or title.
    pub name: Option<Text<'a>>,
    /// Words about it that the model may read.
    pub context: Option<Text<'a>>,
    /// Whether the answer should cite it.
    pub cite: bool,
}

/// A call of a tool.
#[derive(Clone, Debug, PartialEq)]
pub struct ToolCall<'a> {
    /// Ties the result to it; unique within the conversation. Empty: the dialect gave none (Gemini).
    pub id: Text<'a>,
    /// The tool.
    pub name: Text<'a>,
    /// The arguments as JSON text. In a history it is proven to be an object only when a target needs one.
    pub arguments: Text<'a>,
    /// The provider's seal on the step, where it stands at the call (Gemini).
    pub signature: Option<Signature<'a>>,
    /// A free-form tool: the arguments are plain text and no JSON.
    pub custom: bool,
}

/// The answer of a tool.
#[derive(Clone, Debug, PartialEq)]
pub struct ToolResult<'a> {
    /// The call's id; empty where the dialect ties by name and order (Gemini).
    pub id: Text<'a>,
    /// The tool; empty where the dialect ties by id.
    pub name: Text<'a>,
    /// What it answered: text, images, documents.
    pub content: Vec<Part<'a>>,
    /// Structured content, as it was written, where the dialect has it (Gemini's `response`, Bedrock's `json`).
    pub structured: Option<Json<'a>>,
    /// Whether the tool failed.
    pub error: bool,
}

impl<'a> Part<'a> {
    /// Content without a cache mark.
    #[must_use]
    pub const fn new(kind: PartKind<'a>) -> Self {
        Self { kind, cache: None }
    }

    /// Text without a cache mark.
    #[must_use]
    pub fn text(text: impl Into<Text<'a>>) -> Self {
        Self::new(PartKind::Text(text.into()))
    }
}

impl CacheTtl {
    /// Seconds, for choosing the nearest lifetime that another dialect has.
    #[must_use]
    pub const fn seconds(self) -> u32 {
        match self {
            Self::FiveMinutes => 300,
            Self::ThirtyMinutes => 1_800,
            Self::OneHour => 3_600,
            Self::TwelveHours => 43_200,
        }
    }
}
