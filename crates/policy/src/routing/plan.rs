//! The plan of one request: the pool's targets in order, each with its reason.

use std::sync::Arc;

use domain::{ModelRef, Require, Share, Strictness};

use super::{
    RoutingContext,
    choose::{Chosen, ChosenBy, RuleSeen, choose},
    eligibility::{self, Candidate, Eligibility, Relaxations, in_panic_mode},
    find::find,
    planned::PlannedTarget,
    reason::{SelectionReason, SkipReason, SkippedTarget},
    strategy,
};
use crate::{
    auth::Caller,
    health::HealthRegistry,
    route::{CascadeStep, PoolKind, RoutePolicy, Tier},
    snapshot::Snapshot,
    target::Target,
};

/// What will be tried, in order.
#[derive(Debug)]
pub struct Plan {
    /// The route's name, as the client wrote it; for an implicit route `provider/model`.
    pub route: String,
    /// The rule that chose the pool, if one matched.
    pub rule: Option<String>,
    /// The pool.
    pub pool: Arc<str>,
    /// How the request is treated.
    pub terms: Arc<RoutePolicy>,
    /// What happens to fields that a target cannot express.
    pub strictness: Strictness,
    /// In order; never empty.
    pub attempts: Vec<PlannedTarget>,
    /// What will not be tried.
    pub passed_over: Vec<SkippedTarget>,
    /// What rules said; empty unless an explanation was wanted.
    pub rules: Vec<RuleSeen>,
}

/// Why there is no plan.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum RoutingError {
    /// Nothing of that name is visible to the caller.
    #[error("no route or model {0:?}; GET /v1/models lists what this key may use")]
    NotFound(String),
    /// The key is limited to other routes.
    #[error("this key may not use {0:?}")]
    Forbidden(String),
    /// The key does not let the header forgive more than key and route do.
    #[error(
        "this key does not allow `{}` in x-portcullis-translation: its requests are translated as `{}` or stricter",
        asked.as_str(), set.as_str()
    )]
    TranslationForbidden {
        /// What the header asks for.
        asked: Strictness,
        /// What key and route set.
        set: Strictness,
    },
    /// The route exists but cannot serve.
    #[error("route {route:?} is out of service: {reason}")]
    OutOfService {
        /// The route.
        route: String,
        /// Why.
        reason: String,
    },
    /// No target of the pool can be used at this moment.
    #[error("route {route:?} has no target to send to now, pool {pool:?}: {}", listed(passed_over))]
    NoAvailableTarget {
        /// The route.
        route: String,
        /// The pool.
        pool: Arc<str>,
        /// Why each target is passed over.
        passed_over: Vec<SkippedTarget>,
        /// How the pool was chosen.
        chosen_by: Box<ChosenBy>,
        /// Whether all that is wrong is that keys have spent what they may.
        spent: bool,
        /// When asking again may help.
        retry_after: std::time::Duration,
    },
    /// No target of the pool can do what the request needs.
    #[error("no target of route {route:?}, pool {pool:?}, can do this: {}", listed(passed_over))]
    NoCapableTarget {
        /// The route.
        route: String,
        /// The pool.
        pool: Arc<str>,
        /// Why each target is passed over.
        passed_over: Vec<SkippedTarget>,
        /// How the pool was chosen.
        chosen_by: Box<ChosenBy>,
    },
}

fn listed(passed_over: &[SkippedTarget]) -> String {
    passed_over.iter().map(SkippedTarget::to_string).collect::<Vec<_>>().join("; ")
}

/// Plans the attempts for a request.
///
/// # Errors
/// See [`RoutingError`].
pub fn plan(
    snapshot: &Snapshot,
    live: &HealthRegistry,
    caller: &Caller,
    context: &RoutingContext<'_>,
) -> Result<Plan, RoutingError> {
    let model = context.facts.model.as_str();
    if caller.key.spec.routes.as_ref().is_some_and(|allowed| !allowed.iter().any(|name| name == model)) {
        return Err(RoutingError::Forbidden(model.to_owned()));
    }
    let route =
        find(snapshot, live, caller, model).ok_or_else(|| RoutingError::NotFound(model.to_owned()))?;
    let chosen = choose(snapshot, caller, route, context).map_err(|(route, reason)| {
        let reason = if route == model { reason } else { format!("route {route:?}: {reason}") };
        RoutingError::OutOfService { route: model.to_owned(), reason }
    })?;
    let strictness = caller.key.strictness(chosen.route.terms.translation, context.translation);
    let strictness = strictness.map_err(|set| RoutingError::TranslationForbidden {
        asked: context.translation.unwrap_or_default(),
        set,
    })?;
    let mut draft = Draft::of(&chosen, context, false);
    let perhaps =
        |passed: &SkippedTarget| matches!(passed.why, SkipReason::NoUsableCredential { perhaps: true, .. });
    if draft.attempts.is_empty() && draft.passed_over.iter().any(perhaps) {
        // Without any other target a key that might be served is worth an attempt.
        draft = Draft::of(&chosen, context, true);
    }
    let Draft { attempts, passed_over, .. } = draft;
    let pool = chosen.pool().map_or_else(|| Arc::from(""), |pool| Arc::clone(&pool.name));
    let Chosen { route, by, .. } = chosen;
    if attempts.is_empty() {
        return Err(no_target(model, pool, by, passed_over));
    }
    let ChosenBy { rule, rules } = by;
    let terms = Arc::clone(&route.terms);
    Ok(Plan { route: model.to_owned(), rule, pool, terms, strictness, attempts, passed_over, rules })
}

