//! The control plane as a program of its own: its settings, its secrets, admin REST and `Watch` on one store.

mod data_dir;

use std::{net::SocketAddr, path::PathBuf, sync::Arc};

use anyhow::Context as _;
use clap::Args;
use domain::Version;
use runtime::{
    ConfigError, Readiness,
    grpc::{GrpcPort, GrpcSettings},
    listen,
    metrics::{Connections, Metrics, Pool},
    outbound::{AllowPrivate, Filter},
    peer::PeerTokens,
    service::{KeySettings, Output, announce, join_all},
};
use secrets::{Keyring, check_token_strength};
use serde_json::json;
use store::Store;
use tokio::{net::TcpListener, task::JoinSet};
use tokio_util::sync::CancellationToken;
use tonic::service::RoutesBuilder;

use crate::{
    catalogue,
    rest::{self, AdminSettings, AdminState},
    watch::{JoinToken, Proxies, WatchService, WatchSettings},
};
pub use data_dir::DataDir;

/// Settings of a control plane.
#[derive(Args, Clone)]
pub struct Settings {
    /// Where the truth is: `postgres://…`, or `sqlite:PATH`; a file in the data directory unless set.
    #[arg(long, env = "PORTCULLIS_DATABASE_URL", hide_env_values = true)]
    pub database_url: Option<String>,
    /// Database, master key and tokens live here; not used with PostgreSQL.
    #[arg(long, env = "PORTCULLIS_DATA_DIR", default_value = "data")]
    pub data_dir: PathBuf,
    /// Settings that `standalone` shares.
    #[command(flatten)]
    pub planes: PlaneSettings,
    /// Where `/healthz`, `/readyz` and `/metrics` are served.
    #[arg(long, env = "PORTCULLIS_OPS_LISTEN", default_value = "127.0.0.1:8083")]
    pub ops_listen: SocketAddr,
    /// Private addresses that providers may have: `true`, `false`, or networks (`10.0.0.0/8,127.0.0.1`).
    #[arg(
        long,
        env = "PORTCULLIS_ALLOW_PRIVATE_NETWORKS",
        default_value = "false",
        num_args = 0..=1,
        default_missing_value = "true"
    )]
    pub allow_private_networks: AllowPrivate,
}

/// Settings of the admin API and of the planes' gRPC.
#[derive(Args, Clone)]
pub struct PlaneSettings {
    /// Where the admin API is served.
    #[arg(long, env = "PORTCULLIS_ADMIN_LISTEN", default_value = "127.0.0.1:8081")]
    admin_listen: SocketAddr,
    /// The port that proxies connect to.
    #[command(flatten)]
    grpc: GrpcSettings,
    /// Admin token, instead of one made at the first start; at least 24 random characters.
    #[arg(long, env = "PORTCULLIS_ADMIN_TOKEN", hide_env_values = true)]
    admin_token: Option<String>,
    /// Token that proxies join by, instead of one made at the first start (`DATA_DIR/join.token`).
    #[arg(long, env = "PORTCULLIS_JOIN_TOKEN", hide_env_values = true)]
    join_token: Option<String>,
}

impl std::fmt::Debug for PlaneSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PlaneSettings")
            .field("admin_listen", &self.admin_listen)
            .field("grpc", &self.grpc)
            .finish_non_exhaustive()
    }
}

/// Where the truth is, and with it where secrets come from.
pub enum Database<'a> {
    /// A file; secrets that are not configured are made once and kept in the directory.
    File {
        /// The directory, held by this process alone.
        data: &'a DataDir,
        /// The file; perhaps elsewhere.
        path: PathBuf,
    },
    /// A server that several processes share, and so must their secrets be: all are configured.
    Server(&'a str),
}

impl<'a> Database<'a> {
    /// The file in the directory.
    #[must_use]
    pub fn within(data: &'a DataDir) -> Self {
        Self::File { data, path: data.join("portcullis.db") }
    }

    async fn open(&self) -> Result<Store, ConfigError> {
        let (url, flag) = match self {
            Self::File { path, data } if *path == data.join("portcullis.db") => {
                (format!("sqlite:{}", path.display()), "--data-dir")
            }
            Self::File { path, .. } => (format!("sqlite:{}", path.display()), "--database-url"),
            Self::Server(url) => ((*url).to_owned(), "--database-url"),
        };
        Store::open(&url).await.map_err(|error| ConfigError::new(flag, error))
    }

