//! `lowest_latency`: the target that leads by its time to the first token, then the others by theirs.

use super::{TierStrategy, sort_once_by};
use crate::{
    route::Tier,
    routing::{context::RoutingContext, eligibility::Candidate, reason::SelectionReason},
};

/// One request of so many goes to a target that is not the fastest, where no probe measures it.
const EXPLORE: u64 = 50;
/// The number of the draw that decides about it; members have the numbers below.
const DRAW_EXPLORE: u64 = 1 << 32;

/// The strategy.
pub(super) struct LowestLatency;

impl TierStrategy for LowestLatency {
    fn order(&self, tier: &Tier, candidates: &mut [Candidate<'_>], context: &RoutingContext<'_>) {
        let leader = tier.leader.current();
        let p95 = |candidate: &Candidate<'_>| {
            candidate.target.state.ttft_p95(context.now, tier.interval.saturating_mul(2))
        };
        sort_once_by(candidates, |candidate| {
            let p95 = p95(candidate);
            (candidate.index != leader, p95.is_none(), p95)
        });
        let measured = |candidate: &Candidate<'_>| !candidate.target.endpoint.probe.is_off();
        let draw = context.draw(DRAW_EXPLORE);
        let lot = usize::try_from(draw / EXPLORE).unwrap_or_default();
        if draw.is_multiple_of(EXPLORE) && candidates.len() > 1 {
            let explored = 1 + lot % (candidates.len() - 1);
            if !measured(&candidates[explored]) {
                candidates[..=explored].rotate_right(1);
                candidates[0].set_reason(SelectionReason::Explored);
                return;
            }
        }
        if let Some(first) = candidates.first_mut().filter(|first| first.index == leader) {
            let p95 = p95(first);
            first.set_reason(SelectionReason::Fastest { p95 });
        }
    }
}
