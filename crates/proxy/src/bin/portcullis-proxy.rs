//! The data plane as a binary of its own: no SQL, no admin API, nothing that a proxy does not need.

use clap::Parser;
use proxy::{KeySettings, Output, Settings};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Portcullis data plane: serves applications by the control plane's configuration.
#[derive(Parser)]
#[command(name = "portcullis-proxy", version)]
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
    let command = match runtime::parse::<Command>() {
        Ok(command) => command,
        Err(code) => return code,
    };
    runtime::exit_code(&start(command))
}

fn start(command: Command) -> anyhow::Result<()> {
    runtime::telemetry::init(&command.log)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(proxy::run(command.settings, command.keys, command.output))
}
