//! The start of an answer: how much of it is read before the target is believed, and why it may not be.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use domain::{AttemptOutcome, Timestamp};
use http::{HeaderMap, Response, header};
use http_body::{Body as _, Frame};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use serde_json::Value;
use tokio::time::{Instant, timeout, timeout_at};
use wire::{
    Api, Dialect, OutputChunk, ProviderError, StreamPipe,
    error::{DecodeError, ErrorAnswer, ErrorClass},
};

use super::{
    cascade::{AFTERWARDS, BufferedBody},
    failure::AttemptError,
};
use crate::{
    meter::Meter,
    pipeline::LlmRequest,
    talk::{self, DecodedResponse, ResponseCodec},
    upstream::innermost,
};

/// Largest plain answer that is held to put its cost into the headers, in bytes.
pub(super) const MAX_HELD: usize = 8 << 20;
/// Largest error body that is read, in bytes.
const MAX_ERROR: usize = 64 << 10;
/// How long an error body may take; its status is known, and another target may be waiting for its turn.
const ERROR_WITHIN: Duration = Duration::from_secs(2);
/// Most bytes of a stream held while it has shown neither content nor an error.
const MAX_OPENING: usize = 256 << 10;

/// In which form the answer comes.
pub(crate) enum UpstreamBody {
    /// Whole.
    Plain(Bytes),
    /// Larger than is held: the start, and the rest still to come.
    Long(Bytes, Incoming),
    /// A stream that has shown content: the first pieces, and the rest still to come.
    Stream(Box<StreamPipe>, Vec<OutputChunk>, Incoming),
}

/// An answer that has shown that it is one.
pub(super) struct ValidatedResponse {
    pub(super) kind: UpstreamBody,
    /// It says that a filter refused the prompt, and nothing else.
    pub(super) blocked: bool,
}

/// Output tokens of a plain answer that does not say its usage: four bytes a token; vectors are not output.
pub(crate) const fn output_estimate(api: Api, bytes: u64) -> u64 {
    if api.generates() { bytes.div_ceil(4) } else { 0 }
}

/// Whether all of a body came, without asking it for more.
pub(crate) fn has_ended(body: &Incoming) -> bool {
    body.is_end_stream() || body.size_hint().exact() == Some(0)
}

/// Reads an answer of status 2xx until it has shown that it is one; what was read of it goes into `held` as well.
///
/// One that is to be judged and too large for it is only told to be long. That a filter refused the prompt is looked for
/// only where the request is sent on then, at the latest at that moment.
pub(super) async fn open(
    (ask, talk): (&LlmRequest, &ResponseCodec),
    headers: &HeaderMap,
    body: Incoming,
    (meter, held): (&mut Meter, Option<&mut BufferedBody>),
    sends_on: Option<Instant>,
) -> Result<ValidatedResponse, AttemptError> {
    // What was not asked for is not unpacked: a few bytes could become any number of them.
    let packed = headers.get(header::CONTENT_ENCODING).is_some_and(|encoding| {
        let encoding = encoding.as_bytes().trim_ascii();
        !encoding.is_empty() && !encoding.eq_ignore_ascii_case(b"identity")
    });
    if packed {
        return Err(protocol("the answer is compressed, which nobody asked for"));
    }
    let is = |media: &str| {
        let said = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        said.is_some_and(|said| {
            said.get(..media.len()).is_some_and(|start| start.eq_ignore_ascii_case(media))
        })
    };
    let kind = match ask.facts.stream {
        // Vendors label streams in many ways, but no stream is one JSON document.
        true if !is("application/json") => {
            return open_stream((ask, talk), body, (meter, held), sends_on).await;
        }
        false if is("text/event-stream") => return Err(protocol("a stream that nobody asked for")),
        // Sound is played while it comes.
        false if ask.api == Api::Speech && !is("application/json") => UpstreamBody::Long(Bytes::new(), body),
        // Transcripts come as text or subtitles where the client asked for that.
        false if ask.api.is_upload() && !is("application/json") => hold(ask.api, body, meter).await?,
        stream => {
            let kind = hold(ask.api, body, meter).await?;
            match (held, &kind) {
                (Some(_), UpstreamBody::Long(..)) => return Ok(ValidatedResponse { kind, blocked: false }),
                (Some(held), UpstreamBody::Plain(whole)) => held.note(whole),
                _ => {}
            }
            let opened = judge(kind, (ask.api, talk), meter, sends_on)?;
            let document = Err(protocol("a document instead of a stream"));
            return if stream { document } else { Ok(opened) };
        }
    };
    Ok(ValidatedResponse { kind, blocked: false })
}

fn protocol(detail: &'static str) -> AttemptError {
    AttemptError::new(AttemptOutcome::Protocol, detail)
}

