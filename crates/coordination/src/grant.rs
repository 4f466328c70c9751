//! The right to send one request, and the concurrency slots that go with it.

use crate::{central, memory};

/// The right to send one request; dropping it gives its concurrency slots back without waiting.
///
/// Keep it until the stream has ended.
#[derive(Debug, Default)]
#[must_use = "dropping the grant gives its slots back"]
pub struct Permit {
    _local: Option<memory::SlotLeases>,
    _central: Option<central::SlotLeases>,
}

impl Permit {
    pub(crate) fn local(seats: memory::SlotLeases) -> Self {
        Self { _local: Some(seats), _central: None }
    }

    pub(crate) fn central(seats: central::SlotLeases) -> Self {
        Self { _local: None, _central: Some(seats) }
    }

    /// Admitted without the store; what it holds is claimed there when it is back.
    pub(crate) fn both(local: memory::SlotLeases, central: central::SlotLeases) -> Self {
        Self { _local: Some(local), _central: Some(central) }
    }
}
