//! Prices: what a model's use costs from a moment on, and what one attempt cost by them.

mod rates;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{ModelRef, Money, Rate, ServiceTier, Timestamp, Usage};
use rates::{Card, with_fine_rates};

with_fine_rates! {
    /// The price of one model from a moment on; the newest one that is in force applies.
    ///
    /// Rates are dollars per million tokens. A rate that is not written falls back to the one it refines: cache
    /// writes by lifetime to `cache_write`, that and all other sorts of input to `input`, all sorts of output to
    /// `output`. Prices of pieces have nothing to fall back to.
    PriceSpec {
        /// The model the price is for, `provider/model`.
        pub model: ModelRef,
        /// From when on it applies (RFC 3339, or a date in UTC).
        pub effective_from: Timestamp,
        /// Fresh input.
        pub input: Rate,
        /// Output.
        pub output: Rate,
        /// Each request that used anything, besides its tokens.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub request: Option<Money>,
        /// Each web search that the provider ran.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub web_search: Option<Money>,
        /// Each search unit of a rerank.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub search_unit: Option<Money>,
        /// Each image made.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub image: Option<Money>,
        /// Each page read.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub page: Option<Money>,
        /// Each second of sound.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub audio_second: Option<Money>,
        /// A million characters of text that is spoken.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub characters: Option<Rate>,
        /// Rates of requests with more input tokens than a number.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        pub long_context: Vec<LongContext>,
        /// Rates of other service tiers.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        pub service_tiers: BTreeMap<ServiceTier, TierRates>,
        /// Where the price is written.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub source: Option<String>,
    }
}

with_fine_rates! {
    /// Rates of a request with a long input. They apply to the whole request and not only to what is above, as at
    /// every provider that has them. A rate that is not written here stays as it is without.
    LongContext {
        /// Applies when the input, cached or not, has more tokens than this.
        pub above: u64,
        /// Fresh input.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub input: Option<Rate>,
        /// Output.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub output: Option<Rate>,
    }
}

with_fine_rates! {
    /// Rates of a service tier. A rate that is not written here is that of the standard tier.
    TierRates {
        /// Fresh input.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub input: Option<Rate>,
        /// Output.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub output: Option<Rate>,
        /// Of requests with a long input; none: the standard tier's apply.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        pub long_context: Vec<LongContext>,
    }
}

/// What an attempt cost, if that is known: an unknown price is never shown as $0.
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
        let card = self.card(usage.service_tier, usage.input());
        rounded_up(card.tokens(usage).saturating_add(self.pieces(usage)))
    }

    /// The most that an attempt can cost whose input, output and counts of pieces are each at most those of
    /// `within`, whatever sorts of tokens they turn out to be and at whatever service tier it is served.
    #[must_use]
    pub fn bound(&self, within: &Usage) -> Money {
        let input = within.input();
        let output = within.output();
        // A tier that has no rates of its own is charged by the standard ones.
        let tiers =
            if self.service_tiers.is_empty() { &ServiceTier::ALL[..1] } else { &ServiceTier::ALL[..] };
        let worst = tiers.iter().flat_map(|&tier| {
            let levels = self.levels(tier).iter().map(|level| level.above.saturating_add(1));
            let reached = std::iter::once(0).chain(levels).filter(|level| *level <= input);
            reached.map(move |level| self.card(tier, level))
        });
        let dearest = worst.map(|card| card.dearest(input, output)).max().unwrap_or_default();
        rounded_up(dearest.saturating_add(self.pieces(within)))
    }

    /// Whether everything that was used has a price here; where not, the cost leaves something out.
    #[must_use]
    pub fn covers(&self, usage: &Usage) -> bool {
        let tier = usage.service_tier;
        let pieces = [
            (usage.web_searches, self.web_search.is_some()),
            (usage.search_units, self.search_unit.is_some()),
            (usage.images, self.image.is_some()),
            (usage.pages, self.page.is_some()),
            (usage.audio_ms, self.audio_second.is_some()),
            (usage.characters, self.characters.is_some()),
        ];
        (tier.is_standard() || self.service_tiers.contains_key(&tier))
            && pieces.into_iter().all(|(count, priced)| count == 0 || priced)
    }

    /// Whether both say the same of what things cost, wherever and from whenever they say it.
    #[must_use]
    pub fn same_rates(&self, other: &Self) -> bool {
        let model = self.model.clone();
        let effective_from = self.effective_from;
        let source = self.source.clone();
        *self == Self { model, effective_from, source, ..other.clone() }
    }

    /// The rates of requests with long inputs at a tier.
    fn levels(&self, tier: ServiceTier) -> &[LongContext] {
        let own = self.service_tiers.get(&tier).map(|rates| &rates.long_context);
        own.filter(|levels| !levels.is_empty()).unwrap_or(&self.long_context)
    }

    /// The rates that apply to a request: the standard ones, those of its tier over them, those of its length
    /// over both.
    fn card(&self, tier: ServiceTier, input: u64) -> Card {
        let mut card = Card { input: self.input, output: self.output, fine: self.fine() };
        if let Some(rates) = self.service_tiers.get(&tier) {
            card = card.with(rates.input, rates.output, rates.fine());
        }
        let reached = self.levels(tier).iter().filter(|level| input > level.above);
        match reached.max_by_key(|level| level.above) {
            Some(level) => card.with(level.input, level.output, level.fine()),
            None => card,
        }
    }

    /// What is not tokens, in nano-dollars × 1,000,000.
    fn pieces(&self, usage: &Usage) -> i128 {
        const MILLION: i128 = 1_000_000;
        let each = |price: Option<Money>, count: u64, scale: i128| {
            let price = i128::from(price.unwrap_or_default().nanos());
            price.saturating_mul(i128::from(count)).saturating_mul(scale)
        };
        let terms = [
            each(self.request, u64::from(!usage.is_nothing()), MILLION),
            each(self.web_search, usage.web_searches, MILLION),
            each(self.search_unit, usage.search_units, MILLION),
            each(self.image, usage.images, MILLION),
            each(self.page, usage.pages, MILLION),
            each(self.audio_second, usage.audio_ms, MILLION / 1_000),
            self.characters.unwrap_or_default().times(usage.characters),
        ];
        terms.into_iter().fold(0, i128::saturating_add)
    }
}

/// Nano-dollars × 1,000,000 to whole nano-dollars, held at the reach of 64 bits.
fn rounded_up(sum: i128) -> Money {
    let nanos = sum.saturating_add(999_999).div_euclid(1_000_000);
    Money::from_nanos(i64::try_from(nanos).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests;
