//! What a target charges at a moment, and what a request can cost there at most.

use domain::{Money, PriceSpec, Rate, ResourceId, Timestamp, Usage};

use crate::snapshot::Target;

/// Output that is reserved where neither the client nor the catalogue limits it, in tokens.
///
/// A guess by necessity; it only values requests whose proxy died. Budgets will refuse such requests.
const UNLIMITED_OUTPUT: u64 = 16_384;

/// The price in force at a moment.
#[derive(Clone, Copy, Debug)]
pub struct PricedAt<'a> {
    /// The price row.
    pub id: ResourceId,
    /// Its rates.
    pub price: &'a PriceSpec,
}

/// An upper bound of one attempt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bound {
    /// In tokens.
    pub usage: Usage,
    /// In money; zero while the model has no price.
    pub cost: Money,
}

impl Target {
    /// The newest price that is in force; `None`: the model is unpriced.
    #[must_use]
    pub fn price_at(&self, now: Timestamp) -> Option<PricedAt<'_>> {
        let in_force = |(_, price): &&(ResourceId, PriceSpec)| price.effective_from <= now;
        self.prices
            .iter()
            .find_map(|list| list.iter().find(in_force))
            .map(|(id, price)| PricedAt { id: *id, price })
    }
}

/// Bounds an attempt: input as if none of it were cached but all of it written to the cache, output up to
/// the limit, each at the dearest rate it could be charged by.
#[must_use]
pub fn bound(target: &Target, now: Timestamp, input: u64, limit: Option<u64>, choices: u64) -> Bound {
    let per_choice = limit.or(target.spec.max_output).unwrap_or(UNLIMITED_OUTPUT);
    let output = per_choice.saturating_mul(choices);
    let usage = Usage { input_uncached: input, output_visible: output, ..Usage::default() };
    let cost = target.price_at(now).map(|PricedAt { price, .. }| {
        let dearest =
            |base: Rate, others: [Option<Rate>; 2]| others.into_iter().flatten().fold(base, Rate::max);
        let worst = PriceSpec {
            input: dearest(price.input, [price.cache_write, price.audio_input]),
            output: dearest(price.output, [price.reasoning, price.audio_output]),
            ..price.clone()
        };
        worst.cost(&usage)
    });
    Bound { usage, cost: cost.unwrap_or(Money::ZERO) }
}
