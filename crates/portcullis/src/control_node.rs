//! Control plane and ledger on one store: admin REST, `Watch` and `Report`.

use std::{net::SocketAddr, path::PathBuf, sync::Arc};

use anyhow::Context as _;
use clap::Args;
use control_plane::{
    rest::{self, AdminSettings, AdminState},
    watch::{JoinToken, Proxies, WatchService, WatchSettings},
};
use ledger::LedgerService;
use proxy::{KeySettings, Output};
use runtime::{
    ConfigError, Readiness, listen,
    outbound::{AllowPrivate, Filter},
    peer::PeerTokens,
};
use secrets::{Keyring, check_token_strength};
use serde_json::json;
use store::Store;
use tokio::{net::TcpListener, task::JoinSet};
use tokio_stream::wrappers::TcpListenerStream;
use tokio_util::sync::CancellationToken;
use tonic::transport::{Certificate, Identity, Server, ServerTlsConfig, server::Router};

use crate::{data_dir::DataDir, ready::announce};

/// Between pings on idle gRPC connections: below the idle timeouts of load balancers.
const KEEP_ALIVE: std::time::Duration = std::time::Duration::from_secs(20);

/// Settings of a control node.
#[derive(Args, Clone, Debug)]
pub(crate) struct Settings {
    /// Database, master key and tokens live here.
    #[arg(long, env = "PORTCULLIS_DATA_DIR", default_value = "data")]
    pub(crate) data_dir: PathBuf,
    /// Settings that `standalone` shares.
    #[command(flatten)]
    pub(crate) planes: PlaneSettings,
    /// Where `/healthz` and `/readyz` are served.
    #[arg(long, env = "PORTCULLIS_OPS_LISTEN", default_value = "127.0.0.1:8083")]
    pub(crate) ops_listen: SocketAddr,
    /// Private addresses that providers may have: `true`, `false`, or networks (`10.0.0.0/8,127.0.0.1`).
    #[arg(
        long,
        env = "PORTCULLIS_ALLOW_PRIVATE_NETWORKS",
        default_value = "false",
        num_args = 0..=1,
        default_missing_value = "true"
    )]
    pub(crate) allow_private_networks: AllowPrivate,
}

/// Settings of the admin API and of the planes' gRPC.
#[derive(Args, Clone)]
pub(crate) struct PlaneSettings {
    /// Where the admin API is served.
    #[arg(long, env = "PORTCULLIS_ADMIN_LISTEN", default_value = "127.0.0.1:8081")]
    pub(crate) admin_listen: SocketAddr,
    /// Where proxies connect by gRPC.
    #[arg(long, env = "PORTCULLIS_GRPC_LISTEN", default_value = "127.0.0.1:8082")]
    pub(crate) grpc_listen: SocketAddr,
    /// Admin token, instead of one made at the first start; at least 24 random characters.
    #[arg(long, env = "PORTCULLIS_ADMIN_TOKEN", hide_env_values = true)]
    admin_token: Option<String>,
    /// Token that proxies join by, instead of one made at the first start (`DATA_DIR/join.token`).
    #[arg(long, env = "PORTCULLIS_JOIN_TOKEN", hide_env_values = true)]
    join_token: Option<String>,
    /// Certificate of the gRPC port, PEM; without one it speaks plain HTTP/2.
    #[arg(long, env = "PORTCULLIS_GRPC_CERT", requires = "grpc_key")]
    grpc_cert: Option<PathBuf>,
    /// Its private key, PEM.
    #[arg(long, env = "PORTCULLIS_GRPC_KEY", requires = "grpc_cert")]
    grpc_key: Option<PathBuf>,
    /// Authority whose client certificates are accepted instead of a join token, PEM.
    #[arg(long, env = "PORTCULLIS_GRPC_CLIENT_CA", requires = "grpc_cert")]
    grpc_client_ca: Option<PathBuf>,
}

