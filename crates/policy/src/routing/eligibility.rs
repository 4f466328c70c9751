//! Whether a target can be used for a request at this moment: its health, its credentials, what it can do.

use std::{sync::Arc, time::Duration};

use domain::{CapabilityNeed, ContextNeed, ModelSpec, Require, Share};

use super::{
    RoutingContext,
    planned::PlannedTarget,
    reason::{SelectionReason, SkipReason, SkippedTarget},
};
use crate::{
    credential_selection,
    health::BreakerState,
    route::{Member, Tier},
    target::Target,
    time::{Micros, TRIAL_TIMEOUT},
};

/// How soon a trial can be had that is due.
const SOON: Duration = Duration::from_secs(1);

/// How a target may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Eligibility {
    /// In use.
    Healthy,
    /// Out of use, and used all the same.
    Panic,
    /// Warming up after its recovery, and above its share.
    Warming,
    /// Its half-open trial is due.
    Trial,
    /// At its limit.
    Busy,
}

impl Eligibility {
    /// The reason that it gives in place of the strategy's.
    pub(super) const fn reason(self) -> Option<SelectionReason> {
        match self {
            Self::Healthy => None,
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
            Self::Healthy => 0,
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
    pub(super) eligibility: Eligibility,
    /// Its rank among the candidates of its tier; set when they are ordered.
    pub(super) rank: u8,
    pub(super) reason: SelectionReason,
    pub(super) weight: u32,
    concurrent: Option<u32>,
    /// Its place in the tier.
    pub(super) index: usize,
}

impl Candidate<'_> {
    /// Sets the strategy's reason, unless the candidate is the successor of a model that is out of service.
    pub(super) fn set_reason(&mut self, reason: SelectionReason) {
        if self.reason != SelectionReason::Successor {
            self.reason = reason;
        }
    }

    pub(super) fn planned(self, tier: usize) -> PlannedTarget {
        let reason = self.eligibility.reason().unwrap_or(self.reason);
        let (target, concurrent) = (Arc::clone(self.target), self.concurrent);
        PlannedTarget { target, reason, tier, concurrent, accept: None }
    }
}

/// What is used that would be skipped at other times.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Relaxations {
    /// Targets that are out of use and still answer at times.
    pub(super) panic: bool,
    /// Targets of which all credentials are exhausted, by a count that may be wrong.
    pub(super) desperate: bool,
    /// The only target there is: its trial comes as soon as a first ejection would be over.
    pub(super) lone: bool,
}

/// Whether so few of a pool's targets are in use that those that still answer at times are used as well: of those that
/// can do what the request uses. One without a usable credential does not count as in use.
pub(super) fn in_panic_mode<'a>(
    pool: impl Iterator<Item = (&'a Arc<Target>, &'a Require)> + Clone,
    threshold: Share,
    context: &RoutingContext<'_>,
) -> bool {
    let pool = pool.map(|(target, require)| (effective_target(target, context), require));
    let is_open = |target: &Target| {
        matches!(target.state.admission(context.now), BreakerState::Healthy | BreakerState::Warming { .. })
    };
    // Nearly always all is well, or of what is out nothing answers: then nothing else has to be looked at.
    if pool.clone().all(|(target, _)| is_open(target) || target.state.is_dead()) {
        return false;
    }
    let (mut all, mut used) = (0_u64, 0_u64);
    for (target, _) in
        pool.filter(|(target, require)| check_capabilities(&target.spec, require, context).is_ok())
    {
        let has_key =
            || credential_selection::any(target.credentials(), context.tokens(), context.now).is_ok();
        all += 1;
        used += u64::from(is_open(target) && has_key());
    }
    used * 1_000_000 < all * u64::from(threshold.parts())
}

/// A target, or what stands in for it.
pub(super) fn effective_target<'a>(target: &'a Arc<Target>, context: &RoutingContext<'_>) -> &'a Arc<Target> {
    target.replacement(context.at).unwrap_or(target)
}

