//! Failed sign-ins, counted so that a flood of them does not fill the log.

use std::{
    sync::{Mutex, PoisonError},
    time::Instant,
};

/// SignInFailures per second that are logged; a flood must not fill the disk.
const LOGGED: u32 = 10;

/// Failed sign-ins of the current second.
pub(super) struct SignInFailures(Mutex<(Instant, u32)>);

impl Default for SignInFailures {
    fn default() -> Self {
        Self(Mutex::new((Instant::now(), 0)))
    }
}

impl SignInFailures {
    /// Counts one more; returns whether it should be logged.
    pub(super) fn count(&self) -> bool {
        let mut failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if failures.0.elapsed().as_secs() >= 1 {
            *failures = (Instant::now(), 0);
        }
        failures.1 = failures.1.saturating_add(1);
        failures.1 <= LOGGED
    }
}
