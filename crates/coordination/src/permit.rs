//! The right to send one request, and the concurrency slots that go with it.

use crate::{local_backend, redis_backend};

/// The right to send one request; dropping it gives its concurrency slots back without waiting.
///
/// Keep it until the stream has ended.
#[derive(Debug, Default)]
#[must_use = "dropping the grant gives its slots back"]
pub struct Permit {
    _local: Option<local_backend::SlotLeases>,
    _central: Option<redis_backend::SlotLeases>,
}

impl Permit {
    pub(crate) fn local(leases: local_backend::SlotLeases) -> Self {
        Self { _local: Some(leases), _central: None }
    }

    pub(crate) fn central(leases: redis_backend::SlotLeases) -> Self {
        Self { _local: None, _central: Some(leases) }
    }

    /// Admitted without the store; what it holds is claimed there when it is back.
    pub(crate) fn both(local: local_backend::SlotLeases, central: redis_backend::SlotLeases) -> Self {
        Self { _local: Some(local), _central: Some(central) }
    }
}
