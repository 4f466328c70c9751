//! What a limit header says, and how much of it is believed.

use std::time::Duration;

/// Longest wait that is believed, in either direction: no provider counts by more than the month.
pub const MAX_WAIT: Duration = Duration::from_secs(31 * 24 * 60 * 60);
/// Largest count that is believed: far above any limit, far below what could overflow a sum.
pub const MAX_COUNT: u64 = 1_000_000_000_000_000;

/// What a header says about a thing that is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tally {
    Limit,
    Remaining,
    Reset,
}

impl Tally {
    pub(super) fn from_name(name: &str) -> Option<Self> {
        match name {
            "limit" => Some(Self::Limit),
            "remaining" => Some(Self::Remaining),
            "reset" => Some(Self::Reset),
            _ => None,
        }
    }
}
