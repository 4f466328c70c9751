//! Exact counts over a sliding window: a ring of slots, each one word that is only ever swapped whole.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::time::Micros;

/// Slots of a window; the window slides by one of them at a time.
const SLOTS: usize = 16;
/// The same as a span of slot numbers.
const TURN: u64 = SLOTS as u64;
/// Of a slot's word: which slot of time it counts, then two counts.
const COUNT_BITS: u32 = 20;
const COUNT_MAX: u64 = (1 << COUNT_BITS) - 1;
const NUMBER_MASK: u64 = (1 << (64 - 2 * COUNT_BITS)) - 1;

/// Two counts over a window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct WindowCounts {
    /// Whatever is counted.
    pub(super) total: u64,
    /// What is counted against it: failures of requests, repeats of first attempts.
    pub(super) against: u64,
}

/// A window in slots. A count that comes later than a whole window after its time is dropped.
#[derive(Debug, Default)]
pub(super) struct SlidingWindow {
    /// Length of a slot in µs; 0 until something is counted.
    width: AtomicU64,
    slots: [AtomicU64; SLOTS],
}

#[derive(Clone, Copy)]
struct Slot {
    number: u64,
    tally: WindowCounts,
}

impl Slot {
    const fn unpack(word: u64) -> Self {
        let tally = WindowCounts { total: (word >> COUNT_BITS) & COUNT_MAX, against: word & COUNT_MAX };
        Self { number: word >> (2 * COUNT_BITS), tally }
    }

    fn pack(self) -> u64 {
        let WindowCounts { total, against } = self.tally;
        self.number << (2 * COUNT_BITS) | total.min(COUNT_MAX) << COUNT_BITS | against.min(COUNT_MAX)
    }

    /// What a slot of time holds so far, unless the ring has gone round since.
    const fn at(word: u64, number: u64) -> Option<Self> {
        let held = Self::unpack(word);
        if held.number == number {
            return Some(held);
        }
        let ahead = held.number.wrapping_sub(number) & NUMBER_MASK;
        if ahead == TURN { None } else { Some(Self { number, tally: WindowCounts { total: 0, against: 0 } }) }
    }
}

impl SlidingWindow {
    /// Counts; another `window` than last time starts from nothing.
    pub(super) fn add(&self, window: Micros, counts: WindowCounts, now: Micros) {
        self.add_if(window, counts, now, |_| true);
    }

    /// Counts if `allowed` by the window's counts so far; says whether it was.
    ///
    /// The swap fails when another one counted in between, so two cannot both take the last place. Only two
    /// whose clocks stand in different slots may; then it is one too many for as long as a window.
    pub(super) fn add_if(
        &self,
        window: Micros,
        counts: WindowCounts,
        now: Micros,
        allowed: impl Fn(WindowCounts) -> bool,
    ) -> bool {
        let number = (now / self.width_for(window)) & NUMBER_MASK;
        let grown = |word| {
            let mut slot = Slot::at(word, number)?;
            allowed(self.before(number).plus(slot.tally)).then_some(())?;
            slot.tally = slot.tally.plus(counts);
            Some(slot.pack())
        };
        self.slot(number).fetch_update(Relaxed, Relaxed, grown).is_ok()
    }

    /// The window's counts.
    pub(super) fn tally(&self, now: Micros) -> WindowCounts {
        let width = self.width.load(Relaxed);
        if width == 0 {
            return WindowCounts::default();
        }
        let number = (now / width) & NUMBER_MASK;
        let newest = Slot::unpack(self.slot(number).load(Relaxed));
        let newest = if newest.number == number { newest.tally } else { WindowCounts::default() };
        self.before(number).plus(newest)
    }

    /// Forgets everything.
    pub(super) fn clear(&self) {
        self.slots.iter().for_each(|slot| slot.store(0, Relaxed));
    }

    /// The counts of the window's other slots.
    fn before(&self, number: u64) -> WindowCounts {
        let slots = self.slots.iter().map(|slot| Slot::unpack(slot.load(Relaxed)));
        let within = |slot: &Slot| {
            let age = number.wrapping_sub(slot.number) & NUMBER_MASK;
            (1..TURN).contains(&age)
        };
        slots.filter(within).fold(WindowCounts::default(), |sum, slot| sum.plus(slot.tally))
    }

    fn slot(&self, number: u64) -> &AtomicU64 {
        let index = usize::try_from(number % TURN).unwrap_or_default();
        &self.slots[index]
    }

    fn width_for(&self, window: Micros) -> Micros {
        let width = (window / TURN).max(1);
        let held = self.width.load(Relaxed);
        if held != width && self.width.compare_exchange(held, width, Relaxed, Relaxed).is_ok() {
            self.clear();
        }
        width
    }
}

impl WindowCounts {
    const fn plus(self, other: Self) -> Self {
        Self { total: self.total + other.total, against: self.against + other.against }
    }
}

#[cfg(test)]
mod tests;
