//! What a stream has said so far.

use domain::Usage;

use crate::error::ProviderError;

/// The facts of a stream that retries, timeouts and settlement depend on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StreamSummary {
    /// Whether the client was sent anything of an answer: text, a refusal, reasoning, a tool call, audio or
    /// a finish reason. From then on nothing may be retried.
    pub content: bool,
    /// Whether `[DONE]` came.
    pub done: bool,
    /// Whether a finish reason came.
    pub finish: bool,
    /// Whether a filter ended an answer before any of it came: the prompt was refused,
    /// and another provider may take it.
    pub blocked: bool,
    /// The first error inside the stream.
    pub error: Option<ProviderError>,
    /// Whether the error stands where the dialect's clients do not look for one.
    pub disguised: bool,
    /// The last usage that was no smaller than those before it.
    pub usage: Option<Usage>,
    /// Usages that were smaller than an earlier one and not believed.
    pub usage_anomalies: u32,
    /// Bytes of answer text: content, refusals, reasoning, names and arguments of calls.
    pub output_bytes: u64,
    /// Pieces of an answer, each of at least one token.
    pub deltas: u64,
    /// How many of them had come when the usage last changed; those behind it may not be in it.
    pub deltas_in_usage: u64,
    /// Events that carried data; comments do not count, so keep-alives cannot defeat a timeout.
    pub progress: u64,
    /// The model the provider says it is.
    pub model: Option<String>,
}

impl StreamSummary {
    /// Output tokens to charge when the stream never said its usage.
    ///
    /// One token for three bytes of text, and at least one a piece. English runs at four bytes or more a
    /// token and a CJK character is three bytes, so this errs upwards for both.
    #[must_use]
    pub fn tokens_estimate(&self) -> u64 {
        self.output_bytes.div_ceil(3).max(self.deltas)
    }

    /// Takes a usage that the provider reported, unless it is smaller than an earlier one.
    pub(crate) fn report(&mut self, usage: Usage) {
        let before = self.usage;
        if !keep_larger(&mut self.usage, usage) {
            self.usage_anomalies = self.usage_anomalies.saturating_add(1);
        } else if self.usage != before {
            self.deltas_in_usage = self.deltas;
        }
    }
}

/// Takes a newer usage unless it is smaller; says whether it was taken.
pub(super) fn keep_larger(kept: &mut Option<Usage>, new: Usage) -> bool {
    let size = |usage: &Usage| usage.input().saturating_add(usage.output());
    let taken = kept.as_ref().is_none_or(|kept| size(&new) >= size(kept));
    if taken {
        *kept = Some(new);
    }
    taken
}
