//! Which budgets would count a request, and from which of their accounts it would draw.

use admin_api::{ExplainBudget, ExplainReply};
use domain::{Dimension, Timestamp};
use policy::{ApiKey, BudgetFacts};

use super::caller::Said;

/// The budgets that count the request, as sent to the first target of the reply.
pub(super) fn counting(
    key: &ApiKey,
    said: &Said<'_>,
    reply: &ExplainReply,
    now: Timestamp,
) -> Vec<ExplainBudget> {
    let first = reply.attempts.first().map(|attempt| &attempt.target);
    let model = first.map(ToString::to_string);
    let facts = BudgetFacts {
        key: key.id,
        user: said.user,
        feature: said.feature,
        session: said.session,
        tags: &said.tags,
        model: model.as_deref(),
        provider: first.map(|model| model.provider.as_str()),
        route: Some(&reply.route),
    };
    let counting = key.tenant.budgets().iter().filter_map(|budget| {
        let value = budget.account_value(&facts)?.into_owned();
        let per = budget.spec.per.clone();
        // People know keys by their names.
        let value = if per == Some(Dimension::Key) { key.name.clone() } else { value };
        Some(ExplainBudget {
            budget: budget.name.clone(),
            tenant: budget.tenant_name.clone(),
            cap: budget.cap,
            value: per.as_ref().map(|_| value),
            per,
            window: budget.spec.window(),
            ends: budget.window_at(now).end.map(|end| Timestamp::from_micros(end * 1_000_000)),
            observe: budget.spec.observe,
        })
    });
    counting.collect()
}
