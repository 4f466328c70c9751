//! All that a breaker is at one moment, in one word, so that every transition is one swap with one winner.

use super::epoch::{EPOCH_BITS, is_before};
use crate::time::Micros;

const MILLI: Micros = 1_000;
const AT_BITS: u32 = 40;
const TIMES_BITS: u32 = 5;

/// Most ejections in a row that are told apart; the longest ejection is reached before.
pub(in crate::health) const MAX_TIMES: u8 = (1 << TIMES_BITS) - 1;

/// Where a breaker stands, as far as it is not a matter of the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::health) enum Phase {
    /// In service since `at`.
    Closed,
    /// Out of service until `at`; from then on waiting for a trial.
    Ejected,
    /// A trial may be taken until `at`.
    Permitted,
    /// A trial is under way; after `at` it is no longer waited for.
    Trying,
}

/// One moment of a breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::health) struct PackedState {
    pub(in crate::health) phase: Phase,
    /// In ms of the process's clock; 40 bits are 34 years.
    pub(in crate::health) at: u64,
    /// Which ejection this is or was, counted over all replicas; 0: never ejected.
    pub(in crate::health) epoch: u16,
    /// Ejections in a row.
    pub(in crate::health) times: u8,
    /// Nothing had succeeded when it was ejected.
    pub(in crate::health) dead: bool,
}

impl PackedState {
    pub(in crate::health) fn unpack(bits: u64) -> Self {
        let field = |shift: u32, width: u32| (bits >> shift) & ((1 << width) - 1);
        let phase = match field(62, 2) {
            0 => Phase::Closed,
            1 => Phase::Ejected,
            2 => Phase::Permitted,
            _ => Phase::Trying,
        };
        Self {
            phase,
            at: field(0, AT_BITS),
            epoch: u16::try_from(field(AT_BITS, EPOCH_BITS)).unwrap_or_default(),
            times: u8::try_from(field(AT_BITS + EPOCH_BITS, TIMES_BITS)).unwrap_or_default(),
            dead: field(61, 1) == 1,
        }
    }

    pub(in crate::health) fn pack(self) -> u64 {
        let phase: u64 = match self.phase {
            Phase::Closed => 0,
            Phase::Ejected => 1,
            Phase::Permitted => 2,
            Phase::Trying => 3,
        };
        let at = self.at.min((1 << AT_BITS) - 1);
        let times = u64::from(self.times.min(MAX_TIMES)) << (AT_BITS + EPOCH_BITS);
        at | u64::from(self.epoch) << AT_BITS | times | u64::from(self.dead) << 61 | phase << 62
    }

    /// `at` in µs.
    pub(in crate::health) const fn at(self) -> Micros {
        self.at * MILLI
    }

    /// Time left until `at`.
    pub(in crate::health) const fn left(self, now: Micros) -> Micros {
        self.at().saturating_sub(now)
    }

    pub(in crate::health) fn is_closed(self) -> bool {
        self.phase == Phase::Closed
    }

    /// Out of service with time left.
    pub(in crate::health) fn is_waiting(self, now: Micros) -> bool {
        self.phase == Phase::Ejected && self.left(now) > 0
    }

    /// Out of service, its time is over, and there is neither a permit nor a trial.
    pub(in crate::health) fn wants_trial(self, now: Micros) -> bool {
        !self.is_closed() && self.left(now) == 0
    }

    /// A trial waits to be taken.
    pub(in crate::health) fn is_permitted(self, now: Micros) -> bool {
        self.phase == Phase::Permitted && self.left(now) > 0
    }

    /// Whether an ejection of this number came after this one; numbers go round, but for that of none.
    pub(in crate::health) const fn is_before(self, epoch: u16) -> bool {
        is_before(self.epoch, epoch)
    }

    /// The number of the next ejection; 0 stays the number of none.
    pub(in crate::health) const fn next_epoch(self) -> u16 {
        match self.epoch.wrapping_add(1) {
            0 => 1,
            next => next,
        }
    }
}

/// A moment in the unit of [`PackedState::at`], never earlier than it is.
pub(in crate::health) const fn no_earlier(moment: Micros) -> u64 {
    moment.div_ceil(MILLI)
}

/// A moment in the unit of [`PackedState::at`], never later than it is.
pub(in crate::health) const fn no_later(moment: Micros) -> u64 {
    moment / MILLI
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_word_comes_out_as_it_went_in(
            phase in 0..4_usize, at in 0..1_u64 << 40, epoch: u16, times in 0..=MAX_TIMES, dead: bool,
        ) {
            let phase = [Phase::Closed, Phase::Ejected, Phase::Permitted, Phase::Trying][phase];
            let word = PackedState { phase, at, epoch, times, dead };
            prop_assert_eq!(PackedState::unpack(word.pack()), word);
        }

        #[test]
        fn of_two_ejections_one_is_later(epoch in 1..=u16::MAX, ahead in 1..1_u16 << 15) {
            let word = PackedState { epoch, ..PackedState::unpack(0) };
            let later = PackedState { epoch: epoch.wrapping_add(ahead), ..word };
            prop_assume!(later.epoch != 0);
            prop_assert!(word.is_before(later.epoch) && !later.is_before(epoch));
            prop_assert!(!word.is_before(epoch) && word.next_epoch() != 0);
        }
    }

    #[test]
    fn nothing_but_zeroes_is_in_service() {
        let word = PackedState::unpack(0);
        assert!(word.is_closed() && word.epoch == 0 && word.times == 0 && !word.dead);
    }
}
