//! Which accounts a request is drawn from.

use std::sync::Arc;

use budget::{CapRevision, Units};
use domain::{Account, BudgetRef, Money, OnStoreLoss, Timestamp, Window, WindowSpan};
use policy::{Budget, BudgetFacts};

/// Nano-dollars in a unit of the shared store.
const UNIT: i64 = 1_000;

/// The budgets that count a request, and its accounts under them.
pub(super) struct Draft<'a> {
    /// Each budget that counts the request, with the window that the request falls into.
    pub(super) budgets: Vec<(&'a Arc<Budget>, WindowSpan)>,
    /// Accounts that must have room.
    pub(super) enforced: Arc<[Account]>,
    /// Accounts that only count.
    pub(super) observed: Arc<[Account]>,
}

impl<'a> Draft<'a> {
    pub(super) fn of(budgets: &'a [Arc<Budget>], facts: &BudgetFacts<'_>, at: Timestamp) -> Self {
        let (mut counting, mut enforced, mut observed) = (Vec::new(), Vec::new(), Vec::new());
        for budget in budgets {
            let Some(value) = budget.account_value(facts) else { continue };
            let span = budget.window_at(at);
            let window = Window { start: span.start, previous: span.previous };
            let account = Account { budget: reference(budget), window, value: value.into() };
            match budget.is_enforced() {
                true => enforced.push(account),
                false => observed.push(account),
            }
            counting.push((budget, span));
        }
        Self { budgets: counting, enforced: enforced.into(), observed: observed.into() }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.budgets.is_empty()
    }

    /// The caps of the budgets.
    pub(super) fn caps(&self) -> impl Iterator<Item = CapRevision> {
        self.budgets.iter().map(|(budget, _)| cap(budget))
    }

    /// What each enforced budget does while the store is away; nothing where one of them is closed then.
    pub(super) fn purses(&self) -> Option<Vec<Purse>> {
        let purse = |account: &Account| {
            let (budget, _) = self.budget(account.budget)?;
            match (budget.spec.on_store_loss(), budget.spec.per_replica) {
                (OnStoreLoss::Open, _) => Some(Purse { account: account.clone(), most: None }),
                (OnStoreLoss::Bounded, Some(each)) => {
                    Some(Purse { account: account.clone(), most: Some(each) })
                }
                (OnStoreLoss::Closed | OnStoreLoss::Bounded, _) => None,
            }
        };
        self.enforced.iter().map(purse).collect()
    }

    /// The budget of an account, and its window.
    pub(super) fn budget(&self, of: BudgetRef) -> Option<(&'a Budget, WindowSpan)> {
        let found = self.budgets.iter().find(|(budget, _)| reference(budget) == of);
        found.map(|(budget, span)| (&***budget, *span))
    }
}

/// What a proxy may spend of an account by itself, in its window.
pub(super) struct Purse {
    pub(super) account: Account,
    /// Nothing: as much as comes.
    pub(super) most: Option<Money>,
}

pub(super) const fn reference(budget: &Budget) -> BudgetRef {
    BudgetRef { id: budget.id, generation: budget.generation }
}

/// A budget's cap, rounded down to whole units: what is spent is never more than what was written.
pub(super) fn cap(budget: &Budget) -> CapRevision {
    let cap: Units = budget.cap.nanos().div_euclid(UNIT);
    CapRevision { budget: reference(budget), cap, revision: budget.revision }
}