/// An error that came under the flag of success; what no other target or key would mend is told from the rest.
pub(super) fn error_inside(class: ErrorClass, said: ProviderError) -> AttemptError {
    use AttemptOutcome as O;
    let outcome = match talk::outcome(class) {
        known @ (O::ClientFault
        | O::BadCredential
        | O::RateLimited
        | O::ContentFilter
        | O::ContextTooLong) => known,
        _ => O::StreamError,
    };
    let detail = "an error inside an answer of status 200";
    AttemptError { said: Some(Box::new(said)), ..AttemptError::new(outcome, detail) }
}

/// Reads a stream up to its first content, so that an error before it can still go to another target.
async fn open_stream(
    (ask, talk): (&LlmRequest, &ResponseCodec),
    body: Incoming,
    (meter, whole): (&mut Meter, Option<&mut BufferedBody>),
    sends_on: Option<Instant>,
) -> Result<ValidatedResponse, AttemptError> {
    let (tap, pieces) = (Box::new(talk.tap(ask)), Vec::new());
    let mut start = Start { tap, pieces, body, bytes: 0, whole };
    // What one choice lacks others may still say.
    let sends_on = sends_on.filter(|_| ask.facts.choices <= 1);
    loop {
        let ended = !start.more(meter).await?;
        let seen = start.tap.seen();
        if let (Some(error), false) = (&seen.error, seen.content) {
            return Err(error_inside(talk.provider().classify_error(error), error.clone()));
        }
        if seen.content || seen.done || start.bytes > MAX_OPENING {
            let blocked = match sends_on.filter(|_| seen.blocked) {
                Some(until) => start.says_nothing_else(meter, until).await,
                None => false,
            };
            let Start { tap, pieces, body, .. } = start;
            return Ok(ValidatedResponse { kind: UpstreamBody::Stream(tap, pieces, body), blocked });
        }
        if ended {
            return Err(AttemptError::new(AttemptOutcome::Cut, "the stream ended before any content"));
        }
    }
}

/// The start of a stream.
struct Start<'a> {
    tap: Box<StreamPipe>,
    pieces: Vec<OutputChunk>,
    body: Incoming,
    /// Read so far.
    bytes: usize,
    whole: Option<&'a mut BufferedBody>,
}

impl Start<'_> {
    /// Reads on; whether there may be more.
    async fn more(&mut self, meter: &mut Meter) -> Result<bool, AttemptError> {
        let frame = self.body.frame().await.transpose();
        let frame = frame.map_err(|error| AttemptError::new(AttemptOutcome::Cut, innermost(&error)))?;
        let (more, fed) = match frame.map(Frame::into_data) {
            Some(Ok(data)) => {
                self.bytes += data.len();
                if let Some(whole) = &mut self.whole {
                    whole.note(&data);
                }
                (true, self.tap.feed(data, &mut self.pieces))
            }
            Some(Err(_)) => (true, Ok(())),
            None => {
                self.tap.finish(&mut self.pieces);
                (false, Ok(()))
            }
        };
        // Also of what cannot be read on: the client saw nothing of it, but it was written.
        meter.observe_stream(self.tap.seen());
        fed.map_err(|error| AttemptError::new(AttemptOutcome::Protocol, error.to_string()))?;
        Ok(more)
    }

    /// Reads what follows the word of a filter, the usage and the end: whether no content is among it.
    async fn says_nothing_else(&mut self, meter: &mut Meter, until: Instant) -> bool {
        let until = until.min(Instant::now() + AFTERWARDS);
        loop {
            let seen = self.tap.seen();
            let over = (seen.done && seen.usage.is_some()) || seen.error.is_some();
            if over || seen.deltas > 0 || self.bytes > MAX_OPENING {
                break;
            }
            // Whatever becomes of the rest, the filter has spoken.
            if !matches!(timeout_at(until, self.more(meter)).await, Ok(Ok(true))) {
                break;
            }
        }
        self.tap.seen().deltas == 0
    }
}

/// Reads a plain answer, whole if it is not too large.
async fn hold(api: Api, mut body: Incoming, meter: &mut Meter) -> Result<UpstreamBody, AttemptError> {
    let announced = body.size_hint().exact().and_then(|length| usize::try_from(length).ok());
    let mut whole = BytesMut::new();
    let mut first: Option<Bytes> = None;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| AttemptError::new(AttemptOutcome::Cut, innermost(&error)))?;
        let Ok(data) = frame.into_data() else { continue };
        if first.is_none() && whole.is_empty() {
            // Most answers are one frame and are passed on as they came; the others are joined.
            first = Some(data);
        } else {
            if let Some(first) = first.take() {
                whole.reserve(announced.unwrap_or(0).min(MAX_HELD).max(first.len() + data.len()));
                whole.extend_from_slice(&first);
            }
            whole.extend_from_slice(&data);
        }
        let read = first.as_ref().map_or(whole.len(), Bytes::len);
        meter.observe(None, output_estimate(api, read as u64));
        // What has come to its end is whole, however large: nobody would ask its body for more.
        if whole.len() > MAX_HELD && !has_ended(&body) {
            return Ok(UpstreamBody::Long(whole.freeze(), body));
        }
    }
    Ok(UpstreamBody::Plain(first.unwrap_or_else(|| whole.freeze())))
}

