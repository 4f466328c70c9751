//! `nearest`: by the distance between the proxy's region and the provider's.

use super::{TierStrategy, sort_once_by};
use crate::{
    route::Tier,
    routing::{context::RoutingContext, distance, eligibility::Candidate, reason::SelectionReason},
};

/// The strategy.
pub(super) struct Nearest;

impl TierStrategy for Nearest {
    fn order(&self, tier: &Tier, candidates: &mut [Candidate<'_>], context: &RoutingContext<'_>) {
        let distance = |candidate: &Candidate<'_>| {
            let (from, to) = (context.region?, candidate.target.endpoint.region.as_deref()?);
            if tier.distances.is_empty() {
                return distance::between(from, to);
            }
            // The operator's distances have a unit of their own and are not compared with kilometres.
            tier.distances.get(from).and_then(|row| row.get(to).copied()).or((from == to).then_some(0))
        };
        sort_once_by(candidates, |candidate| {
            let distance = distance(candidate);
            (distance.is_none(), distance)
        });
        for candidate in candidates {
            let distance = distance(candidate);
            candidate.set_reason(SelectionReason::Nearest { distance });
        }
    }
}
