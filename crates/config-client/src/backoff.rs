//! How long to wait before the next connection: exponential with jitter, 100 ms to 5 s.

use std::time::Duration;

const MIN: Duration = Duration::from_millis(100);
const MAX: Duration = Duration::from_secs(5);

/// Counts the connections that failed in a row.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    failures: u32,
    /// The last stream was ended in good order and nothing went well since.
    ended: bool,
}

impl Backoff {
    /// A connection did what it is for.
    pub(crate) fn healthy(&mut self) {
        *self = Self::default();
    }

    /// The wait after a stream that the other side ended in good order, as one does that shuts down: another one
    /// may be up already, so the first such wait is none.
    pub(crate) fn after_end(&mut self, random: f64) -> Duration {
        if self.failures == 0 && !self.ended {
            self.ended = true;
            return Duration::ZERO;
        }
        self.after_failure(random)
    }

    /// The wait after a failure; `random` in 0..1 spreads a fleet over half of it.
    pub(crate) fn after_failure(&mut self, random: f64) -> Duration {
        let full = MIN.saturating_mul(2u32.saturating_pow(self.failures + 1)).min(MAX);
        self.failures = (self.failures + 1).min(16);
        full.mul_f64(0.5 + 0.5 * random.clamp(0.0, 1.0))
    }
}

/// Uniform in 0..1: the last 32 bits of a UUIDv7 are random (RFC 9562), and jitter needs no more than that.
pub(crate) fn random() -> f64 {
    let bits =
        uuid::Uuid::now_v7().as_fields().3.iter().rev().take(4).fold(0u32, |acc, b| acc << 8 | u32::from(*b));
    f64::from(bits) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_double_the_wait_up_to_five_seconds() {
        let mut backoff = Backoff::default();
        let waits: Vec<_> = (0..40).map(|_| backoff.after_failure(1.0).as_millis()).collect();
        assert_eq!(waits[..7], [200, 400, 800, 1600, 3200, 5000, 5000]);
        assert_eq!(waits.last(), Some(&5000));
        backoff.healthy();
        assert_eq!(backoff.after_failure(0.0), MIN);
    }

    #[test]
    fn an_orderly_end_costs_no_wait_once() {
        let mut backoff = Backoff::default();
        assert_eq!(backoff.after_end(0.0), Duration::ZERO);
        assert_eq!(backoff.after_end(0.0), MIN);
        backoff.healthy();
        assert_eq!(backoff.after_end(0.0), Duration::ZERO);
        backoff.healthy();
        backoff.after_failure(0.0);
        assert!(backoff.after_end(0.0) > MIN);
    }

    #[test]
    fn jitter_stays_within_its_range() {
        let draws: Vec<_> = (0..64).map(|_| random()).collect();
        assert!(draws.iter().all(|draw| (0.0..=1.0).contains(draw)));
        assert!(draws.iter().any(|draw| *draw < 0.5) && draws.iter().any(|draw| *draw >= 0.5));
    }
}
