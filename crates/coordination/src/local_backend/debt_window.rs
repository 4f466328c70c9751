//! At most n in any interval of a period, for costs that are known only afterwards: what goes beyond n is carried.

use crate::counter_key::{MAX_MICROS, WINDOW_SLOTS};

/// [`WINDOW_SLOTS`] as the length of an array.
const SLOTS: usize = 65;
const _: () = assert!(SLOTS as u64 == WINDOW_SLOTS);
/// The most that is carried.
const MOST_DEBT: u64 = 1_000_000_000_000;

/// How much counts in each of the last 65 slots, at most n together, and what waits for room.
#[derive(Debug)]
pub(super) struct DebtWindow {
    /// The newest slot, counted from the clock's origin.
    newest: u64,
    /// Of all counts.
    sum: u64,
    /// Charged, but without room so far.
    debt: u64,
    counts: [u64; SLOTS],
}

impl Default for DebtWindow {
    fn default() -> Self {
        Self { newest: 0, sum: 0, debt: 0, counts: [0; SLOTS] }
    }
}

impl DebtWindow {
    /// Microseconds until something may be charged; `None` when it may now.
    pub(super) fn wait(&mut self, now: u64, width: u64, n: u64) -> Option<u64> {
        self.advance(now / width, n);
        if self.debt == 0 && self.sum < n {
            return None;
        }
        let need = self.debt + self.sum - n + 1;
        // While there is debt, n lapse and are filled again in each turn.
        let turns = (need - 1) / n;
        let mut rest = need - turns * n;
        let oldest = (self.newest + 1).saturating_sub(WINDOW_SLOTS);
        for slot in oldest..=self.newest {
            let count = *self.count(slot);
            if count >= rest {
                let free = slot.saturating_add(WINDOW_SLOTS.saturating_mul(turns + 1)).saturating_mul(width);
                return Some((free - now).min(MAX_MICROS));
            }
            rest -= count;
        }
        Some(WINDOW_SLOTS.saturating_mul(turns + 1).saturating_mul(width).min(MAX_MICROS))
    }

    /// Counts them, now.
    pub(super) fn charge(&mut self, now: u64, width: u64, n: u64, cost: u64) {
        self.advance(now / width, n);
        let fits = cost.min(n.saturating_sub(self.sum));
        *self.count(self.newest) += fits;
        self.sum += fits;
        self.debt = (self.debt + cost - fits).min(MOST_DEBT);
    }

    /// Takes back what was charged in a slot, as far as it still counts.
    pub(super) fn refund(&mut self, now: u64, width: u64, n: u64, charged: Charged) {
        self.advance(now / width, n);
        let carried = charged.amount.min(self.debt);
        self.debt -= carried;
        if charged.slot > self.newest || charged.slot + WINDOW_SLOTS <= self.newest {
            return;
        }
        let count = self.count(charged.slot);
        let counted = (charged.amount - carried).min(*count);
        *count -= counted;
        self.sum -= counted;
    }

    /// What counts now, with what is carried.
    pub(super) const fn used(&self) -> u64 {
        self.sum + self.debt
    }

    fn advance(&mut self, slot: u64, n: u64) {
        while self.newest < slot {
            let ahead = slot - self.newest;
            if self.sum == n && self.debt >= n && ahead >= WINDOW_SLOTS {
                // In a whole turn every slot lapses and is filled again from the debt.
                let turns = (ahead / WINDOW_SLOTS).min(self.debt / n);
                self.debt -= turns * n;
                self.newest += turns * WINDOW_SLOTS;
            } else if self.sum == 0 && self.debt == 0 {
                self.newest = slot;
            } else {
                self.newest += 1;
                let lapsed = std::mem::take(self.count(self.newest));
                self.sum -= lapsed;
                let filled = self.debt.min(n.saturating_sub(self.sum));
                *self.count(self.newest) = filled;
                self.sum += filled;
                self.debt -= filled;
            }
        }
    }

