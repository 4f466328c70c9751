//! The control plane's side of Join and Watch: proxies get the configuration, and every change of it at once.
//!
//! Each stream is in lock-step: one version is out at a time, and the next one leaves when the proxy has answered.
//! Deltas always start from the last version the proxy *acked* (or said hello with), never from one it refused, so
//! that after a nack both sides still agree on what the proxy holds, and commits that happen meanwhile travel as one.

mod feed;
mod join;
mod latest_version;
mod measure;
mod pack;
mod proxies;
mod shared;

use std::sync::Arc;

use domain::Timestamp;
use proto::v1::{
    HealthAck, HealthReport, JoinReply, JoinRequest, WatchReply, WatchRequest,
    control_plane_server::{ControlPlane, ControlPlaneServer},
};
use runtime::{metrics::Collect, peer::PeerTokens};
use store::Store;
use tokio::{
    sync::{Semaphore, mpsc, watch},
    time::Instant,
};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming};

use shared::Shared;

pub use join::JoinToken;
pub use proxies::{Proxies, ProxyStatus, Refused};
pub use shared::WatchSettings;

/// Largest message a proxy sends: what it sees of its targets.
const MAX_REQUEST: usize = proto::MAX_HEALTH_REPORT;
/// Replies that wait for the network; a chunk is about 1 MiB.
const REPLIES: usize = 2;
/// Snapshots that are read and sent at the same time: a fleet that reconnects must not need a fleet's memory.
const SNAPSHOTS: usize = 8;

/// The `ControlPlane` gRPC service.
pub struct WatchService {
    shared: Arc<Shared>,
    newest: watch::Receiver<latest_version::LatestVersion>,
    join: Option<JoinToken>,
}

impl WatchService {
    /// Starts looking for new versions, until `shutdown`, which also ends the streams. Without a join token only
    /// proxies with a client certificate are served. Must be called within a runtime.
    #[must_use]
    pub fn new(
        store: Store,
        tokens: Arc<PeerTokens>,
        join: Option<JoinToken>,
        proxies: Arc<Proxies>,
        settings: WatchSettings,
        shutdown: CancellationToken,
    ) -> Self {
        let newest = latest_version::follow(store.clone(), settings.poll, shutdown.clone());
        let snapshots = Semaphore::new(SNAPSHOTS);
        let shared = Arc::new(Shared { store, tokens, proxies, settings, snapshots, shutdown });
        Self { shared, newest, join }
    }

    /// How far the proxies have come.
    #[must_use]
    pub fn progress(&self) -> Arc<dyn Collect> {
        let newest = self.newest.clone();
        let proxies = Arc::clone(&self.shared.proxies);
        Arc::new(measure::Progress { newest, proxies })
    }

    /// For the gRPC server.
    #[must_use]
    pub fn into_server(self) -> ControlPlaneServer<Self> {
        ControlPlaneServer::new(self)
            .max_decoding_message_size(MAX_REQUEST)
            .max_encoding_message_size(proto::MAX_MESSAGE)
    }
}

#[tonic::async_trait]
impl ControlPlane for WatchService {
    type WatchStream = ReceiverStream<Result<WatchReply, Status>>;

    async fn join(&self, request: Request<JoinRequest>) -> Result<Response<JoinReply>, Status> {
        let join = self.join.as_ref();
        let join = join.ok_or_else(|| Status::unauthenticated("proxies join by certificate only"))?;
        let JoinRequest { token, proxy } = request.into_inner();
        join.check(&token)?;
        feed::check_text("proxy", &proxy)?;
        let now = u64::try_from(Timestamp::now().micros() / 1_000_000).unwrap_or_default();
        let (jwt, expires_in_seconds) = self.shared.tokens.mint(&proxy, now)?;
        tracing::info!(%proxy, "joined");
        Ok(Response::new(JoinReply { jwt, expires_in_seconds }))
    }

    async fn watch(
        &self,
        request: Request<Streaming<WatchRequest>>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let peer = self.shared.tokens.authorize(&request)?;
        let (replies, stream) = mpsc::channel(REPLIES);
        let newest = self.newest.clone();
        tokio::spawn(feed::run(Arc::clone(&self.shared), newest, peer, request.into_inner(), replies));
        Ok(Response::new(ReceiverStream::new(stream)))
    }

    async fn report_health(&self, request: Request<HealthReport>) -> Result<Response<HealthAck>, Status> {
        let peer = self.shared.tokens.authorize(&request)?;
        let report = request.into_inner();
        feed::check_name(&report.proxy, &peer)?;
        self.shared.proxies.health.take(report, Instant::now())?;
        Ok(Response::new(HealthAck {}))
    }
}
