//! What is drawn from: one budget's counter, in one window, for one value of its dimension.

use std::fmt;

use domain::{Money, ResourceId};

/// Whole micro-dollars (or requests, or tokens): what the store counts in. Lua computes in doubles, which are exact up
/// to 2^53: callers keep caps below $9.0e9 a window.
pub type Units = i64;

/// Nano-dollars in a unit.
const NANOS: i64 = 1_000;

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

/// An amount in units, rounded up: what a request may cost is never counted too low.
#[must_use]
pub const fn units_up(money: Money) -> Units {
    let nanos = money.nanos();
    nanos.div_euclid(NANOS) + (nanos.rem_euclid(NANOS) != 0) as i64
}

/// Units as money.
#[must_use]
pub const fn money(units: Units) -> Money {
    Money::from_nanos(units.saturating_mul(NANOS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fractions_of_a_unit_count_as_one() {
        let rounded = [0, 1, 999, 1_000, 1_001].map(|nanos| units_up(Money::from_nanos(nanos)));
        assert_eq!(rounded, [0, 1, 1, 1, 2]);
        assert_eq!(money(2), Money::from_nanos(2_000));
    }
}
