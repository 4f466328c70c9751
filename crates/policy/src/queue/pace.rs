//! How fast places become free while requests wait for them.

use crate::time::Micros;

/// One of so many parts of the mean is replaced by each place.
const MEMORY: Micros = 8;
/// How much faster than it was lately the pace may yet become, before a request is refused for it.
const HOPE: Micros = 2;

/// The pace since the queue was last empty: what was before says nothing of now.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ServiceRate {
    last: Micros,
    /// The mean time between two places, once there was one.
    every: Option<Micros>,
}

impl ServiceRate {
    /// Nothing known; the first request waits since now.
    pub(super) const fn since(now: Micros) -> Self {
        Self { last: now, every: None }
    }

    /// A place was taken.
    pub(super) fn place(&mut self, now: Micros) {
        let gap = now.saturating_sub(self.last);
        self.every = Some(self.every.map_or(gap, |every| every - every / MEMORY + gap / MEMORY));
        self.last = now;
    }

    /// Whether so many places will not come within the time left, even at a better pace.
    pub(super) fn is_too_slow(&self, places: usize, left: Micros) -> bool {
        let places = u64::try_from(places).unwrap_or(u64::MAX);
        self.every.is_some_and(|every| every.saturating_mul(places) / HOPE > left)
    }
}
