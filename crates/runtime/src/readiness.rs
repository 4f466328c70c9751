//! Readiness as latches: a process is ready when every part that said it must be is open.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

type Latches = Vec<(&'static str, Arc<AtomicBool>)>;

/// The latches of one process.
#[derive(Clone, Debug, Default)]
pub struct Readiness {
    latches: Arc<Mutex<Latches>>,
    changed: Arc<Notify>,
}

/// One part's say in readiness.
#[derive(Clone, Debug)]
pub struct Latch {
    open: Arc<AtomicBool>,
    changed: Arc<Notify>,
}

impl Readiness {
    /// No latches: ready.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a closed latch.
    #[must_use]
    pub fn latch(&self, name: &'static str) -> Latch {
        let open = Arc::new(AtomicBool::new(false));
        self.lock().push((name, Arc::clone(&open)));
        Latch { open, changed: Arc::clone(&self.changed) }
    }

    /// Whether every latch is open.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.lock().iter().all(|(_, open)| open.load(Ordering::Relaxed))
    }

    /// The names of closed latches.
    #[must_use]
    pub fn pending(&self) -> Vec<&'static str> {
        self.lock().iter().filter(|(_, open)| !open.load(Ordering::Relaxed)).map(|(name, _)| *name).collect()
    }

    /// Waits until it is ready; false when the token was cancelled first.
    pub async fn ready(&self, cancelled: &CancellationToken) -> bool {
        loop {
            // Registered before looking, so that no change in between is missed.
            let changed = self.changed.notified();
            if self.is_ready() {
                return true;
            }
            tokio::select! {
                () = changed => {}
                () = cancelled.cancelled() => return false,
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Latches> {
        self.latches.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Latch {
    /// Opens or closes it.
    pub fn set(&self, open: bool) {
        if self.open.swap(open, Ordering::Relaxed) != open {
            self.changed.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_latch_has_its_say() {
        let readiness = Readiness::new();
        assert!(readiness.is_ready());
        let (snapshot, spool) = (readiness.latch("snapshot"), readiness.latch("spool"));
        spool.set(true);
        assert_eq!(readiness.pending(), ["snapshot"]);
        snapshot.set(true);
        assert!(readiness.is_ready());
        spool.set(false);
        assert!(!readiness.is_ready());
    }
}
