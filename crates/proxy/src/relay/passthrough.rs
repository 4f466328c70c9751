//! A response without events that is too large to be buffered: passed on as it comes, its usage read from its end.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use domain::{AttemptOutcome, RequestOutcome};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep, sleep_until};
use wire::Api;

use crate::{
    attempt::{has_ended, output_estimate},
    meter::Meter,
    request::LlmRequest,
    response::UpstreamAborted,
};

/// Where providers write `usage`: behind the data, within the last bytes.
const TAIL: usize = 16 << 10;

/// The body of such a response.
pub(super) struct PassthroughBody {
    api: Api,
    start: Option<Bytes>,
    rest: Incoming,
    tail: Vec<u8>,
    length: u64,
    alarm: Pin<Box<Sleep>>,
    between: Duration,
    deadline: Instant,
    meter: Meter,
    ended: bool,
}

impl PassthroughBody {
    pub(super) fn new(
        start: Bytes,
        rest: Incoming,
        request: &LlmRequest,
        deadline: Instant,
        meter: Meter,
    ) -> Self {
        let between = request.plan.terms.timeouts.between_tokens.std();
        Self {
            api: request.api,
            start: Some(start),
            rest,
            tail: Vec::with_capacity(2 * TAIL),
            length: 0,
            alarm: Box::pin(sleep_until(deadline.min(Instant::now() + between))),
            between,
            deadline,
            meter,
            ended: false,
        }
    }

    fn note(&mut self, data: &[u8]) {
        self.length += data.len() as u64;
        let recent = &data[data.len().saturating_sub(TAIL)..];
        let surplus = (self.tail.len() + recent.len()).saturating_sub(TAIL);
        self.tail.drain(..surplus.min(self.tail.len()));
        self.tail.extend_from_slice(recent);
    }

    /// Settles the account.
    fn settle(&mut self, attempt: AttemptOutcome, request: RequestOutcome) {
        self.ended = true;
        self.meter.observe(wire::tail_usage(&self.tail), output_estimate(self.api, self.length));
        self.meter.end(attempt);
        self.meter.settle(request, 200);
    }
}

impl Body for PassthroughBody {
    type Data = Bytes;
    type Error = UpstreamAborted;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, UpstreamAborted>>> {
        let this = &mut *self;
        if let Some(start) = this.start.take() {
            this.note(&start);
            return Poll::Ready(Some(Ok(Frame::data(start))));
        }
        if this.ended {
            return Poll::Ready(None);
        }
        loop {
            match Pin::new(&mut this.rest).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    let Ok(data) = frame.into_data() else { continue };
                    this.note(&data);
                    this.alarm.as_mut().reset(this.deadline.min(Instant::now() + this.between));
                    // A client that knows the response's length does not ask for more than that.
                    if has_ended(&this.rest) {
                        this.settle(AttemptOutcome::Ok, RequestOutcome::Ok);
                    }
                    return Poll::Ready(Some(Ok(Frame::data(data))));
                }
                Poll::Ready(None) => {
                    this.settle(AttemptOutcome::Ok, RequestOutcome::Ok);
                    return Poll::Ready(None);
                }
                Poll::Ready(Some(Err(_))) => {
                    this.settle(AttemptOutcome::Cut, RequestOutcome::Cut);
                    return Poll::Ready(Some(Err(UpstreamAborted)));
                }
                Poll::Pending => {
                    ready!(this.alarm.as_mut().poll(cx));
                    this.settle(AttemptOutcome::Timeout, RequestOutcome::Cut);
                    return Poll::Ready(Some(Err(UpstreamAborted)));
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.ended
    }

    /// What is still to come, where the provider said how much that is.
    fn size_hint(&self) -> SizeHint {
        let start = self.start.as_ref().map_or(0, Bytes::len) as u64;
        let exact = self.rest.size_hint().exact().map(|rest| SizeHint::with_exact(start + rest));
        exact.unwrap_or_default()
    }
}