/// Refuses what is no answer although its status says so, and notes the usage of what is one.
fn judge(
    kind: UpstreamBody,
    (api, talk): (Api, &ResponseCodec),
    meter: &mut Meter,
    sends_on: Option<Instant>,
) -> Result<ValidatedResponse, AttemptError> {
    let unblocked = |kind| Ok(ValidatedResponse { kind, blocked: false });
    let (UpstreamBody::Plain(start) | UpstreamBody::Long(start, _)) = &kind else { return unblocked(kind) };
    if start.trim_ascii_start().first() != Some(&b'{') {
        return Err(protocol("the answer is no JSON object"));
    }
    let UpstreamBody::Plain(body) = &kind else {
        return if talk.needs_whole() {
            Err(protocol("the answer is too large to translate"))
        } else {
            unblocked(kind)
        };
    };
    let length = body.len() as u64;
    let (kind, blocked) = match talk.hear(body) {
        None => {
            judge_openai(body, api, meter)?;
            let blocked = sends_on.is_some() && wire::chat_blocked(body);
            (kind, blocked)
        }
        Some(Ok(DecodedResponse { body, usage, blocked })) => {
            meter.observe(usage, output_estimate(api, length));
            (UpstreamBody::Plain(body), sends_on.is_some() && blocked)
        }
        Some(Err(DecodeError::Malformed(why))) => {
            return Err(AttemptError::new(AttemptOutcome::Protocol, why));
        }
        Some(Err(DecodeError::Error(class, said))) => {
            // An error's length is no measure of output.
            meter.observe(None, 0);
            return Err(error_inside(class, said));
        }
    };
    if blocked {
        // Nor is that of a refusal.
        meter.observe(None, 0);
    }
    Ok(ValidatedResponse { kind, blocked })
}

/// The same for OpenAI's own words, without building a document.
fn judge_openai(body: &Bytes, api: Api, meter: &mut Meter) -> Result<(), AttemptError> {
    if std::str::from_utf8(body).is_err() {
        return Err(protocol("the answer is no UTF-8"));
    }
    let usage = wire::chat_usage(body);
    meter.observe(usage, output_estimate(api, body.len() as u64));
    // Errors say no usage, and they are short: nearly all answers are spared a second look.
    if usage.is_some() || body.len() > MAX_ERROR {
        return Ok(());
    }
    let document: Value =
        serde_json::from_slice(body).map_err(|_| protocol("the answer is no valid JSON"))?;
    let mut answers = ["choices", "data", "results"].iter();
    let answers = answers.any(|list| document.get(list).is_some_and(Value::is_array));
    if answers || (api.is_upload() && document.get("text").is_some_and(Value::is_string)) {
        return Ok(());
    }
    // An error's length is no measure of output.
    meter.observe(None, 0);
    let said = wire::provider_error(body).ok_or_else(|| protocol("neither an answer nor an error"))?;
    Err(error_inside(wire::codec(Dialect::OpenAiChat).classify_error(&said), said))
}

/// A refusal with what the provider said of it.
pub(super) async fn refusal(
    outcome: AttemptOutcome,
    talk: &ResponseCodec,
    response: Response<Incoming>,
) -> AttemptError {
    let retry_after = wire::retry_after(response.headers(), Timestamp::now());
    let status = response.status().as_u16();
    let error_type = response.headers().get("x-amzn-errortype").and_then(|value| value.to_str().ok());
    let error_type = error_type.map(str::to_owned);
    let mut read = BytesMut::new();
    // What came in time may still be readable.
    let _ = timeout(ERROR_WITHIN, read_error(response.into_body(), &mut read)).await;
    // AWS answers for itself, whatever dialect the model behind it speaks.
    let codec = if error_type.is_some() { wire::codec(Dialect::Bedrock) } else { talk.provider() };
    let error_type = error_type.as_deref();
    let (class, said) = codec.decode_error(&ErrorAnswer { status, error_type, body: &read });
    // Where the dialect's words say nothing else, the status does.
    let outcome = if refined(status) { talk::outcome(class) } else { outcome };
    let said = said.map(Box::new);
    let retry_after = retry_after.or_else(|| wire::dialects::gemini::retry_delay(&read));
    let detail = format!("HTTP {status}");
    AttemptError { status: Some(status), said, retry_after, ..AttemptError::new(outcome, detail) }
}

/// Whether words say more than the status: only of a refusal that blames the request or the credential can they be
/// news. Some say 403 of a prompt that a filter flagged: the key is as good as before.
const fn refined(status: u16) -> bool {
    matches!(status, 400 | 402 | 403 | 413 | 422 | 424 | 429 | 498)
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
