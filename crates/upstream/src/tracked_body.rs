//! A request body that records when it was handed to a connection.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

/// Whether a request went out; what never went out costs nothing.
pub type SentFlag = Arc<AtomicBool>;

/// The bytes for the provider. They are asked for once there is a connection that takes them; until then the
/// provider knows nothing of the request.
pub struct TrackedBody {
    bytes: Option<Bytes>,
    sent: SentFlag,
}

impl TrackedBody {
    /// Sets `sent` once a connection asks for `bytes`.
    #[must_use]
    pub const fn new(bytes: Bytes, sent: SentFlag) -> Self {
        Self { bytes: Some(bytes), sent }
    }
}

impl Body for TrackedBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.sent.store(true, Ordering::Relaxed);
        Poll::Ready(self.bytes.take().map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.bytes.as_ref().map_or(0, Bytes::len) as u64)
    }
}
