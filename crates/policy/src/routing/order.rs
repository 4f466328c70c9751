//! The strategies: in which order a tier's candidates are tried.

use domain::Strategy;

use super::{
    RoutingContext, SelectionReason, cost, distance,
    members::{Candidate, Eligibility},
    sticky,
};
use crate::route::Tier;

/// One request of so many goes to a target that is not the fastest, where no probe measures it.
const EXPLORE: u64 = 50;
/// Which number of a request's draws decides what; members have those below.
const DRAW_EXPLORE: u64 = 1 << 32;

/// Orders candidates by the tier's strategy, those that are in use before the others.
pub(super) fn order(tier: &Tier, candidates: &mut [Candidate<'_>], asking: &RoutingContext<'_>) {
    let spreads = matches!(tier.strategy, Strategy::Weighted | Strategy::LeastLoaded | Strategy::Sticky);
    let spread = spreads && candidates.iter().any(|candidate| candidate.standing == Eligibility::Open);
    for candidate in candidates.iter_mut() {
        candidate.rank = candidate.standing.rank(spread);
    }
    match tier.strategy {
        Strategy::Priority => listed(candidates),
        Strategy::Weighted => weighted(candidates, asking),
        Strategy::LowestLatency => fastest(tier, candidates, asking),
        Strategy::LeastLoaded => least_loaded(candidates, asking),
        Strategy::Cheapest => cheapest(candidates, asking),
        Strategy::Nearest => nearest(tier, candidates, asking),
        Strategy::Sticky => sticky::order(tier.by, candidates, asking),
    }
    candidates.sort_by_key(|candidate| candidate.rank);
}

fn say(candidate: &mut Candidate<'_>, reason: SelectionReason) {
    if candidate.reason != SelectionReason::Successor {
        candidate.reason = reason;
    }
}

fn listed(candidates: &mut [Candidate<'_>]) {
    if let Some(first) = candidates.first_mut().filter(|first| first.index == 0) {
        say(first, SelectionReason::First);
    }
}

/// A draw as a number above 0 and at most 1.
#[allow(clippy::cast_precision_loss, reason = "53 bits of a draw are plenty")]
pub(super) fn unit(draw: u64) -> f64 {
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

/// Sorts by a key that is asked for once: what it is read from changes under way, and a sort may panic over that.
fn by<T: Ord>(candidates: &mut [Candidate<'_>], key: impl FnMut(&Candidate<'_>) -> T) {
    candidates.sort_by_cached_key(key);
}

pub(super) fn weighted(candidates: &mut [Candidate<'_>], asking: &RoutingContext<'_>) {
    let of = candidates.iter().map(|candidate| candidate.weight).sum();
    by(candidates, |candidate| ordinal(arrival(asking.draw(candidate.index as u64), candidate.weight)));
    for candidate in candidates {
        say(candidate, SelectionReason::Drawn { weight: candidate.weight, of });
    }
}

fn fastest(tier: &Tier, candidates: &mut [Candidate<'_>], asking: &RoutingContext<'_>) {
    let leader = tier.leader.current();
    let p95 = |candidate: &Candidate<'_>| {
        candidate.target.state.ttft_p95(asking.now, tier.interval.saturating_mul(2))
    };
    by(candidates, |candidate| {
        let p95 = p95(candidate);
        (candidate.index != leader, p95.is_none(), p95)
    });
    let measured = |candidate: &Candidate<'_>| !candidate.target.endpoint.probe.is_off();
    let draw = asking.draw(DRAW_EXPLORE);
    let lot = usize::try_from(draw / EXPLORE).unwrap_or_default();
    if draw.is_multiple_of(EXPLORE) && candidates.len() > 1 {
        let explored = 1 + lot % (candidates.len() - 1);
        if !measured(&candidates[explored]) {
            candidates[..=explored].rotate_right(1);
            say(&mut candidates[0], SelectionReason::Explored);
            return;
        }
    }
    if let Some(first) = candidates.first_mut().filter(|first| first.index == leader) {
        let p95 = p95(first);
        say(first, SelectionReason::Fastest { p95 });
    }
}

/// The better of two drawn by chance goes first: choosing the best of all would send every replica's next request
/// to the same one (Mitzenmacher, 2001).
fn least_loaded(candidates: &mut [Candidate<'_>], asking: &RoutingContext<'_>) {
    let load = |candidate: &Candidate<'_>| ordinal(candidate.target.state.load(asking.now));
    by(candidates, |candidate| (candidate.rank, asking.draw(candidate.index as u64)));
    let open = candidates.iter().take_while(|candidate| candidate.rank == 0).count();
    if open > 1 {
        if load(&candidates[1]) < load(&candidates[0]) {
            candidates.swap(0, 1);
        }
        by(&mut candidates[1..], |candidate| (candidate.rank, load(candidate)));
    }
    if let Some(first) = candidates.first_mut() {
        let in_flight = first.target.state.in_flight();
        say(first, SelectionReason::LeastLoaded { in_flight });
    }
}

fn cheapest(candidates: &mut [Candidate<'_>], asking: &RoutingContext<'_>) {
    let expected = |candidate: &Candidate<'_>| cost::expected(candidate.target, asking);
    by(candidates, |candidate| {
        let expected = expected(candidate);
        (expected.is_none(), expected)
    });
    for candidate in candidates {
        let expected = expected(candidate);
        say(candidate, SelectionReason::Cheapest { expected });
    }
}

fn nearest(tier: &Tier, candidates: &mut [Candidate<'_>], asking: &RoutingContext<'_>) {
    let distance = |candidate: &Candidate<'_>| {
        let (from, to) = (asking.region?, candidate.target.endpoint.region.as_deref()?);
        if tier.distances.is_empty() {
            return distance::between(from, to);
        }
        // Written distances are in a unit of their own, beside which kilometres say nothing.
        tier.distances.get(from).and_then(|row| row.get(to).copied()).or((from == to).then_some(0))
    };
    by(candidates, |candidate| {
        let distance = distance(candidate);
        (distance.is_none(), distance)
    });
    for candidate in candidates {
        let distance = distance(candidate);
        say(candidate, SelectionReason::Nearest { distance });
    }
}
