//! What windows with debt were charged, and how that is put right when the true cost is known.

use crate::counter_key::{Algorithm, CounterKey, KeyedClaim};
use crate::{Level, Unit};

/// What was charged for a permit.
#[derive(Debug, Default)]
pub(crate) struct Charged {
    /// How full each limit is.
    pub(crate) levels: Vec<Level>,
    /// What can be corrected.
    pub(crate) charges: Vec<Charge>,
}

/// What a window with debt was charged for a request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Charge {
    window: DebtWindowRef,
    unit: Unit,
    /// The slot in which it counts.
    slot: u64,
    cost: u64,
}

/// Which window, and its numbers when it was charged.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DebtWindowRef {
    pub(crate) key: CounterKey,
    pub(crate) n: u64,
    pub(crate) width: u64,
}

/// What a window is to be charged more, or less.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Correction {
    pub(crate) window: DebtWindowRef,
    /// The slot in which it was charged.
    pub(crate) slot: u64,
    pub(crate) change: Change,
}

/// How a charge was wrong, in units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// It was too little.
    More(u64),
    /// It was too much.
    Less(u64),
}

impl Charge {
    /// Of a claim that was charged at a moment; nothing where its limit cannot be corrected.
    pub(crate) fn of(keyed: &KeyedClaim<'_>, now: u64) -> Option<Self> {
        let Algorithm::DebtWindow { n, width } = keyed.algorithm else { return None };
        let window = DebtWindowRef { key: keyed.key, n, width };
        Some(Self { window, unit: keyed.claim.unit, slot: now / width, cost: keyed.cost })
    }

    pub(crate) const fn unit(&self) -> Unit {
        self.unit
    }

    /// What makes it the true cost; nothing where it is.
    pub(crate) fn correction(&self, actual: u64) -> Option<Correction> {
        let change = match actual.checked_sub(self.cost) {
            Some(0) => return None,
            Some(more) => Change::More(more),
            None => Change::Less(self.cost - actual),
        };
        Some(Correction { window: self.window, slot: self.slot, change })
    }
}
