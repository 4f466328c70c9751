//! What was seen of targets and credentials: outcomes, latency, rests; decides whether each may be used now.
//!
//! Nothing here has a clock or draws a number: they are arguments. Requests only touch atomics, unless they wait.

mod breaker;
mod budget;
mod credential;
mod in_flight;
mod latency;
mod leader;
mod line;
mod outcome;
mod quota;
mod registry;
mod ring;
mod shared;
mod target;
mod word;

use std::time::Duration;

pub use credential::{CredentialState, CredentialView, Sent, Unavailable, UnavailableReason};
pub use in_flight::ConcurrencyPermit;
pub use leader::{Leader, Move};
pub use line::{Clock, Handoff, QueueLimits, WaitGuard};
pub use outcome::EndpointHealth;
pub use quota::Quota;
pub use registry::{CredentialKey, HealthRegistry, TargetKey};
pub use shared::{HealthRecord, HealthRecordKind};
pub use target::{BreakerState, Observation, OutlierDetection, ProbeObservation, TargetState, TargetView};

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

/// How long a half-open trial may run without reporting its outcome; after that another one may be taken.
pub(crate) const TRIAL_TIMEOUT: Duration = Duration::from_secs(60);

/// A target went out of service or came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transition {
    /// It is not used for a while.
    Ejected {
        /// For how long.
        lasts: Duration,
        /// Ejections in a row, this one included.
        times: u32,
        /// Nothing had succeeded in the window.
        dead: bool,
    },
    /// It is used again, little at first.
    Recovered,
}

/// What others say is believed for so long at most.
const DAY: Micros = 86_400_000_000;

pub(crate) fn micros(duration: Duration) -> Micros {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

const fn duration(micros: Micros) -> Duration {
    Duration::from_micros(micros)
}

#[cfg(test)]
mod tests;
