//! Whether a target can be used for a request at this moment: its health, its keys, what it can do.

use std::{borrow::Cow, sync::Arc, time::Duration};

use domain::{CapabilityNeed, ContextNeed, ModelSpec, Require, Share};

use super::{Asking, PassedOver, Planned, Reason, WhyNot, plan::Standin};
use crate::{
    keys,
    live::{Admission, Micros},
    route::{Member, Tier},
    snapshot::Target,
};

/// How long a trial may go without telling its end; then the next may be taken.
const TRIAL: Duration = Duration::from_secs(60);

/// How a target stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
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

impl Standing {
    /// What it says in place of the strategy.
    pub(super) const fn reason(self) -> Option<Reason> {
        match self {
            Self::Open => None,
            Self::Panic => Some(Reason::Panic),
            Self::Warming => Some(Reason::Warming),
            Self::Trial => Some(Reason::Trial),
            Self::Busy => Some(Reason::Busy),
        }
    }

    /// Those that are in use go first, then those that should have less, then those that find out.
    pub(super) const fn rank(self) -> u8 {
        match self {
            Self::Open | Self::Panic => 0,
            Self::Warming => 1,
            Self::Trial => 2,
            Self::Busy => 3,
        }
    }
}

/// A member that can be used.
pub(super) struct Candidate<'a> {
    pub(super) target: Standin<'a>,
    pub(super) standing: Standing,
    pub(super) reason: Reason,
    pub(super) weight: u32,
    concurrent: Option<u32>,
    /// Its place in the tier.
    pub(super) index: usize,
}

impl Candidate<'_> {
    pub(super) fn planned(self, tier: usize) -> Planned {
        let reason = self.standing.reason().unwrap_or(self.reason);
        let (target, concurrent) = (self.target.into_owned(), self.concurrent);
        Planned { target, reason, tier, concurrent, accept: None }
    }
}

/// What is taken that would be passed over at other times.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Mood {
    /// Targets that are out of use and still answer at times.
    pub(super) panic: bool,
    /// Targets whose keys have spent what they may, by a count that may be wrong.
    pub(super) desperate: bool,
}

/// Whether so few of a pool's targets are in use that those that still answer at times are used as well.
pub(super) fn panics(tiers: &[Tier], threshold: Share, now: Micros) -> bool {
    let (mut all, mut open) = (0_u64, 0_u64);
    for member in tiers.iter().flat_map(|tier| &tier.members) {
        all += 1;
        let admission = member.target.state.admission(now);
        open += u64::from(matches!(admission, Admission::Open | Admission::Warming { .. }));
    }
    open * 1_000_000 < all * u64::from(threshold.parts())
}

/// A member as a candidate.
pub(super) fn candidate<'a>(
    tier: &'a Tier,
    member: &'a Member,
    asking: &Asking<'_>,
    mood: Mood,
) -> Result<Candidate<'a>, PassedOver> {
    let standing =
        standing(&member.target, member.concurrent, asking, mood).and_then(|(target, standing)| {
            competent(&target.spec, &tier.require, asking)?;
            Ok((target, standing))
        });
    let (target, standing) =
        standing.map_err(|why| PassedOver { model: member.target.model.clone(), why })?;
    let index = tier.members.iter().position(|known| std::ptr::eq(known, member)).unwrap_or_default();
    let reason = if matches!(target, Cow::Owned(_)) { Reason::Successor } else { Reason::Next };
    Ok(Candidate { target, standing, reason, weight: member.weight, concurrent: member.concurrent, index })
}

/// How a target, or its successor, stands.
pub(super) fn standing<'a>(
    target: &'a Arc<Target>,
    concurrent: Option<u32>,
    asking: &Asking<'_>,
    mood: Mood,
) -> Result<(Standin<'a>, Standing), WhyNot> {
    let target: Standin<'a> = match target.in_place(asking.at) {
        Some(successor) => Cow::Owned(Arc::clone(successor)),
        None => Cow::Borrowed(target),
    };
    let state = &target.state;
    let standing = match state.admission(asking.now) {
        Admission::Open => Standing::Open,
        Admission::Warming { share } if share.hit(asking.draw(u64::MAX)) => Standing::Open,
        Admission::Warming { .. } => Standing::Warming,
        Admission::HalfOpen if state.trial_waits(asking.now) => Standing::Trial,
        Admission::HalfOpen => return Err(WhyNot::OnTrial),
        Admission::Ejected { dead: false, .. } if mood.panic => Standing::Panic,
        Admission::Ejected { left, .. } => return Err(WhyNot::Ejected { left }),
    };
    match keys::any(&target.endpoint.credentials, asking.input_tokens, asking.now) {
        Err(WhyNot::KeysBenched { by_count: true, .. }) if mood.desperate => {}
        usable => usable?,
    }
    let busy = concurrent.is_some_and(|most| state.in_flight() >= most);
    Ok((target, if busy && standing != Standing::Trial { Standing::Busy } else { standing }))
}

/// The same when its turn has come: time has passed, and others have tried.
pub(super) fn still(target: &Target, reason: Reason, now: Micros) -> Result<bool, WhyNot> {
    match target.state.admission(now) {
        Admission::Open | Admission::Warming { .. } => Ok(false),
        Admission::HalfOpen if target.state.take_trial(TRIAL, now) => Ok(true),
        Admission::HalfOpen => Err(WhyNot::OnTrial),
        Admission::Ejected { dead: false, .. } if reason == Reason::Panic => Ok(false),
        Admission::Ejected { left, .. } => Err(WhyNot::Ejected { left }),
    }
}

/// Whether a model can do what a request uses.
fn competent(model: &ModelSpec, require: &Require, asking: &Asking<'_>) -> Result<(), WhyNot> {
    if let (Some(ContextNeed::Fits), Some(context)) = (require.context, model.context) {
        let needed = asking.input_tokens.saturating_add(asking.facts.max_output.unwrap_or_default());
        if needed > context {
            return Err(WhyNot::TooSmall { needed, context });
        }
    }
    let Some(need) = require.capabilities else { return Ok(()) };
    let (facts, able) = (asking.facts, model.capabilities);
    let scanned = [
        (facts.images > 0, able.vision, "images"),
        (facts.audio > 0, able.audio, "audio"),
        (facts.files > 0, able.documents, "documents"),
    ];
    let shape = asking.shape();
    let thinks = shape.reasoning_effort.is_some_and(|effort| effort != "none");
    let whole = [
        (shape.tools > 0, able.tools, "tools"),
        (shape.schema.is_some(), able.structured_output, "answers by a JSON schema"),
        (thinks, able.reasoning, "reasoning"),
    ];
    for (used, able, what) in scanned.into_iter().chain(whole) {
        if used && (able == Some(false) || (need == CapabilityNeed::Known && able.is_none())) {
            return Err(WhyNot::Lacks(what));
        }
    }
    Ok(())
}
