//! The rates of single sorts of tokens: written once for prices, long contexts and service tiers, and resolved here.

use crate::{Rate, Usage};

/// Rates of the finer sorts of tokens, as far as they are written.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Fine {
    pub(super) cached_input: Option<Rate>,
    pub(super) cache_write: Option<Rate>,
    pub(super) cache_write_5m: Option<Rate>,
    pub(super) cache_write_30m: Option<Rate>,
    pub(super) cache_write_1h: Option<Rate>,
    pub(super) cache_write_12h: Option<Rate>,
    pub(super) audio_input: Option<Rate>,
    pub(super) image_input: Option<Rate>,
    pub(super) reasoning: Option<Rate>,
    pub(super) audio_output: Option<Rate>,
    pub(super) image_output: Option<Rate>,
}

/// A struct of rates: its own fields, and one optional field per finer sort of tokens.
macro_rules! with_fine_rates {
    ($(#[$meta:meta])* $name:ident { $($own:tt)* }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            $($own)*
            /// Input read from the provider's cache.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub cached_input: Option<Rate>,
            /// Input written to the provider's cache.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub cache_write: Option<Rate>,
            /// Input written to the cache for 5 minutes.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub cache_write_5m: Option<Rate>,
            /// Input written to the cache for 30 minutes.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub cache_write_30m: Option<Rate>,
            /// Input written to the cache for 1 hour.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub cache_write_1h: Option<Rate>,
            /// Input written to the cache for 12 hours.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub cache_write_12h: Option<Rate>,
            /// Audio input.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub audio_input: Option<Rate>,
            /// Image input.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub image_input: Option<Rate>,
            /// Reasoning output.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub reasoning: Option<Rate>,
            /// Audio output.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub audio_output: Option<Rate>,
            /// Image output.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub image_output: Option<Rate>,
        }

        impl $name {
            const fn fine(&self) -> crate::price::rates::Fine {
                crate::price::rates::Fine {
                    cached_input: self.cached_input,
                    cache_write: self.cache_write,
                    cache_write_5m: self.cache_write_5m,
                    cache_write_30m: self.cache_write_30m,
                    cache_write_1h: self.cache_write_1h,
                    cache_write_12h: self.cache_write_12h,
                    audio_input: self.audio_input,
                    image_input: self.image_input,
                    reasoning: self.reasoning,
                    audio_output: self.audio_output,
                    image_output: self.image_output,
                }
            }
        }
    };
}

pub(super) use with_fine_rates;

/// The rates that one request is charged by.
#[derive(Clone, Copy, Debug)]
pub(super) struct Card {
    pub(super) input: Rate,
    pub(super) output: Rate,
    pub(super) fine: Fine,
}

impl Card {
    /// This card with what is written of another over it.
    pub(super) fn with(self, input: Option<Rate>, output: Option<Rate>, fine: Fine) -> Self {
        let under = self.fine;
        Self {
            input: input.unwrap_or(self.input),
            output: output.unwrap_or(self.output),
            fine: Fine {
                cached_input: fine.cached_input.or(under.cached_input),
                cache_write: fine.cache_write.or(under.cache_write),
                cache_write_5m: fine.cache_write_5m.or(under.cache_write_5m),
                cache_write_30m: fine.cache_write_30m.or(under.cache_write_30m),
                cache_write_1h: fine.cache_write_1h.or(under.cache_write_1h),
                cache_write_12h: fine.cache_write_12h.or(under.cache_write_12h),
                audio_input: fine.audio_input.or(under.audio_input),
                image_input: fine.image_input.or(under.image_input),
                reasoning: fine.reasoning.or(under.reasoning),
                audio_output: fine.audio_output.or(under.audio_output),
                image_output: fine.image_output.or(under.image_output),
            },
        }
    }

    /// Every sort of input with its rate.
    fn inputs(&self, usage: &Usage) -> [(Rate, u64); 10] {
        let fine = &self.fine;
        let write = fine.cache_write.unwrap_or(self.input);
        [
            (self.input, usage.input_uncached),
            (self.input, usage.tool_input),
            (fine.cached_input.unwrap_or(self.input), usage.cache_read),
            (write, usage.cache_write),
            (fine.cache_write_5m.unwrap_or(write), usage.write_5m),
            (fine.cache_write_30m.unwrap_or(write), usage.write_30m),
            (fine.cache_write_1h.unwrap_or(write), usage.write_1h),
            (fine.cache_write_12h.unwrap_or(write), usage.write_12h),
            (fine.audio_input.unwrap_or(self.input), usage.audio_in),
            (fine.image_input.unwrap_or(self.input), usage.image_in),
        ]
    }

    /// Every sort of output with its rate.
    fn outputs(&self, usage: &Usage) -> [(Rate, u64); 4] {
        let fine = &self.fine;
        [
            (self.output, usage.output_visible),
            (fine.reasoning.unwrap_or(self.output), usage.reasoning),
            (fine.audio_output.unwrap_or(self.output), usage.audio_out),
            (fine.image_output.unwrap_or(self.output), usage.image_out),
        ]
    }

    /// What the tokens cost, in nano-dollars × 1,000,000.
    pub(super) fn tokens(&self, usage: &Usage) -> i128 {
        let terms = self.inputs(usage).into_iter().chain(self.outputs(usage));
        terms.fold(0, |sum: i128, (rate, count)| sum.saturating_add(rate.times(count)))
    }

    /// What so many tokens cost if all are of the dearest sort, in nano-dollars × 1,000,000.
    pub(super) fn dearest(&self, input: u64, output: u64) -> i128 {
        let dearest = |rates: &[(Rate, u64)]| rates.iter().map(|(rate, _)| *rate).max().unwrap_or_default();
        let none = Usage::default();
        let input = dearest(&self.inputs(&none)).times(input);
        input.saturating_add(dearest(&self.outputs(&none)).times(output))
    }
}
