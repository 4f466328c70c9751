//! The start of a response: how much of it is read before the target is believed, and why it may not be.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use domain::{AttemptOutcome, Timestamp};
use http::{HeaderMap, Response, header};
use http_body::{Body as _, Frame};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use serde_json::{Value, json};
use tokio::time::{Instant, timeout, timeout_at};
use upstream::innermost;
use wire::{
    Api, Dialect, OutputChunk, ProviderError, StreamPipe,
    error::{DecodeError, ErrorAnswer},
};

use super::{
    error::{AttemptError, UpstreamError},
    response::{BufferedBody, MAX_HELD, TRAILING_USAGE_TIMEOUT, UpstreamBody, has_ended, output_estimate},
};
use crate::{
    codec::{self, DecodedResponse, ResponseCodec},
    meter::Meter,
    request::LlmRequest,
};

/// Largest error body that is read, in bytes.
const MAX_ERROR: usize = 64 << 10;
/// How long an error body may take; its status is known, and another target may be waiting for its turn.
const ERROR_WITHIN: Duration = Duration::from_secs(2);
/// Most bytes of a stream that are buffered while it has shown neither content nor an error.
const MAX_OPENING: usize = 256 << 10;

/// A response that has shown that it is one.
pub(super) struct ValidatedResponse {
    pub(super) kind: UpstreamBody,
    /// It says that a filter blocked the prompt, and nothing else.
    pub(super) blocked: bool,
}

/// Reads the response of one attempt.
pub(super) struct ResponseReader<'a> {
    pub(super) request: &'a LlmRequest,
    pub(super) codec: &'a ResponseCodec,
    pub(super) meter: &'a mut Meter,
    /// Where the bytes that are read are kept, if the response is to be judged.
    pub(super) buffer: Option<BufferedBody>,
    /// Latest time at which a filter's refusal in a successful response still causes failover.
    pub(super) reroute_blocked_until: Option<Instant>,
}

