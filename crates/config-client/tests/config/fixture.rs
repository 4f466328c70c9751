//! A control plane that says only what a test has it say, and a proxy's configuration client in front of it.

use std::{
    net::SocketAddr,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, AtomicU32, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use config_client::{ConfigClient, ConfigSettings, ConfigStatus, Install, Session, SessionSettings};
use domain::{Resource, ResourceId, Spec, StoreId, TenantSpec, Timestamp, Version};
use policy::ConfigRows;
use proto::v1::{
    self, HealthAck, HealthReport, Hello, JoinReply, JoinRequest, WatchReply, WatchRequest,
    control_plane_server::{ControlPlane, ControlPlaneServer},
    watch_reply::Message,
    watch_request,
};
use runtime::peer::PeerTokens;
use secrets::{Keyring, MasterKey};
use tokio::{net::TcpListener, sync::mpsc};
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tokio_util::sync::CancellationToken;
use tonic::{Code, Request, Response, Status, Streaming, transport::Server};

/// No test waits longer for anything.
const LIMIT: Duration = Duration::from_secs(20);

/// A clock that goes on by one with every look at it.
pub(crate) fn tick() -> i64 {
    static TICKS: AtomicI64 = AtomicI64::new(1);
    TICKS.fetch_add(1, Ordering::Relaxed)
}

pub(crate) async fn soon<T>(wait: impl Future<Output = T>) -> T {
    tokio::time::timeout(LIMIT, wait).await.expect("in time")
}

/// The scripted control plane's settings, which tests change while it runs.
pub(crate) struct Script {
    pub(crate) join_token: String,
    pub(crate) joins: AtomicU32,
    pub(crate) token_life: AtomicU32,
    pub(crate) tokens: Mutex<PeerTokens>,
    pub(crate) refuse_joins: AtomicU32,
}

struct Service {
    script: Arc<Script>,
    streams: mpsc::Sender<Stream>,
    store: StoreId,
}

pub(crate) struct Fleet {
    pub(crate) script: Arc<Script>,
    pub(crate) address: SocketAddr,
    pub(crate) data: tempfile::TempDir,
    pub(crate) keyring: Arc<Keyring>,
    store: StoreId,
    streams: mpsc::Receiver<Stream>,
}

/// One Watch stream, from the control plane's side.
pub(crate) struct Stream {
    pub(crate) hello: Hello,
    pub(crate) store: StoreId,
    requests: Streaming<WatchRequest>,
    replies: mpsc::Sender<Result<WatchReply, Status>>,
}

/// A running client; stops when dropped.
pub(crate) struct Proxy {
    pub(crate) status: Arc<ConfigStatus>,
    pub(crate) loaded: Option<Version>,
    installs: mpsc::UnboundedReceiver<Installed>,
    shutdown: CancellationToken,
    task: Option<tokio::task::JoinHandle<()>>,
}

/// What was installed, by name.
#[derive(Debug)]
pub(crate) struct Installed {
    pub(crate) version: Version,
    pub(crate) names: Vec<String>,
    pub(crate) unknown: Vec<String>,
}

#[tonic::async_trait]
impl ControlPlane for Service {
    type WatchStream = ReceiverStream<Result<WatchReply, Status>>;

    async fn join(&self, request: Request<JoinRequest>) -> Result<Response<JoinReply>, Status> {
        self.script.joins.fetch_add(1, Ordering::SeqCst);
        let request = request.into_inner();
        if self.script.refuse_joins.load(Ordering::SeqCst) > 0 {
            return Err(Status::unavailable("not now"));
        }
        if request.token != self.script.join_token {
            return Err(Status::unauthenticated("wrong join token"));
        }
        let now = u64::try_from(Timestamp::now().micros() / 1_000_000).unwrap();
        let (jwt, _) = self.script.tokens.lock().unwrap().mint(&request.proxy, now)?;
        let expires_in_seconds = self.script.token_life.load(Ordering::SeqCst);
        Ok(Response::new(JoinReply { jwt, expires_in_seconds }))
    }

    async fn watch(
        &self,
        request: Request<Streaming<WatchRequest>>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        self.script.tokens.lock().unwrap().authorize(&request)?;
        let mut requests = request.into_inner();
        let first = requests.message().await?.and_then(|request| request.message);
        let Some(watch_request::Message::Hello(hello)) = first else { panic!("no hello: {first:?}") };
        let (replies, stream) = mpsc::channel(8);
        let stream_of_test = Stream { hello, store: self.store, requests, replies };
        let _ = self.streams.send(stream_of_test).await;
        Ok(Response::new(ReceiverStream::new(stream)))
    }

    async fn report_health(&self, _: Request<HealthReport>) -> Result<Response<HealthAck>, Status> {
        Err(Status::unimplemented("as older ones say"))
    }
}

impl Fleet {
    pub(crate) async fn start() -> Self {
        let keyring = Arc::new(Keyring::new(&MasterKey::generate(), &[]));
        let script = Arc::new(Script {
            join_token: secrets::random_token("pc-join-"),
            joins: AtomicU32::new(0),
            token_life: AtomicU32::new(900),
            tokens: Mutex::new(PeerTokens::new(keyring.token_key())),
            refuse_joins: AtomicU32::new(0),
        });
        let (sender, streams) = mpsc::channel(8);
        let store = StoreId::new();
        let service = Service { script: Arc::clone(&script), streams: sender, store };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = Server::builder().add_service(ControlPlaneServer::new(service));
        tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
        Self { script, address, data: tempfile::tempdir().unwrap(), keyring, store, streams }
    }

    pub(crate) fn version(&self, revision: u64) -> Version {
        Version { store: self.store, revision }
    }

    /// The next stream that the proxy opens.
    pub(crate) async fn stream(&mut self) -> Stream {
        soon(self.streams.recv()).await.expect("the server lives")
    }

    pub(crate) fn session(&self) -> Session {
        Session::new(SessionSettings {
            control_plane: format!("http://{}", self.address).parse().unwrap(),
            ledger: None,
            proxy: "p1".into(),
            join_token: Some(self.script.join_token.clone()),
            tls: None,
        })
        .unwrap()
    }

    pub(crate) fn proxy(&self) -> Proxy {
        self.proxy_with(|_| {})
    }

    pub(crate) fn proxy_with(&self, change: impl FnOnce(&mut ConfigSettings)) -> Proxy {
        let mut settings =
            ConfigSettings::new("eu".into(), self.data.path().to_owned(), Duration::from_secs(3600));
        settings.random = || 0.0;
        change(&mut settings);
        let (install, installs) = recorder();
        let mut client = ConfigClient::new(settings, self.session(), Arc::clone(&self.keyring), install);
        let status = client.status();
        let loaded = client.start_from_disk();
        let shutdown = CancellationToken::new();
        let task = Some(tokio::spawn(client.run(shutdown.clone())));
        Proxy { status, loaded, installs, shutdown, task }
    }

    pub(crate) fn snapshot_dir(&self) -> std::path::PathBuf {
        Path::join(self.data.path(), "snapshot")
    }
}

/// Refuses every version with a tenant called `bad`.
fn recorder() -> (Install, mpsc::UnboundedReceiver<Installed>) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let install = move |rows: &ConfigRows| {
        let mut names: Vec<_> = rows.known.iter().map(|row| row.name.clone()).collect();
        let mut unknown: Vec<_> = rows.unknown.iter().map(|row| row.name.clone()).collect();
        names.sort();
        unknown.sort();
        if names.iter().any(|name| name == "bad") {
            return Err("bad does not compile".to_owned());
        }
        let _ = sender.send(Installed { version: rows.version, names, unknown });
        Ok(())
    };
    (Arc::new(install), receiver)
}

