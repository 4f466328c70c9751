//! A step of a cascade: its response is read to the end and judged before the client has a byte of it.

use std::time::Duration;

use bytes::Bytes;
use domain::AttemptOutcome;
use http::HeaderMap;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use policy::{PlannedTarget, Program, ReplyFacts};
use tokio::time::{Instant, timeout_at};
use wire::{OutputChunk, StreamPipe, answer::Answer};

use super::{
    error::AttemptError,
    first_content::{ResponseReader, ValidatedResponse},
    response::{BufferedBody, MAX_HELD, TRAILING_USAGE_TIMEOUT, UpstreamBody},
};
use upstream::innermost;

use crate::{codec::ResponseCodec, meter::Meter, request::LlmRequest};

/// The condition that a response has to meet. `None` if any response goes to the client as it comes.
pub(super) fn accept_condition<'a>(request: &LlmRequest, planned: &'a PlannedTarget) -> Option<&'a Program> {
    planned.accept.as_deref().filter(|_| request.api.generates())
}

/// What becomes of a response.
pub(super) enum Verdict {
    /// It goes to the client as it comes.
    Unjudged,
    /// It is complete, and goes to the client.
    Accepted,
    /// It is complete and not good enough, for this reason.
    Rejected(String),
    /// A filter blocked the prompt; another target may not.
    Blocked,
}

/// A response, and what becomes of it.
pub(super) struct JudgedResponse {
    pub(super) kind: UpstreamBody,
    pub(super) verdict: Verdict,
}

/// A step that judges its response.
pub(super) struct CascadeStep<'a> {
    pub(super) request: &'a LlmRequest,
    pub(super) codec: &'a ResponseCodec,
    pub(super) condition: &'a Program,
    pub(super) reroute_blocked_until: Option<Instant>,
}

impl CascadeStep<'_> {
    /// Reads a response of status 2xx to its end and judges it.
    pub(super) async fn read(
        &self,
        headers: &HeaderMap,
        body: Incoming,
        meter: &mut Meter,
    ) -> Result<JudgedResponse, AttemptError> {
        let timeouts = &self.request.plan.terms.timeouts;
        let first = Instant::now() + timeouts.first_token.std();
        let mut reader = ResponseReader {
            request: self.request,
            codec: self.codec,
            meter: &mut *meter,
            buffer: Some(BufferedBody::default()),
            reroute_blocked_until: self.reroute_blocked_until.map(|until| until.min(first)),
        };
        let reading = reader.read(headers, body);
        let ValidatedResponse { mut kind, blocked } = if self.request.facts.stream {
            let late = |_| Err(AttemptError::response(AttemptOutcome::Timeout, "no content in time"));
            timeout_at(first, reading).await.unwrap_or_else(late)?
        } else {
            reading.await?
        };
        let mut buffer = reader.buffer.unwrap_or_default();
        if blocked {
            return Ok(JudgedResponse { kind, verdict: Verdict::Blocked });
        }
        meter.target_shows_content();
        match &mut kind {
            UpstreamBody::Buffered(_) => {}
            UpstreamBody::Passthrough(..) => return Err(too_large()),
            UpstreamBody::Streaming(tap, pieces, rest) => {
                let stream = Stream { codec: self.codec, tap, pieces, rest, buffer: &mut buffer };
                stream.read(meter, timeouts.between_tokens.std()).await?;
            }
        }
        let verdict = match self.judge(&buffer.into_bytes(), meter.output_tokens()) {
            Ok(()) => Verdict::Accepted,
            Err(why) => Verdict::Rejected(why),
        };
        Ok(JudgedResponse { kind, verdict })
    }

    /// Whether a complete response is accepted.
    ///
    /// # Errors
    /// Why not.
    fn judge(&self, whole: &Bytes, output_tokens: u64) -> Result<(), String> {
        let provider = self.codec.provider();
        let read = match self.request.facts.stream {
            true => wire::answer::streamed(provider, whole),
            false => wire::answer::plain(provider, whole),
        };
        let Some(answer) = read else { return Err("the answer cannot be read".to_owned()) };
        let Answer { text, refusal, finish, tool_calls, json_valid, mean_logprob } = &answer;
        let condition = self.condition;
        let schema_valid = !condition.reads("reply.schema_valid") || matches_schema(self.request, text);
        let facts = ReplyFacts {
            text,
            length: text.chars().count() as u64,
            json_valid: *json_valid,
            schema_valid,
            refusal: *refusal,
            finish_reason: finish,
            output_tokens,
            tool_calls: u64::from(*tool_calls),
            mean_logprob: *mean_logprob,
        };
        match condition.accepts(&facts) {
            Ok(true) => Ok(()),
            Ok(false) => Err(format!("not accepted by {:?}", condition.source())),
            Err(why) => {
                Err(format!("accept condition {:?} could not be evaluated: {why}", condition.source()))
            }
        }
    }
}

/// A small model that writes so much has lost its way, and a response that is not complete cannot be judged.
fn too_large() -> AttemptError {
    let detail = format!("the answer exceeds {} MiB, more than is held to be judged", MAX_HELD >> 20);
    AttemptError::response(AttemptOutcome::Rejected, detail)
}

/// A stream that has shown content, on its way to its end.
struct Stream<'a> {
    codec: &'a ResponseCodec,
    tap: &'a mut StreamPipe,
    pieces: &'a mut Vec<OutputChunk>,
    rest: &'a mut Incoming,
    buffer: &'a mut BufferedBody,
}

impl Stream<'_> {
    async fn read(self, meter: &mut Meter, between: Duration) -> Result<(), AttemptError> {
        let Self { codec, tap, pieces, rest, buffer } = self;
        let mut progress = None;
        let mut alarm = Instant::now();
        loop {
            let seen = tap.seen();
            if let Some(error) = &seen.error {
                let class = codec.provider().classify_error(error);
                return Err(AttemptError::inside_response(class, error.clone()));
            }
            let done = seen.done;
            if done && seen.usage.is_some() {
                return Ok(());
            }
            // Keep-alive comments do not count as progress.
            if progress.replace((seen.progress, done)) != Some((seen.progress, done)) {
                alarm = Instant::now() + if done { TRAILING_USAGE_TIMEOUT } else { between };
            }
            match timeout_at(alarm, rest.frame()).await {
                Ok(Some(Ok(frame))) => {
                    let Ok(data) = frame.into_data() else { continue };
                    buffer.push(&data);
                    let fed = tap.feed(data, pieces);
                    meter.observe_stream(tap.seen());
                    fed.map_err(|error| AttemptError::response(AttemptOutcome::Protocol, error.to_string()))?;
                    if buffer.len() > MAX_HELD {
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
                    return Err(AttemptError::response(AttemptOutcome::Cut, detail));
                }
                Err(_) => {
                    return Err(AttemptError::response(
                        AttemptOutcome::Timeout,
                        "the provider stopped sending",
                    ));
                }
                Ok(Some(Err(error))) => {
                    return Err(AttemptError::response(AttemptOutcome::Cut, innermost(&error)));
                }
            }
        }
    }
}

/// Whether a text matches the JSON schema that the request asks for, if it asks for one.
fn matches_schema(request: &LlmRequest, text: &str) -> bool {
    let shape = wire::shape(request.api, request.path.borrowed(), &request.body);
    shape.schema.is_none_or(|schema| wire::answer::obeys(&schema, text))
}
