//! Pure decisions: the compiled snapshot, who a caller is, which targets are tried in which order, and when to stop.

use domain::ResourceId;

/// A row that this version cannot read; what leans on it is disabled, loudly, and nothing else is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unknown {
    /// Its kind, as it came.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Its owner.
    pub tenant: Option<ResourceId>,
    /// Why it cannot be read.
    pub reason: String,
}
