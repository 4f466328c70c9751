//! An admin API to test against: its own database, its own port, gone when dropped.

use std::sync::Arc;

use control_plane::{
    rest::{AdminSettings, AdminState, router, serve},
    watch::Proxies,
};
use runtime::outbound::Filter;
use secrets::{Keyring, MasterKey};
use serde_json::{Value, json};
use store::Store;
use testkit::{Http, Reply};
use tokio_util::sync::CancellationToken;

pub(crate) const TOKEN: &str = "pc-admin-0123456789abcdefghij";

/// A running admin API and a client that is signed in.
pub(crate) struct Api {
    pub(crate) http: Http,
    pub(crate) url: String,
    pub(crate) store: Store,
    pub(crate) keyring: Arc<Keyring>,
    pub(crate) runtime: tokio::runtime::Runtime,
    shutdown: CancellationToken,
    _dir: tempfile::TempDir,
}

impl Drop for Api {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

pub(crate) fn start() -> Api {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let keyring = Arc::new(Keyring::new(&MasterKey::generate(), &[]));
    let shutdown = CancellationToken::new();
    let path = format!("sqlite:{}", dir.path().join("store.db").display());
    let store = runtime.block_on(Store::open(&path)).unwrap();
    let settings =
        AdminSettings { admin_token_digests: vec![keyring.digest(TOKEN)], outbound: Filter::default() };
    let state =
        AdminState::new(store.clone(), Arc::clone(&keyring), Arc::new(Proxies::default()), settings).unwrap();
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    runtime.spawn(serve(listener, router(state), shutdown.clone()));
    Api { http: Http::new(&url, Some(TOKEN)), url, store, keyring, runtime, shutdown, _dir: dir }
}

pub(crate) const DOCUMENT: &str = "apiVersion: portcullis/v1\n\
    providers: { a: { kind: openai, credentials: [ { name: m, secret: { value: sk-canary-1 } } ] } }\n\
    routes: { chat: { targets: [ a/x, a/y ] } }\n\
    models: { a/deep/x: { context: 8 } }\n\
    prices: [ { model: a/x, effective_from: 2026-01-01, input: $1, output: $2 } ]\n\
    tenants: { acme: { keys: [ { name: backend, routes: [ chat ] } ] } }";

impl Api {
    pub(crate) fn apply(&self, query: &str, yaml: &str) -> Reply {
        let headers = [("content-type", "application/yaml")];
        self.http.request("POST", &format!("/api/v1/apply{query}"), &headers, Some(yaml.as_bytes())).unwrap()
    }

    /// Sends and expects a status; gives the JSON of the answer.
    pub(crate) fn send(&self, status: u16, method: &str, path: &str, body: Option<Value>) -> Value {
        self.send_with(status, method, path, &[], body)
    }

    pub(crate) fn send_with(
        &self,
        status: u16,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<Value>,
    ) -> Value {
        let bytes = body.map(|body| body.to_string().into_bytes());
        let reply = self.http.request(method, &format!("/api/v1{path}"), headers, bytes.as_deref()).unwrap();
        assert_eq!(reply.status, status, "{method} {path}: {}", reply.text());
        expect_problem(&reply);
        if reply.body.is_empty() { Value::Null } else { reply.json().unwrap() }
    }
}

/// Errors are problem details whose status is the answer's, and repeat no secret.
pub(crate) fn expect_problem(reply: &Reply) {
    assert!(!reply.text().contains("canary"), "{}", reply.text());
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    if reply.status >= 400 {
        assert_eq!(reply.header("content-type"), Some("application/problem+json"), "{}", reply.text());
        let problem = reply.json().unwrap();
        assert_eq!(problem["status"], json!(reply.status));
        assert!(problem["type"].as_str().unwrap().starts_with("urn:portcullis:problem:"));
        assert!(!problem["detail"].as_str().unwrap().is_empty());
    }
}
