//! A control plane that can be stopped and started again, and proxies as far as their configuration goes.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use config_client::{ConfigClient, ConfigSettings, ConfigStatus, PeerTls, Session, SessionSettings};
use control_plane::watch::{JoinToken, Proxies, ProxyStatus, WatchService, WatchSettings};
use domain::{Kind, ResourceId, Spec, TenantSpec, Version};
use policy::ConfigRows;
use runtime::peer::PeerTokens;
use secrets::{Keyring, MasterKey};
use store::{Actor, ResourceDraft, Store};
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};
use tokio_stream::wrappers::TcpListenerStream;
use tokio_util::sync::CancellationToken;
use tonic::{
    Code,
    transport::{Certificate, Identity, Server, ServerTlsConfig},
};

use crate::{
    certificates::Authority,
    proxies::{LIMIT, until},
};

/// The server's certificate, and the authority of the clients it trusts.
pub(crate) struct Tls {
    ca: String,
    cert: String,
    key: String,
}

pub(crate) struct Fleet {
    pub(crate) proxies: Arc<Proxies>,
    store: Store,
    keyring: Arc<Keyring>,
    join_token: String,
    tls: Option<Tls>,
    address: SocketAddr,
    server: Option<(CancellationToken, JoinHandle<()>)>,
    data: tempfile::TempDir,
}

pub(crate) struct Proxy {
    pub(crate) status: Arc<ConfigStatus>,
    installed: watch::Receiver<Vec<String>>,
    shutdown: CancellationToken,
    task: JoinHandle<()>,
}

impl Tls {
    pub(crate) fn of(authority: &Authority) -> Self {
        let (cert, key) = authority.issue();
        Self { ca: authority.pem(), cert, key }
    }

    fn config(&self) -> ServerTlsConfig {
        ServerTlsConfig::new()
            .identity(Identity::from_pem(&self.cert, &self.key))
            .client_ca_root(Certificate::from_pem(&self.ca))
            .client_auth_optional(true)
    }
}

impl Fleet {
    pub(crate) async fn start(tls: Option<Tls>) -> Self {
        let data = tempfile::tempdir().unwrap();
        let path = data.path().join("store.db");
        let mut fleet = Self {
            proxies: Arc::new(Proxies::default()),
            store: Store::open(&format!("sqlite:{}", path.display())).await.unwrap(),
            keyring: Arc::new(Keyring::new(&MasterKey::generate(), &[])),
            join_token: secrets::random_token("pc-join-"),
            tls,
            address: "127.0.0.1:0".parse().unwrap(),
            server: None,
            data,
        };
        fleet.serve().await;
        fleet
    }

    /// Serves, on the same port as before if there was one.
    pub(crate) async fn serve(&mut self) {
        let tokens = Arc::new(PeerTokens::new(self.keyring.token_key()));
        let join = JoinToken::new(Arc::clone(&self.keyring), &self.join_token).unwrap();
        let (list, shutdown) = (Arc::clone(&self.proxies), CancellationToken::new());
        let (settings, stop) = (WatchSettings::default(), shutdown.clone());
        let service = WatchService::new(self.store.clone(), tokens, Some(join), list, settings, stop);
        let listener = TcpListener::bind(self.address).await.unwrap();
        self.address = listener.local_addr().unwrap();
        let mut server = Server::builder();
        if let Some(tls) = &self.tls {
            server = server.tls_config(tls.config()).unwrap();
        }
        let stopped = shutdown.clone().cancelled_owned();
        let incoming = TcpListenerStream::new(listener);
        let serving =
            server.add_service(service.into_server()).serve_with_incoming_shutdown(incoming, stopped);
        self.server = Some((shutdown, tokio::spawn(async { serving.await.unwrap() })));
    }

    pub(crate) async fn stop(&mut self) {
        let (shutdown, server) = self.server.take().unwrap();
        shutdown.cancel();
        tokio::time::timeout(LIMIT, server).await.expect("an orderly end").unwrap();
    }

    pub(crate) async fn put(&self, tenants: &[&str]) -> Version {
        let mut tx = self.store.begin(&Actor { name: "test".into() }).await.unwrap();
        for name in tenants {
            let (id, spec) = (ResourceId::new(), Spec::Tenant(TenantSpec::default()));
            tx.put(ResourceDraft { id, tenant: None, name: (*name).into(), spec, sealed: None })
                .await
                .unwrap();
        }
        tx.commit().await.unwrap()
    }

    pub(crate) async fn delete(&self, tenant: &str) -> Version {
        let found = self.store.get(Kind::Tenant, None, tenant).await.unwrap().unwrap();
        let mut tx = self.store.begin(&Actor { name: "test".into() }).await.unwrap();
        assert!(tx.delete(found.resource.id).await.unwrap());
        tx.commit().await.unwrap()
    }

    pub(crate) fn session(&self, proxy: &str, token: bool, tls: Option<PeerTls>) -> Session {
        let scheme = if tls.is_some() { "https" } else { "http" };
        Session::new(SessionSettings {
            control_plane: format!("{scheme}://{}", self.address).parse().unwrap(),
            ledger: None,
            proxy: proxy.into(),
            join_token: token.then(|| self.join_token.clone()),
            tls,
        })
        .unwrap()
    }

    pub(crate) fn proxy(&self, name: &str) -> Proxy {
        self.proxy_over(self.session(name, true, None))
    }

    /// A proxy that refuses every version with a tenant called `bad`.
    pub(crate) fn proxy_over(&self, session: Session) -> Proxy {
        let directory = self.data.path().join(session.proxy());
        let settings = ConfigSettings::new("eu".into(), directory, Duration::from_secs(3600));
        let (sender, installed) = watch::channel(Vec::new());
        let install = move |rows: &ConfigRows| {
            let mut names: Vec<_> = rows.known.iter().map(|row| row.name.clone()).collect();
            names.sort();
            if names.iter().any(|name| name == "bad") {
                return Err("bad does not compile".to_owned());
            }
            sender.send_replace(names);
            Ok(())
        };
        let mut client = ConfigClient::new(settings, session, Arc::clone(&self.keyring), Arc::new(install));
        client.start_from_disk();
        let status = client.status();
        let shutdown = CancellationToken::new();
        let task = tokio::spawn(client.run(shutdown.clone()));
        Proxy { status, installed, shutdown, task }
    }

    /// Waits until the list of proxies is as it should be.
    pub(crate) async fn until(&self, is_so: impl Fn(&[ProxyStatus]) -> bool) {
        until(&self.proxies, is_so).await;
    }
}

impl Proxy {
    pub(crate) fn names(&self) -> Vec<String> {
        self.installed.borrow().clone()
    }

    /// Shuts down in good order.
    pub(crate) async fn stop(mut self) {
        self.shutdown.cancel();
        tokio::time::timeout(LIMIT, &mut self.task).await.expect("an orderly end").unwrap();
    }

    /// Waits until exactly these tenants are installed.
    pub(crate) async fn until(&mut self, names: &[&str]) {
        let wait = self.installed.wait_for(|installed| installed == names);
        let reached = tokio::time::timeout(LIMIT, wait).await.is_ok();
        assert!(reached, "{:?} instead of {names:?}", self.names());
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// How a Watch goes that says nothing.
pub(crate) async fn watch(session: &Session) -> Code {
    let call = async { session.control_plane().await?.watch(tokio_stream::empty()).await };
    match tokio::time::timeout(LIMIT, call).await.expect("an answer") {
        Ok(_) => Code::Ok,
        Err(status) => status.code(),
    }
}
