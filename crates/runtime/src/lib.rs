//! What every service needs to run: settings errors, keys, logs, listeners, readiness, the ops and gRPC ports, peer
//! tokens, the outbound address filter and orderly shutdown.

pub mod grpc;
pub mod http;
pub mod listen;
pub mod ops;
pub mod outbound;
pub mod peer;
mod readiness;
pub mod service;
pub mod shutdown;
pub mod telemetry;

pub use readiness::{Latch, Readiness};

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

/// Parses the command line; a wrong one exits with [`EXIT_CONFIG`] and names the flag, `--help` with success.
///
/// # Errors
/// The exit status, after the message was printed.
pub fn parse<C: clap::Parser>() -> Result<C, std::process::ExitCode> {
    C::try_parse().map_err(|error| {
        // A closed stdout or stderr leaves nobody to tell.
        let _ = error.print();
        if error.use_stderr() { EXIT_CONFIG.into() } else { std::process::ExitCode::SUCCESS }
    })
}

/// Turns the result of a service into its exit status, printing a failure as one line on stderr.
#[must_use]
#[allow(clippy::print_stderr, reason = "the last words of a process that may have no log yet")]
pub fn exit_code(result: &anyhow::Result<()>) -> std::process::ExitCode {
    match result {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            let line = format!("{error:#}").replace('\n', " ");
            eprintln!("portcullis: {line}");
            let config = error.chain().any(|cause| cause.is::<ConfigError>());
            std::process::ExitCode::from(if config { EXIT_CONFIG } else { 1 })
        }
    }
}