impl ResponseReader<'_> {
    /// Reads a response of status 2xx until it has shown that it is one.
    ///
    /// If the response is to be judged but exceeds [`MAX_HELD`], it is returned as `Passthrough`. A filter's refusal is
    /// detected only if the route would then try another target, and only until `reroute_blocked_until`.
    pub(super) async fn read(
        &mut self,
        headers: &HeaderMap,
        body: Incoming,
    ) -> Result<ValidatedResponse, AttemptError> {
        // Only what was asked for is unpacked: a few compressed bytes could become any number of them.
        let is_compressed = headers.get(header::CONTENT_ENCODING).is_some_and(|encoding| {
            let encoding = encoding.as_bytes().trim_ascii();
            !encoding.is_empty() && !encoding.eq_ignore_ascii_case(b"identity")
        });
        if is_compressed {
            return Err(AttemptError::protocol("the answer is compressed, which nobody asked for"));
        }
        let is = |media: &str| {
            let said = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
            said.is_some_and(|said| {
                said.get(..media.len()).is_some_and(|start| start.eq_ignore_ascii_case(media))
            })
        };
        let api = self.request.api;
        let mut body = body;
        let kind = match self.request.facts.stream {
            // Vendors label streams in many ways, events as JSON among them; what a body is tells its first byte.
            true => {
                let start = first_bytes(&mut body).await?;
                match start.trim_ascii_start().first() {
                    Some(b'{') => {}
                    first => {
                        let is_array = first == Some(&b'[');
                        return self.read_stream(start, body, is_array).await;
                    }
                }
                self.read_document(start, body).await?;
                return Err(AttemptError::protocol("a document instead of a stream"));
            }
            false if is("text/event-stream") => {
                return Err(AttemptError::protocol("a stream that nobody asked for"));
            }
            // Audio is played while it arrives.
            false if api == Api::Speech && !is("application/json") => {
                UpstreamBody::Passthrough(Bytes::new(), body)
            }
            // Transcripts come as text or subtitles where the client asked for that.
            false if api.is_upload() && !is("application/json") => self.buffer(Bytes::new(), body).await?,
            false => return self.read_document(Bytes::new(), body).await,
        };
        Ok(ValidatedResponse { kind, blocked: false })
    }

    /// Reads a response without events, of which the start may have come.
    async fn read_document(
        &mut self,
        start: Bytes,
        body: Incoming,
    ) -> Result<ValidatedResponse, AttemptError> {
        let kind = self.buffer(start, body).await?;
        match (&mut self.buffer, &kind) {
            (Some(_), UpstreamBody::Passthrough(..)) => {
                return Ok(ValidatedResponse { kind, blocked: false });
            }
            (Some(buffer), UpstreamBody::Buffered(whole)) => buffer.push(whole),
            _ => {}
        }
        self.validate(kind)
    }

    /// Reads a stream up to its first content, so that an error before it can still go to another target.
    async fn read_stream(
        &mut self,
        first: Bytes,
        body: Incoming,
        is_array: bool,
    ) -> Result<ValidatedResponse, AttemptError> {
        let tap = self.codec.tap(self.request);
        // With several choices, the others may still have content.
        let reroute_until = self.reroute_blocked_until.filter(|_| self.request.facts.choices <= 1);
        let mut start = StreamStart {
            tap: Box::new(if is_array { StreamPipe::array(tap) } else { tap }),
            pieces: Vec::new(),
            first: Some(first),
            body,
            bytes: 0,
            meter: self.meter,
            buffer: self.buffer.as_mut(),
        };
        let generates = self.request.api.generates() || self.request.api == Api::Completions;
        loop {
            let ended = !start.more().await?;
            let seen = start.tap.seen();
            if let (Some(error), false) = (&seen.error, seen.content) {
                let provider = self.codec.provider();
                let class = provider.classify_error(error);
                return Err(AttemptError::inside_response(class, error.clone()));
            }
            // What is no answer of a model has no content to wait for.
            let shows = seen.content || (!generates && seen.progress > 0);
            if shows || start.bytes > MAX_OPENING {
                let blocked = match reroute_until.filter(|_| seen.blocked) {
                    Some(until) => start.has_nothing_else(until).await,
                    None => false,
                };
                let StreamStart { tap, pieces, body, .. } = start;
                return Ok(ValidatedResponse { kind: UpstreamBody::Streaming(tap, pieces, body), blocked });
            }
            if ended || seen.done {
                let detail = "the stream ended before any content";
                return Err(AttemptError::response(AttemptOutcome::Cut, detail));
            }
        }
    }

    /// Reads a complete response, unless it is too large.
    async fn buffer(&mut self, start: Bytes, mut body: Incoming) -> Result<UpstreamBody, AttemptError> {
        let api = self.request.api;
        let announced = body.size_hint().exact().and_then(|length| usize::try_from(length).ok());
        let mut whole = BytesMut::new();
        let mut first = Some(start).filter(|start| !start.is_empty());
        while let Some(frame) = body.frame().await {
            let frame =
                frame.map_err(|error| AttemptError::response(AttemptOutcome::Cut, innermost(&error)))?;
            let Ok(data) = frame.into_data() else { continue };
            if first.is_none() && whole.is_empty() {
                // Most responses are one frame and are passed on as they came; the others are joined.
                first = Some(data);
            } else {
                if let Some(first) = first.take() {
                    whole.reserve(announced.unwrap_or(0).min(MAX_HELD).max(first.len() + data.len()));
                    whole.extend_from_slice(&first);
                }
                whole.extend_from_slice(&data);
            }
            let read = first.as_ref().map_or(whole.len(), Bytes::len);
            self.meter.observe(None, output_estimate(api, read as u64));
            // A body that has ended is complete, however large: the rest of it would never be asked for.
            if whole.len() > MAX_HELD && !has_ended(&body) {
                return Ok(UpstreamBody::Passthrough(whole.freeze(), body));
            }
        }
        Ok(UpstreamBody::Buffered(first.unwrap_or_else(|| whole.freeze())))
    }

    /// Refuses a body that is no answer although its status says so, and notes the usage of one that is.
    fn validate(&mut self, kind: UpstreamBody) -> Result<ValidatedResponse, AttemptError> {
        let unblocked = |kind| Ok(ValidatedResponse { kind, blocked: false });
        let (UpstreamBody::Buffered(start) | UpstreamBody::Passthrough(start, _)) = &kind else {
            return unblocked(kind);
        };
        if start.trim_ascii_start().first() != Some(&b'{') {
            return Err(AttemptError::protocol("the answer is no JSON object"));
        }
        let UpstreamBody::Buffered(body) = &kind else {
            return if self.codec.needs_whole() {
                Err(AttemptError::protocol("the answer is too large to translate"))
            } else {
                unblocked(kind)
            };
        };
        let api = self.request.api;
        let length = body.len() as u64;
        let reroutes = self.reroute_blocked_until.is_some();
        let (kind, blocked) = match self.codec.decode_response(body) {
            None => {
                self.validate_openai(body)?;
                let blocked = reroutes && wire::chat_blocked(body);
                (kind, blocked)
            }
            Some(Ok(DecodedResponse { body, usage, blocked, lost })) => {
                self.meter.add_dropped_parts(lost.names());
                self.meter.observe(usage, output_estimate(api, length));
                (UpstreamBody::Buffered(body), reroutes && blocked)
            }
            Some(Err(DecodeError::Malformed(why))) => {
                return Err(AttemptError::response(AttemptOutcome::Protocol, why));
            }
            Some(Err(DecodeError::Error(class, said))) => {
                // The length of an error is no measure of output.
                self.meter.observe(None, 0);
                return Err(AttemptError::inside_response(class, said));
            }
        };
        if blocked {
            // Neither is that of a filter's refusal.
            self.meter.observe(None, 0);
        }
        Ok(ValidatedResponse { kind, blocked })
    }

    /// The same for OpenAI's own format, without building a document.
    fn validate_openai(&mut self, body: &Bytes) -> Result<(), AttemptError> {
        let api = self.request.api;
        if std::str::from_utf8(body).is_err() {
            return Err(AttemptError::protocol("the answer is no UTF-8"));
        }
        let is_chat = matches!(api, Api::Chat | Api::Completions);
        if let Some(said) = Some(body).filter(|_| is_chat).and_then(|body| wire::chat_error(body)) {
            return Err(self.failed(said));
        }
        let usage = wire::chat_usage(body);
        self.meter.observe(usage, output_estimate(api, body.len() as u64));
        // Errors report no usage, and they are short, so that nearly all answers need no second look.
        if usage.is_some() || body.len() > MAX_ERROR {
            return Ok(());
        }
        let document: Value = serde_json::from_slice(body)
            .map_err(|_| AttemptError::protocol("the answer is no valid JSON"))?;
        let mut answers = ["choices", "data", "results"].iter();
        let answers = answers.any(|list| document.get(list).is_some_and(Value::is_array));
        if answers || (api.is_upload() && document.get("text").is_some_and(Value::is_string)) {
            return Ok(());
        }
        let said = wire::provider_error(body);
        let failed = said.map(|said| self.failed(said));
        // The length of what is no answer is no measure of output.
        self.meter.observe(None, 0);
        Err(failed.unwrap_or_else(|| AttemptError::protocol("neither an answer nor an error")))
    }

    /// An error in OpenAI's own format; its length is no measure of output.
    fn failed(&mut self, said: ProviderError) -> AttemptError {
        self.meter.observe(None, 0);
        let class = wire::codec(Dialect::OpenAiChat).classify_error(&said);
        AttemptError::inside_response(class, said)
    }
}

