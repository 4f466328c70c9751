//! `priority`: in the order in which the targets are written.

use super::TierStrategy;
use crate::{
    route::Tier,
    routing::{context::RoutingContext, eligibility::Candidate, reason::SelectionReason},
};

/// The strategy.
pub(super) struct Priority;

impl TierStrategy for Priority {
    fn order(&self, _: &Tier, candidates: &mut [Candidate<'_>], _: &RoutingContext<'_>) {
        if let Some(first) = candidates.first_mut().filter(|first| first.index == 0) {
            first.set_reason(SelectionReason::First);
        }
    }
}
