//! The binary: services by role, and the admin verbs.

mod control_node;
mod demo;
mod ready;
mod standalone;

use clap::{Parser, Subcommand};
use proxy::{KeySettings, Output};
use runtime::telemetry::LogSettings;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Portcullis: a self-hosted gateway in front of many LLM providers.
#[derive(Parser)]
#[command(name = "portcullis", version)]
struct Command {
    #[command(subcommand)]
    role: Role,
}

#[derive(Subcommand)]
enum Role {
    /// Everything in one process, on SQLite, with a demo provider built in.
    Standalone(Box<Service<standalone::Settings>>),
    /// The data plane alone, configured by a control plane.
    Proxy(Box<Service<proxy::Settings>>),
    /// Admin API and configuration for proxies; on SQLite with the ledger in the same process.
    ControlPlane(Box<Service<control_node::RoleSettings>>),
    /// Takes usage from proxies into the control planes' database.
    Ledger(Box<Service<ledger::node::Settings>>),
    /// Brings a database up to this binary's schema and exits.
    Migrate(Box<Service<control_node::MigrateSettings>>),
    /// A scripted provider for demos and tests.
    Simulator(Box<Service<simulator::Settings>>),
    #[command(flatten)]
    Admin(cli::AdminCommand),
}

/// A role's settings, and what every service has.
#[derive(clap::Args)]
struct Service<S: clap::Args> {
    #[command(flatten)]
    settings: S,
    #[command(flatten)]
    keys: KeySettings,
    #[command(flatten)]
    log: LogSettings,
    /// How readiness is announced on stdout.
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

fn main() -> std::process::ExitCode {
    match runtime::parse::<Command>() {
        Ok(Command { role: Role::Admin(command) }) => ready::admin(command),
        Ok(Command { role }) => runtime::exit_code(&ready::serve(role)),
        Err(code) => code,
    }
}
