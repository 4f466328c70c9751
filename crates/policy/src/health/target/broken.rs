//! Answers that break off after their first content: a row of its own, because each had begun as a success.

use std::sync::atomic::Ordering::{AcqRel, Relaxed};

use super::{Observation, OutlierDetection, TargetState};
use crate::{
    health::Transition,
    time::{Micros, Moment},
};

impl TargetState {
    /// An answer came to its end.
    pub fn finished(&self) {
        // Read first, as all answers end most of the time.
        if self.broken.load(Relaxed) != 0 {
            self.broken.store(0, Relaxed);
        }
    }

    /// An answer broke off after its first content, which had been recorded as a success: a failure as well, and so
    /// many in a row eject, whatever began well between them. The trial's ejects at once: what it showed was not true.
    pub fn broke_off(
        &self,
        seen: Observation,
        rules: &OutlierDetection,
        now: Micros,
        draw: u64,
    ) -> Option<Transition> {
        let row = self.broken.fetch_add(1, AcqRel).saturating_add(1);
        let counted = self.record(Observation { ok: false, trial: false, ..seen }, rules, now, draw);
        let word = self.breaker.load();
        if counted.is_some() || !word.is_closed() {
            return counted;
        }
        let fresh = word.epoch == 0 || seen.began >= word.at();
        let enough = fresh && rules.consecutive != 0 && row >= rules.consecutive;
        // A trial of an earlier ejection says nothing about the recovery from a later one.
        let retracted = seen.trial && seen.began >= self.breaker.out_since();
        if enough || retracted { self.eject(word, rules, Moment { now, draw }) } else { None }
    }
}