/// Reads the next frame, unless the body has ended.
async fn next_frame(body: &mut Incoming) -> Result<Option<Frame<Bytes>>, AttemptError> {
    let frame = body.frame().await.transpose();
    frame.map_err(|error| AttemptError::response(AttemptOutcome::Cut, innermost(&error)))
}

/// The start of a body, up to its first byte that is no white space; nothing where there is none.
async fn first_bytes(body: &mut Incoming) -> Result<Bytes, AttemptError> {
    let mut start = Bytes::new();
    while start.trim_ascii_start().is_empty() && start.len() <= MAX_OPENING {
        let Some(frame) = next_frame(body).await? else { break };
        let Ok(data) = frame.into_data() else { continue };
        start = if start.is_empty() { data } else { Bytes::from([&*start, &*data].concat()) };
    }
    Ok(start)
}

/// The start of a stream.
struct StreamStart<'a> {
    tap: Box<StreamPipe>,
    pieces: Vec<OutputChunk>,
    /// What was read of the body to find out what it is.
    first: Option<Bytes>,
    body: Incoming,
    /// Read so far.
    bytes: usize,
    meter: &'a mut Meter,
    buffer: Option<&'a mut BufferedBody>,
}

impl StreamStart<'_> {
    /// Reads on; whether there may be more.
    async fn more(&mut self) -> Result<bool, AttemptError> {
        let data = match self.first.take().filter(|first| !first.is_empty()) {
            Some(first) => Some(Ok(first)),
            None => next_frame(&mut self.body).await?.map(Frame::into_data),
        };
        let (more, fed) = match data {
            Some(Ok(data)) => {
                self.bytes += data.len();
                if let Some(buffer) = &mut self.buffer {
                    buffer.push(&data);
                }
                (true, self.tap.feed(data, &mut self.pieces))
            }
            Some(Err(_)) => (true, Ok(())),
            None => {
                self.tap.finish(&mut self.pieces);
                (false, Ok(()))
            }
        };
        // Also of a stream that cannot be read on: the client saw nothing of it, but the provider wrote it.
        self.meter.observe_stream(self.tap.seen());
        fed.map_err(|error| AttemptError::response(AttemptOutcome::Protocol, error.to_string()))?;
        Ok(more)
    }

    /// Reads what follows a filter's refusal, the usage and the end; whether there is no content among it.
    async fn has_nothing_else(&mut self, until: Instant) -> bool {
        let until = until.min(Instant::now() + TRAILING_USAGE_TIMEOUT);
        loop {
            let seen = self.tap.seen();
            let over = (seen.done && seen.usage.is_some()) || seen.error.is_some();
            if over || seen.deltas > 0 || self.bytes > MAX_OPENING {
                break;
            }
            // However the rest ends, the filter has refused.
            if !matches!(timeout_at(until, self.more()).await, Ok(Ok(true))) {
                break;
            }
        }
        self.tap.seen().deltas == 0
    }
}

