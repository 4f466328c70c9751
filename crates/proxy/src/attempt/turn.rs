//! The target of an attempt and the time it has.

use policy::PlannedTarget;
use tokio::time::Instant;

/// Where an attempt goes and until when.
pub(crate) struct TargetTurn<'a> {
    pub(crate) planned: &'a PlannedTarget,
    pub(crate) deadlines: Deadlines,
    /// Latest time at which a filter's refusal in a successful response still causes failover. `None` if such refusals go
    /// to the client as they are.
    pub(crate) reroute_blocked_until: Option<Instant>,
}

/// The time limits of an attempt.
#[derive(Clone, Copy)]
pub(crate) struct Deadlines {
    /// When the whole request must have ended.
    pub(crate) total: Instant,
    /// When the target must have shown content.
    pub(crate) first_content: Instant,
}
