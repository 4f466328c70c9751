//! The response body that plays a plan: writes, waits, hangs and cuts, in order.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio_util::sync::CancellationToken;

use crate::recorder::InFlight;

/// One step of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Hand these bytes to the connection.
    Write(Bytes),
    /// Let the connection write out what it has before going on.
    Flush,
    /// Wait; the shutdown signal ends the wait early.
    Pause(Duration),
    /// Wait for the client to hang up, or for the shutdown signal.
    Hang,
    /// Break the connection without a proper end.
    Cut,
}

/// How a plan is played.
#[derive(Default)]
pub(crate) struct Manner {
    /// Total length, when it is announced.
    pub(crate) content_length: Option<u64>,
    /// Largest single write, in bytes.
    pub(crate) split_bytes: Option<usize>,
    /// Time between comments while waiting, and such a comment.
    pub(crate) keepalive: Option<(Duration, Bytes)>,
}

/// A plan being played to one client.
pub(crate) struct ScriptedBody {
    steps: VecDeque<Step>,
    manner: Manner,
    waiting: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    shutdown: CancellationToken,
    request: InFlight,
}

impl ScriptedBody {
    pub(crate) fn new(
        steps: VecDeque<Step>,
        manner: Manner,
        shutdown: CancellationToken,
        mut request: InFlight,
    ) -> Self {
        if steps.is_empty() {
            request.served();
        }
        Self { steps, manner, waiting: None, shutdown, request }
    }

    /// Waits for `time` or the shutdown; with comments on, only until the next comment is due.
    fn pause(&mut self, time: Duration) {
        let mut now = time;
        if let Some((beat, comment)) = self.manner.keepalive.clone().filter(|(beat, _)| *beat < time) {
            self.steps.push_front(Step::Pause(time - beat));
            self.steps.push_front(Step::Write(comment));
            now = beat;
        }
        self.wait(now);
    }

    fn hang(&mut self) {
        if self.shutdown.is_cancelled() {
            return;
        }
        if let Some((beat, comment)) = self.manner.keepalive.clone() {
            self.steps.push_front(Step::Hang);
            self.steps.push_front(Step::Write(comment));
            self.wait(beat);
        } else {
            self.waiting = Some(Box::pin(self.shutdown.clone().cancelled_owned()));
        }
    }

    fn wait(&mut self, time: Duration) {
        let shutdown = self.shutdown.clone();
        self.waiting = Some(Box::pin(async move { pause(time, &shutdown).await }));
    }

    /// The bytes to hand over now; what exceeds the largest write goes back to the front of the plan.
    fn piece(&mut self, mut bytes: Bytes) -> Bytes {
        if let Some(limit) = self.manner.split_bytes.filter(|limit| *limit < bytes.len()) {
            self.steps.push_front(Step::Write(bytes.split_off(limit)));
            self.steps.push_front(Step::Flush);
        } else if self.manner.split_bytes.is_some() && !self.steps.is_empty() {
            self.steps.push_front(Step::Flush);
        }
        bytes
    }
}

/// Waits for `time`, or less when the shutdown signal comes.
pub(crate) async fn pause(time: Duration, shutdown: &CancellationToken) {
    tokio::select! {
        () = tokio::time::sleep(time) => {}
        () = shutdown.cancelled() => {}
    }
}

impl Body for ScriptedBody {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        loop {
            if let Some(waiting) = &mut self.waiting {
                std::task::ready!(waiting.as_mut().poll(cx));
                self.waiting = None;
            }
            match self.steps.pop_front() {
                None => {
                    self.request.served();
                    return Poll::Ready(None);
                }
                Some(Step::Write(bytes)) => {
                    let piece = self.piece(bytes);
                    // The connection may not ask again once it has the announced length.
                    if self.steps.is_empty() {
                        self.request.served();
                    }
                    return Poll::Ready(Some(Ok(Frame::data(piece))));
                }
                Some(Step::Flush) => self.waiting = Some(Box::pin(tokio::task::yield_now())),
                Some(Step::Pause(time)) => self.pause(time),
                Some(Step::Hang) => self.hang(),
                Some(Step::Cut) => {
                    self.request.served();
                    return Poll::Ready(Some(Err(std::io::Error::other("scripted cut"))));
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.steps.is_empty() && self.waiting.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        self.manner.content_length.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
