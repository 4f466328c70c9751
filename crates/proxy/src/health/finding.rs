//! What a probe found, in the form in which replicas tell each other.

use domain::ResourceId;
use policy::health::Micros;
use serde::{Deserialize, Serialize};

/// What a probe found.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct ProbeFinding {
    /// Whether the endpoint answered as it should.
    pub(crate) ok: bool,
    /// µs to the first token, where there is such a thing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ttft: Option<Micros>,
    /// µs that the probe took.
    pub(crate) took: Micros,
    /// µs that the record holds.
    pub(crate) holds: Micros,
    /// Tells it from the one before.
    pub(crate) number: u64,
}

/// The key of a finding's record; without a model the finding is about all models of the endpoint.
pub(crate) fn probe_key(region: &str, endpoint: ResourceId, upstream: Option<&str>) -> String {
    format!("probe:{region}:{endpoint}:{}", upstream.unwrap_or_default())
}
