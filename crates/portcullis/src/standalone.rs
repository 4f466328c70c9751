//! Everything in one process: control plane, ledger, data plane and the demo's provider, by the same code as apart.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::Arc,
};

use admin_api::{Document, Format};
use anyhow::Context as _;
use budget::{BookStore, MemoryBooks};
use clap::Args;
use control_plane::node::{ControlNode, DataDir, Database, PlaneSettings};
use domain::Timestamp;
use proxy::{App, EdgeSettings, KeySettings, LinkSettings, Output, TraceSettings};
use runtime::{
    ConfigError,
    grpc::GrpcPort,
    outbound::AllowPrivate,
    service::{announce, join_all},
};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::{control_node::ledger, demo};

/// Settings of `standalone`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Settings {
    /// Where applications connect.
    #[arg(long, env = "PORTCULLIS_LISTEN", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// Where `/healthz`, `/readyz` and `/metrics` are served.
    #[arg(long, env = "PORTCULLIS_OPS_LISTEN", default_value = "127.0.0.1:8083")]
    ops_listen: SocketAddr,
    /// Database, keys, snapshot and usage spool live here.
    #[arg(long, env = "PORTCULLIS_DATA_DIR", default_value = "data")]
    data_dir: PathBuf,
    /// A document to apply at start (YAML or JSON), as `portcullis apply -f` would; leaves the demo out.
    #[arg(long, env = "PORTCULLIS_CONFIG")]
    config: Option<PathBuf>,
    /// Starts without the demo's provider, routes, tenant and key.
    #[arg(long, env = "PORTCULLIS_NO_DEMO")]
    no_demo: bool,
    /// Where the process stands, in the operator's words.
    #[arg(long, env = "PORTCULLIS_REGION", default_value = "local")]
    region: String,
    #[command(flatten)]
    planes: PlaneSettings,
    #[command(flatten)]
    edge: EdgeSettings,
    #[command(flatten)]
    trace: TraceSettings,
}

/// Runs until a signal: requests end first, then what they report to.
pub(crate) async fn run(settings: Settings, keys: &KeySettings, output: Output) -> anyhow::Result<()> {
    let data = DataDir::open(&settings.data_dir)?;
    let shutdown = runtime::shutdown::on_signal()?;
    let with_demo = !settings.no_demo && settings.config.is_none();
    let mut edge = settings.edge.clone();
    if with_demo {
        allow_loopback(&mut edge.allow_private_networks);
    }
    let node = ControlNode::build(
        &Database::within(&data),
        &settings.planes,
        keys,
        edge.allow_private_networks.clone(),
    )
    .await?;
    // What requests need outlives them.
    let after = CancellationToken::new();
    let mut shown = Shown {
        admin_token: node.admin_token.new.then(|| node.admin_token.text.clone()),
        ..Shown::default()
    };
    let simulator = match with_demo {
        true => Some(simulator::start(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), after.clone()).await?),
        false => None,
    };
    if let Some(simulator) = &simulator {
        shown = set_up_demo(&data, &node, simulator.addr).await?;
    }
    if let Some(path) = &settings.config {
        (shown.key, shown.route) = apply_file(&data, &node, path).await?;
    }
    let inside = GrpcPort::inside().await?;
    // The proxy and the ledger are one process, so the books of budgets are in its memory.
    let books = BookStore::Memory(MemoryBooks::new(|| Timestamp::now().micros()));
    let app = build_proxy(&settings, edge, &data, &node, &inside, books.clone()).await?;
    let (json, text) = describe(&app, &node, &shown, &settings)?;
    let mut installed = app.installed();
    let newest = node.version().await?;
    let store = node.store();
    let tasks = node.spawn(Some(ledger(books)), Some(inside), &app.metrics(), &after)?;
    let ready = app.readiness();
    let announced = shutdown.clone();
    let announcing = tokio::spawn(async move {
        // A proxy that started by its own snapshot may not know the key yet that is about to be shown.
        let current = installed.wait_for(|at| at.is_some_and(|at| at.revision >= newest.revision));
        let current = announced.run_until_cancelled(current).await;
        if current.is_some_and(|current| current.is_ok()) && ready.ready(&announced).await {
            announce(output, &json, &text);
        }
    });
    // A control plane that dies takes the process down in order instead of leaving half of it.
    let stop = shutdown.clone();
    let watched = after.clone();
    let control = tokio::spawn(async move {
        let joined = join_all(tasks, &watched).await;
        stop.cancel();
        store.close().await;
        joined
    });
    let served = app.run(shutdown.clone()).await;
    shutdown.cancel();
    after.cancel();
    announcing.await.context("announcing")?;
    served.and(control.await.context("the control plane")?)
}

/// What is shown at this start: secrets, and a route that the key may use.
#[derive(Default)]
struct Shown {
    admin_token: Option<String>,
    key: Option<String>,
    route: Option<String>,
}

