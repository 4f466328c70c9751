//! The body of a response, with the permits that a request holds until its last byte went out.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::time::Instant;

use crate::activity::{ActiveRequestGuard, InFlightPermit};

/// A body on its way to the client.
pub(crate) struct ResponseBody {
    inner: Inner,
    /// When the last byte is due.
    deadline: Instant,
    in_flight: Option<InFlightPermit>,
    active: Option<ActiveRequestGuard>,
}

enum Inner {
    /// All of it, until it was handed out.
    Full(Option<Bytes>),
    /// What a provider is still sending.
    Relayed(Pin<Box<dyn Body<Data = Bytes, Error = UpstreamAborted> + Send>>),
}

/// The provider broke off a response that is passed through: the client's connection has to break off too.
#[derive(Debug, thiserror::Error)]
#[error("the provider's response broke off")]
pub(crate) struct UpstreamAborted;

impl ResponseBody {
    /// A body of the gateway's own.
    pub(crate) fn full(bytes: Bytes) -> Self {
        Self::buffered(bytes, Instant::now())
    }

    /// A provider's body that is here, whole, and is due by `deadline`.
    pub(crate) const fn buffered(bytes: Bytes, deadline: Instant) -> Self {
        Self { inner: Inner::Full(Some(bytes)), deadline, in_flight: None, active: None }
    }

    /// A body that comes from a provider, and is due by `deadline`.
    pub(crate) fn relayed(
        body: impl Body<Data = Bytes, Error = UpstreamAborted> + Send + 'static,
        deadline: Instant,
    ) -> Self {
        Self { inner: Inner::Relayed(Box::pin(body)), deadline, in_flight: None, active: None }
    }

    /// Counts among the requests of its connection until the body is dropped.
    pub(crate) fn with_active_request(mut self, active: ActiveRequestGuard) -> Self {
        active.ends(self.deadline);
        self.active = Some(active);
        self
    }

    /// Keeps the request's permit until the body is dropped.
    pub(crate) fn with_permit(mut self, permit: InFlightPermit) -> Self {
        self.in_flight = Some(permit);
        self
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = UpstreamAborted;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, UpstreamAborted>>> {
        match &mut self.inner {
            Inner::Full(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Inner::Relayed(body) => body.as_mut().poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.inner {
            Inner::Full(bytes) => bytes.as_ref().is_none_or(Bytes::is_empty),
            Inner::Relayed(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.inner {
            Inner::Full(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, Bytes::len) as u64),
            Inner::Relayed(body) => body.size_hint(),
        }
    }
}
