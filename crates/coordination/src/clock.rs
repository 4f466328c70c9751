//! The clock of limits that are held in memory.

use std::{fmt, sync::Arc, time::Duration};

use tokio::time::Instant;

/// Time since an arbitrary origin that never goes back; an argument, so that tests choose it.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Duration + Send + Sync>);

impl Clock {
    /// A clock that reads `now`.
    pub fn new(now: impl Fn() -> Duration + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    /// The operating system's monotonic clock.
    #[must_use]
    pub fn monotonic() -> Self {
        let origin = Instant::now();
        Self::new(move || origin.elapsed())
    }

    pub(crate) fn micros(&self) -> u64 {
        u64::try_from((self.0)().as_micros()).unwrap_or(u64::MAX)
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}
