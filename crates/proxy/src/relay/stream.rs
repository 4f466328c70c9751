//! A stream on its way to the client: whole events pass as they come, usage is observed, the end is booked.

use std::{
    collections::VecDeque,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use domain::{AttemptOutcome, ErrorKind, RequestOutcome};
use http_body::Body as _;
use hyper::body::Incoming;
use serde_json::json;
use tokio::time::{Instant, Sleep, sleep_until};
use wire::{OutputChunk, StreamPipe};
use zeroize::Zeroizing;

use crate::{
    gateway::ActiveStreamGuard,
    meter::{Meter, Totals},
    pipeline::LlmRequest,
    redact::redact,
    reply::GatewayError,
};

/// How long is waited behind the terminal event: for usage that a provider sends only then, and for the end of
/// the body, without which the connection could not be used again.
const AFTERWARDS: Duration = Duration::from_millis(500);

/// Where the stream comes from.
pub(super) struct Source {
    pub(super) tap: Box<StreamPipe>,
    pub(super) rest: Incoming,
    pub(super) deadline: Instant,
    pub(super) secret: Option<Arc<Zeroizing<String>>>,
}

/// The body of a streamed answer.
pub(super) struct StreamBody {
    source: Source,
    meter: Meter,
    /// Ready for the client.
    queue: VecDeque<Bytes>,
    /// Reused between chunks.
    pieces: Vec<OutputChunk>,
    /// The terminal event, kept until the account is settled.
    terminal: Option<Bytes>,
    /// Fires when the provider is silent for too long.
    alarm: Pin<Box<Sleep>>,
    between: Duration,
    progress: u64,
    /// What is in the queue is the last for the client.
    booked: bool,
    ended: bool,
    _running: ActiveStreamGuard,
}

impl StreamBody {
    pub(super) fn new(source: Source, pieces: Vec<OutputChunk>, ask: &LlmRequest, meter: Meter) -> Self {
        let between = ask.plan.terms.timeouts.between_tokens.std();
        let alarm = Box::pin(sleep_until(source.deadline.min(Instant::now() + between)));
        let (queue, terminal) = (VecDeque::new(), None);
        let progress = source.tap.seen().progress;
        let (booked, ended, _running) = (false, false, meter.streaming());
        let mut body = Self {
            source,
            meter,
            queue,
            pieces,
            terminal,
            alarm,
            between,
            progress,
            booked,
            ended,
            _running,
        };
        body.take_pieces();
        body
    }

    /// The next bytes for the client; `None` after the last.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        loop {
            if let Some(bytes) = self.queue.pop_front() {
                return Poll::Ready(Some(bytes));
            }
            if self.ended {
                return Poll::Ready(None);
            }
            match Pin::new(&mut self.source.rest).poll_frame(cx) {
                Poll::Ready(Some(Ok(_))) if self.booked => {}
                Poll::Ready(Some(Err(_)) | None) if self.booked => self.ended = true,
                Poll::Ready(Some(Ok(frame))) => {
                    if let Ok(data) = frame.into_data() {
                        self.feed(data);
                    }
                }
                Poll::Ready(Some(Err(_))) => {
                    self.cut(AttemptOutcome::Cut, "the provider's connection broke off");
                }
                Poll::Ready(None) => self.end_of_body(),
                Poll::Pending => {
                    ready!(self.alarm.as_mut().poll(cx));
                    self.alarm_rang();
                }
            }
        }
    }

    fn feed(&mut self, data: Bytes) {
        let fed = self.source.tap.feed(data, &mut self.pieces);
        let seen = self.source.tap.seen();
        self.meter.observe_stream(seen);
        // Keep-alive comments are no progress: a provider that only sends those is silent.
        if seen.progress != self.progress && self.terminal.is_none() {
            self.progress = seen.progress;
            self.wait(self.between);
        }
        self.take_pieces();
        if let (Err(error), false) = (fed, self.booked) {
            self.cut(AttemptOutcome::Protocol, &error.to_string());
        }
    }

    /// Sets the alarm.
    fn wait(&mut self, patience: Duration) {
        self.alarm.as_mut().reset(self.source.deadline.min(Instant::now() + patience));
    }

    /// Queues what the tap let through, and looks at what it learned.
    fn take_pieces(&mut self) {
        let failed = self.source.tap.seen().error.is_some();
        let binary = !self.source.tap.comments();
        let had_terminal = self.terminal.is_some();
        // The provider's own words about an error are not the client's, where two dialects meet.
        let mut retold = matches!(*self.source.tap, StreamPipe::Translation(_));
        for piece in self.pieces.drain(..) {
            match piece {
                OutputChunk::Relay(bytes) if failed && !binary => {
                    self.queue.push_back(blotted(bytes, self.source.secret.as_deref()));
                }
                // A frame cannot be changed without its checksums; the gateway's own takes its place.
                OutputChunk::Relay(bytes) if failed && quotes(&bytes, self.source.secret.as_deref()) => {
                    retold = true;
                }
                OutputChunk::Relay(bytes) => self.queue.push_back(bytes),
                OutputChunk::Done(bytes) => self.terminal = Some(bytes),
            }
        }
        if failed {
            self.ended = true;
            self.book_cut(AttemptOutcome::StreamError);
            // Else the provider's own error event is in the queue and ends the stream.
            if retold {
                self.retell();
            }
        } else if self.terminal.is_some() && self.source.tap.seen().usage.is_some() {
            self.complete();
        } else if self.terminal.is_some() && !had_terminal {
            self.wait(AFTERWARDS);
        }
    }

    /// Tells the provider's error in the client's dialect.
    fn retell(&mut self) {
        let said = self.source.tap.seen().error.as_ref().map_or("", |error| error.message.as_str());
        let said = match &self.source.secret {
            Some(secret) => redact(said, secret),
            None => said.to_owned(),
        };
        let trouble = GatewayError::new(ErrorKind::AllTargetsFailed, said).attempts(self.meter.attempts());
        self.queue.push_back(trouble.event(self.meter.request(), self.meter.dialect()));
    }

    fn alarm_rang(&mut self) {
        match self.terminal {
            _ if self.booked => self.ended = true,
            Some(_) => self.complete(),
            None => self.cut(AttemptOutcome::Timeout, "the provider stopped sending"),
        }
    }

    fn end_of_body(&mut self) {
        self.source.tap.finish(&mut self.pieces);
        self.meter.observe_stream(self.source.tap.seen());
        self.take_pieces();
        if self.booked {
            self.ended = true;
        } else if self.terminal.is_some() || self.source.tap.seen().finish {
            // Some vendors leave the terminal event out; a finish reason says as much.
            self.complete();
            self.ended = true;
        } else {
            self.cut(AttemptOutcome::Cut, "the provider ended the stream before its end");
        }
    }

    /// Books a whole stream, then lets the comment and the terminal event out.
    fn complete(&mut self) {
        let totals = self.book(AttemptOutcome::Ok, RequestOutcome::Ok);
        self.comment(&totals);
        let missing = Bytes::from_static(wire::codec(self.meter.dialect()).terminal_event());
        self.queue.push_back(self.terminal.take().unwrap_or(missing));
        self.wait(AFTERWARDS);
    }

    /// The account, where the client's dialect has a place for it.
    fn comment(&mut self, totals: &Totals) {
        if !comments(&self.source.tap, &self.meter) {
            return;
        }
        let mut account = json!({
            "request_id": self.meter.request(),
            "cost_usd": totals.priced.then_some(totals.cost),
            "tokens_in": totals.usage.input(),
            "tokens_cached": totals.usage.cache_read,
            "tokens_out": totals.usage.output(),
            "estimated": totals.estimated,
        });
        if let (Some(explained), Some(account)) = (self.meter.explain(), account.as_object_mut()) {
            account.extend(explained);
        }
        self.queue.push_back(Bytes::from(format!(": portcullis {account}\n\n")));
    }

    /// Ends a stream that failed after content: an error event, and no terminal event that would feign success.
    fn cut(&mut self, outcome: AttemptOutcome, why: &str) {
        self.book_cut(outcome);
        self.ended = true;
        let kind = match outcome {
            AttemptOutcome::Timeout => ErrorKind::UpstreamTimeout,
            _ => ErrorKind::AllTargetsFailed,
        };
        let trouble = GatewayError::new(kind, why).attempts(self.meter.attempts());
        self.queue.push_back(trouble.event(self.meter.request(), self.meter.dialect()));
    }

    /// Books a stream that failed. Only who asked is told its account: what a client sees of the end is the error.
    fn book_cut(&mut self, outcome: AttemptOutcome) {
        let totals = self.book(outcome, RequestOutcome::Cut);
        if self.meter.explains() {
            self.comment(&totals);
        }
    }

    fn book(&mut self, attempt: AttemptOutcome, request: RequestOutcome) -> Totals {
        self.booked = true;
        self.meter.end(attempt);
        self.meter.settle(request, 200)
    }
}

/// Whether a stream's account can be written into it: a binary one has no comments, and Google's clients take one for
/// data. There it is asked for by request id.
pub(super) fn comments(tap: &StreamPipe, meter: &Meter) -> bool {
    tap.comments() && wire::codec(meter.dialect()).accepts_comments()
}

/// Whether bytes hold the credential or a run of it.
fn quotes(bytes: &[u8], secret: Option<&Zeroizing<String>>) -> bool {
    let text = String::from_utf8_lossy(bytes);
    secret.is_some_and(|secret| redact(&text, secret) != text)
}

/// Events that came with an error may quote the credential.
fn blotted(bytes: Bytes, secret: Option<&Zeroizing<String>>) -> Bytes {
    match (std::str::from_utf8(&bytes), secret) {
        (Ok(text), Some(secret)) => Bytes::from(redact(text, secret)),
        _ => bytes,
    }
}
