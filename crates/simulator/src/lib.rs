//! A scripted, deterministic model provider: the demo's provider, the tests' adversary, the benchmarks' target.
//!
//! It speaks the dialects of OpenAI (chat completions, responses and the endpoints around them), Anthropic, Gemini
//! (also behind Vertex's paths), Cohere and Bedrock, told apart by path, and refuses what those providers refuse; it
//! shares no code with the gateway, so that the two check each other. What it answers is a documented function of the
//! request (see [`echo`] and `docs/simulator.md`), and how it misbehaves is a script that the caller puts under
//! `/_sim/script/{model}` (see [`Behaviour`]). Everything it was asked is kept, within bounds, under `/_sim/requests`.
//! The `/_sim` endpoints are not authenticated: listen on a loopback address.

mod admin;
mod answer;
mod anthropic;
mod bedrock;
mod body;
mod cache;
mod canonical_request;
mod cohere;
mod crc;
mod credential;
mod digest;
pub mod echo;
mod endpoint;
mod failure;
mod field_schema;
mod frames;
mod gemini;
mod gzip;
mod identifiers;
mod models;
mod openai;
mod plan;
mod problem;
mod recorder;
mod reply;
mod request;
mod responses;
mod schema;
mod script;
mod serve;
mod signature;
mod sigv4;
mod sse;

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

pub use script::{AwsKey, Behaviour, Hang, LineEnd, UsagePlace};

/// Model names that `/v1/models` lists; any other name is answered just as well.
pub const MODELS: [&str; 3] = ["echo-large", "echo-small", "embed-small"];

/// `created` in every answer: a fixed time, because answers depend on the request alone.
const CREATED: u64 = 1_700_000_000;

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
    /// Access key id that requests to Bedrock's endpoints must be signed with; signatures are not checked without it
    #[arg(long, env = "PORTCULLIS_SIMULATOR_AWS_ACCESS_KEY_ID", requires = "aws_secret_access_key")]
    pub aws_access_key_id: Option<String>,
    /// Secret of that access key
    #[arg(long, env = "PORTCULLIS_SIMULATOR_AWS_SECRET_ACCESS_KEY", hide_env_values = true)]
    pub aws_secret_access_key: Option<String>,
}

impl Settings {
    fn aws(&self) -> Option<AwsKey> {
        let (access_key_id, secret_access_key) =
            (self.aws_access_key_id.clone()?, self.aws_secret_access_key.clone()?);
        Some(AwsKey { access_key_id, secret_access_key })
    }
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
    pub(crate) cache: cache::Cache,
    pub(crate) key: Option<String>,
    pub(crate) aws: Option<AwsKey>,
    pub(crate) shutdown: CancellationToken,
}

/// Binds `listen` and serves in the background until `shutdown` is cancelled. No key is asked for.
///
/// # Errors
/// When the address cannot be bound.
pub async fn start(listen: SocketAddr, shutdown: CancellationToken) -> anyhow::Result<Simulator> {
    let settings = Settings { listen, key: None, aws_access_key_id: None, aws_secret_access_key: None };
    start_with(settings, shutdown).await
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
        cache: cache::Cache::default(),
        aws: settings.aws(),
        key: settings.key,
        shutdown: shutdown.clone(),
    });
    let router = Router::new()
        .merge(admin::router())
        .fallback(serve::serve)
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
