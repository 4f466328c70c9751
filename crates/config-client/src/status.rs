//! What readiness, metrics and requests may ask about the configuration, without waiting for anything.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};

use domain::{Timestamp, Version};

/// `confirmed_at` of a proxy that holds nothing.
const NEVER: i64 = i64::MIN;

/// A version that was refused, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// The version that does not serve.
    pub version: Version,
    /// Why it was refused, as the compiler reported it.
    pub reason: String,
}

/// The state of the configuration; shared by reference.
#[derive(Debug)]
pub struct ConfigStatus {
    max_age_us: i64,
    confirmed_at: AtomicI64,
    connected: AtomicBool,
    /// How often one connected.
    connections: AtomicU64,
    versions: Mutex<Versions>,
}

#[derive(Debug, Default)]
struct Versions {
    serving: Option<Version>,
    rejected: Option<Rejected>,
}

impl ConfigStatus {
    /// Of a proxy that holds no configuration yet and may serve one for `max_age` after it was last confirmed.
    #[must_use]
    pub fn new(max_age: Duration) -> Self {
        Self {
            max_age_us: i64::try_from(max_age.as_micros()).unwrap_or(i64::MAX),
            confirmed_at: AtomicI64::new(NEVER),
            connected: AtomicBool::new(false),
            connections: AtomicU64::new(0),
            versions: Mutex::default(),
        }
    }

    /// The version that serves.
    #[must_use]
    pub fn version(&self) -> Option<Version> {
        self.lock().serving
    }

    /// The version that was refused since the serving one was installed.
    #[must_use]
    pub fn rejected(&self) -> Option<Rejected> {
        self.lock().rejected.clone()
    }

    /// Whether a control plane is connected and has been heard.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.connected.load(Ordering::Relaxed)
    }

    /// The number of the connection to the control plane, while there is one; each has another.
    #[must_use]
    pub fn connection(&self) -> Option<u64> {
        self.is_connected().then(|| self.connections.load(Ordering::Acquire))
    }

    /// When a control plane last said that the serving version is the newest.
    #[must_use]
    pub fn confirmed_at(&self) -> Option<Timestamp> {
        let micros = self.confirmed_at.load(Ordering::Relaxed);
        (micros != NEVER).then(|| Timestamp::from_micros(micros))
    }

    /// How long ago that was; `None` when there is no configuration.
    #[must_use]
    pub fn age(&self, now: Timestamp) -> Option<Duration> {
        let micros = now.micros().saturating_sub(self.confirmed_at()?.micros());
        Some(Duration::from_micros(u64::try_from(micros).unwrap_or(0)))
    }

    /// Whether the configuration is too old to serve, or absent. One atomic load: every request may ask.
    #[must_use]
    pub fn is_stale(&self, now: Timestamp) -> bool {
        let confirmed = self.confirmed_at.load(Ordering::Relaxed);
        confirmed == NEVER || now.micros().saturating_sub(confirmed) > self.max_age_us
    }

    pub(crate) fn installed(&self, version: Version, confirmed_at: Timestamp) {
        *self.lock() = Versions { serving: Some(version), rejected: None };
        self.confirmed(confirmed_at);
    }

    pub(crate) fn confirmed(&self, at: Timestamp) {
        self.confirmed_at.store(at.micros(), Ordering::Relaxed);
    }

    pub(crate) fn refused(&self, rejected: Rejected) {
        self.lock().rejected = Some(rejected);
    }

    /// Notes whether the control plane is connected; becoming connected starts another [`Self::connection`].
    pub fn set_connected(&self, connected: bool) {
        if connected && !self.is_connected() {
            self.connections.fetch_add(1, Ordering::AcqRel);
        }
        self.connected.store(connected, Ordering::Relaxed);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Versions> {
        self.versions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_stale_and_confirmation_makes_it_fresh_again() {
        let status = ConfigStatus::new(Duration::from_secs(10));
        let at = |seconds: i64| Timestamp::from_micros(seconds * 1_000_000);
        assert!(status.is_stale(at(0)));
        assert_eq!(status.age(at(0)), None);
        let version = Version { store: domain::StoreId::new(), revision: 1 };
        status.installed(version, at(100));
        assert!(!status.is_stale(at(110)));
        assert!(status.is_stale(at(111)));
        assert_eq!(status.age(at(111)), Some(Duration::from_secs(11)));
        status.confirmed(at(111));
        assert!(!status.is_stale(at(120)));
        assert_eq!(status.age(at(0)), Some(Duration::ZERO), "a clock set back is no age");
    }
}
