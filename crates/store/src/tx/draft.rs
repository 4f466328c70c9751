//! A row of the configuration before it is written.

use domain::{ResourceId, Spec};

/// A row to be written. Kind, owner and name of an id never change.
#[derive(Clone, PartialEq, Eq)]
pub struct ResourceDraft {
    /// The row's id: a new one creates, that of a live row replaces its specification.
    pub id: ResourceId,
    /// The tenant that owns it; without one, the operator does.
    pub tenant: Option<ResourceId>,
    /// See [`Resource::name`].
    pub name: String,
    /// The whole specification.
    pub spec: Spec,
    /// New sealed material; `None` leaves what the row has.
    pub sealed: Option<Vec<u8>>,
}
