//! How content that a target cannot take is named to the client.

use super::{Part, PartKind};
use crate::dialect::Dialect;

/// The place of a piece of content in the client's words.
pub(crate) fn content_place(client: Dialect, what: &str) -> String {
    let list = match client {
        Dialect::OpenAiResponses => "input[].content[]",
        Dialect::Gemini => "contents[].parts[]",
        _ => "messages[].content[]",
    };
    format!("{list} ({what})")
}

/// What may be said of a part that a target cannot take.
pub(crate) const fn content_kind<'p>(part: &'p Part<'_>) -> &'p str {
    match &part.kind {
        PartKind::Text(_) | PartKind::Refusal(_) => "text",
        PartKind::Image(_) => "image",
        PartKind::Document(_) => "document",
        PartKind::Audio(_) => "audio",
        PartKind::Video(_) => "video",
        PartKind::Reasoning { .. } | PartKind::RedactedReasoning(_) => "reasoning",
        PartKind::ToolCall(_) => "tool call",
        PartKind::ToolResult(_) => "tool result",
        PartKind::Foreign { .. } => "of another dialect",
    }
}
