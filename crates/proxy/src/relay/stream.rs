//! A stream on its way to the client: whole events pass as they come, usage is observed, and the end is accounted for.

use std::{
    collections::VecDeque,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{Buf as _, Bytes};
use domain::{AttemptOutcome, ErrorKind, RequestOutcome};
use http_body::{Body, Frame};
use hyper::body::Incoming;
use serde_json::json;
use tokio::time::{Instant, Sleep, sleep_until};
use wire::{OutputChunk, StreamPipe};
use zeroize::Zeroizing;

use crate::{
    activity::ActiveStreamGuard,
    error::{FailedAttempt, GatewayError},
    meter::{Meter, Totals},
    redact::redact,
    request::LlmRequest,
    response::{UpstreamAborted, error_event},
};

/// How long to wait after the terminal event: for usage that a provider sends only then, and for the end of
/// the body, without which the connection could not be used again.
const AFTERWARDS: Duration = Duration::from_millis(500);

/// Where the stream comes from.
pub(super) struct StreamSource {
    pub(super) tap: Box<StreamPipe>,
    pub(super) rest: Incoming,
    pub(super) deadline: Instant,
    pub(super) secret: Option<Arc<Zeroizing<String>>>,
}

/// The body of a streamed answer.
pub(super) struct StreamBody {
    source: StreamSource,
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
    /// The account is settled: what is in the queue is the last for the client.
    settled: bool,
    ended: bool,
    _active: ActiveStreamGuard,
}

impl StreamBody {
    pub(super) fn new(
        source: StreamSource,
        pieces: Vec<OutputChunk>,
        request: &LlmRequest,
        meter: Meter,
    ) -> Self {
        let between = request.plan.terms.timeouts.between_tokens.std();
        let alarm = Box::pin(sleep_until(source.deadline.min(Instant::now() + between)));
        let mut body = Self {
            progress: source.tap.seen().progress,
            source,
            queue: VecDeque::new(),
            pieces,
            terminal: None,
            alarm,
            between,
            settled: false,
            ended: false,
            _active: meter.streaming(),
            meter,
        };
        body.drain_tap();
        body
    }

    /// The next bytes for the client, until the last were handed out.
    fn poll_bytes(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        loop {
            if let Some(bytes) = self.queue.pop_front() {
                return Poll::Ready(Some(bytes));
            }
            if self.ended {
                return Poll::Ready(None);
            }
            match Pin::new(&mut self.source.rest).poll_frame(cx) {
                Poll::Ready(Some(Ok(_))) if self.settled => {}
                Poll::Ready(Some(Err(_)) | None) if self.settled => self.ended = true,
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
                    self.on_timeout();
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
        self.drain_tap();
        if let (Err(error), false) = (fed, self.settled) {
            self.cut(AttemptOutcome::Protocol, &error.to_string());
        }
    }

    /// Sets the alarm.
    fn wait(&mut self, timeout: Duration) {
        self.alarm.as_mut().reset(self.source.deadline.min(Instant::now() + timeout));
    }

    /// Queues what the tap let through, and acts on what it learned.
    fn drain_tap(&mut self) {
        let failed = self.source.tap.seen().error.is_some();
        let binary = !self.source.tap.comments();
        let had_terminal = self.terminal.is_some();
        // Where two dialects meet, or an error does not stand where the dialect has it, the client cannot read it.
        let mut replaced = self.source.tap.hides_errors();
        // Usage that comes behind the end of a chat stream is of use to the client only before it.
        let is_chat = self.source.tap.is_chat();
        if failed {
            // The second half of a CRLF ends the event before; the account stands in front of the next one.
            if let Some(OutputChunk::Relay(bytes)) = self.pieces.first_mut()
                && bytes.starts_with(b"\n")
            {
                self.queue.push_back(bytes.split_to(1));
            }
            self.ended = true;
            self.settle_cut(AttemptOutcome::StreamError);
        }
        for piece in self.pieces.drain(..) {
            match piece {
                OutputChunk::Relay(bytes) if failed && !binary => {
                    self.queue.push_back(redacted(bytes, self.source.secret.as_deref()));
                }
                // A frame cannot be changed without its checksums; the gateway's own takes its place.
                OutputChunk::Relay(bytes) if failed && quotes(&bytes, self.source.secret.as_deref()) => {
                    replaced = true;
                }
                OutputChunk::Relay(mut bytes) => match &mut self.terminal {
                    None => self.queue.push_back(bytes),
                    Some(_) if is_chat => {
                        // The second half of the terminal event's CRLF is added to it in any case.
                        let half = usize::from(bytes.starts_with(b"\n"));
                        bytes.advance(half);
                        self.queue.extend(Some(bytes).filter(|bytes| !bytes.is_empty()));
                    }
                    // Cohere's `[DONE]` comes behind its last event.
                    Some(terminal) => *terminal = Bytes::from([&**terminal, &*bytes].concat()),
                },
                OutputChunk::Done(bytes) => self.terminal = Some(bytes),
            }
        }
        if failed {
            // Otherwise the provider's own error event is in the queue and ends the stream.
            if replaced {
                self.translate_error();
            }
        } else if self.terminal.is_some() && self.source.tap.seen().usage.is_some() {
            self.complete();
        } else if self.terminal.is_some() && !had_terminal {
            self.wait(AFTERWARDS);
        }
    }

    /// Queues the provider's error in the client's dialect.
    fn translate_error(&mut self) {
        let said = self.source.tap.seen().error.as_ref().map_or("", |error| error.message.as_str());
        let said = match &self.source.secret {
            Some(secret) => redact(said, secret),
            None => said.to_owned(),
        };
        self.push_error(ErrorKind::AllTargetsFailed, said);
    }

    fn on_timeout(&mut self) {
        match self.terminal {
            _ if self.settled => self.ended = true,
            Some(_) => self.complete(),
            None => self.cut(AttemptOutcome::Timeout, "the provider stopped sending"),
        }
    }

    fn end_of_body(&mut self) {
        self.source.tap.finish(&mut self.pieces);
        self.meter.observe_stream(self.source.tap.seen());
        self.drain_tap();
        if self.settled {
            self.ended = true;
        } else if self.terminal.is_some() || self.source.tap.seen().finish {
            // Some vendors leave the terminal event out; a finish reason is as good.
            self.complete();
            self.ended = true;
        } else {
            self.cut(AttemptOutcome::Cut, "the provider ended the stream before its end");
        }
    }

    /// Settles a whole stream, then lets the comment and the terminal event out.
    fn complete(&mut self) {
        let totals = self.settle(AttemptOutcome::Ok, RequestOutcome::Ok);
        let missing = Bytes::from_static(wire::codec(self.meter.dialect()).terminal_event());
        let mut terminal = self.terminal.take().unwrap_or(missing);
        if !terminal.is_empty() {
            self.comment(&totals);
        }
        // The second half of a CRLF that is still to come is not waited for.
        if terminal.ends_with(b"\r") && terminal.windows(2).any(|pair| pair == b"\r\n") {
            terminal = Bytes::from([&*terminal, b"\n"].concat());
        }
        self.queue.push_back(terminal);
        self.wait(AFTERWARDS);
    }

    /// The account, where the client's dialect has a place for it: in front of an event, in the same block. Strict readers
    /// take any block for an event, and fail on one without data.
    fn comment(&mut self, totals: &Totals) {
        if !has_comments(&self.source.tap, &self.meter) {
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
        let lost = self.source.tap.lost();
        if !lost.is_empty()
            && let Some(account) = account.as_object_mut()
        {
            account.insert("dropped".to_owned(), json!(lost));
        }
        if let Some(explanation) = self.meter.explain()
            && let Some(account) = account.as_object_mut()
        {
            account.extend(explanation);
        }
        self.queue.push_back(Bytes::from(format!(": portcullis {account}\n")));
    }

    /// Ends a stream that failed after content: an error event, and no terminal event that would feign success.
    fn cut(&mut self, outcome: AttemptOutcome, why: &str) {
        self.settle_cut(outcome);
        self.ended = true;
        let kind = match outcome {
            AttemptOutcome::Timeout => ErrorKind::UpstreamTimeout,
            _ => ErrorKind::AllTargetsFailed,
        };
        self.push_error(kind, why);
    }

    /// Settles a stream that failed. Only a client that asked for an explanation is sent the account, before the error.
    fn settle_cut(&mut self, outcome: AttemptOutcome) {
        let totals = self.settle(outcome, RequestOutcome::Cut);
        if self.meter.explains() {
            self.comment(&totals);
        }
    }

    fn push_error(&mut self, kind: ErrorKind, message: impl Into<String>) {
        let error = GatewayError::new(kind, message).attempts(FailedAttempt::list(self.meter.attempts()));
        self.queue.push_back(error_event(&error, self.meter.request(), self.meter.dialect()));
    }

    fn settle(&mut self, attempt: AttemptOutcome, request: RequestOutcome) -> Totals {
        self.settled = true;
        self.meter.end(attempt);
        self.meter.settle(request, 200)
    }
}

impl Body for StreamBody {
    type Data = Bytes;
    type Error = UpstreamAborted;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, UpstreamAborted>>> {
        self.poll_bytes(cx).map(|bytes| bytes.map(|bytes| Ok(Frame::data(bytes))))
    }
}

/// Whether a stream's account can be written into it as a comment: a binary stream has none, and Google's clients take a
/// comment for data. Such clients ask for the account by request id.
pub(super) fn has_comments(tap: &StreamPipe, meter: &Meter) -> bool {
    tap.comments() && wire::codec(meter.dialect()).accepts_comments()
}

/// Whether bytes hold the credential or a run of it.
fn quotes(bytes: &[u8], secret: Option<&Zeroizing<String>>) -> bool {
    let text = String::from_utf8_lossy(bytes);
    secret.is_some_and(|secret| redact(&text, secret) != text)
}

/// Redacts events that came with an error: they may quote the credential.
fn redacted(bytes: Bytes, secret: Option<&Zeroizing<String>>) -> Bytes {
    match (std::str::from_utf8(&bytes), secret) {
        (Ok(text), Some(secret)) => Bytes::from(redact(text, secret)),
        _ => bytes,
    }
}
