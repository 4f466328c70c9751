//! Who may find out whether a target is back: of all replicas the one that holds the lease, by one request.

use std::{collections::HashMap, time::Duration};

use policy::health::{BreakerState, Micros, TargetKey, TargetState};

use super::share::micros;
use crate::gateway::ProxyState;

/// How long the lease holds without being renewed: a replica that dies with it leaves it after that.
const LEASE: Duration = Duration::from_secs(10);
/// It is renewed, while a trial is under way, when so much of it has passed.
const RENEW: Duration = Duration::from_secs(3);
/// How long a request may let wait for itself before another replica gets the leave.
const PERMIT: Duration = Duration::from_secs(5);
/// How long others come first, after the lease was another's or no request took the leave.
const STEP_BACK: Duration = Duration::from_secs(1);
/// Most questions to the store in one round.
const MOST: usize = 128;

/// The trials of this replica.
#[derive(Default)]
pub(super) struct Trials {
    /// Leave was given by a lease of this replica's; when that was last renewed.
    ours: HashMap<TargetKey, Micros>,
    /// Not to be asked for before.
    later: HashMap<TargetKey, Micros>,
}

enum Step {
    LlmRequest,
    Renew,
    /// Nobody took it: another replica may have requests.
    Return,
    /// It was told how it ended.
    Over,
}

impl Trials {
    /// Gives leave for what wants a trial, and gives back what is over.
    pub(super) async fn round(&mut self, gateway: &ProxyState) {
        let now = gateway.now();
        self.later.retain(|_, until| *until > now);
        // A target that is gone is seen by nobody any more.
        self.ours.retain(|_, renewed| now.saturating_sub(*renewed) < micros(LEASE) * 2);
        let steps = gateway.live.targets().into_iter().filter_map(|(key, state)| {
            let step = self.step(&key, &state, now)?;
            Some((key, state, step))
        });
        let steps: Vec<_> = steps.take(MOST).collect();
        for (key, state, step) in steps {
            self.take(gateway, key, &state, &step).await;
        }
    }

    fn step(&self, key: &TargetKey, state: &TargetState, now: Micros) -> Option<Step> {
        let wanted = state.wants_trial(now);
        let Some(renewed) = self.ours.get(key) else {
            return (wanted && !self.later.contains_key(key)).then_some(Step::LlmRequest);
        };
        if wanted {
            return Some(Step::Return);
        }
        if state.admission(now) != BreakerState::HalfOpen {
            return Some(Step::Over);
        }
        (now.saturating_sub(*renewed) > micros(RENEW)).then_some(Step::Renew)
    }

    async fn take(&mut self, gateway: &ProxyState, key: TargetKey, state: &TargetState, step: &Step) {
        let name = format!("trial:{}:{}", key.endpoint, key.upstream);
        match step {
            Step::LlmRequest => {
                let won = gateway.coordination.lease(&name, LEASE).await;
                let now = gateway.now();
                if !won {
                    self.later.insert(key, now + micros(STEP_BACK));
                } else if state.permit_trial(PERMIT, now) {
                    self.ours.insert(key, now);
                } else {
                    gateway.coordination.release(&name).await;
                }
            }
            Step::Renew => {
                gateway.coordination.lease(&name, LEASE).await;
                self.ours.insert(key, gateway.now());
            }
            Step::Return | Step::Over => {
                self.ours.remove(&key);
                gateway.coordination.release(&name).await;
                if matches!(step, Step::Return) {
                    self.later.insert(key, gateway.now() + micros(STEP_BACK));
                }
            }
        }
    }
}