/// Why the pool has no target for the request.
fn no_target(
    route: &str,
    pool: Arc<str>,
    chosen_by: ChosenBy,
    passed_over: Vec<SkippedTarget>,
) -> RoutingError {
    let route = route.to_owned();
    let chosen_by = Box::new(chosen_by);
    let all = |is: fn(&SkipReason) -> bool| passed_over.iter().all(|passed| is(&passed.why));
    if all(|why| matches!(why, SkipReason::Unusable(_))) {
        return RoutingError::OutOfService { route, reason: listed(&passed_over) };
    }
    let Some(retry_after) = passed_over.iter().filter_map(|passed| passed.why.wait()).min() else {
        return RoutingError::NoCapableTarget { route, pool, passed_over, chosen_by };
    };
    let spent = all(|why| {
        matches!(why, SkipReason::NoUsableCredential { spent: true, .. } | SkipReason::Unusable(_))
    });
    RoutingError::NoAvailableTarget { route, pool, passed_over, chosen_by, spent, retry_after }
}

struct Draft<'a> {
    context: &'a RoutingContext<'a>,
    desperate: bool,
    attempts: Vec<PlannedTarget>,
    passed_over: Vec<SkippedTarget>,
}

impl<'a> Draft<'a> {
    fn of(chosen: &Chosen<'_>, context: &'a RoutingContext<'a>, desperate: bool) -> Self {
        let mut draft = Self { context, desperate, attempts: Vec::new(), passed_over: Vec::new() };
        match chosen.pool().map(|pool| &pool.form) {
            Some(PoolKind::Tiers(tiers)) => draft.tiers(tiers, chosen.route.terms.panic_threshold),
            Some(PoolKind::Cascade(steps)) => draft.cascade(steps, chosen.route.terms.panic_threshold),
            Some(PoolKind::Route(_)) | None => {}
        }
        draft
    }

    fn tiers(&mut self, tiers: &[Tier], threshold: Share) {
        let pool = tiers
            .iter()
            .flat_map(|tier| tier.members.iter().map(move |member| (&member.target, &tier.require)));
        let lone = pool.clone().count() == 1;
        let panic = in_panic_mode(pool, threshold, self.context);
        let relaxations = Relaxations { panic, desperate: self.desperate, lone };
        let (mut trial, mut held, mut last, mut busy) = (None, Vec::new(), Vec::new(), Vec::new());
        let mut there: Vec<&Arc<Target>> = Vec::new();
        for (number, tier) in tiers.iter().enumerate() {
            let mut candidates: Vec<Candidate<'_>> = Vec::with_capacity(tier.members.len());
            for (index, member) in tier.members.iter().enumerate() {
                let found = eligibility::candidate(tier, index, member, self.context, relaxations).and_then(
                    |found| {
                        let twice = there.iter().any(|other| Arc::ptr_eq(&other.state, &found.target.state));
                        let passed = || SkippedTarget {
                            model: member.target.model.clone(),
                            why: SkipReason::Duplicate,
                        };
                        if twice { Err(passed()) } else { Ok(found) }
                    },
                );
                match found {
                    Ok(candidate) => {
                        there.push(candidate.target);
                        candidates.push(candidate);
                    }
                    Err(passed) => self.passed_over.push(passed),
                }
            }
            self.unusable(&tier.unusable);
            strategy::order(tier, &mut candidates, self.context);
            for candidate in candidates {
                let eligibility = candidate.eligibility;
                let rank = candidate.rank;
                let planned = candidate.planned(number);
                match eligibility {
                    Eligibility::Busy => busy.push(planned),
                    // The trial comes first: were it to wait until the other targets fail, it would not be known in time
                    // whether this one is back. A second trial would delay the request too much.
                    Eligibility::Trial if trial.is_none() => trial = Some(planned),
                    Eligibility::Trial => last.push(planned),
                    // A better tier's target that should have less traffic leaves it to those that are in use.
                    _ if rank > 0 => held.push(planned),
                    _ => self.attempts.push(planned),
                }
            }
            if !self.attempts.is_empty() {
                self.attempts.append(&mut held);
            }
        }
        for mut rest in [held, last, busy] {
            self.attempts.append(&mut rest);
        }
        if let Some(trial) = trial {
            self.attempts.insert(0, trial);
        }
    }

    fn cascade(&mut self, steps: &[CascadeStep], threshold: Share) {
        let require = Require::default();
        let pool = steps.iter().filter_map(|step| Some((step.target.as_ref().ok()?, &require)));
        let lone = pool.clone().count() == 1;
        let panic = in_panic_mode(pool, threshold, self.context);
        let relaxations = Relaxations { panic, desperate: self.desperate, lone };
        for (number, step) in steps.iter().enumerate() {
            let target = match &step.target {
                Ok(target) => target,
                Err(unusable) => {
                    self.unusable(std::slice::from_ref(unusable));
                    continue;
                }
            };
            let used = eligibility::effective_target(target, self.context);
            match eligibility::assess(used, None, self.context, relaxations) {
                Ok(eligibility) => self.attempts.push(PlannedTarget {
                    target: Arc::clone(used),
                    reason: eligibility.reason().unwrap_or(SelectionReason::Step),
                    tier: number,
                    concurrent: None,
                    accept: step.accept.clone(),
                }),
                Err(why) => self.passed_over.push(SkippedTarget { model: target.model.clone(), why }),
            }
        }
    }

    fn unusable(&mut self, unusable: &[(ModelRef, String)]) {
        let passed = |(model, why): &(ModelRef, String)| SkippedTarget {
            model: model.clone(),
            why: SkipReason::Unusable(why.clone()),
        };
        self.passed_over.extend(unusable.iter().map(passed));
    }
}
