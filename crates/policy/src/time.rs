//! The clock of the decisions: moments and spans in microseconds, always given as arguments.

use std::time::Duration;

/// Microseconds since an origin of the process's own; never goes back.
pub type Micros = u64;

/// The circumstances of a decision: the time and one random number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// The time.
    pub now: Micros,
    /// A number drawn evenly from all of `u64`.
    pub draw: u64,
}

/// How long a report of another replica is believed at most.
pub(crate) const DAY: Micros = 86_400_000_000;

/// How long a half-open trial may run without reporting its outcome; after that another one may be taken.
pub(crate) const TRIAL_TIMEOUT: Duration = Duration::from_secs(60);

pub(crate) fn micros(duration: Duration) -> Micros {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

pub(crate) const fn duration(micros: Micros) -> Duration {
    Duration::from_micros(micros)
}
