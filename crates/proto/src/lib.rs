//! What the planes say to each other: the generated messages, and their conversion to and from the domain.

mod account;
mod config;
mod health_state;
mod report;
mod usage;

/// Messages and services generated from `proto/portcullis.proto`.
#[allow(missing_docs, unreachable_pub, clippy::all, clippy::pedantic, clippy::nursery, reason = "generated")]
pub mod v1 {
    tonic::include_proto!("portcullis.v1");
}

pub use account::{account_from, account_to, draw_from, draw_to};
pub use config::{id_from, id_to, resource_from, resource_to, version_from, version_to};
pub use health_state::{state_from, state_to};
pub use report::EncodedReport;
pub use usage::{event_from, event_to, intent_from, intent_to};

/// Largest gRPC message either side accepts, in bytes.
pub const MAX_MESSAGE: usize = 8 << 20;
/// Largest report of health, in bytes; a proxy leaves out what would not fit.
pub const MAX_HEALTH_REPORT: usize = 2 << 20;

/// A message that no correct peer would send.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("malformed message: {0}")]
pub struct Malformed(pub String);

fn uuid(bytes: &[u8], field: &str) -> Result<uuid::Uuid, Malformed> {
    uuid::Uuid::from_slice(bytes).map_err(|_| Malformed(format!("{field} is no UUID")))
}

fn bytes(id: uuid::Uuid) -> bytes::Bytes {
    bytes::Bytes::copy_from_slice(id.as_bytes())
}