    fn keyring(&self, keys: &KeySettings) -> anyhow::Result<Arc<Keyring>> {
        let current = match self {
            Self::File { data, path } => data.master_key(keys.current()?, path)?,
            Self::Server(_) => keys.shared()?,
        };
        Ok(keys.keyring(&current)?)
    }

    fn token(&self, configured: Option<&String>, kind: &TokenKind) -> anyhow::Result<Token> {
        match (configured, self) {
            (Some(text), _) => {
                let text = text.trim().to_owned();
                check_token_strength(&text).map_err(|weak| ConfigError::new(kind.flag, weak))?;
                Ok(Token { text, new: false, configured: true })
            }
            (None, Self::File { data, .. }) => {
                let (text, new) = data.token(kind.file, kind.prefix)?;
                let file = || format!("DATA_DIR/{}", kind.file);
                check_token_strength(&text).map_err(|weak| ConfigError::new(file(), weak))?;
                Ok(Token { text, new, configured: false })
            }
            (None, Self::Server(_)) => {
                let why =
                    format!("must be set ({}): all control planes of a database share it", kind.variable);
                Err(ConfigError::new(kind.flag, why).into())
            }
        }
    }
}

struct TokenKind {
    flag: &'static str,
    variable: &'static str,
    file: &'static str,
    prefix: &'static str,
}

const ADMIN: TokenKind = TokenKind {
    flag: "--admin-token",
    variable: "PORTCULLIS_ADMIN_TOKEN",
    file: "admin.token",
    prefix: "pc-admin-",
};
const JOIN: TokenKind = TokenKind {
    flag: "--join-token",
    variable: "PORTCULLIS_JOIN_TOKEN",
    file: "join.token",
    prefix: "pc-join-",
};

/// A token, and whether this start made it.
pub struct Token {
    /// The secret itself.
    pub text: String,
    /// Whether it may be shown, because this start created it.
    pub new: bool,
    /// Whether the operator set it; else the data directory keeps it.
    pub configured: bool,
}

/// Adds more services on the same store to the gRPC port, and starts what they do beside answering.
pub type Mount =
    Box<dyn FnOnce(&mut RoutesBuilder, &Store, &Arc<PeerTokens>, &Metrics, &CancellationToken) + Send>;

/// A control plane with bound listeners and an open store.
pub struct ControlNode {
    /// Opens and seals secrets.
    pub keyring: Arc<Keyring>,
    /// Where the admin API is.
    pub admin: SocketAddr,
    /// The token of the admin API.
    pub admin_token: Token,
    /// The token that proxies join by.
    pub join_token: String,
    /// Whether the store held no configuration before this start.
    pub new: bool,
    /// The admin API, to be used from within.
    pub state: Arc<AdminState>,
    listener: TcpListener,
    port: GrpcPort,
    store: Store,
    proxies: Arc<Proxies>,
}

impl ControlNode {
    /// Binds and opens the store.
    ///
    /// # Errors
    /// [`ConfigError`] for what the operator has to change.
    pub async fn build(
        database: &Database<'_>,
        planes: &PlaneSettings,
        keys: &KeySettings,
        allow: AllowPrivate,
    ) -> anyhow::Result<Self> {
        let listener = listen::bind(planes.admin_listen, "--admin-listen").await?;
        let port = planes.grpc.bind().await?;
        let keyring = database.keyring(keys)?;
        let admin_token = database.token(planes.admin_token.as_ref(), &ADMIN)?;
        let join_token = database.token(planes.join_token.as_ref(), &JOIN)?.text;
        let store = database.open().await?;
        // Asked before the catalogue is written.
        let new = store.version().await?.revision == 0;
        catalogue::load(&store).await.context("loading the model catalogue")?;
        let proxies = Arc::new(Proxies::default());
        let admin_token_digests = vec![keyring.digest(&admin_token.text)];
        let settings = AdminSettings { admin_token_digests, outbound: Filter::new(allow) };
        let state = AdminState::new(store.clone(), Arc::clone(&keyring), Arc::clone(&proxies), settings)?;
        let admin = listen::bound(&listener, "--admin-listen")?;
        Ok(Self { keyring, admin, admin_token, join_token, new, state, listener, port, store, proxies })
    }