impl Proxy {
    /// The next install that succeeded.
    pub(crate) async fn installed(&mut self) -> Installed {
        soon(self.installs.recv()).await.expect("the client lives")
    }

    /// Shuts down in good order.
    pub(crate) async fn stop(mut self) {
        self.shutdown.cancel();
        if let Some(task) = self.task.take() {
            soon(task).await.unwrap();
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

impl Stream {
    fn version(&self, revision: u64) -> Option<v1::Version> {
        Some(proto::version_to(Version { store: self.store, revision }))
    }

    pub(crate) async fn chunk(&self, revision: u64, resources: Vec<v1::Resource>, last: bool) {
        let version = self.version(revision);
        self.raw(Some(Message::Snapshot(v1::SnapshotChunk { version, resources, last }))).await;
    }

    pub(crate) async fn snapshot(&self, revision: u64, resources: Vec<v1::Resource>) {
        self.chunk(revision, resources, true).await;
    }

    pub(crate) async fn delta(
        &self,
        from: u64,
        to: u64,
        upserts: Vec<v1::Resource>,
        removed: &[&v1::Resource],
    ) {
        let removed = removed.iter().map(|row| row.id.clone()).collect();
        let (from, to) = (self.version(from), self.version(to));
        self.raw(Some(Message::Delta(v1::Delta { from, to, upserts, removed }))).await;
    }

    pub(crate) async fn heartbeat(&self, revision: u64) {
        self.raw(Some(Message::Heartbeat(v1::Heartbeat { version: self.version(revision) }))).await;
    }

    pub(crate) async fn raw(&self, message: Option<Message>) {
        self.replies.send(Ok(WatchReply { message })).await.expect("the proxy listens");
    }

    pub(crate) async fn fail(self, code: Code) {
        self.replies.send(Err(Status::new(code, "as the test says"))).await.expect("the proxy listens");
    }

    async fn answer(&mut self) -> watch_request::Message {
        let request = soon(self.requests.message()).await.unwrap().expect("the proxy answers");
        request.message.expect("no empty answers")
    }

    /// The revision that the next answer acks.
    pub(crate) async fn acked(&mut self) -> u64 {
        match self.answer().await {
            watch_request::Message::Ack(version) => proto::version_from(Some(&version)).unwrap().revision,
            other => panic!("expected an ack: {other:?}"),
        }
    }

    /// The revision that the next answer refuses, and why.
    pub(crate) async fn nacked(&mut self) -> (u64, String) {
        match self.answer().await {
            watch_request::Message::Nack(nack) => {
                (proto::version_from(nack.version.as_ref()).unwrap().revision, nack.reason)
            }
            other => panic!("expected a nack: {other:?}"),
        }
    }
}

pub(crate) fn tenant(name: &str) -> v1::Resource {
    proto::resource_to(&Resource {
        id: ResourceId::new(),
        tenant: None,
        name: name.into(),
        spec: Spec::Tenant(TenantSpec::default()),
        revision: 1,
        sealed: None,
    })
}

/// A row of a kind that this build does not know.
pub(crate) fn alien(name: &str) -> v1::Resource {
    v1::Resource { kind: "hologram".into(), ..tenant(name) }
}

/// Messages that no control plane would send.
pub(crate) fn nonsense() -> Vec<Option<Message>> {
    let store = Bytes::from_static(b"short");
    let version = Some(v1::Version { store, revision: 1 });
    let chunk = v1::SnapshotChunk { version: version.clone(), resources: vec![], last: true };
    vec![
        None,
        Some(Message::Snapshot(chunk)),
        Some(Message::Delta(v1::Delta::default())),
        Some(Message::Heartbeat(v1::Heartbeat { version })),
        Some(Message::Heartbeat(v1::Heartbeat { version: None })),
    ]
}
