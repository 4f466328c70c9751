//! Affinity: the same target for the same session, user or prompt, on every replica and without shared state.

use domain::StickyBy;

use super::{
    RoutingContext, SelectionReason,
    members::Candidate,
    order::{arrival, ordinal, weighted},
};

/// Orders by rendezvous hashing (Thaler and Ravishankar, 1998), weighted: when a target goes, only what kept to it
/// moves, and it comes back when the target does.
pub(super) fn order(by: StickyBy, candidates: &mut [Candidate<'_>], asking: &RoutingContext<'_>) {
    let key = match by {
        StickyBy::Session => asking.session.or(asking.user).map(hashed),
        StickyBy::User => asking.user.map(hashed),
        StickyBy::Prompt => None,
    };
    // A call that has no prompt keeps to nobody; all of them to one target would be worse.
    let key = key.or_else(|| Some(asking.shape().prefix).filter(|prefix| *prefix != 0));
    let Some(key) = key else { return weighted(candidates, asking) };
    let score = |candidate: &Candidate<'_>| {
        let model = &candidate.target.model;
        let place = mixed(hashed(&model.provider) ^ hashed(&model.model).rotate_left(32));
        arrival(mixed(key ^ place), candidate.weight)
    };
    candidates.sort_by_cached_key(|candidate| ordinal(score(candidate)));
    for candidate in candidates {
        if candidate.reason != SelectionReason::Successor {
            candidate.reason = SelectionReason::Sticky;
        }
    }
}

/// FNV-1a: the same in every build of every replica, which the standard library's hasher does not promise.
fn hashed(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// Spreads every bit over all (the end of splitmix64).
const fn mixed(mut hash: u64) -> u64 {
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}
