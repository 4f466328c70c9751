//! One Watch stream, from hello to its end: what arrives, and what is answered.

use std::{future::Future, time::Duration};

use bytes::Bytes;
use domain::{Kind, Version};
use prost::Message as _;
use proto::v1::{self, watch_reply, watch_request};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};

use crate::{
    row_set::{OutOfStep, Update},
    session::Session,
};

/// Largest snapshot that is assembled, in bytes; beyond it something is wrong with the other side.
const MAX_SNAPSHOT: usize = 1 << 30;
/// Answers that wait for the network; the control plane sends nothing new before it has one.
const ANSWERS: usize = 4;
/// Longest reason that is sent with a nack, in bytes.
const MAX_REASON: usize = 2_000;

/// Why a stream is over.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Lost {
    /// The call failed.
    #[error("{}", .0.message())]
    Call(#[from] Status),
    /// Not even a heartbeat.
    #[error("nothing heard for {} s", .0.as_secs())]
    Silent(Duration),
    /// The two sides disagree on what the proxy holds: it must begin anew.
    #[error(transparent)]
    OutOfStep(#[from] OutOfStep),
    /// The other side broke the protocol.
    #[error("{0}")]
    Protocol(&'static str),
}

/// What was heard, once it is complete.
pub(crate) enum Heard {
    /// New rows.
    Update(Update),
    /// The newest version.
    Newest(Version),
}

/// An open stream.
pub(crate) struct Stream {
    replies: Streaming<v1::WatchReply>,
    answers: mpsc::Sender<v1::WatchRequest>,
    silence: Duration,
    chunks: Option<Chunks>,
}

/// A snapshot that is still incomplete.
struct Chunks {
    version: Version,
    rows: Vec<v1::Resource>,
    bytes: usize,
}

impl Stream {
    /// Connects and says hello.
    pub(crate) async fn open(
        session: &Session,
        region: &str,
        have: Option<Version>,
        silence: Duration,
    ) -> Result<Self, Lost> {
        let hello = v1::Hello {
            proxy: session.proxy().to_owned(),
            region: region.to_owned(),
            build: env!("CARGO_PKG_VERSION").to_owned(),
            kinds: Kind::ALL.iter().map(|kind| kind.as_str().to_owned()).collect(),
            have: have.map(proto::version_to),
        };
        let (answers, queued) = mpsc::channel(ANSWERS);
        say(&answers, watch_request::Message::Hello(hello))?;
        let call = async {
            let mut client = session.control_plane().await?;
            client.watch(ReceiverStream::new(queued)).await
        };
        let replies = within(silence, call).await??.into_inner();
        Ok(Self { replies, answers, silence, chunks: None })
    }

    /// The next complete message, or nothing once the other side ended the stream in good order.
    pub(crate) async fn next(&mut self) -> Result<Option<Heard>, Lost> {
        loop {
            let Some(reply) = within(self.silence, self.replies.message()).await?? else { return Ok(None) };
            match reply.message.ok_or(Lost::Protocol("an empty message, or one of a newer protocol"))? {
                watch_reply::Message::Snapshot(chunk) => {
                    if let Some(update) = self.collect(chunk)? {
                        return Ok(Some(Heard::Update(update)));
                    }
                }
                watch_reply::Message::Delta(delta) => {
                    self.chunks = None;
                    return Ok(Some(Heard::Update(Update::Delta(delta))));
                }
                watch_reply::Message::Heartbeat(beat) => {
                    return Ok(Some(Heard::Newest(version(beat.version.as_ref())?)));
                }
            }
        }
    }

    fn collect(&mut self, chunk: v1::SnapshotChunk) -> Result<Option<Update>, Lost> {
        let version = version(chunk.version.as_ref())?;
        let chunks = self.chunks.get_or_insert(Chunks { version, rows: Vec::new(), bytes: 0 });
        chunks.bytes += chunk.encoded_len();
        if chunks.version != version {
            return Err(Lost::Protocol("a snapshot changed its version between chunks"));
        }
        if chunks.bytes > MAX_SNAPSHOT {
            return Err(Lost::Protocol("a snapshot of more than 1 GiB"));
        }
        chunks.rows.extend(chunk.resources.into_iter().map(detached));
        if !chunk.last {
            return Ok(None);
        }
        Ok(self.chunks.take().map(|chunks| Update::Snapshot(chunks.version, chunks.rows)))
    }

    pub(crate) fn ack(&self, version: Version) -> Result<(), Lost> {
        say(&self.answers, watch_request::Message::Ack(proto::version_to(version)))
    }

    pub(crate) fn nack(&self, version: Version, reason: &str) -> Result<(), Lost> {
        let end = reason.floor_char_boundary(MAX_REASON);
        let nack = v1::Nack { version: Some(proto::version_to(version)), reason: reason[..end].to_owned() };
        say(&self.answers, watch_request::Message::Nack(nack))
    }
}

/// A copy of a row, so that its bytes keep no network buffer alive.
fn detached(row: v1::Resource) -> v1::Resource {
    let own = |bytes: &Bytes| Bytes::copy_from_slice(bytes);
    v1::Resource {
        id: own(&row.id),
        tenant: own(&row.tenant),
        spec: own(&row.spec),
        sealed: own(&row.sealed),
        ..row
    }
}

fn version(version: Option<&v1::Version>) -> Result<Version, Lost> {
    proto::version_from(version).map_err(|malformed| Lost::OutOfStep(malformed.into()))
}

fn say(answers: &mpsc::Sender<v1::WatchRequest>, message: watch_request::Message) -> Result<(), Lost> {
    let request = v1::WatchRequest { message: Some(message) };
    answers.try_send(request).map_err(|_| Lost::Protocol("the control plane takes no answers"))
}

async fn within<T>(limit: Duration, wait: impl Future<Output = T>) -> Result<T, Lost> {
    tokio::time::timeout(limit, wait).await.map_err(|_| Lost::Silent(limit))
}
