//! The strategies: in which order the candidates of a tier are tried.
//!
//! Each strategy is one file in `strategy/` that implements [`TierStrategy`]. A new one is registered by its line in
//! `strategy_of`, with its `mod` line here and its name in `domain::Strategy`, as users write it.

mod cheapest;
mod least_loaded;
mod lowest_latency;
mod nearest;
mod priority;
mod sticky;
mod weighted;

use domain::Strategy;

use super::{
    context::RoutingContext,
    eligibility::{Candidate, Eligibility},
};
use crate::route::Tier;

/// A strategy.
trait TierStrategy {
    /// Orders the candidates, best first, and sets the reason of those that it chose. Healthy candidates are moved
    /// before the others afterwards.
    fn order(&self, tier: &Tier, candidates: &mut [Candidate<'_>], context: &RoutingContext<'_>);

    /// Whether it spreads requests over all candidates, rather than sending all of them to the best one.
    fn spreads(&self) -> bool {
        false
    }
}

const fn strategy_of(name: Strategy) -> &'static dyn TierStrategy {
    match name {
        Strategy::Priority => &priority::Priority,
        Strategy::Weighted => &weighted::Weighted,
        Strategy::LowestLatency => &lowest_latency::LowestLatency,
        Strategy::LeastLoaded => &least_loaded::LeastLoaded,
        Strategy::Cheapest => &cheapest::Cheapest,
        Strategy::Nearest => &nearest::Nearest,
        Strategy::Sticky => &sticky::Sticky,
    }
}

/// Orders candidates by the tier's strategy, those that are in use before the others.
pub(super) fn order(tier: &Tier, candidates: &mut [Candidate<'_>], context: &RoutingContext<'_>) {
    let strategy = strategy_of(tier.strategy);
    let spread = strategy.spreads()
        && candidates.iter().any(|candidate| candidate.eligibility == Eligibility::Healthy);
    for candidate in candidates.iter_mut() {
        candidate.rank = candidate.eligibility.rank(spread);
    }
    strategy.order(tier, candidates, context);
    candidates.sort_by_key(|candidate| candidate.rank);
}

/// Sorts by keys that are computed once each: what they are read from changes concurrently, and a sort whose keys change
/// may panic.
fn sort_once_by<T: Ord>(candidates: &mut [Candidate<'_>], key: impl FnMut(&Candidate<'_>) -> T) {
    candidates.sort_by_cached_key(key);
}
