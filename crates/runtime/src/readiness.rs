//! Readiness as latches: a process is ready when every part that said it must be is open.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};

type Latches = Vec<(&'static str, Arc<AtomicBool>)>;

/// The latches of one process.
#[derive(Clone, Debug, Default)]
pub struct Readiness(Arc<Mutex<Latches>>);

/// One part's say in readiness.
#[derive(Clone, Debug)]
pub struct Latch(Arc<AtomicBool>);

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
        Latch(open)
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

    fn lock(&self) -> std::sync::MutexGuard<'_, Latches> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Latch {
    /// Opens or closes it.
    pub fn set(&self, open: bool) {
        self.0.store(open, Ordering::Relaxed);
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
