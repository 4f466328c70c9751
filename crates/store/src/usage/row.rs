//! One row of the usage ledger before it is written.

use domain::{Attempt, UsageEvent};

/// One attempt, with the request it belongs to.
pub(super) struct AttemptRow<'a> {
    pub(super) event: &'a UsageEvent,
    pub(super) attempt: Attempt,
    /// Whether it is the request's last attempt.
    pub(super) last: bool,
}
