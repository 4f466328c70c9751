//! The response of an attempt, as far as it was read before the target is believed.

use std::{sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use http::response::Parts;
use http_body::Body as _;
use hyper::body::Incoming;
use tokio::time::Instant;
use wire::{Api, OutputChunk, StreamPipe};
use zeroize::Zeroizing;

use crate::meter::AttemptRef;

/// Largest response that is buffered, in bytes, to judge it or to put its cost into the headers.
pub(super) const MAX_HELD: usize = 8 << 20;
/// How long to wait after the terminal event of a stream for the usage that a provider sends only then.
pub(super) const TRAILING_USAGE_TIMEOUT: Duration = Duration::from_millis(500);

/// A provider's response that has shown that it is one.
pub(crate) struct UpstreamResponse {
    pub(crate) head: Parts,
    pub(crate) kind: UpstreamBody,
    pub(crate) deadline: Instant,
    /// Kept to redact it from what the provider sends later.
    pub(crate) secret: Option<Arc<Zeroizing<String>>>,
}

/// The body of a response.
pub(crate) enum UpstreamBody {
    /// All of it.
    Buffered(Bytes),
    /// Larger than is buffered: the start, and the rest still to come.
    Passthrough(Bytes, Incoming),
    /// A stream that has shown content: the first chunks, and the rest still to come.
    Streaming(Box<StreamPipe>, Vec<OutputChunk>, Incoming),
}

/// A response that was not good enough, kept for want of a better one; its attempt has ended.
pub(crate) struct KeptResponse {
    pub(crate) response: UpstreamResponse,
    pub(crate) attempt: AttemptRef,
}

/// The provider's own bytes of a response that is read as a whole.
#[derive(Default)]
pub(super) struct BufferedBody {
    chunks: Vec<Bytes>,
    bytes: usize,
}

impl BufferedBody {
    /// Adds a chunk; shares its memory.
    pub(super) fn push(&mut self, data: &Bytes) {
        self.bytes += data.len();
        self.chunks.push(data.clone());
    }

    /// Its length so far, in bytes.
    pub(super) const fn len(&self) -> usize {
        self.bytes
    }

    /// All of it in one piece.
    pub(super) fn into_bytes(mut self) -> Bytes {
        if self.chunks.len() == 1 {
            return self.chunks.pop().unwrap_or_default();
        }
        let mut whole = BytesMut::with_capacity(self.bytes);
        self.chunks.iter().for_each(|chunk| whole.extend_from_slice(chunk));
        whole.freeze()
    }
}

/// Output tokens of a complete response that does not report its usage: four bytes a token; vectors are not output.
pub(crate) const fn output_estimate(api: Api, bytes: u64) -> u64 {
    if api.generates() { bytes.div_ceil(4) } else { 0 }
}

/// Whether all of a body came, without asking it for more.
pub(crate) fn has_ended(body: &Incoming) -> bool {
    body.is_end_stream() || body.size_hint().exact() == Some(0)
}