impl std::fmt::Debug for PlaneSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PlaneSettings")
            .field("admin_listen", &self.admin_listen)
            .field("grpc_listen", &self.grpc_listen)
            .finish_non_exhaustive()
    }
}

/// A token, and whether this start made it.
pub(crate) struct Token {
    pub(crate) text: String,
    pub(crate) new: bool,
}

/// A control node whose listeners are bound and whose store is open.
pub(crate) struct ControlNode {
    pub(crate) keyring: Arc<Keyring>,
    pub(crate) admin: SocketAddr,
    pub(crate) grpc: SocketAddr,
    pub(crate) admin_token: Token,
    pub(crate) join_token: String,
    pub(crate) state: Arc<AdminState>,
    listeners: (TcpListener, TcpListener),
    tls: Option<ServerTlsConfig>,
    store: Store,
    proxies: Arc<Proxies>,
}

impl ControlNode {
    /// Opens the store and binds.
    pub(crate) async fn build(
        data: &DataDir,
        planes: &PlaneSettings,
        keys: &KeySettings,
        allow: AllowPrivate,
    ) -> anyhow::Result<Self> {
        let admin = listen::bind(planes.admin_listen, "--admin-listen").await?;
        let grpc = listen::bind(planes.grpc_listen, "--grpc-listen").await?;
        let tls = planes.tls()?;
        let keyring = keys.keyring(&data.master_key(keys.current()?)?)?;
        let admin_token =
            token(data, planes.admin_token.as_ref(), "--admin-token", "admin.token", "pc-admin-")?;
        let join_token =
            token(data, planes.join_token.as_ref(), "--join-token", "join.token", "pc-join-")?.text;
        let store =
            Store::open(&data.database()).await.map_err(|error| ConfigError::new("--data-dir", error))?;
        let proxies = Arc::new(Proxies::default());
        let admin_token_digests = vec![keyring.digest(&admin_token.text)];
        let settings = AdminSettings { admin_token_digests, outbound: Filter::new(allow) };
        let state = AdminState::new(store.clone(), Arc::clone(&keyring), Arc::clone(&proxies), settings)?;
        Ok(Self {
            keyring,
            admin: listen::bound(&admin, "--admin-listen")?,
            grpc: listen::bound(&grpc, "--grpc-listen")?,
            admin_token,
            join_token,
            state,
            listeners: (admin, grpc),
            tls,
            store,
            proxies,
        })
    }

    /// Serves until the token is cancelled; `inside` is a plain loopback port for a proxy in the same process.
    pub(crate) fn spawn(
        mut self,
        inside: Option<TcpListener>,
        shutdown: &CancellationToken,
    ) -> anyhow::Result<JoinSet<anyhow::Result<()>>> {
        let mut tasks = JoinSet::new();
        let tokens = Arc::new(PeerTokens::new(self.keyring.token_key()));
        if let Some(inside) = inside {
            let server = self.grpc_server(&tokens, None, shutdown)?;
            tasks.spawn(serve_grpc(server, inside, shutdown.clone()));
        }
        let tls = self.tls.take();
        let server = self.grpc_server(&tokens, tls, shutdown)?;
        let (admin, grpc) = self.listeners;
        tasks.spawn(serve_grpc(server, grpc, shutdown.clone()));
        let (router, stop) = (rest::router(self.state), shutdown.clone());
        tasks.spawn(async move { rest::serve(admin, router, stop).await.context("the admin API") });
        Ok(tasks)
    }

