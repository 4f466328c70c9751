//! The answer of a dry run: the decision in words, without anything secret.

use std::sync::Arc;

use admin_api::{ExplainRefusal, ExplainReply, PassedTarget, PlannedTarget, RuleVerdict};
use domain::{ErrorKind, Strategy};
use policy::{ChosenBy, Plan, PoolKind, Route, RoutingError, RuleSeen, SkippedTarget, Snapshot};

use crate::rest::error::ApiError;

/// What the client would get instead of an answer.
pub(super) fn refusal(kind: ErrorKind, message: &impl ToString) -> ExplainRefusal {
    ExplainRefusal { code: kind.code().to_owned(), message: message.to_string() }
}

/// Puts the decision in.
pub(super) fn fill(
    reply: ExplainReply,
    snapshot: &Snapshot,
    decided: Result<Plan, RoutingError>,
) -> Result<ExplainReply, ApiError> {
    let plan = match decided {
        Ok(plan) => plan,
        Err(RoutingError::NotFound(model)) => {
            let tenant = &reply.tenant;
            let message = format!(
                "tenant {tenant} has no route {model:?}, and there is no provider of a model by that name"
            );
            return Err(ApiError::invalid("model", message));
        }
        Err(refused) => return Ok(refused_by(reply, &refused)),
    };
    let route = belongs_to(snapshot, &plan);
    let attempts = plan.attempts.iter().map(|planned| target(planned, &plan, route)).collect();
    Ok(ExplainReply {
        rule: plan.rule,
        pool: Some(plan.pool.to_string()),
        pool_of: route.map(|route| route.name.clone()).filter(|name| *name != plan.route),
        rules: plan.rules.into_iter().map(verdict).collect(),
        attempts,
        passed_over: plan.passed_over.iter().map(passed).collect(),
        ..reply
    })
}

fn refused_by(reply: ExplainReply, refused: &RoutingError) -> ExplainReply {
    let refusal = Some(refusal(refused.kind(), refused));
    match refused {
        RoutingError::NoAvailableTarget { pool, passed_over, chosen_by, .. }
        | RoutingError::NoCapableTarget { pool, passed_over, chosen_by, .. } => {
            let ChosenBy { rule, rules } = ChosenBy::clone(chosen_by);
            ExplainReply {
                rule,
                pool: Some(pool.to_string()),
                rules: rules.into_iter().map(verdict).collect(),
                passed_over: passed_over.iter().map(passed).collect(),
                refusal,
                ..reply
            }
        }
        _ => ExplainReply { refusal, ..reply },
    }
}

/// The route that the plan's pool belongs to, known by its terms. `None` for the implicit route `provider/model`.
fn belongs_to<'a>(snapshot: &'a Snapshot, plan: &Plan) -> Option<&'a Route> {
    snapshot.routes().find(|route| Arc::ptr_eq(&route.terms, &plan.terms)).map(AsRef::as_ref)
}

fn target(planned: &policy::PlannedTarget, plan: &Plan, route: Option<&Route>) -> PlannedTarget {
    PlannedTarget {
        target: planned.target.model.clone(),
        reason: planned.reason.to_string(),
        tier: planned.tier + 1,
        strategy: strategy(planned, plan, route),
    }
}

fn strategy(planned: &policy::PlannedTarget, plan: &Plan, route: Option<&Route>) -> Option<Strategy> {
    let Some(route) = route else { return Some(Strategy::Priority) };
    let pool = route.pools.iter().find(|pool| pool.name == plan.pool)?;
    match &pool.form {
        PoolKind::Tiers(tiers) => tiers.get(planned.tier).map(|tier| tier.strategy),
        PoolKind::Cascade(_) | PoolKind::Route(_) => None,
    }
}

fn verdict(RuleSeen { route, rule, matched }: RuleSeen) -> RuleVerdict {
    let (matched, error) = match matched {
        Ok(matched) => (Some(matched), None),
        Err(why) => (None, Some(why)),
    };
    RuleVerdict { route, rule, matched, error }
}

fn passed(SkippedTarget { model, why }: &SkippedTarget) -> PassedTarget {
    PassedTarget { target: model.clone(), why: why.to_string() }
}
