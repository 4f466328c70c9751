//! What one replica tells the others of a target or a credential.

use serde::{Deserialize, Serialize};

use super::Micros;

/// What was decided of a target or a credential, in words that need no common clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shared {
    /// What happened last.
    pub kind: SharedKind,
    /// Which ejection it is about, counted over all replicas; 0: there was none.
    pub epoch: u16,
    /// µs that are left of the ejection, or of the warm-up.
    pub left: Micros,
    /// µs that the whole warm-up takes.
    pub warm_up: Micros,
    /// Ejections in a row.
    pub times: u8,
    /// Nothing had succeeded when it was ejected.
    pub dead: bool,
    /// µs that a credential's rest still takes.
    #[serde(default)]
    pub rest: Micros,
}

/// What happened to a target or a credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SharedKind {
    /// It was taken out of service: a target ejected, a credential disabled.
    Ejected,
    /// It is in service.
    Recovered,
}
