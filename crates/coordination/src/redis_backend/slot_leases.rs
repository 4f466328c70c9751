//! Slots that this process holds in the shared store: renewed while held, returned when dropped.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use domain::RequestId;
use tokio::sync::mpsc;
use tokio::time::Instant;

/// Most slots waiting to be returned; the rest comes free when it expires.
const MAX_RETURNS: usize = 16_384;

/// One slot: the limit's key, and the request that holds it.
pub(super) type SlotLease = (Arc<str>, RequestId);

/// All slots of this process.
pub(crate) struct SlotRegistry {
    held: Mutex<HashMap<SlotLease, Held>>,
    returns: mpsc::Sender<SlotLease>,
    returns_dropped: AtomicU64,
}

struct Held {
    ttl: Duration,
    due: Instant,
}

/// What is to be renewed of one limit and subject.
pub(super) struct Renewal {
    pub(super) ttl: Duration,
    pub(super) requests: Vec<RequestId>,
}

impl SlotRegistry {
    /// The registry, and the other end of its queue of slots to return.
    pub(super) fn new() -> (Self, mpsc::Receiver<SlotLease>) {
        let (returns, queue) = mpsc::channel(MAX_RETURNS);
        (Self { held: Mutex::default(), returns, returns_dropped: AtomicU64::new(0) }, queue)
    }

    /// What has lived for a third of its time, so that two renewals may fail; everything when `all`.
    pub(super) fn due(&self, all: bool) -> HashMap<Arc<str>, Renewal> {
        let now = Instant::now();
        let mut due = HashMap::<Arc<str>, Renewal>::new();
        for ((key, request), held) in self.lock().iter_mut().filter(|(_, held)| all || held.due <= now) {
            held.due = now + held.ttl / 3;
            let renewal = due.entry(key.clone()).or_insert(Renewal { ttl: held.ttl, requests: Vec::new() });
            renewal.ttl = renewal.ttl.max(held.ttl);
            renewal.requests.push(*request);
        }
        due
    }

    pub(super) fn held(&self) -> u64 {
        self.lock().len() as u64
    }

    pub(super) fn returns_dropped(&self) -> u64 {
        self.returns_dropped.load(Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<SlotLease, Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The slots of one request; empty for most.
pub(crate) struct SlotLeases {
    registry: Arc<SlotRegistry>,
    request: RequestId,
    slots: Vec<(Arc<str>, Duration)>,
    /// Whether the store may know them, so that they must be returned.
    claimed: bool,
}

impl SlotLeases {
    pub(super) fn new(
        registry: Arc<SlotRegistry>,
        request: RequestId,
        slots: Vec<(Arc<str>, Duration)>,
    ) -> Self {
        Self { registry, request, slots, claimed: false }
    }

    pub(super) fn request(&self) -> RequestId {
        self.request
    }

    /// From here on the store may know them, even if its answer never arrives.
    pub(super) fn claim(&mut self) {
        self.claimed = true;
    }

    /// Has them renewed; those the store did not grant are claimed when it is back.
    pub(crate) fn hold(&mut self) {
        if self.slots.is_empty() {
            return;
        }
        self.claimed = true;
        let now = Instant::now();
        let mut held = self.registry.lock();
        for (key, ttl) in &self.slots {
            held.insert((key.clone(), self.request), Held { ttl: *ttl, due: now + *ttl / 3 });
        }
    }

    /// Denied: there is nothing to return.
    pub(crate) fn forget(&mut self) {
        self.slots.clear();
    }
}

/// Returning takes no waiting and no I/O; what does not fit in the queue expires.
impl Drop for SlotLeases {
    fn drop(&mut self) {
        if !self.claimed || self.slots.is_empty() {
            return;
        }
        let mut held = self.registry.lock();
        for (key, _) in &self.slots {
            held.remove(&(key.clone(), self.request));
        }
        drop(held);
        for (key, _) in self.slots.drain(..) {
            if self.registry.returns.try_send((key, self.request)).is_err() {
                self.registry.returns_dropped.fetch_add(1, Relaxed);
            }
        }
    }
}

impl fmt::Debug for SlotLeases {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seats").field("request", &self.request).field("slots", &self.slots.len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    fn held(registry: &Arc<SlotRegistry>, ttl: Duration) -> SlotLeases {
        let mut leases = SlotLeases::new(registry.clone(), RequestId::new(), vec![("key".into(), ttl)]);
        leases.hold();
        leases
    }

    #[tokio::test(start_paused = true)]
    async fn a_third_of_its_life_is_when_a_slot_is_renewed() {
        let (registry, mut returns) = SlotRegistry::new();
        let registry = Arc::new(registry);
        let leases = held(&registry, Duration::from_secs(60));
        for _ in 0..3 {
            advance(Duration::from_secs(19)).await;
            assert!(registry.due(false).is_empty());
            advance(Duration::from_secs(1)).await;
            assert_eq!(registry.due(false)["key"].requests, [leases.request()]);
        }
        assert_eq!(registry.due(true).len(), 1);
        let request = leases.request();
        drop(leases);
        assert!(registry.due(true).is_empty());
        assert_eq!(returns.recv().await.unwrap(), ("key".into(), request));
    }

    #[tokio::test]
    async fn returns_that_do_not_fit_are_counted_and_nobody_waits() {
        let (registry, _returns) = SlotRegistry::new();
        let registry = Arc::new(registry);
        for _ in 0..MAX_RETURNS + 5 {
            drop(held(&registry, Duration::from_secs(60)));
        }
        assert_eq!((registry.returns_dropped(), registry.held()), (5, 0));
    }
}
