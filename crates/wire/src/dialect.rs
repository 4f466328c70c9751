//! The dialects by name: the words in which one provider family takes calls and answers them.

/// The dialects, by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Dialect {
    /// OpenAI Chat Completions, and everybody who copied it.
    OpenAiChat,
    /// OpenAI Responses.
    OpenAiResponses,
    /// Anthropic Messages.
    Anthropic,
    /// Google's generateContent.
    Gemini,
    /// Cohere Chat, version 2.
    Cohere,
    /// Amazon Bedrock Converse.
    Bedrock,
}

impl Dialect {
    /// Every dialect.
    pub const ALL: [Self; 6] =
        [Self::OpenAiChat, Self::OpenAiResponses, Self::Anthropic, Self::Gemini, Self::Cohere, Self::Bedrock];

    /// The stable name in usage records and metric labels.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::OpenAiChat => "chat",
            Self::OpenAiResponses => "responses",
            Self::Anthropic => "messages",
            Self::Gemini => "gemini",
            Self::Cohere => "cohere",
            Self::Bedrock => "converse",
        }
    }

    /// Reads the stable name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|dialect| dialect.name() == name)
    }

    /// Whether it is one of OpenAI's two.
    #[must_use]
    pub const fn is_openai(self) -> bool {
        matches!(self, Self::OpenAiChat | Self::OpenAiResponses)
    }

    /// What people call it.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::OpenAiChat => "OpenAI Chat Completions",
            Self::OpenAiResponses => "OpenAI Responses",
            Self::Anthropic => "Anthropic Messages",
            Self::Gemini => "Gemini generateContent",
            Self::Cohere => "Cohere Chat v2",
            Self::Bedrock => "Bedrock Converse",
        }
    }
}