/// A member as a candidate.
pub(super) fn candidate<'a>(
    tier: &'a Tier,
    index: usize,
    member: &'a Member,
    context: &RoutingContext<'_>,
    relaxations: Relaxations,
) -> Result<Candidate<'a>, SkippedTarget> {
    let target = effective_target(&member.target, context);
    let passed = |why| SkippedTarget { model: member.target.model.clone(), why };
    // What it can never do comes first: to wait for its return would be in vain.
    check_capabilities(&target.spec, &tier.require, context).map_err(passed)?;
    let eligibility = assess(target, member.concurrent, context, relaxations).map_err(passed)?;
    let reason =
        if Arc::ptr_eq(target, &member.target) { SelectionReason::Next } else { SelectionReason::Successor };
    let Member { weight, concurrent, .. } = *member;
    Ok(Candidate { target, eligibility, rank: 0, reason, weight, concurrent, index })
}

/// How a target may be used.
///
/// # Errors
/// Why it may not.
pub(super) fn assess(
    target: &Target,
    concurrent: Option<u32>,
    context: &RoutingContext<'_>,
    relaxations: Relaxations,
) -> Result<Eligibility, SkipReason> {
    let state = &target.state;
    let eligibility = match state.admission(context.now) {
        BreakerState::Healthy => Eligibility::Healthy,
        BreakerState::Warming { share } if share.hit(context.draw(u64::MAX)) => Eligibility::Healthy,
        BreakerState::Warming { .. } => Eligibility::Warming,
        BreakerState::Ejected { .. } | BreakerState::HalfOpen if relaxations.panic && !state.is_dead() => {
            Eligibility::Panic
        }
        BreakerState::HalfOpen if state.trial_waits(context.now) => Eligibility::Trial,
        BreakerState::HalfOpen => return Err(SkipReason::OnTrial),
        BreakerState::Ejected { left, .. } if relaxations.lone => {
            let early = state.wants_early_trial(&target.endpoint.outlier, context.now);
            return Err(SkipReason::Ejected { left: left.min(early.max(SOON)) });
        }
        BreakerState::Ejected { left, .. } => return Err(SkipReason::Ejected { left }),
    };
    match credential_selection::any(target.credentials(), context.tokens(), context.now) {
        Err(SkipReason::NoUsableCredential { perhaps: true, .. }) if relaxations.desperate => {}
        usable => usable?,
    }
    let busy = concurrent.is_some_and(|most| state.in_flight() >= most);
    let healthy = matches!(eligibility, Eligibility::Healthy | Eligibility::Warming);
    Ok(if busy && healthy { Eligibility::Busy } else { eligibility })
}

/// Whether a planned target may still be used when its turn comes, and whether this attempt is its half-open trial: then
/// its outcome has to be reported as that of one.
///
/// # Errors
/// Why it may not be used any more.
pub fn recheck(planned: &PlannedTarget, now: Micros) -> Result<bool, SkipReason> {
    let state = &planned.target.state;
    let panic = || planned.reason == SelectionReason::Panic && !state.is_dead();
    match state.admission(now) {
        BreakerState::Healthy | BreakerState::Warming { .. } => Ok(false),
        BreakerState::HalfOpen if state.take_trial(TRIAL_TIMEOUT, now) => Ok(true),
        BreakerState::Ejected { .. } | BreakerState::HalfOpen if panic() => Ok(false),
        BreakerState::HalfOpen => Err(SkipReason::OnTrial),
        BreakerState::Ejected { left, .. } => Err(SkipReason::Ejected { left }),
    }
}

/// Whether a model can do what a request uses.
fn check_capabilities(
    model: &ModelSpec,
    require: &Require,
    context: &RoutingContext<'_>,
) -> Result<(), SkipReason> {
    if let (Some(ContextNeed::Fits), Some(size)) = (require.context, model.context) {
        let needed = context.tokens();
        if needed > size {
            return Err(SkipReason::TooSmall { needed, context: size });
        }
    }
    let Some(need) = require.capabilities else { return Ok(()) };
    let (facts, able) = (context.facts, model.capabilities);
    let lacks = |able: Option<bool>| able == Some(false) || (need == CapabilityNeed::Known && able.is_none());
    // The whole body is only read for what the model may not be able to do.
    let shape = || context.shape();
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
