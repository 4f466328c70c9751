//! A control plane on a socket with a store on disk, and a proxy that is nothing but its messages.

use std::{net::SocketAddr, sync::Arc};

use control_plane::watch::{JoinToken, Proxies, ProxyStatus, WatchService, WatchSettings};
use domain::{CredentialSpec, ResourceId, Spec, TenantSpec, Version};
use proto::v1::{
    Hello, JoinRequest, Nack, Resource, SnapshotChunk, WatchReply, WatchRequest,
    control_plane_client::ControlPlaneClient, watch_reply, watch_request::Message,
};
use runtime::peer::PeerTokens;
use secrets::{Keyring, MasterKey};
use store::{Actor, ResourceDraft, Store};
use tokio::{net::TcpListener, sync::mpsc};
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tokio_util::sync::CancellationToken;
use tonic::{
    Code, Request, Streaming,
    transport::{Channel, Server},
};

use crate::proxies::{LIMIT, until};

pub(crate) struct Plane {
    pub(crate) store: Store,
    pub(crate) proxies: Arc<Proxies>,
    pub(crate) join_token: String,
    pub(crate) shutdown: CancellationToken,
    address: SocketAddr,
    data: tempfile::TempDir,
}

/// A delta in the domain's words.
pub(crate) struct Delta {
    pub(crate) from: Version,
    pub(crate) to: Version,
    pub(crate) upserts: Vec<Resource>,
    pub(crate) removed: usize,
}

pub(crate) struct Stream {
    requests: mpsc::Sender<WatchRequest>,
    replies: Streaming<WatchReply>,
}

impl Plane {
    pub(crate) async fn start() -> Self {
        Self::start_with(WatchSettings::default()).await
    }

    pub(crate) async fn start_with(settings: WatchSettings) -> Self {
        let data = tempfile::tempdir().unwrap();
        let store = open(&data).await;
        let keyring = Arc::new(Keyring::new(&MasterKey::generate(), &[]));
        let join_token = secrets::random_token("pc-join-");
        let tokens = Arc::new(PeerTokens::new(keyring.token_key()));
        let join = JoinToken::new(keyring, &join_token).unwrap();
        let (proxies, shutdown) = (Arc::new(Proxies::default()), CancellationToken::new());
        let (list, stop) = (Arc::clone(&proxies), shutdown.clone());
        let service = WatchService::new(store.clone(), tokens, Some(join), list, settings, stop);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = Server::builder().add_service(service.into_server());
        tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
        Self { store, proxies, join_token, shutdown, address, data }
    }

    pub(crate) async fn another_store(&self) -> Store {
        open(&self.data).await
    }

    pub(crate) async fn put(&self, tenants: &[&str]) -> Version {
        put(&self.store, tenants).await
    }

    /// Rows of about `size` bytes.
    pub(crate) async fn put_sealed(&self, rows: usize, size: usize) -> Version {
        let mut tx = self.store.begin(&Actor { name: "test".into() }).await.unwrap();
        for n in 0..rows {
            let spec = CredentialSpec {
                provider: "p".into(),
                weight: 1,
                disabled: false,
                limits: domain::CredentialLimits::default(),
            };
            tx.put(ResourceDraft {
                id: ResourceId::new(),
                tenant: None,
                name: format!("p/{n}"),
                spec: Spec::Credential(spec),
                sealed: Some(vec![1; size]),
            })
            .await
            .unwrap();
        }
        tx.commit().await.unwrap()
    }

    pub(crate) async fn delete(&self, tenant: &str) -> Version {
        let found = self.store.get(domain::Kind::Tenant, None, tenant).await.unwrap().unwrap();
        let mut tx = self.store.begin(&Actor { name: "test".into() }).await.unwrap();
        assert!(tx.delete(found.resource.id).await.unwrap());
        tx.commit().await.unwrap()
    }

    pub(crate) async fn client(&self) -> ControlPlaneClient<Channel> {
        ControlPlaneClient::connect(format!("http://{}", self.address)).await.unwrap()
    }

    pub(crate) async fn join(&self, proxy: &str) -> String {
        let request = JoinRequest { token: self.join_token.clone(), proxy: proxy.into() };
        let reply = self.client().await.join(request).await.unwrap().into_inner();
        assert_eq!(reply.expires_in_seconds, 900);
        reply.jwt
    }

    pub(crate) async fn watch(&self, proxy: &str, have: Option<Version>) -> Stream {
        let jwt = self.join(proxy).await;
        self.open(Some(hello(proxy, have)), Some(&jwt)).await.unwrap()
    }

    /// How a stream that gets nothing ends.
    pub(crate) async fn try_watch(&self, first: WatchRequest, jwt: Option<&str>) -> Option<Code> {
        match self.open(Some(first), jwt).await {
            Ok(mut stream) => stream.end_without_configuration().await,
            Err(status) => Some(status.code()),
        }
    }

    pub(crate) async fn silent_watch(&self, jwt: &str) -> Option<Code> {
        self.open(None, Some(jwt)).await.unwrap().end_without_configuration().await
    }

