//! Prices: what a model's tokens cost from a moment on, and what one attempt cost by them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{ModelRef, Money, Rate, Timestamp, Usage};

/// The price of one model from a moment on; the newest one that is in force applies.
///
/// Rates are dollars per million tokens. A rate that is not written falls back to the one it refines:
/// cached and written input to `input`, reasoning to `output`, audio to its text side.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PriceSpec {
    /// The model the price is for, `provider/model`.
    pub model: ModelRef,
    /// From when on it applies (RFC 3339, or a date in UTC).
    pub effective_from: Timestamp,
    /// Fresh input.
    pub input: Rate,
    /// Output.
    pub output: Rate,
    /// Input read from the provider's cache.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cached_input: Option<Rate>,
    /// Input written to the provider's cache.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_write: Option<Rate>,
    /// Reasoning output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning: Option<Rate>,
    /// Audio input.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audio_input: Option<Rate>,
    /// Audio output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audio_output: Option<Rate>,
}

/// What an attempt cost, or that nobody knows: an unknown price is never shown as $0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cost {
    /// The model has a price.
    Known(Money),
    /// The catalogue has no price for the model.
    Unpriced,
}

impl Cost {
    /// The amount where it is known.
    #[must_use]
    pub const fn known(self) -> Option<Money> {
        match self {
            Self::Known(money) => Some(money),
            Self::Unpriced => None,
        }
    }
}

impl PriceSpec {
    /// The cost of one attempt: summed in 128 bits, rounded up once to a nano-dollar.
    #[must_use]
    pub fn cost(&self, usage: &Usage) -> Money {
        let input = self.input;
        let output = self.output;
        let sum = input.times(usage.input_uncached)
            + self.cached_input.unwrap_or(input).times(usage.cache_read)
            + self.cache_write.unwrap_or(input).times(usage.cache_write)
            + self.audio_input.unwrap_or(input).times(usage.audio_in)
            + output.times(usage.output_visible)
            + self.reasoning.unwrap_or(output).times(usage.reasoning)
            + self.audio_output.unwrap_or(output).times(usage.audio_out);
        let nanos = (sum + 999_999).div_euclid(1_000_000);
        Money::from_nanos(i64::try_from(nanos).unwrap_or(i64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn price() -> PriceSpec {
        serde_json::from_str(
            r#"{"model":"openai/gpt-4o-mini","effective_from":"2026-01-01","input":"$0.15","cached_input":"$0.075","output":"$0.60"}"#,
        )
        .unwrap()
    }

    #[test]
    fn sums_exactly_and_rounds_up_once() {
        let usage =
            Usage { input_uncached: 10, cache_read: 3, output_visible: 7, reasoning: 1, ..Usage::default() };
        // 10 × 150 + 3 × 75 + 8 × 600 nano-dollars, all exact.
        assert_eq!(price().cost(&usage).nanos(), 1_500 + 225 + 4_800);
        let odd = PriceSpec { input: Rate::from_nanos(1), ..price() };
        assert_eq!(odd.cost(&Usage { input_uncached: 1, ..Usage::default() }).nanos(), 1);
        assert_eq!(odd.cost(&Usage::default()).nanos(), 0);
    }

    #[test]
    fn absurd_counts_do_not_wrap() {
        let usage = Usage { input_uncached: u64::MAX, output_visible: u64::MAX, ..Usage::default() };
        assert_eq!(price().cost(&usage).nanos(), i64::MAX);
    }
}
