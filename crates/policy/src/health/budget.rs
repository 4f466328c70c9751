//! The retry budget: an outage is amplified by repeats no more than by a set share of the traffic.

use domain::Share;

use super::ring::{SlidingWindow, WindowCounts};
use crate::time::Micros;

/// What is looked back at.
const WINDOW: Micros = 10_000_000;
/// Repeats that are allowed without traffic to speak of.
const FLOOR: u64 = 3;

/// First attempts and repeats of the last 10 s.
#[derive(Debug, Default)]
pub(super) struct RetryBudget(SlidingWindow);

impl RetryBudget {
    pub(super) fn first(&self, now: Micros) {
        self.0.add(WINDOW, WindowCounts { total: 1, against: 0 }, now);
    }

    /// Takes a repeat if the budget has one.
    pub(super) fn repeat(&self, now: Micros, budget: Share) -> bool {
        let left = |seen: WindowCounts| seen.against < budget.of(seen.total).max(FLOOR);
        self.0.add_if(WINDOW, WindowCounts { total: 0, against: 1 }, now, left)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Everything fails and every request would be repeated as often as it may.
        #[test]
        fn an_outage_is_amplified_by_the_budget_and_no_more(
            gaps in prop::collection::vec(0..50_000_u64, 500..3_000), tries in 1..4_usize,
        ) {
            let (budget, mut now) = (RetryBudget::default(), 0);
            let (mut firsts, mut repeats) = (0_u64, 0_u64);
            for gap in gaps {
                now += gap;
                budget.first(now);
                firsts += 1;
                for _ in 0..tries {
                    repeats += u64::from(budget.repeat(now + 10, Share::percent(20)));
                }
                prop_assert!(repeats * 5 <= firsts + 15, "{repeats} of {firsts}");
            }
            prop_assert!(repeats >= firsts / 10, "the budget is also there to be used: {repeats} of {firsts}");
        }
    }

    #[test]
    fn little_traffic_may_repeat_three_times_in_ten_seconds() {
        let budget = RetryBudget::default();
        let second = 1_000_000;
        let taken = |now| (0..10).filter(|_| budget.repeat(now, Share::percent(20))).count();
        assert_eq!((taken(0), taken(5 * second), taken(11 * second)), (3, 0, 3));
        let none = RetryBudget::default();
        assert_eq!((0..10).filter(|_| none.repeat(0, Share::ppm(0))).count(), 3);
    }
}
