//! The answer on its way to the client: plain ones with their cost in the headers, streams tapped as they pass.

mod long;
mod stream;

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use domain::{AttemptOutcome, RequestOutcome};
use http::{HeaderMap, HeaderName, HeaderValue, Response, header};
use http_body::{Body, Frame, SizeHint};
use tokio::time::Instant;

use self::{long::PassthroughBody, stream::StreamBody};
use crate::{
    attempt::{UpstreamBody, UpstreamResponse},
    explain,
    gateway::InFlightPermit,
    listener::ActiveRequestGuard,
    meter::{Meter, Totals},
    pipeline::LlmRequest,
};
use wire::Api;

/// A body on its way out; holds the request's place until its last byte went out.
pub(crate) struct ResponseBody {
    inner: Inner,
    /// When the last byte is due.
    deadline: Instant,
    place: Option<InFlightPermit>,
    running: Option<ActiveRequestGuard>,
}

enum Inner {
    Whole(Option<Bytes>),
    Long(Box<PassthroughBody>),
    Stream(Box<StreamBody>),
}

/// The provider broke off a plain answer: the client's connection has to break off too.
#[derive(Debug, thiserror::Error)]
#[error("the provider's answer broke off")]
pub(crate) struct UpstreamAborted;

impl ResponseBody {
    pub(crate) fn whole(bytes: Bytes) -> Self {
        Self::new(Inner::Whole(Some(bytes)), Instant::now())
    }

    const fn new(inner: Inner, deadline: Instant) -> Self {
        Self { inner, deadline, place: None, running: None }
    }

    /// Counts among what its connection is busy with until the body is dropped.
    pub(crate) fn running(mut self, running: ActiveRequestGuard) -> Self {
        running.ends(self.deadline);
        self.running = Some(running);
        self
    }

    /// Keeps the request's place until the body is dropped.
    pub(crate) fn holding(mut self, place: InFlightPermit) -> Self {
        self.place = Some(place);
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
            Inner::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Inner::Long(body) => body.poll(cx),
            Inner::Stream(body) => body.poll(cx).map(|bytes| bytes.map(|bytes| Ok(Frame::data(bytes)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.inner {
            Inner::Whole(bytes) => bytes.as_ref().is_none_or(Bytes::is_empty),
            Inner::Long(body) => body.is_done(),
            Inner::Stream(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.inner {
            Inner::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, Bytes::len) as u64),
            Inner::Long(body) => body.size_hint(),
            Inner::Stream(_) => SizeHint::default(),
        }
    }
}

/// Turns a believed answer into the client's.
pub(crate) fn respond(
    answer: UpstreamResponse,
    ask: &LlmRequest,
    mut meter: Meter,
) -> Response<ResponseBody> {
    let notes = meter.notes();
    meter.head_goes_out(notes.overhead);
    let mut headers = HeaderMap::with_capacity(24);
    pass(&answer.head.headers, &mut headers);
    notes.write(&mut headers);
    let (status, deadline) = (answer.head.status, answer.deadline);
    let inner = match answer.kind {
        UpstreamBody::Buffered(body) => {
            // The event is on its way to disk before the client has a byte.
            meter.end(AttemptOutcome::Ok);
            let totals = meter.settle(RequestOutcome::Ok, u32::from(status.as_u16()));
            write_totals(&totals, &mut headers);
            explained(&meter, &mut headers);
            Inner::Whole(Some(body))
        }
        UpstreamBody::Passthrough(start, rest) => {
            explained(&meter, &mut headers);
            Inner::Long(Box::new(PassthroughBody::new(start, rest, ask, answer.deadline, meter)))
        }
        UpstreamBody::Streaming(tap, pieces, rest) => {
            let media = match ask.api {
                Api::Converse => "application/vnd.amazon.eventstream",
                _ => "text/event-stream",
            };
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media));
            headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
            // Where no comment will say it, the head says what is known by now.
            if !stream::comments(&tap, &meter) {
                explained(&meter, &mut headers);
            }
            let source = stream::Source { tap, rest, deadline: answer.deadline, secret: answer.secret };
            Inner::Stream(Box::new(StreamBody::new(source, pieces, ask, meter)))
        }
    };
    let mut response = Response::new(ResponseBody::new(inner, deadline));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

/// The provider's headers that concern the client; the rest is between gateway and provider.
fn pass(from: &HeaderMap, to: &mut HeaderMap) {
    const PASSED: [HeaderName; 3] = [
        header::CONTENT_TYPE,
        HeaderName::from_static("openai-processing-ms"),
        HeaderName::from_static("openai-version"),
    ];
    const PROVIDER_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
    for name in PASSED {
        if let Some(value) = from.get(&name) {
            to.insert(name, value.clone());
        }
    }
    if let Some(value) = from.get(&PROVIDER_REQUEST_ID) {
        to.insert(HeaderName::from_static("x-portcullis-provider-request-id"), value.clone());
    }
}

/// What led to the answer, where the client asks for that.
fn explained(meter: &Meter, headers: &mut HeaderMap) {
    if let Some(explained) = meter.explain() {
        explain::write(&explained, headers);
    }
}

/// Cost and tokens of a plain answer; no cost where nobody knows the price.
fn write_totals(totals: &Totals, headers: &mut HeaderMap) {
    if totals.priced
        && let Ok(cost) = HeaderValue::from_str(&totals.cost.to_string())
    {
        headers.insert(HeaderName::from_static("x-portcullis-cost-usd"), cost);
    }
    let usage = &totals.usage;
    headers.insert(HeaderName::from_static("x-portcullis-tokens-in"), HeaderValue::from(usage.input()));
    headers
        .insert(HeaderName::from_static("x-portcullis-tokens-cached"), HeaderValue::from(usage.cache_read));
    headers.insert(HeaderName::from_static("x-portcullis-tokens-out"), HeaderValue::from(usage.output()));
}
