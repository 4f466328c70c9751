//! The states of targets and credentials, with the clock they are read by and what is told of their changes.

use std::{sync::Arc, time::Duration};

use policy::{
    Credential, Target,
    health::{BreakerState, HealthRegistry, Micros, ProbeObservation, Transition},
};
use tokio::sync::Notify;

use super::{
    alerts::{Alerts, TransitionCause},
    counts::ProbeCounts,
    finding::ProbeFinding,
};
use crate::clock::ProcessClock;

/// Records what is found out of targets and credentials, and notifies of changes.
pub(crate) struct HealthMonitor {
    registry: Arc<HealthRegistry>,
    clock: ProcessClock,
    /// Wakes what tells the other replicas.
    pub(crate) for_replicas: Notify,
    /// Wakes what tells the control plane.
    pub(crate) for_control_plane: Notify,
    /// Probes by outcome.
    pub(crate) probes: Arc<ProbeCounts>,
    /// Changes that an operator should hear of.
    pub(crate) alerts: Arc<Alerts>,
}

impl HealthMonitor {
    pub(crate) fn new(registry: Arc<HealthRegistry>, clock: ProcessClock) -> Self {
        Self {
            registry,
            clock,
            for_replicas: Notify::new(),
            for_control_plane: Notify::new(),
            probes: Arc::default(),
            alerts: Arc::default(),
        }
    }

    /// The time on the proxy's clock.
    pub(crate) fn now(&self) -> Micros {
        self.clock.now()
    }

    /// An evenly drawn number.
    pub(super) fn draw(&self) -> u64 {
        self.registry.draw()
    }

    /// This replica found out that a target is out of use, or back.
    pub(super) fn on_transition(&self, target: &Target, change: Transition, cause: TransitionCause) {
        self.alerts.target(target, change, cause);
        self.changed();
    }

    /// A provider refused a credential to this replica; `first`: it had been usable until then.
    pub(crate) fn refused(&self, credential: &Credential, status: u16, first: bool) {
        self.alerts.refused(credential, status, first);
        self.changed();
    }

    /// Another replica found something out.
    pub(crate) fn on_remote_change(&self) {
        self.for_control_plane.notify_one();
    }

    /// Something changed that the other replicas should know soon.
    pub(crate) fn changed(&self) {
        self.for_replicas.notify_one();
        self.for_control_plane.notify_one();
    }

    /// Takes over what a probe found of a target; `began`: when that probe began.
    pub(crate) fn on_probe(&self, target: &Target, finding: &ProbeFinding, began: Micros) {
        let Target { state, endpoint, .. } = target;
        let observation =
            ProbeObservation { ok: finding.ok, ttft: finding.ttft.map(Duration::from_micros), began };
        let now = self.now();
        let again = is_out(state.admission(now));
        if let Some(change) = state.probed(observation, &endpoint.outlier, now, self.draw()) {
            self.on_transition(target, change, TransitionCause { outcome: "probed", again });
        }
    }
}

/// Whether a target in this state gets no requests but one that finds out whether it is back.
pub(super) const fn is_out(state: BreakerState) -> bool {
    matches!(state, BreakerState::Ejected { .. } | BreakerState::HalfOpen)
}