    async fn open(&self, first: Option<WatchRequest>, jwt: Option<&str>) -> Result<Stream, tonic::Status> {
        let (requests, queued) = mpsc::channel(8);
        if let Some(first) = first {
            requests.send(first).await.unwrap();
        }
        let mut request = Request::new(ReceiverStream::new(queued));
        if let Some(jwt) = jwt {
            request.metadata_mut().insert("authorization", format!("Bearer {jwt}").parse().unwrap());
        }
        let client = self.client().await;
        let replies = client.max_decoding_message_size(proto::MAX_MESSAGE).watch(request).await?;
        Ok(Stream { requests, replies: replies.into_inner() })
    }

    /// Waits until the list of proxies is as it should be.
    pub(crate) async fn until(&self, is_so: impl Fn(&[ProxyStatus]) -> bool) {
        until(&self.proxies, is_so).await;
    }
}

impl Stream {
    pub(crate) async fn ack(&self, version: Version) {
        self.say(Message::Ack(proto::version_to(version))).await;
    }

    pub(crate) async fn nack(&self, version: Version, reason: &str) {
        let version = Some(proto::version_to(version));
        self.say(Message::Nack(Nack { version, reason: reason.into() })).await;
    }

    async fn say(&self, message: Message) {
        self.requests.send(WatchRequest { message: Some(message) }).await.unwrap();
    }

    /// The next message that brings configuration.
    async fn update(&mut self) -> watch_reply::Message {
        loop {
            match self.message().await.expect("the stream goes on") {
                Some(watch_reply::Message::Heartbeat(_)) => {}
                Some(update) => return update,
                None => panic!("the stream ended"),
            }
        }
    }

    pub(crate) async fn chunk(&mut self) -> SnapshotChunk {
        match self.update().await {
            watch_reply::Message::Snapshot(chunk) => chunk,
            other => panic!("expected a snapshot: {other:?}"),
        }
    }

    /// Version and sorted names of a whole snapshot.
    pub(crate) async fn snapshot(&mut self) -> (Version, Vec<String>) {
        let mut rows = Vec::new();
        loop {
            let chunk = self.chunk().await;
            rows.extend(chunk.resources);
            if chunk.last {
                return (proto::version_from(chunk.version.as_ref()).unwrap(), names(&rows));
            }
        }
    }

    pub(crate) async fn delta(&mut self) -> Delta {
        match self.update().await {
            watch_reply::Message::Delta(delta) => Delta {
                from: proto::version_from(delta.from.as_ref()).unwrap(),
                to: proto::version_from(delta.to.as_ref()).unwrap(),
                upserts: delta.upserts,
                removed: delta.removed.len(),
            },
            other => panic!("expected a delta: {other:?}"),
        }
    }

    /// The next message, which must be a heartbeat.
    pub(crate) async fn heartbeat(&mut self) -> Version {
        match self.message().await {
            Ok(Some(watch_reply::Message::Heartbeat(beat))) => {
                proto::version_from(beat.version.as_ref()).unwrap()
            }
            other => panic!("expected a heartbeat: {other:?}"),
        }
    }

    /// The error that ends the stream, whatever comes before; without one it ends in good order.
    pub(crate) async fn end(&mut self) -> Option<Code> {
        loop {
            match self.message().await {
                Ok(Some(_)) => {}
                Ok(None) => return None,
                Err(status) => return Some(status.code()),
            }
        }
    }

    async fn end_without_configuration(&mut self) -> Option<Code> {
        match self.message().await {
            Ok(Some(message)) => panic!("a stranger was told {message:?}"),
            Ok(None) => None,
            Err(status) => Some(status.code()),
        }
    }

    async fn message(&mut self) -> Result<Option<watch_reply::Message>, tonic::Status> {
        let next = tokio::time::timeout(LIMIT, self.replies.message()).await.expect("a message in time");
        Ok(next?.map(|reply| reply.message.expect("no empty messages")))
    }
}

pub(crate) fn hello(proxy: &str, have: Option<Version>) -> WatchRequest {
    let hello = Hello {
        proxy: proxy.into(),
        region: "eu".into(),
        build: "1".into(),
        kinds: vec!["tenant".into()],
        have: have.map(proto::version_to),
    };
    WatchRequest { message: Some(Message::Hello(hello)) }
}

pub(crate) async fn put(store: &Store, tenants: &[&str]) -> Version {
    let mut tx = store.begin(&Actor { name: "test".into() }).await.unwrap();
    for name in tenants {
        let (id, spec) = (ResourceId::new(), Spec::Tenant(TenantSpec::default()));
        let draft = ResourceDraft { id, tenant: None, name: (*name).into(), spec, sealed: None };
        tx.put(draft).await.unwrap();
    }
    tx.commit().await.unwrap()
}

pub(crate) fn names(rows: &[Resource]) -> Vec<String> {
    let mut names: Vec<_> = rows.iter().map(|row| row.name.clone()).collect();
    names.sort();
    names
}

async fn open(data: &tempfile::TempDir) -> Store {
    Store::open(&format!("sqlite:{}", data.path().join("store.db").display())).await.unwrap()
}
