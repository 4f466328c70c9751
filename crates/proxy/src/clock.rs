//! The proxy's own clock: microseconds since its start, which never go back.

use std::{sync::Arc, time::Duration};

use policy::health::{Clock, Micros};
use tokio::time::Instant;

/// A clock that counts from the moment at which it was started.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ProcessClock(Instant);

impl ProcessClock {
    /// Starts a clock at zero.
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    /// The time since the start.
    pub(crate) fn now(self) -> Micros {
        self.at(Instant::now())
    }

    /// A moment on this clock; zero for what came before its start.
    pub(crate) fn at(self, moment: Instant) -> Micros {
        micros(moment.saturating_duration_since(self.0))
    }

    /// The same clock as a function, for `policy`, which reads no clock by itself.
    pub(crate) fn reader(self) -> Clock {
        Arc::new(move || self.now())
    }
}

/// A duration in whole microseconds, bounded by what the type holds.
pub(crate) fn micros(duration: Duration) -> Micros {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
