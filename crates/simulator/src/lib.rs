//! A scripted, deterministic model provider: the demo's provider, the tests' adversary, the benchmarks' target.
//!
//! It speaks the OpenAI dialect on `/v1/chat/completions`, `/v1/embeddings` and `/v1/models`. What it answers is a
//! documented function of the request (see [`echo`]), and how it misbehaves is a script that the caller puts under
//! `/_sim/script/{model}` (see [`Behaviour`]). Everything it was asked is kept, within bounds, under `/_sim/requests`.
//! The `/_sim` endpoints are not authenticated: listen on a loopback address.

mod admin;
mod body;
pub mod echo;
mod openai;
mod recorder;
mod reply;
mod script;

use std::future::IntoFuture;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::serve::ListenerExt;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub use script::{Behaviour, Hang, UsagePlace};

/// Model names that `/v1/models` lists; any other name is answered just as well.
pub const MODELS: [&str; 3] = ["echo-large", "echo-small", "embed-small"];

/// Largest request body taken, in bytes; a larger one is answered 413.
const MAX_BODY: usize = 64 * 1024 * 1024;

/// How long connections may take to end after the shutdown signal. Scripted waits end at once, so only a client
/// that stopped in the middle of a request uses it up.
const DRAIN: Duration = Duration::from_secs(5);

/// Where the simulator listens and which key it wants.
#[derive(clap::Args, Clone)]
pub struct Settings {
    /// Address to listen on; port 0 picks a free one
    #[arg(long, env = "PORTCULLIS_SIMULATOR_LISTEN", default_value = "127.0.0.1:9090")]
    pub listen: SocketAddr,
    /// Key that every request must carry as a bearer token; none is asked for when this is not set
    #[arg(long, env = "PORTCULLIS_SIMULATOR_KEY", hide_env_values = true)]
    pub key: Option<String>,
}

/// A running simulator.
pub struct Simulator {
    /// The bound address, with the real port.
    pub addr: SocketAddr,
    server: JoinHandle<()>,
}

impl Simulator {
    /// The address as a URL without a trailing slash; providers append `/v1`.
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Returns when the server has ended, which is at most five seconds after the shutdown signal.
    ///
    /// # Errors
    /// When the server task panicked.
    pub async fn wait(self) -> anyhow::Result<()> {
        self.server.await.context("simulator task")
    }
}

/// What every handler shares.
pub(crate) struct App {
    pub(crate) scripts: script::Scripts,
    pub(crate) recorder: Arc<recorder::Recorder>,
    pub(crate) key: Option<String>,
    pub(crate) shutdown: CancellationToken,
}

/// Binds `listen` and serves in the background until `shutdown` is cancelled. No key is asked for.
///
/// # Errors
/// When the address cannot be bound.
pub async fn start(listen: SocketAddr, shutdown: CancellationToken) -> anyhow::Result<Simulator> {
    start_with(Settings { listen, key: None }, shutdown).await
}

/// Like [`start`], with every setting.
///
/// # Errors
/// When the address cannot be bound.
pub async fn start_with(settings: Settings, shutdown: CancellationToken) -> anyhow::Result<Simulator> {
    let listener = TcpListener::bind(settings.listen)
        .await
        .with_context(|| format!("simulator: cannot listen on {}", settings.listen))?;
    let addr = listener.local_addr()?;
    let app = Arc::new(App {
        scripts: script::Scripts::default(),
        recorder: Arc::default(),
        key: settings.key,
        shutdown: shutdown.clone(),
    });
    let router = Router::new()
        .merge(openai::router())
        .merge(admin::router())
        .fallback(openai::unknown_path)
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .with_state(app);
    let listener = listener.tap_io(|stream| {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY not set");
        }
    });
    let stop = shutdown.clone();
    let serving = axum::serve(listener, router).with_graceful_shutdown(async move { stop.cancelled().await });
    let server = tokio::spawn(async move {
        let overdue = async {
            shutdown.cancelled().await;
            tokio::time::sleep(DRAIN).await;
        };
        tokio::select! {
            result = serving.into_future() => {
                if let Err(error) = result {
                    tracing::error!(%error, "simulator stopped");
                }
            }
            () = overdue => tracing::warn!("simulator: connections still open after the drain time"),
        }
    });
    tracing::info!(%addr, "simulator listens");
    Ok(Simulator { addr, server })
}

/// Runs the simulator as a service until `shutdown` is cancelled.
///
/// # Errors
/// When the address cannot be bound.
pub async fn run(settings: Settings, shutdown: CancellationToken) -> anyhow::Result<()> {
    start_with(settings, shutdown).await?.wait().await
}
