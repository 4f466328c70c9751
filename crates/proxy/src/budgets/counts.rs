//! What is counted of budgets since the process started.

use std::sync::atomic::{AtomicU64, Ordering};

use budget::LeaseReply;
use domain::Money;

/// How it was decided whether an attempt may be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Path {
    /// From authority in hand, without a round trip.
    Local,
    /// With authority that the store granted for it.
    Lease,
    /// A budget had no room.
    Refused,
    /// Without the store, as the budgets allow it.
    Policy,
    /// The store was away, and a budget is closed then.
    Unavailable,
}

/// Counters.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    paths: [AtomicU64; Path::ALL.len()],
    leases: [AtomicU64; LEASES.len()],
    /// In nano-dollars.
    overrun: AtomicU64,
}

/// How commands to the store ended.
const LEASES: [&str; 5] = ["done", "lost", "stale", "wait", "unanswered"];

impl Path {
    const ALL: [Self; 5] = [Self::Local, Self::Lease, Self::Refused, Self::Policy, Self::Unavailable];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Lease => "lease",
            Self::Refused => "refused",
            Self::Policy => "policy",
            Self::Unavailable => "unavailable",
        }
    }
}

impl Counts {
    pub(super) fn reserved(&self, path: Path) {
        self.paths[path as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn leased(&self, reply: &LeaseReply) {
        let place = match reply {
            LeaseReply::Done { .. } => 0,
            LeaseReply::Lost => 1,
            LeaseReply::Stale => 2,
            LeaseReply::Wait => 3,
        };
        self.leases[place].fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn unanswered(&self) {
        self.leases[4].fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn overrun(&self, more: Money) {
        self.overrun.fetch_add(u64::try_from(more.nanos()).unwrap_or(0), Ordering::Relaxed);
    }

    /// Attempts by how it was decided about them.
    pub(crate) fn paths(&self) -> impl Iterator<Item = (&'static str, u64)> {
        Path::ALL
            .into_iter()
            .zip(&self.paths)
            .map(|(path, count)| (path.as_str(), count.load(Ordering::Relaxed)))
    }

    /// Commands to the store by how they ended.
    pub(crate) fn leases(&self) -> impl Iterator<Item = (&'static str, u64)> {
        LEASES.into_iter().zip(&self.leases).map(|(result, count)| (result, count.load(Ordering::Relaxed)))
    }

    /// What providers took beyond what was reserved, in nano-dollars.
    pub(crate) fn overrun_nanos(&self) -> u64 {
        self.overrun.load(Ordering::Relaxed)
    }
}
