//! `sticky`: the same target for the same session, user or prompt, on every replica and without shared state.

use domain::StickyBy;

use super::{
    TierStrategy,
    weighted::{Weighted, arrival, ordinal},
};
use crate::{
    random,
    route::Tier,
    routing::{context::RoutingContext, eligibility::Candidate, reason::SelectionReason},
};

/// Orders by weighted rendezvous hashing (Thaler and Ravishankar, 1998): when a target goes, only what was pinned to it
/// moves, and it comes back when the target does.
pub(super) struct Sticky;

impl TierStrategy for Sticky {
    fn order(&self, tier: &Tier, candidates: &mut [Candidate<'_>], context: &RoutingContext<'_>) {
        let key = match tier.by {
            StickyBy::Session => context.session.or(context.user).map(hashed),
            StickyBy::User => context.user.map(hashed),
            StickyBy::Prompt => None,
        };
        // A call without a prompt is not pinned; to send all of them to one target would be worse.
        let key = key.or_else(|| Some(context.shape().prefix).filter(|prefix| *prefix != 0));
        let Some(key) = key else { return Weighted.order(tier, candidates, context) };
        let score = |candidate: &Candidate<'_>| {
            let model = &candidate.target.model;
            let place = random::mix(hashed(&model.provider) ^ hashed(&model.model).rotate_left(32));
            arrival(random::mix(key ^ place), candidate.weight)
        };
        candidates.sort_by_cached_key(|candidate| ordinal(score(candidate)));
        for candidate in candidates {
            candidate.set_reason(SelectionReason::Sticky);
        }
    }

    fn spreads(&self) -> bool {
        true
    }
}

/// FNV-1a: the same in every build of every replica, which the standard library's hasher does not promise.
fn hashed(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}
