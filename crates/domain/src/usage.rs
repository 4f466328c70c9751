//! What one attempt used, as disjoint counts, so that every dialect's numbers are sums of them.

use std::{fmt, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The one list of counts: the fields, their names as columns and JSON, and the order that stores keep.
macro_rules! counts {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// Disjoint counts: nothing is counted in two fields. All in tokens but where a field says otherwise.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
        #[serde(default)]
        pub struct Usage {
            $($(#[$doc])* pub $name: u64,)*
            /// The service tier the provider says it served; it chooses the rates.
            #[serde(skip_serializing_if = "ServiceTier::is_standard")]
            pub service_tier: ServiceTier,
        }

        impl Usage {
            /// The counts' names, in the order of [`Self::counts`].
            pub const NAMES: [&'static str; [$(stringify!($name)),*].len()] = [$(stringify!($name)),*];

            /// Every count, in the order of [`Self::NAMES`].
            #[must_use]
            pub const fn counts(&self) -> [u64; Self::NAMES.len()] {
                [$(self.$name),*]
            }

            /// From counts in the order of [`Self::NAMES`], at the standard tier.
            #[must_use]
            pub const fn from_counts([$($name),*]: [u64; Self::NAMES.len()]) -> Self {
                Self { $($name,)* service_tier: ServiceTier::Standard }
            }
        }
    };
}

counts! {
    /// Input read at the full price.
    input_uncached,
    /// Input read from the provider's prompt cache.
    cache_read,
    /// Input written to the provider's prompt cache, where the provider did not say for how long.
    cache_write,
    /// Input written to the cache for 5 minutes.
    write_5m,
    /// Input written to the cache for 30 minutes.
    write_30m,
    /// Input written to the cache for 1 hour.
    write_1h,
    /// Input written to the cache for 12 hours.
    write_12h,
    /// Input that the provider's own tools added (Gemini's `toolUsePromptTokenCount`).
    tool_input,
    /// Audio read.
    audio_in,
    /// Images read, where the provider counts them apart.
    image_in,
    /// Output the client can see.
    output_visible,
    /// Output spent on reasoning.
    reasoning,
    /// Audio written.
    audio_out,
    /// Images written.
    image_out,
    /// Web searches that the provider ran, in requests.
    web_searches,
    /// Units of search and rerank (Cohere's `search_units`).
    search_units,
    /// Images generated, in pieces, where they are not billed by token.
    images,
    /// Sound transcribed or spoken, in milliseconds, where it is not billed by token.
    audio_ms,
    /// Text spoken, in characters, where it is not billed by token.
    characters,
    /// Pages of documents read, where they are not billed by token.
    pages,
}

impl Usage {
    /// All input tokens: what OpenAI calls `prompt_tokens`.
    #[must_use]
    pub const fn input(&self) -> u64 {
        self.input_uncached
            .saturating_add(self.cache_read)
            .saturating_add(self.cache_written())
            .saturating_add(self.tool_input)
            .saturating_add(self.audio_in)
            .saturating_add(self.image_in)
    }

    /// All input tokens written to the provider's cache, whatever their lifetime.
    #[must_use]
    pub const fn cache_written(&self) -> u64 {
        self.cache_write
            .saturating_add(self.write_5m)
            .saturating_add(self.write_30m)
            .saturating_add(self.write_1h)
            .saturating_add(self.write_12h)
    }

    /// All output tokens: what OpenAI calls `completion_tokens`.
    #[must_use]
    pub const fn output(&self) -> u64 {
        self.output_visible
            .saturating_add(self.reasoning)
            .saturating_add(self.audio_out)
            .saturating_add(self.image_out)
    }

    /// Whether nothing was used, which costs nothing whatever the price.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        self.counts().iter().all(|count| *count == 0)
    }
}

/// At which of a provider's service levels a request ran; each may have rates of its own.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum ServiceTier {
    /// The usual one.
    #[default]
    Standard,
    /// Answered within hours.
    Batch,
    /// Answered when there is room.
    Flex,
    /// Answered ahead of others.
    Priority,
    /// Answered by faster machines (Anthropic's `speed: fast`).
    Fast,
    /// Answered by the fastest machines (OpenAI's tier of this name).
    Ultrafast,
}

impl ServiceTier {
    /// Every tier.
    pub const ALL: [Self; 6] =
        [Self::Standard, Self::Batch, Self::Flex, Self::Priority, Self::Fast, Self::Ultrafast];

    /// The stable name in records and prices.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::Batch => "batch",
            Self::Flex => "flex",
            Self::Priority => "priority",
            Self::Fast => "fast",
            Self::Ultrafast => "ultrafast",
        }
    }

    /// Whether it is the usual one.
    #[must_use]
    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
    pub const fn is_standard(&self) -> bool {
        matches!(self, Self::Standard)
    }
}

impl fmt::Display for ServiceTier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for ServiceTier {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let named = Self::ALL.into_iter().find(|tier| tier.as_str() == text);
        named.ok_or_else(|| format!("unknown service tier {text:?}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_count_is_input_output_or_no_token_at_all() {
        for (index, name) in Usage::NAMES.iter().enumerate() {
            let mut counts = [0; Usage::NAMES.len()];
            counts[index] = 7;
            let usage = Usage::from_counts(counts);
            assert_eq!(usage.counts(), counts);
            assert_eq!(serde_json::to_value(usage).unwrap()[name], 7);
            let tokens =
                !["web_searches", "search_units", "images", "audio_ms", "characters", "pages"].contains(name);
            assert_eq!(usage.input() + usage.output(), if tokens { 7 } else { 0 }, "{name}");
            assert!(!usage.is_nothing());
        }
        assert!(Usage::default().is_nothing());
    }

    #[test]
    fn a_tier_reads_back_and_the_usual_one_is_not_written() {
        for tier in ServiceTier::ALL {
            assert_eq!(tier.as_str().parse(), Ok(tier));
            assert_eq!(serde_json::to_value(tier).unwrap(), tier.as_str());
        }
        assert!("turbo".parse::<ServiceTier>().is_err());
        assert!(serde_json::to_value(Usage::default()).unwrap().get("service_tier").is_none());
    }
}