    #[allow(clippy::cast_possible_truncation, reason = "a remainder of 65")]
    fn count(&mut self, slot: u64) -> &mut u64 {
        &mut self.counts[(slot % WINDOW_SLOTS) as usize]
    }
}

/// What was charged, and in which slot.
#[derive(Clone, Copy, Debug)]
pub(super) struct Charged {
    pub(super) slot: u64,
    pub(super) amount: u64,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_debt_of_ages_overflows_nothing() {
        let day = 86_400_000_000_u64.div_ceil(64);
        let (mut window, now) = (DebtWindow::default(), 1_700_000_000_000_000);
        for _ in 0..2_000 {
            window.charge(now, day, 1, 1_000_000_000);
        }
        assert_eq!(window.wait(now, day, 1), Some(MAX_MICROS));
        assert_eq!(window.used(), MOST_DEBT + 1);
    }

    const PERIOD: u64 = 6_400;
    const WIDTH: u64 = PERIOD / 64;

    proptest! {
        /// Against a queue of single units: each counts for a period from when there was room for it.
        #[test]
        fn never_more_than_n_count_and_debt_waits_its_turn(
            n in 1_u64..20,
            steps in proptest::collection::vec(
                (prop_oneof![0_u64..3, 0_u64..400, 0_u64..9_000, 0_u64..60_000], 0_u64..40),
                1..200,
            ),
        ) {
            let (mut window, mut now) = (DebtWindow::default(), 1_000_000);
            // The slot in which each unit began to count, oldest first; and how many wait.
            let (mut counting, mut waiting) = (std::collections::VecDeque::<u64>::new(), 0_u64);
            let mut at = now / WIDTH;
            for (step, cost) in steps {
                now += step;
                while at < now / WIDTH {
                    at += 1;
                    counting.retain(|slot| slot + WINDOW_SLOTS > at);
                    while waiting > 0 && (counting.len() as u64) < n {
                        counting.push_back(at);
                        waiting -= 1;
                    }
                }
                let free = waiting == 0 && (counting.len() as u64) < n;
                let wait = window.wait(now, WIDTH, n);
                prop_assert_eq!(wait.is_none(), free, "at {}", now);
                if let Some(wait) = wait {
                    // It passes then and not one slot earlier.
                    let mut later = DebtWindow { counts: window.counts, ..window };
                    prop_assert!(later.wait(now + wait, WIDTH, n).is_none());
                    let mut before = DebtWindow { counts: window.counts, ..window };
                    prop_assert!(before.wait(now + wait - 1, WIDTH, n).is_some());
                } else {
                    window.charge(now, WIDTH, n, cost);
                    for _ in 0..cost {
                        if (counting.len() as u64) < n { counting.push_back(at) } else { waiting += 1 }
                    }
                }
                prop_assert_eq!(window.used(), counting.len() as u64 + waiting);
            }
        }

        /// What is given back in time is as if it had never been charged.
        #[test]
        fn what_is_given_back_was_never_charged(n in 1_u64..20, cost in 0_u64..60, more in 0_u64..60, after in 0_u64..6_000) {
            let (mut window, mut other) = (DebtWindow::default(), DebtWindow::default());
            let slot = 1_000_000 / WIDTH;
            window.charge(1_000_000, WIDTH, n, cost + more);
            other.charge(1_000_000, WIDTH, n, cost);
            window.refund(1_000_000 + after, WIDTH, n, Charged { slot, amount: more });
            let later = 1_000_000 + after;
            prop_assert_eq!(window.wait(later, WIDTH, n), other.wait(later, WIDTH, n));
            prop_assert_eq!(window.used(), other.used());
            // After its time, it gives back nothing of what others took.
            let mut late = DebtWindow::default();
            late.charge(1_000_000, WIDTH, n, 1);
            let much_later = 1_000_000 + 70 * WIDTH;
            late.charge(much_later, WIDTH, n, 1);
            late.refund(much_later, WIDTH, n, Charged { slot, amount: 1 });
            prop_assert_eq!(late.used(), 1);
        }
    }
}
