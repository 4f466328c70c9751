//! A step of a cascade: its answer is read whole and judged before the client has a byte of it.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use domain::AttemptOutcome;
use http::HeaderMap;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use policy::{PlannedTarget, Program, ReplyFacts};
use tokio::time::{Instant, timeout_at};
use wire::{OutputChunk, StreamPipe, answer::Answer};

use super::{
    failure::AttemptError,
    opening::{self, MAX_HELD, UpstreamBody, ValidatedResponse},
};
use crate::{meter::Meter, pipeline::LlmRequest, talk::ResponseCodec, upstream::innermost};

/// How long is waited behind the terminal event of a stream for the usage that a provider sends only then.
pub(super) const AFTERWARDS: Duration = Duration::from_millis(500);

/// What an answer has to be to be kept; `None`: whatever it is, it goes to the client as it comes.
pub(crate) fn condition<'a>(ask: &LlmRequest, planned: &'a PlannedTarget) -> Option<&'a Program> {
    planned.accept.as_deref().filter(|_| ask.api.generates())
}

/// Whether a step may be asked for more than the client asked for: then a refusal may be the gateway's own fault, and the
/// next step tells whether it is.
pub(super) fn edits(ask: &LlmRequest, planned: &PlannedTarget) -> bool {
    condition(ask, planned).is_some_and(|condition| condition.reads("reply.mean_logprob"))
}

/// What becomes of an answer.
pub(super) enum Verdict {
    /// It goes to the client as it comes.
    Unjudged,
    /// It is here, and goes to the client.
    Accepted,
    /// It is here and not good enough, for this reason.
    Rejected(String),
    /// A filter refused the prompt; another target may not.
    Blocked,
}

/// The provider's own bytes of an answer that will be judged.
#[derive(Default)]
pub(super) struct BufferedBody {
    chunks: Vec<Bytes>,
    bytes: usize,
}

impl BufferedBody {
    /// More of the answer; shares its memory.
    pub(super) fn note(&mut self, data: &Bytes) {
        self.bytes += data.len();
        self.chunks.push(data.clone());
    }

    fn whole(mut self) -> Bytes {
        if self.chunks.len() == 1 {
            return self.chunks.pop().unwrap_or_default();
        }
        let mut whole = BytesMut::with_capacity(self.bytes);
        self.chunks.iter().for_each(|chunk| whole.extend_from_slice(chunk));
        whole.freeze()
    }
}

/// Reads an answer of status 2xx to its end and judges it.
pub(super) async fn open(
    (ask, talk): (&LlmRequest, &ResponseCodec),
    headers: &HeaderMap,
    body: Incoming,
    meter: &mut Meter,
    (condition, sends_on): (&Program, Option<Instant>),
) -> Result<(UpstreamBody, Verdict), AttemptError> {
    let mut held = BufferedBody::default();
    let timeouts = &ask.plan.terms.timeouts;
    let first = Instant::now() + timeouts.first_token.std();
    let sends_on = sends_on.map(|until| until.min(first));
    let opening = opening::open((ask, talk), headers, body, (meter, Some(&mut held)), sends_on);
    let ValidatedResponse { mut kind, blocked } = if ask.facts.stream {
        let late = |_| Err(AttemptError::new(AttemptOutcome::Timeout, "no content in time"));
        timeout_at(first, opening).await.unwrap_or_else(late)?
    } else {
        opening.await?
    };
    if blocked {
        return Ok((kind, Verdict::Blocked));
    }
    meter.target_shows_content();
    match &mut kind {
        UpstreamBody::Plain(_) => {}
        UpstreamBody::Long(..) => return Err(too_large()),
        UpstreamBody::Stream(tap, pieces, rest) => {
            let stream = Stream { talk, tap, pieces, rest, held: &mut held };
            stream.read(meter, timeouts.between_tokens.std()).await?;
        }
    }
    let verdict = match verdict((ask, talk), &held.whole(), meter, condition) {
        Ok(()) => Verdict::Accepted,
        Err(why) => Verdict::Rejected(why),
    };
    Ok((kind, verdict))
}