/// The error of a refusal by status, with the provider's own words.
pub(super) async fn read_refusal(
    outcome: AttemptOutcome,
    codec: &ResponseCodec,
    response: Response<Incoming>,
) -> AttemptError {
    let retry_after = wire::retry_after(response.headers(), Timestamp::now());
    let status = response.status().as_u16();
    let error_type = response.headers().get("x-amzn-errortype").and_then(|value| value.to_str().ok());
    let error_type = error_type.map(str::to_owned);
    let mut read = BytesMut::new();
    // What came in time may still be readable.
    let _ = timeout(ERROR_WITHIN, read_error(response.into_body(), &mut read)).await;
    // AWS reports its own errors in its own format, whatever dialect the model behind it speaks.
    let provider = if error_type.is_some() { wire::codec(Dialect::Bedrock) } else { codec.provider() };
    let error_type = error_type.as_deref();
    let words = plain_words(&read).map(|words| json!({ "message": words }).to_string());
    let body = words.as_ref().map_or(&*read, |words| words.as_bytes());
    let (class, said) = provider.decode_error(&ErrorAnswer { status, error_type, body });
    let outcome = if body_refines(status) { codec::outcome(class) } else { outcome };
    AttemptError::Upstream(Box::new(UpstreamError {
        outcome,
        class,
        detail: format!("HTTP {status}"),
        status: Some(status),
        provider_error: said.map(Box::new),
        retry_after: retry_after.or_else(|| wire::dialects::gemini::retry_delay(&read)),
    }))
}

/// An error in plain text. A page of HTML comes from an intermediary and does not help the client.
fn plain_words(body: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(body).ok()?.trim();
    let is_document = text.starts_with(['{', '[', '"', '<']) || text.contains("<html");
    (!text.is_empty() && !is_document && !text.contains('\0')).then_some(text)
}

/// Whether the error body may override the classification by status: only for statuses that blame the request or the
/// credential. Some providers answer 403 for a prompt that a filter flagged, which says nothing of the credential.
const fn body_refines(status: u16) -> bool {
    matches!(status, 400 | 402 | 403 | 404 | 413 | 422 | 424 | 429 | 498)
}

async fn read_error(mut body: Incoming, read: &mut BytesMut) {
    while let Some(Ok(frame)) = body.frame().await {
        if let Ok(data) = frame.into_data() {
            let room = MAX_ERROR - read.len();
            read.extend_from_slice(&data[..data.len().min(room)]);
        }
        if read.len() == MAX_ERROR {
            break;
        }
    }
}
