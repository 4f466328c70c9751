//! The generic cell rate algorithm in integers: one theoretical arrival time per subject.

/// One second, in microseconds.
const SECOND: u64 = 1_000_000;

/// When the bucket will be empty: `micros`, and `rest` / rate of a microsecond more.
#[derive(Debug, Default)]
pub(super) struct Gcra {
    micros: u64,
    rest: u64,
}

impl Gcra {
    /// Microseconds until one more may pass; `None` when it may now.
    pub(super) fn wait(&mut self, now: u64, rate: u64, burst: u64) -> Option<u64> {
        let full = burst * SECOND;
        let mut level = self.level(now, rate);
        if level > full {
            // The limit was lowered: the bucket is full, not fuller.
            level = full;
            self.set(now, rate, level);
        }
        (level + SECOND > full).then(|| (level + SECOND - full).div_ceil(rate))
    }

    /// Counts one, now.
    pub(super) fn charge(&mut self, now: u64, rate: u64) {
        self.set(now, rate, self.level(now, rate) + SECOND);
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
