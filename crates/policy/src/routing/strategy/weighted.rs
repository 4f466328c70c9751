//! `weighted`: drawn at random, in proportion to the weights.

use super::{TierStrategy, sort_once_by};
use crate::{
    route::Tier,
    routing::{context::RoutingContext, eligibility::Candidate, reason::SelectionReason},
};

/// The strategy.
pub(super) struct Weighted;

impl TierStrategy for Weighted {
    fn order(&self, _: &Tier, candidates: &mut [Candidate<'_>], context: &RoutingContext<'_>) {
        let of = candidates.iter().map(|candidate| candidate.weight).sum();
        sort_once_by(candidates, |candidate| {
            ordinal(arrival(context.draw(candidate.index as u64), candidate.weight))
        });
        for candidate in candidates {
            candidate.set_reason(SelectionReason::Drawn { weight: candidate.weight, of });
        }
    }

    fn spreads(&self) -> bool {
        true
    }
}

/// A draw as a number above 0 and at most 1.
#[allow(clippy::cast_precision_loss, reason = "53 bits of a draw are plenty")]
fn unit(draw: u64) -> f64 {
    ((draw >> 11) + 1) as f64 / (1_u64 << 53) as f64
}

/// The time at which a candidate arrives in an exponential race: the first of several is drawn exactly by weight, and
/// the rest behind it as if it had not been there (Efraimidis and Spirakis, 2006).
pub(super) fn arrival(draw: u64, weight: u32) -> f64 {
    (0.0 - unit(draw).ln()) / f64::from(weight.max(1))
}

/// The order of numbers from zero up.
pub(super) const fn ordinal(number: f64) -> u64 {
    number.to_bits()
}
