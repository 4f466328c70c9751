//! What budgets count in: one counter for each window of a budget and each value of its dimension.

use std::{fmt, sync::Arc};

use crate::{IncarnationId, ResourceId};

/// One form of one budget. A change of its window, scope or dimension makes another generation, with accounts of its
/// own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BudgetRef {
    /// The row of configuration.
    pub id: ResourceId,
    /// Its generation.
    pub generation: u32,
}

/// A window of a budget, in Unix seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Window {
    /// When it begins.
    pub start: i64,
    /// When the one before it began. Windows that are older than that are dropped once this one is used.
    pub previous: i64,
}

/// One counter.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Account {
    /// The owner.
    pub budget: BudgetRef,
    /// When.
    pub window: Window,
    /// The value of the budget's dimension (a user, a session, a key); empty where it has none.
    pub value: Box<str>,
}

impl Account {
    /// Whether the budget has no dimension, so that all its requests draw from this one account.
    #[must_use]
    pub fn is_flat(&self) -> bool {
        self.value.is_empty()
    }
}

impl fmt::Display for BudgetRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.id, self.generation)
    }
}

/// Where an attempt is drawn from: every account of its tenant and of the tenant's ancestors, by one proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draw {
    /// The topmost tenant, which has the book.
    pub root: ResourceId,
    /// The proxy's folder.
    pub holder: IncarnationId,
    /// The accounts.
    pub accounts: Arc<[Account]>,
}
