//! At most n in any interval of a period: a ring of slots, summed.

use crate::counter_key::WINDOW_SLOTS;

/// [`WINDOW_SLOTS`] as the length of an array.
const SLOTS: usize = 65;
const _: () = assert!(SLOTS as u64 == WINDOW_SLOTS);

/// How many were admitted in each of the last 65 slots.
#[derive(Debug)]
pub(super) struct SlidingWindow {
    /// The newest slot, counted from the clock's origin.
    newest: u64,
    /// Of all counts.
    sum: u64,
    counts: [u32; SLOTS],
}

impl Default for SlidingWindow {
    fn default() -> Self {
        Self { newest: 0, sum: 0, counts: [0; SLOTS] }
    }
}

impl SlidingWindow {
    /// Microseconds until `cost` more, at most `n`, may pass; `None` when they may now.
    ///
    /// Sound: a permit of slot `s` counts until the end of slot `s + 64`, which is at least one period after
    /// any moment of `s`. Prompt: it is at most one period and one slot after it.
    pub(super) fn wait(&mut self, now: u64, width: u64, n: u64, cost: u64) -> Option<u64> {
        self.advance(now / width);
        let mut excess = (self.sum + cost).checked_sub(n).filter(|excess| *excess > 0)?;
        let oldest = (self.newest + 1).saturating_sub(WINDOW_SLOTS);
        for slot in oldest..=self.newest {
            let count = u64::from(*self.count(slot));
            if count >= excess {
                return Some((slot + WINDOW_SLOTS) * width - now);
            }
            excess -= count;
        }
        // Even an empty ring has no room.
        Some(WINDOW_SLOTS * width)
    }

    /// Counts them, now.
    #[allow(
        clippy::cast_possible_truncation,
        reason = "`wait` keeps the sum within a limit's number, below 2^30"
    )]
    pub(super) fn charge(&mut self, now: u64, width: u64, cost: u64) {
        self.advance(now / width);
        *self.count(self.newest) += cost as u32;
        self.sum += cost;
    }

    /// What counts now.
    pub(super) const fn used(&self) -> u64 {
        self.sum
    }

    fn advance(&mut self, slot: u64) {
        if slot >= self.newest + WINDOW_SLOTS {
            *self = Self { newest: slot, ..Self::default() };
            return;
        }
        while self.newest < slot {
            self.newest += 1;
            self.sum -= u64::from(std::mem::take(self.count(self.newest)));
        }
    }

    #[allow(clippy::cast_possible_truncation, reason = "a remainder of 65")]
    fn count(&mut self, slot: u64) -> &mut u32 {
        &mut self.counts[(slot % WINDOW_SLOTS) as usize]
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PERIOD: u64 = 6_400;

    proptest! {
        /// The rule itself, computed from the list of all admissions.
        #[test]
        fn never_more_than_n_in_a_period_and_never_later_than_a_twentieth(
            n in 0u64..20,
            steps in proptest::collection::vec(
                (prop_oneof![0u64..3, 0u64..400, 0u64..9_000], prop_oneof![Just(1u64), 0u64..9]),
                1..300,
            ),
        ) {
            let (mut ring, mut now, mut admitted) = (SlidingWindow::default(), 0, Vec::<(u64, u64)>::new());
            for (step, cost) in steps {
                now += step;
                let with = |span: u64, moment: u64| {
                    let counted = admitted.iter().filter(|(at, _)| at + span > moment);
                    counted.map(|(_, cost)| cost).sum::<u64>() + cost
                };
                match ring.wait(now, PERIOD / 64, n, cost) {
                    None => {
                        prop_assert!(with(PERIOD, now) <= n, "too many at {now}");
                        ring.charge(now, PERIOD / 64, cost);
                        admitted.push((now, cost));
                    }
                    Some(wait) => {
                        prop_assert!(with(PERIOD + PERIOD / 20, now) > n, "late at {now}");
                        prop_assert!(wait > 0);
                        // The wait is exact: it passes then and not one microsecond earlier.
                        if cost <= n {
                            prop_assert!(with(PERIOD, now + wait) <= n, "told to come too early");
                            prop_assert!(with(PERIOD + PERIOD / 20, now + wait - 1) > n, "told to wait too long");
                        }
                    }
                }
            }
        }
    }
}
