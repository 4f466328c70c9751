//! Logs: one line per event on stderr, as text for people or JSON for machines.

use std::io::IsTerminal as _;

use clap::{Args, ValueEnum};
use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt as _, util::SubscriberInitExt as _};

use crate::ConfigError;

/// How log lines are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Settings of the log.
#[derive(Args, Clone, Debug)]
pub struct LogSettings {
    /// What is logged: a level, or directives such as `info,proxy=debug`.
    #[arg(long, env = "PORTCULLIS_LOG", default_value = "info", global = true)]
    pub log: String,
    /// How it is written.
    #[arg(long, env = "PORTCULLIS_LOG_FORMAT", default_value = "text", global = true)]
    pub log_format: LogFormat,
}

/// Installs the process's subscriber.
///
/// # Errors
/// When the directives cannot be parsed.
pub fn init(settings: &LogSettings) -> Result<(), ConfigError> {
    let filter: EnvFilter = settings.log.parse().map_err(|error| ConfigError::new("--log", error))?;
    let registry = tracing_subscriber::registry().with(filter);
    let colours = std::io::stderr().is_terminal();
    let written = match settings.log_format {
        LogFormat::Text => {
            registry.with(fmt::layer().with_ansi(colours).with_writer(std::io::stderr)).try_init()
        }
        LogFormat::Json => registry.with(fmt::layer().json().with_writer(std::io::stderr)).try_init(),
    };
    written.map_err(|error| ConfigError::new("--log", error))
}
