//! What one probe found.

use std::time::Duration;

use domain::AttemptOutcome;

use policy::health::EndpointHealth;

/// What one probe found.
pub(super) struct Probed {
    pub(super) outcome: AttemptOutcome,
    /// What that says of the endpoint.
    pub(super) health: EndpointHealth,
    /// Time to the first content, where the probe is a prompt.
    pub(super) ttft: Option<Duration>,
}

impl Probed {
    /// A probe that says of the endpoint what an attempt would that ended so.
    pub(super) const fn new(outcome: AttemptOutcome) -> Self {
        Self { outcome, health: EndpointHealth::of(outcome), ttft: None }
    }

    /// A probe that could not be sent.
    pub(super) const NOT_SENT: Self = Self::new(AttemptOutcome::NotSent);
}
