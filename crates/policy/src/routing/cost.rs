//! What a request is expected to cost at a target: good enough to compare, never to charge.

use domain::{Money, Usage};

use super::RoutingContext;
use crate::snapshot::Target;

/// Output that is expected where the client's limit does not say less: a few paragraphs, in tokens.
const EXPECTED_OUTPUT: u64 = 500;

/// The expected cost; `None`: the model has no price.
pub(super) fn expected(target: &Target, asking: &RoutingContext<'_>) -> Option<Money> {
    let output = asking.facts.max_output.unwrap_or(EXPECTED_OUTPUT).min(EXPECTED_OUTPUT);
    let usage = Usage {
        input_uncached: asking.input_tokens,
        output_visible: output.saturating_mul(asking.facts.choices),
        ..Usage::default()
    };
    target.price_at(asking.at).map(|at| at.price.cost(&usage))
}
