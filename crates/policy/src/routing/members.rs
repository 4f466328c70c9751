//! Whether a target can be used for a request at this moment: its health, its keys, what it can do.

use std::sync::Arc;

use domain::{CapabilityNeed, ContextNeed, ModelSpec, Require, Share};

use super::{PlannedTarget, RoutingContext, SelectionReason, SkipReason, SkippedTarget};
use crate::{
    credential_selection,
    health::{BreakerState, Micros, TRIAL_TIMEOUT, TargetState},
    route::{Member, Tier},
    snapshot::Target,
};

/// How a target stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Eligibility {
    /// In use.
    Open,
    /// Out of use, and used all the same.
    Panic,
    /// Just back, and above its share.
    Warming,
    /// Its trial is due.
    Trial,
    /// At its limit.
    Busy,
}

impl Eligibility {
    /// What it says in place of the strategy.
    pub(super) const fn reason(self) -> Option<SelectionReason> {
        match self {
            Self::Open => None,
            Self::Panic => Some(SelectionReason::Panic),
            Self::Warming => Some(SelectionReason::Warming),
            Self::Trial => Some(SelectionReason::Trial),
            Self::Busy => Some(SelectionReason::Busy),
        }
    }

    /// Those that are in use go first, then those that should have less, then those that find out. Where traffic is
    /// `spread`, the few that are in use must not get all of it: there panic is as good.
    pub(super) const fn rank(self, spread: bool) -> u8 {
        match self {
            Self::Open => 0,
            Self::Panic if spread => 0,
            Self::Panic | Self::Warming => 1,
            Self::Trial => 2,
            Self::Busy => 3,
        }
    }
}

/// A member that can be used.
pub(super) struct Candidate<'a> {
    pub(super) target: &'a Arc<Target>,
    pub(super) standing: Eligibility,
    /// Where that puts it among the others of its tier; set when they are ordered.
    pub(super) rank: u8,
    pub(super) reason: SelectionReason,
    pub(super) weight: u32,
    concurrent: Option<u32>,
    /// Its place in the tier.
    pub(super) index: usize,
}

impl Candidate<'_> {
    pub(super) fn planned(self, tier: usize) -> PlannedTarget {
        let reason = self.standing.reason().unwrap_or(self.reason);
        let (target, concurrent) = (Arc::clone(self.target), self.concurrent);
        PlannedTarget { target, reason, tier, concurrent, accept: None }
    }
}

/// What is taken that would be passed over at other times.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Relaxations {
    /// Targets that are out of use and still answer at times.
    pub(super) panic: bool,
    /// Targets whose keys have spent what they may, by a count that may be wrong.
    pub(super) desperate: bool,
}

/// Whether so few of a pool's targets are in use that those that still answer at times are used as well: of those that
/// can do what the request uses. One without a usable key is in use by nobody.
pub(super) fn panics<'a>(
    pool: impl Iterator<Item = (&'a Arc<Target>, &'a Require)> + Clone,
    threshold: Share,
    asking: &RoutingContext<'_>,
) -> bool {
    let pool = pool.map(|(target, require)| (in_place(target, asking), require));
    let is_open = |target: &Target| {
        matches!(target.state.admission(asking.now), BreakerState::Open | BreakerState::Warming { .. })
    };
    // Nearly always all is well, or of what is out nothing answers: then nothing else has to be looked at.
    if pool.clone().all(|(target, _)| is_open(target) || target.state.is_dead()) {
        return false;
    }
    let (mut all, mut used) = (0_u64, 0_u64);
    for (target, _) in pool.filter(|(target, require)| competent(&target.spec, require, asking).is_ok()) {
        let has_key =
            || credential_selection::any(&target.endpoint.credentials, asking.tokens(), asking.now).is_ok();
        all += 1;
        used += u64::from(is_open(target) && has_key());
    }
    used * 1_000_000 < all * u64::from(threshold.parts())
}

/// A target, or what stands in for it.
pub(super) fn in_place<'a>(target: &'a Arc<Target>, asking: &RoutingContext<'_>) -> &'a Arc<Target> {
    target.in_place(asking.at).unwrap_or(target)
}