/// A cheap model that writes so much has lost its way, and what is not whole cannot be judged.
fn too_large() -> AttemptError {
    let detail = format!("the answer exceeds {} MiB, more than is held to be judged", MAX_HELD >> 20);
    AttemptError::new(AttemptOutcome::Rejected, detail)
}

/// A stream that has shown content, on its way to its end.
struct Stream<'a> {
    talk: &'a ResponseCodec,
    tap: &'a mut StreamPipe,
    pieces: &'a mut Vec<OutputChunk>,
    rest: &'a mut Incoming,
    held: &'a mut BufferedBody,
}

impl Stream<'_> {
    async fn read(self, meter: &mut Meter, between: Duration) -> Result<(), AttemptError> {
        let Self { talk, tap, pieces, rest, held } = self;
        let mut progress = None;
        let mut alarm = Instant::now();
        loop {
            let seen = tap.seen();
            if let Some(error) = &seen.error {
                return Err(opening::error_inside(talk.provider().classify_error(error), error.clone()));
            }
            let done = seen.done;
            if done && seen.usage.is_some() {
                return Ok(());
            }
            // Keep-alive comments are no progress.
            if progress.replace((seen.progress, done)) != Some((seen.progress, done)) {
                alarm = Instant::now() + if done { AFTERWARDS } else { between };
            }
            match timeout_at(alarm, rest.frame()).await {
                Ok(Some(Ok(frame))) => {
                    let Ok(data) = frame.into_data() else { continue };
                    held.note(&data);
                    let fed = tap.feed(data, pieces);
                    meter.observe_stream(tap.seen());
                    fed.map_err(|error| AttemptError::new(AttemptOutcome::Protocol, error.to_string()))?;
                    if held.bytes > MAX_HELD {
                        return Err(too_large());
                    }
                }
                Err(_) | Ok(Some(Err(_))) if done => return Ok(()),
                Ok(None) => {
                    tap.finish(pieces);
                    let seen = tap.seen();
                    meter.observe_stream(seen);
                    if seen.error.is_none() && (seen.done || seen.finish) {
                        return Ok(());
                    }
                    let detail = "the provider ended the stream before its end";
                    return Err(AttemptError::new(AttemptOutcome::Cut, detail));
                }
                Err(_) => {
                    return Err(AttemptError::new(AttemptOutcome::Timeout, "the provider stopped sending"));
                }
                Ok(Some(Err(error))) => {
                    return Err(AttemptError::new(AttemptOutcome::Cut, innermost(&error)));
                }
            }
        }
    }
}

/// Whether the answer is kept, or why not.
fn verdict(
    (ask, talk): (&LlmRequest, &ResponseCodec),
    whole: &Bytes,
    meter: &Meter,
    condition: &Program,
) -> Result<(), String> {
    let codec = talk.provider();
    let read = match ask.facts.stream {
        true => wire::answer::streamed(codec, whole),
        false => wire::answer::plain(codec, whole),
    };
    let Some(answer) = read else { return Err("the answer cannot be read".to_owned()) };
    let Answer { text, refusal, finish, tool_calls, json_valid, mean_logprob } = &answer;
    let schema_valid = !condition.reads("reply.schema_valid") || obeys_schema(ask, text);
    let facts = ReplyFacts {
        text,
        length: text.chars().count() as u64,
        json_valid: *json_valid,
        schema_valid,
        refusal: *refusal,
        finish_reason: finish,
        output_tokens: meter.output_tokens(),
        tool_calls: u64::from(*tool_calls),
        mean_logprob: *mean_logprob,
    };
    match condition.accepts(&facts) {
        Ok(true) => Ok(()),
        Ok(false) => Err(format!("not accepted by {:?}", condition.source())),
        Err(why) => Err(format!("{:?} cannot be said of it: {why}", condition.source())),
    }
}

/// Whether a text obeys the schema that the request asks for, if it does.
fn obeys_schema(ask: &LlmRequest, text: &str) -> bool {
    let shape = wire::shape(ask.api, ask.in_path.borrowed(), &ask.body);
    shape.schema.is_none_or(|schema| wire::answer::obeys(&schema, text))
}
