//! Who is connected, and what each proxy serves or has refused.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use domain::{Timestamp, Version};
use schemars::JsonSchema;
use serde::Serialize;

use crate::health::HealthReports;

/// Streams that are kept track of, and served, at most.
const MAX: usize = 10_000;

/// A version that a proxy refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Refused {
    /// The version.
    pub version: Version,
    /// What the proxy said of it.
    pub reason: String,
    /// When.
    pub at: Timestamp,
}

/// One connected proxy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ProxyStatus {
    /// Its name.
    pub name: String,
    /// Where it stands.
    pub region: String,
    /// Its software version.
    pub build: String,
    /// Since when it is connected.
    pub since: Timestamp,
    /// What it serves, once it serves anything.
    pub version: Option<Version>,
    /// When it last installed a version, on this connection.
    pub acked_at: Option<Timestamp>,
    /// What it refused since then.
    pub refused: Option<Refused>,
}

/// All connected proxies, by connection: one that reconnects may be here twice for a moment.
#[derive(Debug, Default)]
pub struct Proxies {
    registered: Mutex<(u64, BTreeMap<u64, ProxyStatus>)>,
    /// What each sees of targets and keys.
    pub health: HealthReports,
}

/// One stream's registration; the proxy is gone from the list when it is dropped.
#[derive(Debug)]
pub(super) struct ProxyRegistration {
    proxies: Arc<Proxies>,
    number: u64,
}

impl Proxies {
    /// Who is connected, by name.
    #[must_use]
    pub fn list(&self) -> Vec<ProxyStatus> {
        let mut list: Vec<_> = self.lock().1.values().cloned().collect();
        list.sort_by(|a, b| (&a.name, a.since).cmp(&(&b.name, b.since)));
        list
    }

    /// Registers a stream; `None` when there are too many.
    pub(super) fn register(self: &Arc<Self>, status: ProxyStatus) -> Option<ProxyRegistration> {
        let mut inner = self.lock();
        if inner.1.len() >= MAX {
            return None;
        }
        inner.0 += 1;
        let number = inner.0;
        inner.1.insert(number, status);
        Some(ProxyRegistration { proxies: Arc::clone(self), number })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, (u64, BTreeMap<u64, ProxyStatus>)> {
        self.registered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ProxyRegistration {
    pub(super) fn acked(&self, version: Version) {
        self.update(|status| {
            status.version = Some(version);
            status.acked_at = Some(Timestamp::now());
            status.refused = None;
        });
    }

    pub(super) fn refused(&self, version: Version, reason: String) {
        self.update(|status| status.refused = Some(Refused { version, reason, at: Timestamp::now() }));
    }

    fn update(&self, change: impl FnOnce(&mut ProxyStatus)) {
        if let Some(status) = self.proxies.lock().1.get_mut(&self.number) {
            change(status);
        }
    }
}

impl Drop for ProxyRegistration {
    fn drop(&mut self) {
        let mut inner = self.proxies.lock();
        let Some(left) = inner.1.remove(&self.number) else { return };
        if !inner.1.values().any(|other| other.name == left.name) {
            self.proxies.health.forget(&left.name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_bounded_and_forgets_who_left() {
        let proxies = Arc::new(Proxies::default());
        let status = |name: String| ProxyStatus {
            name,
            region: String::new(),
            build: String::new(),
            since: Timestamp::from_micros(1),
            version: None,
            acked_at: None,
            refused: None,
        };
        let mut registered: Vec<_> =
            (0..MAX).map(|n| proxies.register(status(format!("{n}"))).unwrap()).collect();
        assert!(proxies.register(status("one more".into())).is_none());
        registered.pop();
        assert!(proxies.register(status("one more".into())).is_some());
        drop(registered);
        assert_eq!(proxies.list(), []);
    }
}
