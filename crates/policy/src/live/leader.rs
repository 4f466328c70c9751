//! Which of several targets is the fastest, decided once per interval and not changed for trifles.

use std::{
    sync::atomic::{
        AtomicUsize,
        Ordering::{AcqRel, Acquire},
    },
    time::Duration,
};

/// Another one has to be better by this much,
const MARGIN: Duration = Duration::from_millis(20);
/// and by one in so many parts.
const PART: u32 = 5;

/// The fastest target, by its place in the list.
#[derive(Debug, Default)]
pub struct Leader(AtomicUsize);

/// The lead went from one target to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Move {
    /// Who led.
    pub from: usize,
    /// Who leads.
    pub to: usize,
}

impl Leader {
    /// Who leads; the first of the list until something else was found.
    #[must_use]
    pub fn current(&self) -> usize {
        self.0.load(Acquire)
    }

    /// Decides anew from each one's 95th percentile of the time to the first token; `None`: no change.
    ///
    /// A leader that is eligible keeps the lead unless another is better by a fifth and by 20 ms, and as long
    /// as nothing is known of it. Of those nothing is known of, the first in the list comes first.
    pub fn judge(&self, p95s: &[Option<Duration>], eligible: &[bool]) -> Option<Move> {
        let from = self.current();
        let to = successor(from, p95s, eligible)?;
        self.0.compare_exchange(from, to, AcqRel, Acquire).ok().map(|from| Move { from, to })
    }
}

fn successor(from: usize, p95s: &[Option<Duration>], eligible: &[bool]) -> Option<usize> {
    let able = |place: &usize| eligible.get(*place).copied().unwrap_or_default();
    let known = |place: usize| p95s.get(place).copied().flatten().map(|p95| (p95, place));
    let best = (0..eligible.len()).filter(able).filter_map(known).min();
    if !able(&from) {
        return best.map(|(_, place)| place).or_else(|| (0..eligible.len()).find(able));
    }
    let (own, _) = known(from)?;
    let (best, place) = best?;
    (best + MARGIN <= own && best <= own - own / PART).then_some(place)
}
