//! The control plane's role, with the ledger beside it where that is asked for, and applying migrations.

use anyhow::Context as _;
use budget::BookStore;
use clap::Args;
use control_plane::node::{self, Mount, is_file};
use proxy::{KeySettings, Output};
use runtime::ConfigError;
use store::Store;

/// The ledger on the control plane's gRPC port.
pub(crate) fn ledger(books: BookStore) -> Mount {
    Box::new(move |routes, store, tokens, metrics, shutdown| {
        ledger::node::mount(routes, store, &books, tokens, metrics, shutdown);
    })
}

/// Settings of the role.
#[derive(Args, Clone)]
pub(crate) struct RoleSettings {
    /// Takes usage on the gRPC port as well; always so on SQLite, which is no place for many processes.
    #[arg(long, env = "PORTCULLIS_WITH_LEDGER")]
    with_ledger: bool,
    /// Redis that all proxies share, for a ledger beside the control plane: the books of budgets are there
    /// (`redis://[USER][:PASSWORD@]HOST[:PORT][/DB]`).
    #[arg(long, env = "PORTCULLIS_REDIS_URL", hide_env_values = true)]
    redis_url: Option<String>,
    #[command(flatten)]
    node: node::Settings,
}

/// Runs a control plane until a signal.
pub(crate) async fn run(settings: RoleSettings, keys: &KeySettings, output: Output) -> anyhow::Result<()> {
    let on_file = settings.node.database_url.as_deref().is_none_or(is_file);
    let books = ledger::node::book_store(settings.redis_url.as_deref())?;
    let ledger = (settings.with_ledger || on_file).then(|| ledger(books));
    node::run(settings.node, keys, output, ledger).await
}

/// Settings of `migrate`.
#[derive(Args, Clone)]
pub(crate) struct MigrateSettings {
    /// The database to bring up to this binary's schema: `postgres://…`, or `sqlite:PATH`.
    #[arg(long, env = "PORTCULLIS_DATABASE_URL", hide_env_values = true)]
    database_url: String,
    /// The database was restored from a backup: gives it another id, so that every proxy takes it whole.
    #[arg(long)]
    restored: bool,
}

/// Applies the migrations that are missing.
pub(crate) async fn migrate(settings: MigrateSettings) -> anyhow::Result<()> {
    let store = Store::open(&settings.database_url).await;
    let store = store.map_err(|error| ConfigError::new("--database-url", error))?;
    if settings.restored {
        let id = store.adopt_backup().await.map_err(|error| ConfigError::new("--database-url", error))?;
        tracing::info!(store = %id, "the restored database has another id from now on");
    }
    let version = store.version().await.context("after migrating")?;
    tracing::info!(store = %version.store, revision = version.revision, "the schema is up to date");
    store.close().await;
    Ok(())
}