    /// The newest version of the configuration.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn version(&self) -> anyhow::Result<Version> {
        Ok(self.store.version().await?)
    }

    /// The store, to be closed when all that uses it has ended.
    #[must_use]
    pub fn store(&self) -> Store {
        self.store.clone()
    }

    /// Where the gRPC port is.
    #[must_use]
    pub fn grpc_url(&self) -> String {
        self.port.url()
    }

    /// Serves until the token is cancelled; `inside` is a plain port for a proxy in the same process.
    ///
    /// # Errors
    /// When the join token cannot be used.
    pub fn spawn(
        self,
        more: Option<Mount>,
        inside: Option<GrpcPort>,
        metrics: &Metrics,
        shutdown: &CancellationToken,
    ) -> anyhow::Result<JoinSet<anyhow::Result<()>>> {
        let tokens = Arc::new(PeerTokens::new(self.keyring.token_key()));
        let join = JoinToken::new(Arc::clone(&self.keyring), &self.join_token)?;
        let watch = WatchService::new(
            self.store.clone(),
            Arc::clone(&tokens),
            Some(join),
            self.proxies,
            WatchSettings::default(),
            shutdown.clone(),
        );
        let pool = self.store.clone();
        metrics.register(Arc::new(Pool(move || {
            let [idle, open, most] = pool.connections();
            Connections { idle, open, most }
        })));
        metrics.register(watch.progress());
        metrics.register(self.state.counts());
        let mut routes = RoutesBuilder::default();
        routes.add_service(watch.into_server());
        if let Some(mount) = more {
            mount(&mut routes, &self.store, &tokens, metrics, shutdown);
        }
        let routes = routes.routes();
        let mut tasks = JoinSet::new();
        for port in inside.into_iter().chain([self.port]) {
            tasks.spawn(port.serve(routes.clone(), shutdown.clone()));
        }
        let router = rest::router(self.state);
        let stop = shutdown.clone();
        tasks.spawn(async move { rest::serve(self.listener, router, stop).await.context("the admin API") });
        Ok(tasks)
    }
}

/// Runs a control plane until a signal, with `more` on its gRPC port.
///
/// # Errors
/// [`ConfigError`] for what the operator has to change; else what a task met.
pub async fn run(
    settings: Settings,
    keys: &KeySettings,
    output: Output,
    more: Option<Mount>,
) -> anyhow::Result<()> {
    let shutdown = runtime::shutdown::on_signal()?;
    let ops = listen::bind(settings.ops_listen, "--ops-listen").await?;
    let ops_addr = listen::bound(&ops, "--ops-listen")?;
    let data;
    let database = match settings.database_url.as_deref() {
        Some(url) if !is_file(url) => Database::Server(url),
        url => {
            data = DataDir::open(&settings.data_dir)?;
            let path = url.map_or_else(|| data.join("portcullis.db"), file_of);
            Database::File { data: &data, path }
        }
    };
    let node = ControlNode::build(&database, &settings.planes, keys, settings.allow_private_networks).await?;
    let json = json!({
        "data_plane": null, "key": null,
        "admin": format!("http://{}", node.admin),
        "grpc": node.grpc_url(),
        "ops": format!("http://{ops_addr}"),
        "admin_token": node.admin_token.new.then_some(&node.admin_token.text),
    });
    let text = format!("ready: admin http://{}, gRPC {}, ops http://{ops_addr}", node.admin, node.grpc_url());
    let readiness = Readiness::new();
    let store = node.store();
    let closing = node.store();
    let database = readiness.latch("database");
    database.set(true); // it was just opened
    let metrics = Metrics::default();
    let mut tasks = node.spawn(more, None, &metrics, &shutdown)?;
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
    let joined = join_all(tasks, &shutdown).await;
    closing.close().await;
    joined
}

/// Whether a database address is that of a file.
#[must_use]
pub fn is_file(url: &str) -> bool {
    url.starts_with("sqlite:")
}

fn file_of(url: &str) -> PathBuf {
    let path = url.strip_prefix("sqlite:").unwrap_or(url);
    PathBuf::from(path.strip_prefix("//").unwrap_or(path))
}
