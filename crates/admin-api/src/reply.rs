//! What the API answers beside single resources.

use std::fmt;

use domain::Version;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::DiffEntry;

/// One page of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct List<T> {
    /// The entries.
    pub items: Vec<T>,
    /// Give it as `?cursor=` to read on; not written: this was the last page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// The answer to `apply`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ApplyReply {
    /// The configuration's version afterwards; of a dry run: before.
    pub version: Version,
    /// What changed, or would change; resources that stay as they are included.
    pub changes: Vec<DiffEntry>,
    /// The secrets of keys that were made: shown once and not kept.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<ShownSecret>,
}

/// A new key's secret.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ShownSecret {
    /// The tenant's name.
    pub tenant: String,
    /// The key's name.
    pub key: String,
    /// What its applications sign in with.
    pub secret: String,
}

impl fmt::Debug for ShownSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ShownSecret")
            .field("tenant", &self.tenant)
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}
