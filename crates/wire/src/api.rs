//! The client APIs the gateway serves, by the names used in records and metrics.

use crate::dialect::DialectName;

/// One client API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Api {
    /// OpenAI Chat Completions.
    Chat,
    /// OpenAI Responses.
    Responses,
    /// Anthropic Messages.
    Messages,
    /// Gemini generateContent and streamGenerateContent.
    Gemini,
    /// Cohere Chat, version 2.
    Cohere,
    /// Bedrock Converse and ConverseStream.
    Converse,
    /// OpenAI Embeddings.
    Embeddings,
}

impl Api {
    /// The stable name in usage records and metric labels.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Embeddings => "embeddings",
            Self::Chat => DialectName::OpenAiChat.name(),
            Self::Responses => DialectName::OpenAiResponses.name(),
            Self::Messages => DialectName::Anthropic.name(),
            Self::Gemini => DialectName::Gemini.name(),
            Self::Cohere => DialectName::Cohere.name(),
            Self::Converse => DialectName::Bedrock.name(),
        }
    }

    /// Whose words the client speaks, for errors as well.
    #[must_use]
    pub const fn dialect(self) -> DialectName {
        match self {
            Self::Chat | Self::Embeddings => DialectName::OpenAiChat,
            Self::Responses => DialectName::OpenAiResponses,
            Self::Messages => DialectName::Anthropic,
            Self::Gemini => DialectName::Gemini,
            Self::Cohere => DialectName::Cohere,
            Self::Converse => DialectName::Bedrock,
        }
    }

    /// Whether a model answers it with generated output; such calls are translated between dialects.
    #[must_use]
    pub const fn generates(self) -> bool {
        !matches!(self, Self::Embeddings)
    }

    /// `gen_ai.operation.name` in telemetry.
    #[must_use]
    pub const fn operation(self) -> &'static str {
        match self {
            Self::Embeddings => "embeddings",
            Self::Gemini => "generate_content",
            _ => "chat",
        }
    }
}
