//! A whole answer.

use domain::Usage;

use super::{Part, PartKind, Text};
use crate::{
    error::{ProviderError, unexplained},
    json::Json,
};

/// What a model answered.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reply<'a> {
    /// The provider's id of it, if the dialect has one.
    pub id: Option<Text<'a>>,
    /// The model that answered, in the provider's words.
    pub model: Option<Text<'a>>,
    /// When, in Unix seconds, where the provider said it.
    pub created: Option<u64>,
    /// The answers; nearly always one.
    pub choices: Vec<Choice<'a>>,
    /// Tokens, where the provider says so; otherwise they are unknown, which is not zero.
    pub usage: Option<Usage>,
    /// The queue it was served from.
    pub service_tier: Option<Text<'a>>,
}

/// One answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Choice<'a> {
    /// What was said, thought and called, in order.
    pub parts: Vec<Part<'a>>,
    /// Why it ended.
    pub finish: Finish,
    /// Which stop sequence ended it, where the provider names it.
    pub stop_sequence: Option<Text<'a>>,
    /// What the provider said about its refusal or filter.
    pub explanation: Option<Text<'a>>,
    /// Log-probabilities of the tokens.
    pub logprobs: Vec<Logprob<'a>>,
    /// Citations and the like in the dialect's own words; other dialects cannot place them, so that they are only named.
    pub citations: Option<Json<'a>>,
}

/// Log-probability of one token; numbers stay as they were written.
#[derive(Clone, Debug, PartialEq)]
pub struct Logprob<'a> {
    /// The token's text.
    pub token: Text<'a>,
    /// Natural logarithm.
    pub logprob: Json<'a>,
    /// Its bytes, where they were said.
    pub bytes: Option<Json<'a>>,
    /// Alternatives: text and logarithm.
    pub top: Vec<(Text<'a>, Json<'a>)>,
}

/// Why an answer ended (docs/spec/responses.md#finish-reasons).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finish {
    /// It was done.
    End,
    /// A stop sequence.
    StopSequence,
    /// The output limit.
    Length,
    /// The context window is full.
    ContextFull,
    /// It calls tools.
    ToolCalls,
    /// A filter stopped it.
    ContentFilter,
    /// The model declined in words.
    Refusal,
    /// The provider pauses a long turn.
    Pause,
    /// The model wrote something that is no call.
    Malformed,
    /// The provider failed while answering.
    Error,
}

impl Reply<'_> {
    /// Whether a filter stopped every answer before any of it was said: the prompt was refused, and another provider
    /// may take it. The words that the provider puts in the place of an answer are none.
    #[must_use]
    pub fn blocked(&self) -> bool {
        let filtered = |choice: &Choice<'_>| choice.finish == Finish::ContentFilter;
        !self.choices.is_empty() && self.choices.iter().all(filtered) && !self.says_anything()
    }

    /// Whether there is anything of an answer in it; words of a refusal are none.
    #[must_use]
    pub fn says_anything(&self) -> bool {
        let said = |part: &Part<'_>| match &part.kind {
            PartKind::Refusal(_) => false,
            PartKind::Text(text) => !text.is_empty(),
            _ => true,
        };
        self.choices.iter().flat_map(|choice| &choice.parts).any(said)
    }

    /// The error that an answer is of which every choice ended in one.
    #[must_use]
    pub fn failure(&self) -> Option<ProviderError> {
        let failed = |choice: &Choice<'_>| choice.finish == Finish::Error;
        let first = self.choices.first().filter(|_| self.choices.iter().all(failed))?;
        let unexplained = unexplained();
        let message = first.explanation.as_deref().map(str::to_owned);
        Some(ProviderError { message: message.unwrap_or(unexplained.message), ..unexplained })
    }
}

impl Finish {
    /// The reason once it is known whether the answer holds calls: some providers say `stop` with them
    /// (docs/spec/responses.md#finish-reasons).
    #[must_use]
    pub const fn with_calls(self, calls: bool) -> Self {
        match self {
            Self::End | Self::StopSequence if calls => Self::ToolCalls,
            other => other,
        }
    }
}
