//! A small world for one test: a scripted provider, a control plane and proxies in a directory of their own.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use serde_json::{Value, json};
use testkit::{ADMIN_TOKEN, Http, JOIN_TOKEN, MASTER_KEY, Process, binary};
use tokio_util::sync::CancellationToken;

/// How long other processes may take to follow.
pub(crate) const SOON: Duration = Duration::from_secs(20);

/// The in-process provider.
pub(crate) struct Provider {
    pub(crate) addr: SocketAddr,
    shutdown: CancellationToken,
    _runtime: tokio::runtime::Runtime,
}

impl Provider {
    pub(crate) fn start() -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let shutdown = CancellationToken::new();
        let listen = SocketAddr::from(([127, 0, 0, 1], 0));
        let simulator = runtime.block_on(simulator::start(listen, shutdown.clone())).unwrap();
        Self { addr: simulator.addr, shutdown, _runtime: runtime }
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

/// Directory, provider, and the document that routes to it.
pub(crate) struct World {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) provider: Provider,
}

impl World {
    pub(crate) fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap(), provider: Provider::start() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// One provider, a price, a route with a fallback, a tenant with a key.
    pub(crate) fn document(&self) -> Value {
        json!({
            "apiVersion": "portcullis/v1",
            "providers": {
                "sim": {
                    "kind": "custom",
                    "base_url": format!("http://{}/v1", self.provider.addr),
                    "credentials": [{ "name": "main", "secret": { "value": "provider-secret-0123456789" } }],
                },
            },
            "prices": [{ "model": "sim/m", "effective_from": "2026-01-01", "input": "$1", "output": "$2" }],
            "routes": { "chat": { "targets": ["sim/m"] } },
            "tenants": { "acme": { "keys": [{ "name": "backend" }] } },
        })
    }

    /// A control plane on ports of its own choice, or on those it had before.
    pub(crate) fn control_plane(&self, before: Option<&Process>) -> Process {
        let port =
            |url: Option<&String>| url.map_or("127.0.0.1:0".to_owned(), |url| url.replace("http://", ""));
        let ready = before.map(Process::ready);
        let admin = port(ready.and_then(|ready| ready.admin.as_ref()));
        let grpc = port(ready.and_then(|ready| ready.grpc.as_ref()));
        let dir = self.path("control-plane");
        let args = [
            "control-plane",
            "--data-dir",
            text(&dir),
            "--admin-listen",
            &admin,
            "--grpc-listen",
            &grpc,
            "--ops-listen",
            "127.0.0.1:0",
            "--allow-private-networks",
            "--output",
            "json",
        ];
        Process::spawn(&binary("portcullis").unwrap(), args, &secrets()).unwrap()
    }

    /// A proxy joined to a control plane.
    pub(crate) fn proxy(&self, control_plane: &str, name: &str) -> Process {
        self.proxy_with(control_plane, name, &[])
    }

    /// The same with more flags.
    pub(crate) fn proxy_with(&self, control_plane: &str, name: &str, more: &[&str]) -> Process {
        Process::spawn(
            &binary("portcullis-proxy").unwrap(),
            self.proxy_args(control_plane, name, more),
            &secrets(),
        )
        .unwrap()
    }

    /// The flags of a proxy.
    pub(crate) fn proxy_args(&self, control_plane: &str, name: &str, more: &[&str]) -> Vec<String> {
        let dir = self.path(name);
        let args = [
            "--control-plane",
            control_plane,
            "--name",
            name,
            "--data-dir",
            text(&dir),
            "--listen",
            "127.0.0.1:0",
            "--ops-listen",
            "127.0.0.1:0",
            "--allow-private-networks",
            "--output",
            "json",
        ];
        args.iter().chain(more).map(|arg| (*arg).to_owned()).collect()
    }
}

/// What all processes of a fleet share.
pub(crate) fn secrets() -> [(&'static str, &'static str); 3] {
    [
        ("PORTCULLIS_MASTER_KEY", MASTER_KEY),
        ("PORTCULLIS_ADMIN_TOKEN", ADMIN_TOKEN),
        ("PORTCULLIS_JOIN_TOKEN", JOIN_TOKEN),
    ]
}

pub(crate) fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// The admin API of a control plane.
pub(crate) fn admin(process: &Process) -> Http {
    Http::new(process.ready().admin.as_ref().unwrap(), Some(ADMIN_TOKEN))
}

/// Applies a document and returns the first new key.
pub(crate) fn apply(admin: &Http, document: &Value) -> Option<String> {
    let reply = admin.post("/api/v1/apply", document).unwrap();
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.json().unwrap()["secrets"][0]["secret"].as_str().map(str::to_owned)
}

/// A client of the data plane.
pub(crate) fn client(process: &Process, key: &str) -> Http {
    Http::new(process.ready().data_plane.as_ref().unwrap(), Some(key))
}

/// A small chat request.
pub(crate) fn chat(content: &str) -> Value {
    json!({ "model": "chat", "messages": [{ "role": "user", "content": content }] })
}

/// The ids of all requests in the ledger, newest first, each as often as it is there.
pub(crate) fn ledger_requests(admin: &Http) -> Vec<Value> {
    let mut requests = Vec::new();
    let mut cursor = String::new();
    loop {
        let reply = admin.get(&format!("/api/v1/requests?limit=500{cursor}")).unwrap();
        assert_eq!(reply.status, 200, "{}", reply.text());
        let page = reply.json().unwrap();
        requests.extend(page["items"].as_array().unwrap().iter().cloned());
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return requests,
        }
    }
}