    fn grpc_server(
        &self,
        tokens: &Arc<PeerTokens>,
        tls: Option<ServerTlsConfig>,
        shutdown: &CancellationToken,
    ) -> anyhow::Result<Router> {
        let join = JoinToken::new(Arc::clone(&self.keyring), &self.join_token)?;
        let watch = WatchService::new(
            self.store.clone(),
            Arc::clone(tokens),
            Some(join),
            Arc::clone(&self.proxies),
            WatchSettings::default(),
            shutdown.clone(),
        );
        let mut server = Server::builder().http2_keepalive_interval(Some(KEEP_ALIVE)).tcp_nodelay(true);
        if let Some(tls) = tls {
            server = server.tls_config(tls).map_err(|error| ConfigError::new("--grpc-cert", error))?;
        }
        let ledger = LedgerService::new(self.store.clone(), Arc::clone(tokens));
        Ok(server.add_service(watch.into_server()).add_service(ledger.into_server()))
    }
}

async fn serve_grpc(server: Router, listener: TcpListener, stop: CancellationToken) -> anyhow::Result<()> {
    let incoming = TcpListenerStream::new(listener);
    server.serve_with_incoming_shutdown(incoming, stop.cancelled_owned()).await.context("the gRPC port")
}

/// Runs a control node until a signal.
pub(crate) async fn run(settings: Settings, keys: &KeySettings, output: Output) -> anyhow::Result<()> {
    let data = DataDir::open(&settings.data_dir)?;
    let shutdown = runtime::shutdown::on_signal()?;
    let ops = listen::bind(settings.ops_listen, "--ops-listen").await?;
    let ops_addr = listen::bound(&ops, "--ops-listen")?;
    let node = ControlNode::build(&data, &settings.planes, keys, settings.allow_private_networks).await?;
    let json = json!({
        "data_plane": null, "key": null,
        "admin": format!("http://{}", node.admin),
        "grpc": format!("http://{}", node.grpc),
        "ops": format!("http://{ops_addr}"),
        "admin_token": node.admin_token.new.then_some(&node.admin_token.text),
    });
    let text = format!("ready: admin http://{}, gRPC {}", node.admin, node.grpc);
    let mut tasks = node.spawn(None, &shutdown)?;
    let stop = shutdown.clone();
    tasks
        .spawn(async move { runtime::ops::serve(ops, Readiness::new(), stop).await.context("the ops port") });
    announce(output, &json, &text);
    join_all(tasks, &shutdown).await
}

/// Waits for all tasks; one that ends early takes the process down in order.
pub(crate) async fn join_all(
    mut tasks: JoinSet<anyhow::Result<()>>,
    shutdown: &CancellationToken,
) -> anyhow::Result<()> {
    let mut result = Ok(());
    while let Some(ended) = tasks.join_next().await {
        shutdown.cancel();
        let ended = ended.context("a task panicked").and_then(|ended| ended);
        if result.is_ok() {
            result = ended;
        }
    }
    result
}

fn token(
    data: &DataDir,
    configured: Option<&String>,
    flag: &'static str,
    name: &str,
    prefix: &str,
) -> anyhow::Result<Token> {
    match configured {
        Some(text) => {
            check_token_strength(text).map_err(|weak| ConfigError::new(flag, weak))?;
            Ok(Token { text: text.clone(), new: false })
        }
        None => data.token(name, prefix).map(|(text, new)| Token { text, new }),
    }
}

impl PlaneSettings {
    fn tls(&self) -> Result<Option<ServerTlsConfig>, ConfigError> {
        let read = |flag: &str, path: &PathBuf| {
            std::fs::read(path)
                .map_err(|error| ConfigError::new(flag, format!("{}: {error}", path.display())))
        };
        let (Some(cert), Some(key)) = (&self.grpc_cert, &self.grpc_key) else { return Ok(None) };
        let identity = Identity::from_pem(read("--grpc-cert", cert)?, read("--grpc-key", key)?);
        let tls = ServerTlsConfig::new().identity(identity);
        Ok(Some(match &self.grpc_client_ca {
            None => tls,
            // Optional, so that proxies with a join token are served on the same port.
            Some(ca) => tls
                .client_ca_root(Certificate::from_pem(read("--grpc-client-ca", ca)?))
                .client_auth_optional(true),
        }))
    }
}
