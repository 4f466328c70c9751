//! The client APIs the gateway serves, by the names used in records and metrics.

use domain::Usage;

use crate::{dialect::Dialect, facts::RequestFacts};

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
    /// OpenAI's older Completions.
    Completions,
    /// OpenAI image generation.
    Images,
    /// OpenAI text to speech.
    Speech,
    /// OpenAI speech to text.
    Transcriptions,
    /// OpenAI speech to English text.
    Translations,
    /// OpenAI Moderations.
    Moderations,
    /// Rerank, as Cohere and its followers have it.
    Rerank,
    /// Anthropic's count of a prompt's tokens.
    CountTokens,
    /// Gemini's count of a prompt's tokens.
    GeminiCountTokens,
}

impl Api {
    /// Every API.
    pub const ALL: [Self; 16] = [
        Self::Chat,
        Self::Responses,
        Self::Messages,
        Self::Gemini,
        Self::Cohere,
        Self::Converse,
        Self::Embeddings,
        Self::Completions,
        Self::Images,
        Self::Speech,
        Self::Transcriptions,
        Self::Translations,
        Self::Moderations,
        Self::Rerank,
        Self::CountTokens,
        Self::GeminiCountTokens,
    ];

    /// The API of a dialect that a model answers with generated output.
    #[must_use]
    pub const fn of(dialect: Dialect) -> Self {
        match dialect {
            Dialect::OpenAiChat => Self::Chat,
            Dialect::OpenAiResponses => Self::Responses,
            Dialect::Anthropic => Self::Messages,
            Dialect::Gemini => Self::Gemini,
            Dialect::Cohere => Self::Cohere,
            Dialect::Bedrock => Self::Converse,
        }
    }

    /// Reads the stable name; `count_tokens` is Anthropic's.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|api| api.name() == name)
    }

    /// The stable name in usage records and metric labels.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Embeddings => "embeddings",
            Self::Completions => "completions",
            Self::Images => "images",
            Self::Speech => "speech",
            Self::Transcriptions => "transcriptions",
            Self::Translations => "translations",
            Self::Moderations => "moderations",
            Self::Rerank => "rerank",
            Self::CountTokens | Self::GeminiCountTokens => "count_tokens",
            Self::Chat => Dialect::OpenAiChat.name(),
            Self::Responses => Dialect::OpenAiResponses.name(),
            Self::Messages => Dialect::Anthropic.name(),
            Self::Gemini => Dialect::Gemini.name(),
            Self::Cohere => Dialect::Cohere.name(),
            Self::Converse => Dialect::Bedrock.name(),
        }
    }

    /// The dialect that the client speaks, for errors as well.
    #[must_use]
    pub const fn dialect(self) -> Dialect {
        match self {
            Self::Responses => Dialect::OpenAiResponses,
            Self::Messages | Self::CountTokens => Dialect::Anthropic,
            Self::Gemini | Self::GeminiCountTokens => Dialect::Gemini,
            Self::Cohere => Dialect::Cohere,
            Self::Converse => Dialect::Bedrock,
            _ => Dialect::OpenAiChat,
        }
    }

    /// Whether the body is a form upload.
    #[must_use]
    pub const fn is_upload(self) -> bool {
        matches!(self, Self::Transcriptions | Self::Translations)
    }

    /// Where it is at a provider of OpenAI's kind, behind the base URL.
    #[must_use]
    pub const fn openai_path(self) -> &'static str {
        match self {
            Self::Embeddings => "/embeddings",
            Self::Completions => "/completions",
            Self::Images => "/images/generations",
            Self::Speech => "/audio/speech",
            Self::Transcriptions => "/audio/transcriptions",
            Self::Translations => "/audio/translations",
            Self::Moderations => "/moderations",
            Self::Rerank => "/rerank",
            _ => "/chat/completions",
        }
    }

    /// What a call used where the answer does not say it: known from the request alone.
    ///
    /// Where it is not known, it has to be estimated from sizes.
    #[must_use]
    pub fn usage_of_request(self, facts: &RequestFacts) -> Option<Usage> {
        /// One unit of search ranks so many documents (Cohere's price list).
        const DOCUMENTS: u64 = 100;
        match self {
            Self::Images => Some(Usage { images: facts.choices, ..Usage::default() }),
            Self::Speech => Some(Usage { characters: facts.characters, ..Usage::default() }),
            // Counting is free, and so are OpenAI's moderations; a provider that charges for it reports tokens.
            Self::Moderations | Self::CountTokens | Self::GeminiCountTokens => Some(Usage::default()),
            Self::Rerank => {
                let search_units = u64::from(facts.messages).div_ceil(DOCUMENTS);
                Some(Usage { search_units, ..Usage::default() })
            }
            _ => None,
        }
    }

    /// Whether a model answers it with generated output; such calls are translated between dialects.
    #[must_use]
    pub const fn generates(self) -> bool {
        use Api as A;
        matches!(self, A::Chat | A::Responses | A::Messages | A::Gemini | A::Cohere | A::Converse)
    }

    /// `gen_ai.operation.name` in telemetry.
    #[must_use]
    pub const fn operation(self) -> &'static str {
        match self {
            Self::Embeddings => "embeddings",
            Self::Gemini => "generate_content",
            Self::Completions => "text_completion",
            Self::Chat | Self::Responses | Self::Messages | Self::Cohere | Self::Converse => "chat",
            other => other.name(),
        }
    }
}
