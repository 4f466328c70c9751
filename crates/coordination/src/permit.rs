//! The right to send one request, and the concurrency slots that go with it.

use crate::{
    Level,
    charge::{Charge, Charged},
    local_backend, redis_backend,
};

/// The right to send one request; dropping it gives its concurrency slots back without waiting.
///
/// Keep it until the stream has ended.
#[derive(Debug, Default)]
#[must_use = "dropping the grant gives its slots back"]
pub struct Permit {
    _local: Option<local_backend::SlotLeases>,
    _central: Option<redis_backend::SlotLeases>,
    charged: Charged,
    place: Place,
}

/// Where it was charged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Place {
    /// In this process.
    #[default]
    Local,
    /// In the shared store.
    Central,
}

impl Permit {
    pub(crate) fn local(leases: local_backend::SlotLeases, charged: Charged) -> Self {
        Self { _local: Some(leases), _central: None, charged, place: Place::Local }
    }

    pub(crate) fn central(leases: redis_backend::SlotLeases, charged: Charged) -> Self {
        Self { _local: None, _central: Some(leases), charged, place: Place::Central }
    }

    /// Admitted without the store; what it holds is claimed there when it is back.
    pub(crate) fn both(
        local: local_backend::SlotLeases,
        central: redis_backend::SlotLeases,
        charged: Charged,
    ) -> Self {
        Self { _local: Some(local), _central: Some(central), charged, place: Place::Local }
    }

    /// How full the limits were once this was charged.
    #[must_use]
    pub fn levels(&self) -> &[Level] {
        &self.charged.levels
    }

    /// The same right, silent about how full the limits are.
    pub fn without_levels(mut self) -> Self {
        self.charged.levels.clear();
        self
    }

    /// What can be corrected, once, and where.
    pub(crate) fn take_charges(&mut self) -> (Vec<Charge>, Place) {
        (std::mem::take(&mut self.charged.charges), self.place)
    }
}
