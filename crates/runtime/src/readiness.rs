//! Readiness as latches: a process is ready when every part that said it must be is open.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{sync::Notify, time::MissedTickBehavior};
use tokio_util::sync::CancellationToken;

/// How often a latch that follows a probe asks it.
const PROBE: Duration = Duration::from_secs(1);
/// How long a probe may take to its answer.
const PROBE_TIME: Duration = Duration::from_secs(2);

type Latches = Vec<(&'static str, Arc<AtomicBool>)>;

/// The latches of one process.
#[derive(Clone, Debug, Default)]
pub struct Readiness {
    latches: Arc<Mutex<Latches>>,
    changed: Arc<Notify>,
}

/// One part's say in readiness.
#[derive(Clone, Debug)]
pub struct ReadinessCheck {
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
    pub fn latch(&self, name: &'static str) -> ReadinessCheck {
        let open = Arc::new(AtomicBool::new(false));
        self.lock().push((name, Arc::clone(&open)));
        ReadinessCheck { open, changed: Arc::clone(&self.changed) }
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

impl ReadinessCheck {
    /// Opens or closes it.
    pub fn set(&self, open: bool) {
        if self.open.swap(open, Ordering::Relaxed) != open {
            self.changed.notify_waiters();
        }
    }

    /// Follows what a probe says, asked every second and given two to answer; closed from shutdown on.
    pub async fn follow<P, A>(self, probe: P, shutdown: CancellationToken)
    where
        P: Fn() -> A,
        A: Future<Output = bool>,
    {
        let following = async {
            let mut clock = tokio::time::interval(PROBE);
            clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                clock.tick().await;
                self.set(tokio::time::timeout(PROBE_TIME, probe()).await.unwrap_or(false));
            }
        };
        shutdown.run_until_cancelled(following).await;
        self.set(false);
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

    #[tokio::test(start_paused = true)]
    async fn a_latch_follows_its_probe_until_shutdown() {
        let (readiness, stop) = (Readiness::new(), CancellationToken::new());
        let up = Arc::new(AtomicBool::new(true));
        let probe = Arc::clone(&up);
        let probe = move || std::future::ready(probe.load(Ordering::Relaxed));
        let following = tokio::spawn(readiness.latch("database").follow(probe, stop.clone()));
        assert!(readiness.ready(&stop).await);
        up.store(false, Ordering::Relaxed);
        tokio::time::sleep(PROBE * 2).await; // virtual
        assert_eq!(readiness.pending(), ["database"]);
        up.store(true, Ordering::Relaxed);
        assert!(readiness.ready(&stop).await);
        stop.cancel();
        following.await.unwrap();
        assert!(!readiness.is_ready());
    }
}
