//! Accounts of budgets between wire and domain.

use domain::{Account, BudgetRef, Draw, IncarnationId, ResourceId, Window};

use crate::{Malformed, bytes, uuid, v1};

/// To the wire.
#[must_use]
pub fn account_to(from: &Account) -> v1::Account {
    v1::Account {
        budget: bytes(from.budget.id.0),
        generation: from.budget.generation,
        start: from.window.start,
        previous: from.window.previous,
        value: from.value.clone().into_string(),
    }
}

/// From the wire.
///
/// # Errors
/// When the budget's id is no UUID.
pub fn account_from(from: v1::Account) -> Result<Account, Malformed> {
    let budget = BudgetRef { id: ResourceId(uuid(&from.budget, "budget")?), generation: from.generation };
    let window = Window { start: from.start, previous: from.previous };
    Ok(Account { budget, window, value: from.value.into() })
}

/// To the wire.
#[must_use]
pub fn draw_to(from: &Draw) -> v1::Draw {
    let accounts = from.accounts.iter().map(account_to).collect();
    v1::Draw { root: bytes(from.root.0), holder: bytes(from.holder.0), accounts }
}

/// From the wire.
///
/// # Errors
/// When an id is no UUID.
pub fn draw_from(from: v1::Draw) -> Result<Draw, Malformed> {
    let accounts = from.accounts.into_iter().map(account_from).collect::<Result<_, _>>()?;
    let root = ResourceId(uuid(&from.root, "root")?);
    Ok(Draw { root, holder: IncarnationId(uuid(&from.holder, "holder")?), accounts })
}
