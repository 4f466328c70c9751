//! Logs: one line per event on stderr, as text for people or JSON for machines; the level changes while the process runs.

mod control;
mod lines;
mod ops;

use std::{io::IsTerminal as _, sync::Mutex, time::Duration};

use clap::{Args, ValueEnum};
use secrets::check_token_strength;
use tracing_subscriber::{fmt, layer::SubscriberExt as _, reload, util::SubscriberInitExt as _};

pub use self::ops::{Sampling, routes};
use self::{
    control::{CONTROL, Control, parse},
    lines::LogWriter,
};
use crate::ConfigError;

/// How long the last lines may take to be written.
const LAST_LINES: Duration = Duration::from_secs(1);
/// How log lines are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Settings of the log, and who may change them while the process runs.
#[derive(Args, Clone)]
pub struct LogSettings {
    /// What is logged: a level, or directives such as `info,proxy=debug`.
    #[arg(long, env = "PORTCULLIS_LOG", default_value = "info", global = true)]
    pub log: String,
    /// How it is written.
    #[arg(long, env = "PORTCULLIS_LOG_FORMAT", default_value = "text", global = true)]
    pub log_format: LogFormat,
    /// Lets other hosts change log level and sampling at the ops port; without it only this host may.
    #[arg(long, env = "PORTCULLIS_OPS_TOKEN", hide_env_values = true, global = true)]
    pub ops_token: Option<String>,
}

/// Installs the process's subscriber.
///
/// # Errors
/// When the directives cannot be parsed, or the ops token is weak.
pub fn init(settings: &LogSettings) -> Result<(), ConfigError> {
    let filter = parse(&settings.log).map_err(|error| ConfigError::new("--log", error))?;
    // A variable set to nothing, as in files that list every variable, is not set.
    let token = settings.ops_token.clone().filter(|token| !token.is_empty());
    if let Some(Err(weak)) = token.as_deref().map(check_token_strength) {
        return Err(ConfigError::new("PORTCULLIS_OPS_TOKEN", weak));
    }
    let lines = LogWriter::start(std::io::stderr()).map_err(|error| ConfigError::new("--log", error))?;
    let (filter, handle) = reload::Layer::new(filter);
    let registry = tracing_subscriber::registry().with(filter);
    let colours = std::io::stderr().is_terminal();
    let written = match settings.log_format {
        LogFormat::Text => {
            registry.with(fmt::layer().with_ansi(colours).with_writer(lines.clone())).try_init()
        }
        LogFormat::Json => registry.with(fmt::layer().json().with_writer(lines.clone())).try_init(),
    };
    written.map_err(|error| ConfigError::new("--log", error))?;
    let directives = Mutex::new(settings.log.as_str().into());
    // A second subscriber was refused above, so there is no second control.
    let _ = CONTROL.set(Control { filter: handle, directives, lines, token });
    Ok(())
}

/// Waits until the log is written, at most a second; a process calls it before its last word.
pub fn flush() {
    if let Some(control) = CONTROL.get() {
        control.lines.flush(LAST_LINES);
    }
}

/// Log lines dropped so far because stderr was not read fast enough.
#[must_use]
pub fn dropped_lines() -> u64 {
    CONTROL.get().map_or(0, |control| control.lines.dropped())
}
