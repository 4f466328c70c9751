//! `least_loaded`: the less loaded of two targets that are drawn at random.

use super::{TierStrategy, sort_once_by, weighted::ordinal};
use crate::{
    route::Tier,
    routing::{context::RoutingContext, eligibility::Candidate, reason::SelectionReason},
};

/// The better of two goes first: choosing the best of all would send every replica's next request to the same one
/// (Mitzenmacher, 2001).
pub(super) struct LeastLoaded;

impl TierStrategy for LeastLoaded {
    fn order(&self, _: &Tier, candidates: &mut [Candidate<'_>], context: &RoutingContext<'_>) {
        let load = |candidate: &Candidate<'_>| ordinal(candidate.target.state.load(context.now));
        sort_once_by(candidates, |candidate| (candidate.rank, context.draw(candidate.index as u64)));
        let open = candidates.iter().take_while(|candidate| candidate.rank == 0).count();
        if open > 1 {
            if load(&candidates[1]) < load(&candidates[0]) {
                candidates.swap(0, 1);
            }
            sort_once_by(&mut candidates[1..], |candidate| (candidate.rank, load(candidate)));
        }
        if let Some(first) = candidates.first_mut() {
            let in_flight = first.target.state.in_flight();
            first.set_reason(SelectionReason::LeastLoaded { in_flight });
        }
    }

    fn spreads(&self) -> bool {
        true
    }
}
