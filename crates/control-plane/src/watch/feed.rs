//! One proxy's stream: hello, then the newest version whenever it is not the one the proxy last answered for.

use std::sync::Arc;

use domain::{Kind, Resource, Timestamp, Version};
use proto::v1::{Heartbeat, Hello, Nack, WatchReply, WatchRequest, watch_reply, watch_request::Message};
use runtime::peer::Peer;
use store::StoreError;
use tokio::{
    sync::{SemaphorePermit, mpsc, watch},
    time::{Instant, Interval, MissedTickBehavior},
};
use tonic::{Code, Status, Streaming};

use super::{
    latest_version::LatestVersion,
    pack,
    proxies::{ProxyRegistration, ProxyStatus},
    shared::Shared,
};

/// Longest text a proxy may say of itself, in bytes.
const MAX_TEXT: usize = 128;
/// Longest reason that is kept of a nack, in characters.
const MAX_REASON: usize = 2_000;
/// The name that `runtime::peer` gives to peers that came by certificate only.
const BY_CERTIFICATE: &str = "certificate";

struct Feed {
    shared: Arc<Shared>,
    newest: watch::Receiver<LatestVersion>,
    requests: Streaming<WatchRequest>,
    replies: mpsc::Sender<Result<WatchReply, Status>>,
    registration: ProxyRegistration,
    proxy: String,
    beat: Interval,
    /// What the proxy holds: the last version it acked, or said hello with. Deltas start here.
    held: Option<Version>,
    /// The last version it answered for, with ack or nack; the same one is never sent twice.
    settled: Option<Version>,
    /// The version that is out, and until when its answer must be here.
    asked: Option<(Version, Instant)>,
}

/// Serves one stream to its end.
pub(super) async fn run(
    shared: Arc<Shared>,
    newest: watch::Receiver<LatestVersion>,
    peer: Peer,
    requests: Streaming<WatchRequest>,
    replies: mpsc::Sender<Result<WatchReply, Status>>,
) {
    let shutdown = shared.shutdown.clone();
    let serving = async {
        let mut feed = Feed::handshake(shared, newest, peer, requests, replies.clone()).await?;
        let ended = feed.serve().await;
        match &ended {
            Ok(()) => tracing::info!(proxy = %feed.proxy, "proxy left"),
            Err(status) => {
                tracing::info!(proxy = %feed.proxy, code = ?status.code(), "proxy lost: {}", status.message());
            }
        }
        ended
    };
    // A shutdown closes the stream with a status, so that the proxy reconnects at once, to another control plane.
    if let Some(Err(status)) = shutdown.run_until_cancelled(serving).await {
        let _ = replies.try_send(Err(status));
    }
}

impl Feed {
    async fn handshake(
        shared: Arc<Shared>,
        newest: watch::Receiver<LatestVersion>,
        peer: Peer,
        mut requests: Streaming<WatchRequest>,
        replies: mpsc::Sender<Result<WatchReply, Status>>,
    ) -> Result<Self, Status> {
        let first = tokio::time::timeout(shared.settings.hello, requests.message()).await;
        let first = first.map_err(|_| Status::deadline_exceeded("no hello"))??;
        let Some(Message::Hello(hello)) = first.and_then(|request| request.message) else {
            return Err(Status::invalid_argument("the first message must be a hello"));
        };
        check_hello(&hello, &peer)?;
        let have = match &hello.have {
            Some(version) => Some(proto::version_from(Some(version)).map_err(malformed)?),
            None => None,
        };
        let held = have.filter(|have| have.store == shared.store.id());
        tracing::info!(
            proxy = %hello.proxy, region = %hello.region, build = %hello.build, have = ?have, "proxy connected"
        );
        let status = ProxyStatus {
            name: hello.proxy.clone(),
            region: hello.region,
            build: hello.build,
            since: Timestamp::now(),
            version: have,
            acked_at: None,
            refused: None,
        };
        let full = || Status::resource_exhausted("too many proxies are connected");
        let registration = shared.proxies.register(status).ok_or_else(full)?;
        let period = shared.settings.heartbeat;
        let mut beat = tokio::time::interval_at(Instant::now() + period, period);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let proxy = hello.proxy;
        Ok(Self {
            shared,
            newest,
            requests,
            replies,
            registration,
            proxy,
            beat,
            held,
            settled: held,
            asked: None,
        })
    }

    async fn serve(&mut self) -> Result<(), Status> {
        self.newest()?;
        let mut news = true; // to a proxy that just came, the newest version is news, whatever it is
        loop {
            if news && self.asked.is_none() {
                news = false;
                self.push().await?;
            }
            let deadline = self.asked.map(|(_, deadline)| deadline);
            tokio::select! {
                changed = self.newest.changed() => {
                    if changed.is_err() {
                        return Ok(()); // its sender ends only at shutdown
                    }
                    self.newest()?;
                    news = true;
                }
                request = self.requests.message() => match request? {
                    Some(request) => self.answered(request)?,
                    None => return Ok(()),
                },
                _ = self.beat.tick() => self.heartbeat().await?,
                () = passed(deadline) => return Err(Status::deadline_exceeded("no ack and no nack")),
            }
        }
    }

    /// Sends what leads from the version that the proxy holds to the newest, unless it answered for that already.
    async fn push(&mut self) -> Result<(), Status> {
        let Some(held) = self.held else { return self.push_snapshot().await };
        let mut changes =
            self.shared.store.changes_since(held.revision).await.map_err(|error| unavailable(&error))?;
        if Some(changes.to) == self.settled {
            return self.say_newest(changes.to).await;
        }
        // A revision below the one it holds: the store was restored from a backup, and nothing follows from it.
        let follows = changes.to.store == held.store && changes.to.revision >= held.revision;
        changes.upserts.extend(self.catalogue_since(held.revision).await?);
        match pack::delta(held, &changes).filter(|_| follows) {
            Some(delta) => {
                self.send(delta).await?;
                self.ask(changes.to);
                Ok(())
            }
            None => self.push_snapshot().await,
        }
    }

