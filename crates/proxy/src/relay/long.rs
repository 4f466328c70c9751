//! A plain answer too large to be held: passed on as it comes, its usage read from its last bytes.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use domain::{AttemptOutcome, RequestOutcome};
use http_body::{Body as _, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep, sleep_until};
use wire::Api;

use super::UpstreamAborted;
use crate::{
    attempt::{has_ended, output_estimate},
    meter::Meter,
    pipeline::LlmRequest,
};

/// Where providers write `usage`: behind the data, within the last bytes.
const TAIL: usize = 16 << 10;

/// The body of a long answer.
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
        ask: &LlmRequest,
        deadline: Instant,
        meter: Meter,
    ) -> Self {
        let between = ask.plan.terms.timeouts.between_tokens.std();
        let alarm = Box::pin(sleep_until(deadline.min(Instant::now() + between)));
        let (start, tail) = (Some(start), Vec::with_capacity(2 * TAIL));
        let api = ask.api;
        Self { api, start, rest, tail, length: 0, alarm, between, deadline, meter, ended: false }
    }

    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, UpstreamAborted>>> {
        if let Some(start) = self.start.take() {
            self.note(&start);
            return Poll::Ready(Some(Ok(Frame::data(start))));
        }
        if self.ended {
            return Poll::Ready(None);
        }
        loop {
            match Pin::new(&mut self.rest).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    let Ok(data) = frame.into_data() else { continue };
                    self.note(&data);
                    self.alarm.as_mut().reset(self.deadline.min(Instant::now() + self.between));
                    // Of an answer of known length the client does not ask for more than that.
                    if has_ended(&self.rest) {
                        self.book(AttemptOutcome::Ok, RequestOutcome::Ok);
                    }
                    return Poll::Ready(Some(Ok(Frame::data(data))));
                }
                Poll::Ready(None) => {
                    self.book(AttemptOutcome::Ok, RequestOutcome::Ok);
                    return Poll::Ready(None);
                }
                Poll::Ready(Some(Err(_))) => {
                    self.book(AttemptOutcome::Cut, RequestOutcome::Cut);
                    return Poll::Ready(Some(Err(UpstreamAborted)));
                }
                Poll::Pending => {
                    ready!(self.alarm.as_mut().poll(cx));
                    self.book(AttemptOutcome::Timeout, RequestOutcome::Cut);
                    return Poll::Ready(Some(Err(UpstreamAborted)));
                }
            }
        }
    }

    /// Whether all of it was handed out.
    pub(super) const fn is_done(&self) -> bool {
        self.ended
    }

    /// What is still to come, where the provider said how much that is.
    pub(super) fn size_hint(&self) -> SizeHint {
        let start = self.start.as_ref().map_or(0, Bytes::len) as u64;
        let exact = self.rest.size_hint().exact().map(|rest| SizeHint::with_exact(start + rest));
        exact.unwrap_or_default()
    }

    fn note(&mut self, data: &[u8]) {
        self.length += data.len() as u64;
        let recent = &data[data.len().saturating_sub(TAIL)..];
        let surplus = (self.tail.len() + recent.len()).saturating_sub(TAIL);
        self.tail.drain(..surplus.min(self.tail.len()));
        self.tail.extend_from_slice(recent);
    }

    fn book(&mut self, attempt: AttemptOutcome, request: RequestOutcome) {
        self.ended = true;
        self.meter.observe(wire::tail_usage(&self.tail), output_estimate(self.api, self.length));
        self.meter.end(attempt);
        self.meter.settle(request, 200);
    }
}
