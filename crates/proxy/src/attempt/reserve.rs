//! What an attempt may cost, and its reservation under the budgets of its tenant.

use domain::Money;
use policy::{Bound, BudgetFacts, Tenant, bound, output_limit};

use super::send::Attempt;
use crate::{
    budgets::{BudgetHold, Reserve},
    error::GatewayError,
};

impl Attempt<'_> {
    /// The output limit to send where the client set none and a budget that has to hold counts the attempt: what is
    /// reserved is then the most that can come.
    pub(super) fn output_limit(&self) -> Option<u64> {
        let request = self.request;
        if request.facts.max_output.is_some() || !request.api.generates() {
            return None;
        }
        let model = self.turn.planned.target.model.to_string();
        let (tenant, facts) = self.budget_facts(&model)?;
        let held = tenant.budgets().iter().any(|budget| budget.is_enforced() && budget.counts(&facts));
        held.then(|| output_limit(&self.turn.planned.target, request.input_estimate()))
    }

    /// What the attempt may cost at most; `limit` is the output limit that is sent for it.
    pub(super) fn bound(&self, limit: Option<u64>) -> Bound {
        let facts = &self.request.facts;
        let input = wire::input_bound(facts, self.request.body.len());
        let limit = facts.max_output.or(limit);
        bound(&self.turn.planned.target, self.meter.priced_at(), input, limit, facts.choices)
    }

    /// Reserves what the attempt may cost.
    ///
    /// # Errors
    /// A budget that has no room, or that cannot be asked.
    pub(super) async fn reserve(&self, cost: Money) -> Result<Option<BudgetHold>, GatewayError> {
        let target = &self.turn.planned.target;
        if self.meter.budgeted_tenant().is_none() {
            return Ok(None);
        }
        let model = target.model.to_string();
        let Some((tenant, facts)) = self.budget_facts(&model) else { return Ok(None) };
        let at = self.meter.priced_at();
        let asked = Reserve {
            request: self.meter.request(),
            tenant,
            facts,
            at,
            amount: target.price_at(at).map(|_| cost),
            now: self.proxy.now(),
        };
        self.proxy.budgets.reserve(asked).await
    }

    /// What budgets may ask of the attempt, where its tenant has any; `model` is the target's.
    fn budget_facts<'a>(&'a self, model: &'a str) -> Option<(&'a Tenant, BudgetFacts<'a>)> {
        let tenant = self.meter.budgeted_tenant()?;
        let attribution = self.meter.attribution();
        let facts = BudgetFacts {
            key: attribution.key,
            user: attribution.user.as_deref(),
            feature: attribution.feature.as_deref(),
            session: self.request.options.session.as_deref(),
            tags: &attribution.tags,
            model: Some(model),
            provider: Some(&self.turn.planned.target.model.provider),
            route: Some(&self.request.plan.route),
        };
        Some((tenant, facts))
    }
}
