//! Leases on half-open targets: of all replicas only the holder lets one request find out whether a target is back.

use std::{collections::HashMap, time::Duration};

use policy::health::{BreakerState, Micros, TargetKey, TargetState};

use crate::{clock::micros, state::ProxyState};

/// How long the lease holds without being renewed: a replica that dies with it leaves it after that.
const LEASE: Duration = Duration::from_secs(10);
/// How much of it may pass before it is renewed, while the request is under way.
const RENEW: Duration = Duration::from_secs(3);
/// How long the holder waits for a request before another replica gets the lease.
const PERMIT: Duration = Duration::from_secs(5);
/// How long this replica steps back after another one held the lease, or no request used it.
const STEP_BACK: Duration = Duration::from_secs(1);
/// Most questions to the store in one round.
const MOST: usize = 128;

/// The leases of this replica.
#[derive(Default)]
pub(super) struct HalfOpenLeases {
    /// The leases held, and when each was last renewed.
    ours: HashMap<TargetKey, Micros>,
    /// When the lease on a target may be asked for again.
    later: HashMap<TargetKey, Micros>,
}

enum Step {
    Acquire,
    Renew,
    /// No request used it: another replica may have requests.
    Return,
    /// The request ended, and its outcome was reported.
    Over,
}

impl HalfOpenLeases {
    /// Acquires leases for targets that are ready to be tried, and gives back those that are not needed any more.
    pub(super) async fn round(&mut self, proxy: &ProxyState) {
        let now = proxy.now();
        self.later.retain(|_, until| *until > now);
        // The lease of a target that is gone is never given back otherwise.
        self.ours.retain(|_, renewed| now.saturating_sub(*renewed) < micros(LEASE) * 2);
        let steps = proxy.live.targets().into_iter().filter_map(|(key, state)| {
            let step = self.step(&key, &state, now)?;
            Some((key, state, step))
        });
        let steps: Vec<_> = steps.take(MOST).collect();
        for (key, state, step) in steps {
            self.take(proxy, key, &state, &step).await;
        }
    }

    fn step(&self, key: &TargetKey, state: &TargetState, now: Micros) -> Option<Step> {
        let wanted = state.wants_trial(now);
        let Some(renewed) = self.ours.get(key) else {
            return (wanted && !self.later.contains_key(key)).then_some(Step::Acquire);
        };
        if wanted {
            return Some(Step::Return);
        }
        if state.admission(now) != BreakerState::HalfOpen {
            return Some(Step::Over);
        }
        (now.saturating_sub(*renewed) > micros(RENEW)).then_some(Step::Renew)
    }

    async fn take(&mut self, proxy: &ProxyState, key: TargetKey, state: &TargetState, step: &Step) {
        let name = format!("trial:{}:{}", key.endpoint, key.upstream);
        match step {
            Step::Acquire => {
                let won = proxy.coordination.lease(&name, LEASE).await;
                let now = proxy.now();
                if !won {
                    self.later.insert(key, now + micros(STEP_BACK));
                } else if state.permit_trial(PERMIT, now) {
                    self.ours.insert(key, now);
                } else {
                    proxy.coordination.release(&name).await;
                }
            }
            Step::Renew => {
                proxy.coordination.lease(&name, LEASE).await;
                self.ours.insert(key, proxy.now());
            }
            Step::Return | Step::Over => {
                self.ours.remove(&key);
                proxy.coordination.release(&name).await;
                if matches!(step, Step::Return) {
                    self.later.insert(key, proxy.now() + micros(STEP_BACK));
                }
            }
        }
    }
}
