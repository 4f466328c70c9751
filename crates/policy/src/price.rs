//! What a target charges at a moment, and what a request can cost there at most.

use std::sync::Arc;

use domain::{Money, PriceSpec, ResourceId, Timestamp, Usage};

use crate::target::Target;

/// Output that is reserved where neither the client nor the catalogue limits it, in tokens.
///
/// A guess by necessity; it only values requests of proxies that died. Under a budget a limit is sent.
const UNLIMITED_OUTPUT: u64 = 16_384;
/// Output that a request under a budget may have where neither the client nor the catalogue limits it, in tokens: every
/// model on offer takes as much.
const DEFAULT_OUTPUT_LIMIT: u64 = 4_096;
/// Output that is expected where the client's limit does not say less: a few paragraphs, in tokens.
const EXPECTED_OUTPUT: u64 = 500;
/// Room for the answer that is asked for where the prompt seems to fill the model's window, in tokens.
const LEAST_ROOM: u64 = 1_024;
/// Cohere counts one search unit per query and up to 100 documents.
const DOCUMENTS_PER_SEARCH_UNIT: u64 = 100;

/// The price in force at a moment.
#[derive(Clone, Copy, Debug)]
pub struct PricedAt<'a> {
    /// The price row.
    pub id: ResourceId,
    /// Its rates.
    pub price: &'a Arc<PriceSpec>,
}

/// An upper bound of one attempt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bound {
    /// In tokens and pieces.
    pub usage: Usage,
    /// In money; zero while the model has no price.
    pub cost: Money,
}

impl Target {
    /// The newest price that is in force, of the owner, else of a tenant above it, else of the operator, else of the
    /// catalogue. A model without one is unpriced.
    #[must_use]
    pub fn price_at(&self, now: Timestamp) -> Option<PricedAt<'_>> {
        let in_force = |(_, price): &&(ResourceId, Arc<PriceSpec>)| price.effective_from <= now;
        self.prices
            .iter()
            .find_map(|list| list.iter().find(in_force))
            .map(|(id, price)| PricedAt { id: *id, price })
    }
}

/// The output that a request may be expected to have, in tokens: good enough to compare targets and to charge limits until
/// the true number is known, and never billed.
#[must_use]
pub fn expected_output(limit: Option<u64>, choices: u64) -> u64 {
    limit.unwrap_or(EXPECTED_OUTPUT).min(EXPECTED_OUTPUT).saturating_mul(choices)
}

/// The output limit to send for a request whose client set none, so that no more can come than is reserved: the model's
/// own, or what its window leaves beside an input of about so many tokens, since some servers refuse what does not fit.
#[must_use]
pub fn output_limit(target: &Target, input_estimate: u64) -> u64 {
    let most = target.spec.max_output.unwrap_or(DEFAULT_OUTPUT_LIMIT);
    let Some(context) = target.spec.context else { return most };
    // An estimate may be too low by a third.
    let room = context.saturating_sub(input_estimate.saturating_add(input_estimate / 2));
    most.min(room.max(LEAST_ROOM))
}

/// Bounds an attempt: input as if none of it were cached but all of it of the dearest sort, output up to the limit,
/// at the dearest service tier and context length that such an input reaches.
///
/// A provider refuses an input longer than the model's window, so no more than that is reserved. Pieces are bounded
/// where the request says how many there can be; web searches are the provider's choice, and what they cost is
/// added when it says how many there were.
#[must_use]
pub fn bound(target: &Target, now: Timestamp, input: u64, limit: Option<u64>, choices: u64) -> Bound {
    let per_choice = limit.or(target.spec.max_output).unwrap_or(UNLIMITED_OUTPUT);
    let tokens = Usage {
        input_uncached: target.spec.context.map_or(input, |context| input.min(context)),
        output_visible: per_choice.saturating_mul(choices),
        ..Usage::default()
    };
    let cost = |PricedAt { price, .. }: PricedAt<'_>| {
        // A character, a millisecond of sound, a document to be ranked: each takes a byte of the body at least,
        // and the bound of the input is not below the body's length.
        let pieces = Usage {
            images: choices,
            characters: input,
            audio_ms: input,
            search_units: 1 + input / DOCUMENTS_PER_SEARCH_UNIT,
            ..tokens
        };
        price.bound(&pieces)
    };
    Bound { usage: tokens, cost: target.price_at(now).map(cost).unwrap_or_default() }
}
