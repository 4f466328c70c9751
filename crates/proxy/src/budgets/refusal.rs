//! What a client is told of a request that a budget refuses.

use domain::{Account, ErrorKind, Money, Timestamp, WindowSpan};

use super::draw::Draft;
use crate::error::GatewayError;

/// A request for which a budget has no room.
pub(super) struct AtCap {
    /// The account in which the least is left.
    pub(super) account: Option<Account>,
    /// What is left there.
    pub(super) left: Money,
    /// What the request may cost.
    pub(super) amount: Money,
}

/// Nobody can tell whether a budget has room, and one of them is not served then.
pub(super) fn unavailable() -> GatewayError {
    let text = "the store of budgets is not available, and a budget of this tenant is not served without it";
    GatewayError::new(ErrorKind::StoreUnavailable, text).retry_after(1)
}

/// A budget has no room.
pub(super) fn at_cap(at_cap: &AtCap, draft: &Draft<'_>, now: Timestamp) -> GatewayError {
    let AtCap { account, left, amount } = at_cap;
    let found = account.as_ref().and_then(|account| draft.budget(account.budget));
    let Some((budget, span)) = found else {
        return GatewayError::new(ErrorKind::BudgetExceeded, "a budget of this tenant is used up");
    };
    let per = budget.spec.per.as_ref().map(|dimension| format!(" per {dimension}")).unwrap_or_default();
    let until = end(span).map(|end| format!(" until {end}")).unwrap_or_default();
    let text = format!(
        "budget {:?} of {} has no room for this request: ${left} of ${}{per} left{until}, and it may cost ${amount}",
        budget.name, budget.tenant_name, budget.cap,
    );
    let error = GatewayError::new(ErrorKind::BudgetExceeded, text).with_limit("budget");
    match span.end {
        Some(end) => error.retry_after(seconds_until(end, now)),
        None => error,
    }
}

/// A model without a price cannot be held to a budget.
pub(super) fn unpriced(draft: &Draft<'_>, model: Option<&str>) -> GatewayError {
    let names: Vec<&str> = draft.budgets.iter().map(|(budget, _)| budget.name.as_str()).collect();
    let text = format!(
        "{} has no price, so its requests cannot be held to the budget {}; set one under prices:",
        model.unwrap_or("the model"),
        names.join(", "),
    );
    GatewayError::new(ErrorKind::BudgetExceeded, text).with_limit("budget")
}

fn end(span: WindowSpan) -> Option<Timestamp> {
    span.end.and_then(|end| end.checked_mul(1_000_000)).map(Timestamp::from_micros)
}

/// At least a second.
fn seconds_until(end: i64, now: Timestamp) -> u64 {
    let left = end.saturating_sub(now.micros().div_euclid(1_000_000));
    u64::try_from(left).unwrap_or(0).max(1)
}
