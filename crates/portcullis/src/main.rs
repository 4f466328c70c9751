//! The binary: services by role, and the admin verbs.

mod control_node;
mod demo;
mod role;
mod standalone;

use clap::Parser;

use role::{Role, run_admin, run_role};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Portcullis: a self-hosted gateway in front of many LLM providers.
#[derive(Parser)]
#[command(name = "portcullis", version)]
struct Command {
    #[command(subcommand)]
    role: Role,
}

fn main() -> std::process::ExitCode {
    match runtime::parse::<Command>() {
        Ok(Command { role: Role::Admin(command) }) => run_admin(command),
        Ok(Command { role }) => runtime::exit_code(&run_role(role)),
        Err(code) => code,
    }
}