    async fn push_snapshot(&mut self) -> Result<(), Status> {
        let shared = Arc::clone(&self.shared);
        let _permit = self.permit(&shared).await?;
        let (version, mut rows) = shared.store.load().await.map_err(|error| unavailable(&error))?;
        if Some(version) == self.settled {
            return self.say_newest(version).await;
        }
        rows.extend(self.catalogue_since(0).await?);
        for chunk in pack::chunks(version, rows) {
            self.send(chunk).await?;
        }
        self.ask(version);
        Ok(())
    }

    /// Read after the version: what is newer than it comes once more with the next delta, which changes nothing.
    async fn catalogue_since(&self, revision: u64) -> Result<Vec<Resource>, Status> {
        let rows = self.shared.store.catalogue_since(revision, Timestamp::now()).await;
        rows.map_err(|error| unavailable(&error))
    }

    /// Waits for its turn; the proxy hears that it is not forgotten.
    async fn permit<'a>(&mut self, shared: &'a Shared) -> Result<SemaphorePermit<'a>, Status> {
        loop {
            tokio::select! {
                permit = shared.snapshots.acquire() => {
                    return permit.map_err(|_| Status::unavailable("shutting down"));
                }
                _ = self.beat.tick() => self.heartbeat().await?,
            }
        }
    }

    fn ask(&mut self, version: Version) {
        self.asked = Some((version, Instant::now() + self.shared.settings.answer));
    }

    fn answered(&mut self, request: WatchRequest) -> Result<(), Status> {
        let (version, refusal) = match request.message {
            Some(Message::Ack(version)) => (Some(version), None),
            Some(Message::Nack(Nack { version, reason })) => (version, Some(reason)),
            _ => return Err(Status::invalid_argument("neither an ack nor a nack")),
        };
        let version = proto::version_from(version.as_ref()).map_err(malformed)?;
        match self.asked.take() {
            Some((asked, _)) if asked == version => {}
            _ => return Err(Status::invalid_argument("an answer to a version that was not sent")),
        }
        self.settled = Some(version);
        match refusal {
            None => {
                self.held = Some(version);
                self.registration.acked(version);
                tracing::debug!(proxy = %self.proxy, %version, "acked");
            }
            Some(reason) => {
                let reason: String = reason.chars().take(MAX_REASON).collect();
                tracing::warn!(
                    proxy = %self.proxy, %version, serving = ?self.held, reason = ?reason,
                    "a proxy refused the configuration and serves the one before"
                );
                self.registration.refused(version, reason);
            }
        }
        Ok(())
    }

    async fn heartbeat(&self) -> Result<(), Status> {
        self.say_newest(self.newest()?).await
    }

    async fn say_newest(&self, version: Version) -> Result<(), Status> {
        let version = Some(proto::version_to(version));
        self.send(watch_reply::Message::Heartbeat(Heartbeat { version })).await
    }

    fn newest(&self) -> Result<Version, Status> {
        (*self.newest.borrow()).ok_or_else(|| Status::unavailable("the configuration store is unavailable"))
    }

    async fn send(&self, message: watch_reply::Message) -> Result<(), Status> {
        let reply = WatchReply { message: Some(message) };
        let sent = self.replies.send_timeout(Ok(reply), self.shared.settings.send).await;
        sent.map_err(|_| Status::cancelled("the proxy is gone, or too slow"))
    }
}

fn check_hello(hello: &Hello, peer: &Peer) -> Result<(), Status> {
    check_name(&hello.proxy, peer)?;
    if hello.region.len().max(hello.build.len()) > MAX_TEXT || hello.kinds.len() > 1_000 {
        return Err(Status::invalid_argument("a field of the hello is too long"));
    }
    let lacks: Vec<_> = Kind::ALL
        .iter()
        .map(|kind| kind.as_str())
        .filter(|kind| !hello.kinds.iter().any(|k| k == kind))
        .collect();
    if !lacks.is_empty() {
        tracing::warn!(proxy = %hello.proxy, build = %hello.build, ?lacks, "an older proxy; it disables what needs these");
    }
    Ok(())
}

/// Whether a proxy may call itself so.
#[allow(clippy::result_large_err, reason = "tonic's own error type")]
pub(super) fn check_name(proxy: &str, peer: &Peer) -> Result<(), Status> {
    check_text("proxy", proxy)?;
    match peer.name == BY_CERTIFICATE || peer.name == proxy {
        true => Ok(()),
        false => Err(Status::permission_denied("the proxy joined under another name")),
    }
}

/// Refuses a name that is empty, too long or would garble a log.
#[allow(clippy::result_large_err, reason = "tonic's own error type")]
pub(super) fn check_text(field: &str, text: &str) -> Result<(), Status> {
    match (1..=MAX_TEXT).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic()) {
        true => Ok(()),
        false => Err(Status::new(
            Code::InvalidArgument,
            format!("{field} must be 1 to {MAX_TEXT} printable ASCII characters"),
        )),
    }
}

fn malformed(error: proto::Malformed) -> Status {
    Status::invalid_argument(error.0)
}

/// The proxy needs to know no more than that it must come again; what happened is for the operator's log.
fn unavailable(error: &StoreError) -> Status {
    tracing::error!("cannot read the configuration for a proxy: {error}");
    Status::unavailable("the configuration store is unavailable")
}

/// Never, when there is no deadline.
async fn passed(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
