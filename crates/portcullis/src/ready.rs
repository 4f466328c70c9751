//! Starting a role on its own runtime.

use std::process::ExitCode;

use anyhow::Context as _;

use crate::{Role, Service, control_node, standalone};

/// Runs an admin verb.
#[allow(clippy::print_stderr, reason = "the verb's one line of failure")]
pub(crate) fn admin(command: cli::AdminCommand) -> ExitCode {
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
pub(crate) fn serve(role: Role) -> anyhow::Result<()> {
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
