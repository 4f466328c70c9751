//! The roles of the binary, and running one of them.

use std::process::ExitCode;

use anyhow::Context as _;
use clap::Subcommand;
use proxy::{KeySettings, Output};
use runtime::telemetry::LogSettings;

use crate::{control_node, standalone};

#[derive(Subcommand)]
pub(crate) enum Role {
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
pub(crate) struct Service<S: clap::Args> {
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

/// Runs an admin verb.
#[allow(clippy::print_stderr, reason = "the verb's one line of failure")]
pub(crate) fn run_admin(command: cli::AdminCommand) -> ExitCode {
    match cli::run(command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            if !error.is_silent() {
                eprintln!("portcullis: {error}");
            }
            ExitCode::from(error.exit_code())
        }
    }
}

/// Runs a service until a signal.
pub(crate) fn run_role(role: Role) -> anyhow::Result<()> {
    let log = match &role {
        Role::Standalone(service) => &service.log,
        Role::Proxy(service) => &service.log,
        Role::ControlPlane(service) => &service.log,
        Role::Ledger(service) => &service.log,
        Role::Migrate(service) => &service.log,
        Role::Simulator(service) => &service.log,
        Role::Admin(_) => return Ok(()),
    };
    runtime::telemetry::init(log)?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().context("starting tokio")?;
    runtime.block_on(async {
        match role {
            Role::Standalone(service) => {
                let Service { settings, keys, output, .. } = *service;
                standalone::run(settings, &keys, output).await
            }
            Role::ControlPlane(service) => {
                let Service { settings, keys, output, .. } = *service;
                control_node::run(settings, &keys, output).await
            }
            Role::Ledger(service) => {
                let Service { settings, keys, output, .. } = *service;
                ledger::node::run(settings, &keys, output).await
            }
            Role::Migrate(service) => control_node::migrate(service.settings).await,
            Role::Proxy(service) => proxy::run(service.settings, service.keys, service.output).await,
            Role::Simulator(service) => {
                simulator::run(service.settings, runtime::shutdown::on_signal()?).await
            }
            Role::Admin(_) => Ok(()),
        }
    })
}