/// A member as a candidate.
pub(super) fn candidate<'a>(
    tier: &'a Tier,
    (index, member): (usize, &'a Member),
    asking: &RoutingContext<'_>,
    mood: Relaxations,
) -> Result<Candidate<'a>, SkippedTarget> {
    let target = in_place(&member.target, asking);
    let passed = |why| SkippedTarget { model: member.target.model.clone(), why };
    // What it can never do comes first: to wait for its return would be in vain.
    competent(&target.spec, &tier.require, asking).map_err(passed)?;
    let standing = standing(target, member.concurrent, asking, mood).map_err(passed)?;
    let reason =
        if Arc::ptr_eq(target, &member.target) { SelectionReason::Next } else { SelectionReason::Successor };
    let Member { weight, concurrent, .. } = *member;
    Ok(Candidate { target, standing, rank: 0, reason, weight, concurrent, index })
}

/// How a target stands.
pub(super) fn standing(
    target: &Target,
    concurrent: Option<u32>,
    asking: &RoutingContext<'_>,
    mood: Relaxations,
) -> Result<Eligibility, SkipReason> {
    let state = &target.state;
    let standing = match state.admission(asking.now) {
        BreakerState::Open => Eligibility::Open,
        BreakerState::Warming { share } if share.hit(asking.draw(u64::MAX)) => Eligibility::Open,
        BreakerState::Warming { .. } => Eligibility::Warming,
        BreakerState::Ejected { .. } | BreakerState::HalfOpen if mood.panic && !state.is_dead() => {
            Eligibility::Panic
        }
        BreakerState::HalfOpen if state.trial_waits(asking.now) => Eligibility::Trial,
        BreakerState::HalfOpen => return Err(SkipReason::OnTrial),
        BreakerState::Ejected { left, .. } => return Err(SkipReason::Ejected { left }),
    };
    match credential_selection::any(&target.endpoint.credentials, asking.tokens(), asking.now) {
        Err(SkipReason::NoUsableCredential { perhaps: true, .. }) if mood.desperate => {}
        usable => usable?,
    }
    let busy = concurrent.is_some_and(|most| state.in_flight() >= most);
    let healthy = matches!(standing, Eligibility::Open | Eligibility::Warming);
    Ok(if busy && healthy { Eligibility::Busy } else { standing })
}

/// The same when its turn has come: time has passed, and others have tried.
pub(super) fn still(state: &TargetState, reason: SelectionReason, now: Micros) -> Result<bool, SkipReason> {
    let panic = || reason == SelectionReason::Panic && !state.is_dead();
    match state.admission(now) {
        BreakerState::Open | BreakerState::Warming { .. } => Ok(false),
        BreakerState::HalfOpen if state.take_trial(TRIAL_TIMEOUT, now) => Ok(true),
        BreakerState::Ejected { .. } | BreakerState::HalfOpen if panic() => Ok(false),
        BreakerState::HalfOpen => Err(SkipReason::OnTrial),
        BreakerState::Ejected { left, .. } => Err(SkipReason::Ejected { left }),
    }
}

/// Whether a model can do what a request uses.
fn competent(model: &ModelSpec, require: &Require, asking: &RoutingContext<'_>) -> Result<(), SkipReason> {
    if let (Some(ContextNeed::Fits), Some(context)) = (require.context, model.context) {
        let needed = asking.tokens();
        if needed > context {
            return Err(SkipReason::TooSmall { needed, context });
        }
    }
    let Some(need) = require.capabilities else { return Ok(()) };
    let (facts, able) = (asking.facts, model.capabilities);
    let lacks = |able: Option<bool>| able == Some(false) || (need == CapabilityNeed::Known && able.is_none());
    // The whole body is only read for what the model may not be able to do.
    let shape = || asking.shape();
    let thinks = || shape().reasoning_effort.is_some_and(|effort| effort != "none");
    let missing = [
        (lacks(able.vision) && facts.images > 0, "images"),
        (lacks(able.audio) && facts.audio > 0, "audio"),
        (lacks(able.documents) && facts.files > 0, "documents"),
        (lacks(able.tools) && shape().tools > 0, "tools"),
        (lacks(able.structured_output) && shape().schema.is_some(), "answers by a JSON schema"),
        (lacks(able.reasoning) && thinks(), "reasoning"),
    ];
    let missing = missing.into_iter().find_map(|(missing, what)| missing.then_some(what));
    missing.map_or(Ok(()), |what| Err(SkipReason::MissingCapability(what)))
}
