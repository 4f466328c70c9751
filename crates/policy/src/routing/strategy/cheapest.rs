//! `cheapest`: by what the request is expected to cost, which is good enough to compare and never charged.

use domain::{Money, Usage};

use super::{TierStrategy, sort_once_by};
use crate::{
    price::expected_output,
    route::Tier,
    routing::{context::RoutingContext, eligibility::Candidate, reason::SelectionReason},
    target::Target,
};

/// The strategy.
pub(super) struct Cheapest;

impl TierStrategy for Cheapest {
    fn order(&self, _: &Tier, candidates: &mut [Candidate<'_>], context: &RoutingContext<'_>) {
        let expected = |candidate: &Candidate<'_>| expected_cost(candidate.target, context);
        sort_once_by(candidates, |candidate| {
            let expected = expected(candidate);
            (expected.is_none(), expected)
        });
        for candidate in candidates {
            let expected = expected(candidate);
            candidate.set_reason(SelectionReason::Cheapest { expected });
        }
    }
}

/// The expected cost, if the model has a price.
fn expected_cost(target: &Target, context: &RoutingContext<'_>) -> Option<Money> {
    let usage = Usage {
        input_uncached: context.input_tokens,
        output_visible: expected_output(context.facts.max_output, context.facts.choices),
        ..Usage::default()
    };
    target.price_at(context.at).map(|at| at.price.cost(&usage))
}
