//! How content that a target cannot take is named to the client, and what its loss means.

use super::{FieldClass, Part, PartKind};
use crate::dialect::Dialect;

/// What is declared of a piece of content, or of something about it.
#[derive(Clone, Copy, Debug)]
pub struct ContentRow {
    /// What it is.
    pub content: Content,
    /// What its loss means.
    pub class: FieldClass,
    /// What it is called, in parentheses behind its place.
    pub words: &'static str,
    /// Why it is of its class.
    pub reason: &'static str,
}

/// Declares the pieces, each in one line: name, class, what it is called, and why it is of its class.
macro_rules! contents {
    ($($content:ident $class:ident $words:literal $reason:literal)*) => {
        /// A piece of content, or something about it, that some target cannot take.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Content {
            $(#[doc = concat!("Its loss: ", $reason, ".")] $content,)*
        }

        impl Content {
            /// Every piece.
            pub const TABLE: &'static [ContentRow] = &[
                $(ContentRow {
                    content: Self::$content,
                    class: FieldClass::$class,
                    words: $words,
                    reason: $reason,
                },)*
            ];
        }
    };
}

contents! {
    Text Meaning "text" "the model would not read it"
    Image Meaning "image" "the model would not see it"
    Document Meaning "document" "the model would not read it"
    Audio Meaning "audio" "the model would not hear it"
    Video Meaning "video" "the model would not see it"
    Reasoning Hint "reasoning" "thoughts that only another provider can read"
    ToolCall Meaning "tool call" "the model would not know what it did"
    ToolResult Meaning "tool result" "the model would not know what came of its call"
    FreeFormCall Meaning "free-form tool call" "the model would not know what it did"
    HostedCall Hint "call of a hosted tool" "what a tool of another provider did and found, which only that one can read; the text that came of it stays"
    Foreign Meaning "of another dialect" "it is not known what it says"
    TrailingTurn Meaning "trailing assistant turn" "the answer would not continue it"
    ImageDetail Hint "detail of an image" "how many tokens the image costs"
    DocumentContext Hint "context of a document" "a note beside the document"
    DocumentCitations Meaning "citations of a document" "the client reads them from the answer"
    ResultMedia Hint "media in a tool result" "they reach the model as a message of the user's behind the result, or as a note of what they were"
    ErrorMark Hint "error mark of a tool result" "the text of the result says it"
}

impl Content {
    /// What a part is.
    pub(crate) fn of(part: &Part<'_>) -> Self {
        match &part.kind {
            PartKind::Text(_) | PartKind::Refusal(_) => Self::Text,
            PartKind::Image(_) => Self::Image,
            PartKind::Document(_) => Self::Document,
            PartKind::Audio(_) => Self::Audio,
            PartKind::Video(_) => Self::Video,
            PartKind::Reasoning { .. } | PartKind::RedactedReasoning(_) => Self::Reasoning,
            PartKind::ToolCall(_) => Self::ToolCall,
            PartKind::ToolResult(_) => Self::ToolResult,
            PartKind::Foreign { kind, .. } if HOSTED.contains(&&**kind) => Self::HostedCall,
            PartKind::Foreign { .. } => Self::Foreign,
        }
    }

    /// What is declared of it.
    pub(crate) fn row(self) -> &'static ContentRow {
        &Self::TABLE[self as usize]
    }

    /// What it is called.
    pub(crate) fn words(self) -> &'static str {
        self.row().words
    }
}

/// Calls of tools that a provider runs by itself, and what they found, in every dialect: sealed, or a mere record.
const HOSTED: [&str; 12] = [
    "bash_code_execution_tool_result",
    "code_execution_tool_result",
    "file_search_call",
    "server_tool_use",
    "text_editor_code_execution_tool_result",
    "toolCall",
    "toolResponse",
    "tool_search_call",
    "tool_search_tool_result",
    "web_fetch_tool_result",
    "web_search_call",
    "web_search_tool_result",
];

/// The place of a piece of content in the client's words.
pub(crate) fn content_place(client: Dialect, content: Content) -> String {
    let list = match client {
        Dialect::OpenAiResponses => "input[].content[]",
        Dialect::Gemini => "contents[].parts[]",
        _ => "messages[].content[]",
    };
    format!("{list} ({})", content.words())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_in_the_order_of_the_pieces() {
        for row in Content::TABLE {
            assert_eq!(row.content.row().words, row.words);
        }
    }
}
