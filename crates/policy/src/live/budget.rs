//! The retry budget: an outage is amplified by repeats no more than by a set share of the traffic.

use domain::Share;

use super::{
    Micros,
    ring::{Ring, Tally},
};

/// What is looked back at.
const WINDOW: Micros = 10_000_000;
/// Repeats that are allowed without traffic to speak of.
const FLOOR: u64 = 3;

/// First attempts and repeats of the last 10 s.
#[derive(Debug, Default)]
pub(super) struct RetryBudget(Ring);

impl RetryBudget {
    pub(super) fn first(&self, now: Micros) {
        self.0.add(WINDOW, Tally { total: 1, against: 0 }, now);
    }

    /// Takes a repeat if the budget has one.
    pub(super) fn repeat(&self, now: Micros, budget: Share) -> bool {
        let left = |seen: Tally| seen.against < budget.of(seen.total).max(FLOOR);
        self.0.add_if(WINDOW, Tally { total: 0, against: 1 }, now, left)
    }
}
