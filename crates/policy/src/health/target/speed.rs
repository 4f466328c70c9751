//! How fast a target answers, and how much it has to do.

use std::time::Duration;

use super::TargetState;
use crate::time::Micros;

impl TargetState {
    /// The time to the first token of a request.
    pub fn observe_ttft(&self, ttft: Duration, now: Micros) {
        self.ttft.observe(ttft, false, now);
        self.peak.observe(ttft, now);
    }

    /// 95th percentile of the time to the first token over a window of at most two minutes, 5 % off at most;
    /// `None` where there is neither a probe in it nor five requests.
    #[must_use]
    pub fn ttft_p95(&self, now: Micros, window: Micros) -> Option<Duration> {
        self.ttft.p95(now, window)
    }

    /// Whether its time to the first token was better lately by more than chance may do, a fifth and 20 ms at least.
    #[must_use]
    pub fn is_faster(&self, other: &Self, now: Micros, window: Micros) -> bool {
        self.ttft.is_better(&other.ttft, now, window)
    }

    /// Recent time to the first token × (requests under way + 1), in seconds; peaks count at once and fade.
    #[must_use]
    pub fn load(&self, now: Micros) -> f64 {
        self.peak.seconds(now) * (f64::from(self.in_flight()) + 1.0)
    }
}
