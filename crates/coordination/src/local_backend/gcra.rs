//! The generic cell rate algorithm in integers: one theoretical arrival time per subject.

use crate::counter_key::SECOND;

/// When the bucket will be empty: `micros`, and `rest` / rate of a microsecond more.
#[derive(Debug, Default)]
pub(super) struct Gcra {
    micros: u64,
    rest: u64,
}

impl Gcra {
    /// Microseconds until `cost` more, at most `burst`, may pass; `None` when they may now.
    pub(super) fn wait(&mut self, now: u64, rate: u64, burst: u64, cost: u64) -> Option<u64> {
        let full = burst * SECOND;
        let mut level = self.level(now, rate);
        if level > full {
            // The limit was lowered: the bucket is full, not fuller.
            level = full;
            self.set(now, rate, level);
        }
        let after = level + cost * SECOND;
        (after > full).then(|| (after - full).div_ceil(rate))
    }

    /// Counts them, now.
    pub(super) fn charge(&mut self, now: u64, rate: u64, cost: u64) {
        self.set(now, rate, self.level(now, rate) + cost * SECOND);
    }

    /// How many cells are full, rounded up.
    pub(super) fn used(&self, now: u64, rate: u64) -> u64 {
        self.level(now, rate).div_ceil(SECOND)
    }

    /// How full the bucket is, a cell being 1,000,000.
    fn level(&self, now: u64, rate: u64) -> u64 {
        match self.micros.checked_sub(now) {
            Some(ahead) => ahead.saturating_mul(rate).saturating_add(self.rest),
            None => 0,
        }
    }

    fn set(&mut self, now: u64, rate: u64, level: u64) {
        *self = Self { micros: now + level / rate, rest: level % rate };
    }
}
