//! The admin verbs: `apply`, `diff`, `get` and their like, over the REST API, with kubectl's habits.

mod args;
mod client;
mod error;
mod local;
mod render;
mod verbs;

pub use args::{AdminCommand, CatalogueCommand, Connection, ExplainArgs, Output};
pub use error::CliError;
pub use local::read_resolved as read_document;

/// Runs one verb; what it has to say goes to stdout.
///
/// # Errors
/// See [`CliError`]; [`CliError::exit_code`] is the status to exit with.
pub fn run(command: AdminCommand) -> Result<(), CliError> {
    let mut stdout = std::io::stdout().lock();
    verbs::run(command, &mut stdout)
}
