//! The control plane as a binary of its own: admin REST and `Watch`, without data plane and ledger.

use clap::Parser;
use control_plane::node::{self, Settings};
use runtime::service::{KeySettings, Output};

/// Portcullis control plane: admin API, and configuration for proxies.
#[derive(Parser)]
#[command(name = "portcullis-control-plane", version)]
struct Command {
    #[command(flatten)]
    settings: Settings,
    #[command(flatten)]
    keys: KeySettings,
    #[command(flatten)]
    log: runtime::telemetry::LogSettings,
    /// How readiness is announced on stdout.
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

fn main() -> std::process::ExitCode {
    match runtime::parse::<Command>() {
        Ok(command) => runtime::exit_code(&start(command)),
        Err(code) => code,
    }
}

fn start(command: Command) -> anyhow::Result<()> {
    runtime::telemetry::init(&command.log)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(node::run(command.settings, &command.keys, command.output, None))
}
