//! Token counts of one attempt, kept disjoint so that every dialect's numbers are sums of them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Disjoint token counts: no token is counted in two fields.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Usage {
    /// Input read at the full price.
    pub input_uncached: u64,
    /// Input read from the provider's prompt cache.
    pub cache_read: u64,
    /// Input written to the provider's prompt cache, whatever its lifetime.
    pub cache_write: u64,
    /// Output the client can see.
    pub output_visible: u64,
    /// Output spent on reasoning.
    pub reasoning: u64,
    /// Audio read.
    pub audio_in: u64,
    /// Audio written.
    pub audio_out: u64,
}

impl Usage {
    /// All input tokens: what OpenAI calls `prompt_tokens`.
    #[must_use]
    pub const fn input(&self) -> u64 {
        self.input_uncached
            .saturating_add(self.cache_read)
            .saturating_add(self.cache_write)
            .saturating_add(self.audio_in)
    }

    /// All output tokens: what OpenAI calls `completion_tokens`.
    #[must_use]
    pub const fn output(&self) -> u64 {
        self.output_visible.saturating_add(self.reasoning).saturating_add(self.audio_out)
    }
}
