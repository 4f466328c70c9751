//! The ledger as a program of its own, or beside a control plane on the same store.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::Context as _;
use budget::BookStore;
use clap::Args;
use domain::Timestamp;
use runtime::{
    ConfigError, Readiness,
    grpc::GrpcSettings,
    listen,
    metrics::{Connections, Metrics, Pool},
    peer::PeerTokens,
    service::{KeySettings, Output, announce, join_all},
};
use serde_json::json;
use store::Store;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tonic::service::RoutesBuilder;

use crate::LedgerService;

/// How often partitions are made; they are there a week ahead.
const PARTITIONS: Duration = Duration::from_secs(3_600);

/// Settings of a ledger.
#[derive(Args, Clone)]
pub struct Settings {
    /// The database of the control planes: `postgres://…`, or `sqlite:PATH`.
    #[arg(long, env = "PORTCULLIS_DATABASE_URL", hide_env_values = true)]
    pub database_url: String,
    /// Redis that all proxies share: the books of budgets are there (`redis://[USER][:PASSWORD@]HOST[:PORT][/DB]`).
    #[arg(long, env = "PORTCULLIS_REDIS_URL", hide_env_values = true)]
    pub redis_url: Option<String>,
    /// The port that proxies connect to.
    #[command(flatten)]
    pub grpc: GrpcSettings,
    /// Where `/healthz`, `/readyz` and `/metrics` are served.
    #[arg(long, env = "PORTCULLIS_OPS_LISTEN", default_value = "127.0.0.1:8083")]
    pub ops_listen: SocketAddr,
}

/// Adds the ledger to a gRPC port and keeps the store's partitions ahead of time, until `shutdown`. Must be called
/// within a runtime.
pub fn mount(
    routes: &mut RoutesBuilder,
    store: &Store,
    books: &BookStore,
    tokens: &Arc<PeerTokens>,
    metrics: &Metrics,
    shutdown: &CancellationToken,
) {
    let service = LedgerService::new(store.clone(), books.clone(), Arc::clone(tokens));
    metrics.register(service.counts());
    routes.add_service(service.into_server());
    tokio::spawn(shutdown.clone().run_until_cancelled_owned(keep_partitions(store.clone())));
}

async fn keep_partitions(store: Store) {
    let mut clock = tokio::time::interval(PARTITIONS);
    loop {
        clock.tick().await;
        if let Err(error) = store.make_partitions(Timestamp::now()).await {
            // Usage goes to the default partition meanwhile, and from there to its own when that is made.
            tracing::warn!("could not make the partitions of the coming days: {error}");
        }
    }
}

/// The books of budgets at a Redis URL.
///
/// # Errors
/// When the URL is none.
pub fn book_store(redis_url: Option<&str>) -> Result<BookStore, ConfigError> {
    let Some(url) = redis_url else { return Ok(BookStore::Absent) };
    BookStore::redis(url).map_err(|error| ConfigError::new("--redis-url", error))
}

/// Runs a ledger until a signal.
///
/// # Errors
/// [`ConfigError`] for what the operator has to change; else what a task met.
pub async fn run(settings: Settings, keys: &KeySettings, output: Output) -> anyhow::Result<()> {
    let shutdown = runtime::shutdown::on_signal()?;
    let keyring = keys.keyring(&keys.shared()?)?;
    let ops = listen::bind(settings.ops_listen, "--ops-listen").await?;
    let ops_addr = listen::bound(&ops, "--ops-listen")?;
    let port = settings.grpc.bind().await?;
    let books = book_store(settings.redis_url.as_deref())?;
    let opened = Store::open(&settings.database_url).await;
    let store = opened.map_err(|error| ConfigError::new("--database-url", error))?;
    let tokens = Arc::new(PeerTokens::new(keyring.token_key()));
    let mut routes = RoutesBuilder::default();
    let metrics = Metrics::default();
    let pool = store.clone();
    metrics.register(Arc::new(Pool(move || {
        let [idle, open, most] = pool.connections();
        Connections { idle, open, most }
    })));
    mount(&mut routes, &store, &books, &tokens, &metrics, &shutdown);
    let json = json!({
        "data_plane": null, "key": null, "admin": null, "admin_token": null,
        "grpc": format!("http://{}", port.address()),
        "ops": format!("http://{ops_addr}"),
    });
    let text = format!("ready: gRPC {}", port.address());
    let mut tasks = JoinSet::new();
    tasks.spawn(port.serve(routes.routes(), shutdown.clone()));
    let readiness = Readiness::new();
    let database = readiness.latch("database");
    database.set(true); // it was just opened
    let probe = move || {
        let store = store.clone();
        async move { store.version().await.is_ok() }
    };
    tokio::spawn(database.follow(probe, shutdown.clone()));
    let stop = shutdown.clone();
    tasks.spawn(async move {
        runtime::ops::serve(ops, readiness, metrics, None, stop).await.context("the ops port")
    });
    announce(output, &json, &text);
    join_all(tasks, &shutdown).await
}
