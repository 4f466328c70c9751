//! What every service needs to run: settings errors, keys, logs, listeners, readiness, the ops and gRPC ports, peer
//! tokens, the outbound address filter and orderly shutdown.

mod command_line;
pub mod grpc;
mod health;
pub mod http;
pub mod listen;
pub mod metrics;
pub mod ops;
pub mod outbound;
pub mod peer;
mod readiness;
pub mod service;
pub mod shutdown;
pub mod telemetry;

pub use command_line::{exit_code, parse};
pub use readiness::{Readiness, ReadinessCheck};

/// Exit status of a process that was configured wrongly (`EX_USAGE` of sysexits).
pub const EXIT_CONFIG: u8 = 64;

/// A setting that cannot work; shown as one line, then the process exits with [`EXIT_CONFIG`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {message}")]
pub struct ConfigError {
    /// The flag, variable or document field at fault.
    pub field: String,
    /// What is wrong with it and what would be right.
    pub message: String,
}

impl ConfigError {
    /// Names the field and says what is wrong.
    pub fn new(field: impl Into<String>, message: impl std::fmt::Display) -> Self {
        Self { field: field.into(), message: message.to_string() }
    }
}
