//! The states of all targets and credentials of one process, found by what they are the state of.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
};

use domain::{ModelRef, ResourceId};

use super::{credential::CredentialState, leader::Leader, target::TargetState};
use crate::random;

/// Most states of a sort that are kept for requests; beyond that each asker gets one of its own. What is configured
/// does not count: its bound is the configuration's, and no request may push it out.
const MOST: usize = 8_192;

/// A model at an endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TargetKey {
    /// The provider's id.
    pub endpoint: ResourceId,
    /// What the provider calls the model.
    pub upstream: String,
}

/// A provider's key; another revision of it may be another key, of which nothing is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CredentialKey {
    /// Its id.
    pub id: ResourceId,
    /// The revision of the configuration that wrote it.
    pub revision: u64,
}

/// A tier, and whom it chooses from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct LeaderKey {
    route: ResourceId,
    place: String,
    models: Vec<ModelRef>,
}

/// The live state of one process; it outlives snapshots. Asked when a snapshot is compiled and for implicit
/// routes; requests hold the states themselves.
#[derive(Debug)]
pub struct HealthRegistry {
    targets: States<TargetKey, TargetState>,
    credentials: States<CredentialKey, CredentialState>,
    leaders: States<LeaderKey, Leader>,
    drawn: AtomicU64,
}

impl HealthRegistry {
    /// Nothing seen yet; `seed` is what [`HealthRegistry::draw`] begins with.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let (targets, credentials, leaders) = (States::default(), States::default(), States::default());
        Self { targets, credentials, leaders, drawn: AtomicU64::new(seed) }
    }

    /// The next random number, evenly from all of `u64` (SplitMix64): not for secrets.
    pub fn draw(&self) -> u64 {
        random::mix(self.drawn.fetch_add(random::STEP, Relaxed).wrapping_add(random::STEP))
    }

    /// The state of a target that somebody asks about, who may have made it up.
    pub fn target(&self, endpoint: ResourceId, upstream: &str) -> Arc<TargetState> {
        self.targets.get(TargetKey { endpoint, upstream: upstream.to_owned() }, MOST)
    }

    /// The state of a target that configuration names: always kept.
    pub fn configured_target(&self, endpoint: ResourceId, upstream: &str) -> Arc<TargetState> {
        self.targets.get(TargetKey { endpoint, upstream: upstream.to_owned() }, usize::MAX)
    }

    /// The state of a credential that somebody tells about.
    pub fn credential(&self, id: ResourceId, revision: u64) -> Arc<CredentialState> {
        self.credentials.get(CredentialKey { id, revision }, MOST)
    }

    /// The state of a credential that is configured: always kept.
    pub fn configured_credential(&self, id: ResourceId, revision: u64) -> Arc<CredentialState> {
        self.credentials.get(CredentialKey { id, revision }, usize::MAX)
    }

    /// Which of these models leads at this place of a route; another list begins anew.
    pub fn leader(&self, route: ResourceId, place: &str, models: Vec<ModelRef>) -> Arc<Leader> {
        self.leaders.get(LeaderKey { route, place: place.to_owned(), models }, usize::MAX)
    }

    /// Every target.
    #[must_use]
    pub fn targets(&self) -> Vec<(TargetKey, Arc<TargetState>)> {
        self.targets.all()
    }

    /// Every credential.
    #[must_use]
    pub fn credentials(&self) -> Vec<(CredentialKey, Arc<CredentialState>)> {
        self.credentials.all()
    }

    /// Drops states that are neither held nor were asked for since the last time; meant for every few minutes.
    pub fn prune(&self) {
        self.targets.prune();
        self.credentials.prune();
        self.leaders.prune();
    }
}

#[derive(Debug)]
struct States<K, S>(RwLock<HashMap<K, Kept<S>>>);

#[derive(Debug)]
struct Kept<S> {
    state: Arc<S>,
    /// Asked for since the last pruning.
    wanted: AtomicBool,
}

impl<K, S> Default for States<K, S> {
    fn default() -> Self {
        Self(RwLock::default())
    }
}

impl<K: Clone + Eq + Hash, S: Default> States<K, S> {
    /// Returns the state for `key`. If it is new and the registry is full, returns a fresh state that is not registered, so
    /// it is not shared.
    fn get(&self, key: K, most: usize) -> Arc<S> {
        if let Some(kept) = self.0.read().unwrap_or_else(PoisonError::into_inner).get(&key) {
            kept.wanted.store(true, Relaxed);
            return Arc::clone(&kept.state);
        }
        let mut states = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if states.len() >= most && !states.contains_key(&key) {
            return Arc::default();
        }
        let new = || Kept { state: Arc::default(), wanted: AtomicBool::new(true) };
        Arc::clone(&states.entry(key).or_insert_with(new).state)
    }

    fn all(&self) -> Vec<(K, Arc<S>)> {
        let states = self.0.read().unwrap_or_else(PoisonError::into_inner);
        states.iter().map(|(key, kept)| (key.clone(), Arc::clone(&kept.state))).collect()
    }

    fn prune(&self) {
        let mut states = self.0.write().unwrap_or_else(PoisonError::into_inner);
        states.retain(|_, kept| {
            let wanted = kept.wanted.swap(false, Relaxed);
            wanted || Arc::strong_count(&kept.state) > 1
        });
    }
}