async fn build_proxy(
    settings: &Settings,
    edge: EdgeSettings,
    data: &DataDir,
    node: &ControlNode,
    inside: &GrpcPort,
    books: BookStore,
) -> anyhow::Result<App> {
    let control_plane = format!("http://{}", inside.address()).parse().context("the inner gRPC address")?;
    let link = LinkSettings {
        control_plane,
        ledger: None,
        redis_url: None,
        join_token: Some(node.join_token.clone()),
        name: "standalone".to_owned(),
        region: settings.region.clone(),
        // Control plane and proxy live and die together.
        max_snapshot_age: domain::Duration::from_secs(365 * 86_400),
        grpc_ca: None,
        grpc_cert: None,
        grpc_key: None,
    };
    let listen = settings.listen;
    let ops_listen = settings.ops_listen;
    let data_dir = data.join("proxy");
    let trace = settings.trace.clone();
    let settings = proxy::Settings { listen, ops_listen, data_dir, edge, link, trace };
    App::build(settings, Arc::clone(&node.keyring), Some(books)).await
}

/// Sets the demo up in an empty database; later starts leave what users made of it, but for the simulator's port.
async fn set_up_demo(data: &DataDir, node: &ControlNode, simulator: SocketAddr) -> anyhow::Result<Shown> {
    let admin_token = node.admin_token.text.clone();
    if !node.new {
        for (name, base_url) in demo::providers(simulator) {
            node.state.move_provider(&name, "simulator", &base_url, "demo").await?;
        }
        let key = match demo::read(data)?.map(|kept| kept.key) {
            Some(key) if node.state.is_key("demo", "demo", &key).await.unwrap_or(false) => Some(key),
            _ => None,
        };
        return Ok(Shown { admin_token: Some(admin_token), key, route: None });
    }
    let document = Document::read(&demo::document(simulator), Format::Yaml)?;
    let reply = node.state.apply(document, "demo").await?;
    let key = reply.secrets.into_iter().next().map(|shown| shown.secret);
    let kept = demo::Secrets { admin_token: admin_token.clone(), key: key.clone().unwrap_or_default() };
    demo::keep(data, &kept)?;
    Ok(Shown { admin_token: Some(admin_token), key, route: None })
}

/// Applies `--config`; the secrets of new keys go to files of mode 0600, the first one into the ready line too.
async fn apply_file(
    data: &DataDir,
    node: &ControlNode,
    path: &Path,
) -> anyhow::Result<(Option<String>, Option<String>)> {
    let document = cli::read_document(path).map_err(|error| ConfigError::new("--config", error))?;
    let route = a_route(&document);
    let blame = |problem| ConfigError::new("--config", format!("{}: {problem}", path.display()));
    let reply = node.state.apply(document, "standalone --config").await.map_err(blame)?;
    for shown in &reply.secrets {
        // Names of tenants and keys hold no `@`, so no two keys share a file.
        let name = format!("key-{}@{}.txt", shown.key, shown.tenant);
        data.write(&name, &shown.secret)?;
        tracing::info!(tenant = shown.tenant, key = shown.key, file = %data.join(&name).display(), "made a key");
    }
    Ok((reply.secrets.into_iter().next().map(|shown| shown.secret), route))
}

/// A route that the first key of a document may use.
fn a_route(document: &Document) -> Option<String> {
    let (own, key) =
        document.tenants.values().find_map(|tenant| Some((&tenant.routes, tenant.keys.first()?)))?;
    let allowed = key.routes.iter().flatten().next().cloned();
    allowed.or_else(|| own.keys().chain(document.routes.keys()).next().map(ToString::to_string))
}

fn allow_loopback(allow: &mut AllowPrivate) {
    let loopback = IpAddr::from(Ipv4Addr::LOCALHOST).into();
    match allow {
        AllowPrivate::All => {}
        AllowPrivate::No => *allow = AllowPrivate::Networks(vec![loopback]),
        AllowPrivate::Networks(networks) => networks.push(loopback),
    }
}

fn describe(
    app: &App,
    node: &ControlNode,
    shown: &Shown,
    settings: &Settings,
) -> anyhow::Result<(serde_json::Value, String)> {
    let data_plane = app.data_plane()?;
    let ops = app.ops()?;
    let json = json!({
        "data_plane": format!("http://{data_plane}"),
        "admin": format!("http://{}", node.admin),
        "grpc": node.grpc_url(),
        "ops": format!("http://{ops}"),
        "admin_token": shown.admin_token,
        "key": shown.key,
    });
    let token_file = settings.data_dir.join("admin.token");
    let token = shown.admin_token.clone().unwrap_or_else(|| match node.admin_token.configured {
        true => "(as configured)".to_owned(),
        false => format!("(in {})", token_file.display()),
    });
    let mut text = format!(
        "data plane   http://{data_plane}\nadmin API    http://{}\ngRPC         {}\nops          http://{ops}\n\
         admin token  {token}\n",
        node.admin,
        node.grpc_url(),
    );
    if let Some(key) = &shown.key {
        let route = shown.route.as_deref().unwrap_or("chat");
        text += &format!(
            "key          {key}\n\ncurl http://{data_plane}/v1/chat/completions -H 'authorization: Bearer {key}' \
             -H 'content-type: application/json' -d '{{\"model\":\"{route}\",\"messages\":[{{\"role\":\"user\",\"content\":\"hello\"}}]}}'\n"
        );
    }
    Ok((json, text))
}
