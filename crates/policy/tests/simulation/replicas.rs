//! Replicas of the gateway: each sees for itself, tells the others, and asks for leave to try what is out.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use domain::Strategy;
use policy::{
    Caller, Snapshot, compile,
    health::{BreakerState, HealthRegistry, Micros, Move, TargetKey},
};

use crate::{provider::SECOND, world::World};

/// How long the lease of a trial holds, how long a request may let wait for itself, and when another replica may ask.
const LEASE: Micros = 10 * SECOND;
const PERMIT: Duration = Duration::from_secs(5);
const STEP_BACK: Micros = SECOND;

pub(crate) struct Replica {
    pub(crate) live: HealthRegistry,
    pub(crate) snapshot: Snapshot,
    pub(crate) caller: Caller,
    /// Trials that this replica holds the lease for.
    ours: HashMap<TargetKey, ()>,
    /// Those it does not ask for before.
    later: HashMap<TargetKey, Micros>,
}

pub(crate) struct Replicas {
    pub(crate) all: Vec<Replica>,
    leases: BTreeMap<TargetKey, (usize, Micros)>,
}

impl Replicas {
    pub(crate) fn new(count: usize, world: &World, key: &str, seed: u64) -> Self {
        let replica = |number: usize| {
            let live = HealthRegistry::new(seed.wrapping_mul(1_000).wrapping_add(number as u64));
            let snapshot = compile(&world.rows, &world.keyring, &live).unwrap();
            let caller = world.caller(&snapshot, key).unwrap();
            Replica { live, snapshot, caller, ours: HashMap::new(), later: HashMap::new() }
        };
        Self { all: (0..count).map(replica).collect(), leases: BTreeMap::new() }
    }

    /// A replica tells the others all it knows, and sees to the trials.
    pub(crate) fn tick(&mut self, number: usize, now: Micros) {
        let replica = &self.all[number];
        let told: Vec<_> = replica
            .live
            .targets()
            .into_iter()
            .filter_map(|(key, state)| Some((key, state.shared(now)?)))
            .collect();
        let keys = replica.live.credentials().into_iter();
        let keys: Vec<_> = keys.filter_map(|(key, state)| Some((key, state.shared(now)?))).collect();
        for (_, other) in self.all.iter().enumerate().filter(|(other, _)| *other != number) {
            for (key, shared) in &told {
                other.live.target(key.endpoint, &key.upstream).adopt(shared, now);
            }
            for (key, shared) in &keys {
                other.live.credential(key.id, key.revision).adopt(shared, now);
            }
        }
        self.trials(number, now);
    }

    fn trials(&mut self, number: usize, now: Micros) {
        let replica = &mut self.all[number];
        let mut targets = replica.live.targets();
        targets.sort_by(|one, other| one.0.cmp(&other.0));
        for (key, state) in targets {
            if replica.ours.contains_key(&key) {
                let wanted = state.wants_trial(now);
                if wanted || state.admission(now) != BreakerState::HalfOpen {
                    replica.ours.remove(&key);
                    self.leases.remove(&key);
                    if wanted {
                        replica.later.insert(key, now + STEP_BACK);
                    }
                } else {
                    self.leases.insert(key, (number, now + LEASE));
                }
                continue;
            }
            if !state.wants_trial(now) || replica.later.get(&key).is_some_and(|until| *until > now) {
                continue;
            }
            let taken =
                self.leases.get(&key).is_some_and(|(holder, until)| *holder != number && *until > now);
            if taken {
                replica.later.insert(key, now + STEP_BACK);
            } else if state.permit_trial(PERMIT, now) {
                self.leases.insert(key.clone(), (number, now + LEASE));
                replica.ours.insert(key, ());
            }
        }
    }

    /// A replica looks for the fastest target of each tier that goes by speed.
    pub(crate) fn judge(&self, number: usize, now: Micros) -> Vec<Move> {
        let replica = &self.all[number];
        let tiers = replica.snapshot.routes().flat_map(|route| route.tiers());
        let by_speed = tiers.filter(|tier| tier.strategy == Strategy::LowestLatency);
        by_speed
            .filter_map(|tier| {
                let states: Vec<_> =
                    tier.members.iter().map(|member| Arc::clone(&member.target.state)).collect();
                let p95s: Vec<_> =
                    states.iter().map(|state| state.ttft_p95(now, tier.interval * 2)).collect();
                let in_use =
                    |admission| matches!(admission, BreakerState::Healthy | BreakerState::Warming { .. });
                let eligible: Vec<_> = states.iter().map(|state| in_use(state.admission(now))).collect();
                let faster =
                    |one: usize, other: usize| states[one].is_faster(&states[other], now, tier.interval * 2);
                tier.leader.judge(&p95s, &eligible, faster)
            })
            .collect()
    }
}
