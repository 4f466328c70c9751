//! One attempt: intent, request, response head, and the answer as far as it must be seen before it is believed.

use std::{sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use domain::AttemptOutcome;
use http::{HeaderMap, HeaderValue, Method, Request, Response, Uri, header, response::Parts};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use policy::{Planned, bound};
use tokio::time::{Instant, timeout_at};
use wire::{ChatTap, Edits, Piece};

use super::{
    Try,
    failure::{Failure, by_status},
};
use crate::{gateway::Gateway, meter::Meter, pipeline::Ask, redact::redact, reply::Trouble};

/// Largest plain answer that is held to put its cost into the headers, in bytes.
pub(crate) const MAX_HELD: usize = 8 << 20;
/// Largest error body that is read, in bytes.
const MAX_ERROR: usize = 64 << 10;
/// Most bytes of a stream held while it has shown neither content nor an error.
const MAX_OPENING: usize = 256 << 10;

/// A provider's answer, believed.
pub(crate) struct Answer {
    pub(crate) head: Parts,
    pub(crate) kind: Kind,
    pub(crate) deadline: Instant,
    /// Kept to blot it out of what the provider says later.
    pub(crate) secret: Option<Arc<zeroize::Zeroizing<String>>>,
}

/// In which form the answer comes.
pub(crate) enum Kind {
    /// Whole.
    Plain(Bytes),
    /// Larger than is held: the start, and the rest still to come.
    Long(Bytes, Incoming),
    /// A stream that has shown content: the first pieces, and the rest still to come.
    Stream(Box<ChatTap>, Vec<Piece>, Incoming),
}

/// Tries once. The outer error is the gateway's own trouble and ends the request.
pub(crate) async fn try_once(
    gateway: &Arc<Gateway>,
    ask: &Ask,
    meter: &mut Meter,
    tried: &Try<'_>,
) -> Result<Result<Answer, Failure>, Trouble> {
    let target = &tried.planned.target;
    let input = wire::input_bound(&ask.facts, ask.body.len());
    let bound = bound(target, domain::Timestamp::now(), input, ask.facts.max_output, ask.facts.choices);
    let request = encode(ask, tried)?;
    meter.begin(target, bound)?;
    let waiting = Instant::now();
    let connect = ask.plan.timeouts.connect.std();
    let exchange = exchange(gateway, ask, meter, request, connect);
    let mut got = timeout_at(tried.first_content, exchange)
        .await
        .unwrap_or_else(|_| Err(Failure::new(AttemptOutcome::Timeout, "no content in time")));
    meter.wait(waiting.elapsed());
    if let Err(failure) = &mut got {
        blot(failure, tried);
        meter.end(failure.outcome);
        tracing::debug!(request = %meter.request(), target = %target.model, outcome = failure.outcome.as_str(), detail = failure.detail, "attempt failed");
    }
    let secret = tried.credential.map(|credential| Arc::clone(&credential.secret));
    Ok(got.map(|(head, kind)| Answer { head, kind, deadline: tried.deadline, secret }))
}

/// The request in the target's terms: the client's bytes with the splices, and none of its headers but a few.
fn encode(ask: &Ask, tried: &Try<'_>) -> Result<Request<Full<Bytes>>, Trouble> {
    let Planned { target, .. } = tried.planned;
    let edits = Edits { model: &target.upstream, want_usage: ask.facts.stream, output_limit: None };
    let body = wire::splice(&ask.body, &ask.facts, &edits);
    let endpoint = &target.endpoint;
    let uri = Uri::builder()
        .scheme(endpoint.scheme.clone())
        .authority(endpoint.authority.clone())
        .path_and_query(format!("{}{}", endpoint.prefix, ask.api.path()))
        .build();
    let internal = |_| Trouble::new(domain::ErrorKind::Internal, "the target's address cannot be written");
    let mut request = Request::new(Full::new(body));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = uri.map_err(internal)?;
    let headers = request.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let accept = if ask.facts.stream { "text/event-stream" } else { "application/json" };
    headers.insert(header::ACCEPT, HeaderValue::from_static(accept));
    headers.insert(
        header::USER_AGENT,
        HeaderValue::from_static(concat!("portcullis/", env!("CARGO_PKG_VERSION"))),
    );
    if let Some(credential) = tried.credential {
        headers.insert(header::AUTHORIZATION, credential.header.clone());
    }
    Ok(request)
}

/// Sends, and reads as much as it takes to know that the target answered.
async fn exchange(
    gateway: &Gateway,
    ask: &Ask,
    meter: &mut Meter,
    request: Request<Full<Bytes>>,
    connect: Duration,
) -> Result<(Parts, Kind), Failure> {
    let sent = gateway.upstream.send(connect, request).await;
    let response =
        sent.map_err(|error| Failure { before_head: true, ..Failure::new(error.outcome, error.detail) })?;
    let status = response.status().as_u16();
    meter.status(status);
    if let Some(outcome) = by_status(status) {
        return Err(refusal(outcome, response).await);
    }
    let (head, body) = response.into_parts();
    if is_event_stream(&head.headers) {
        let (tap, pieces) = (ChatTap::new(!ask.facts.include_usage), Vec::new());
        return open_stream(tap, pieces, body, meter).await.map(|kind| (head, kind));
    }
    let kind = hold(body).await?;
    meter.first_content();
    Ok((head, kind))
}

fn is_event_stream(headers: &HeaderMap) -> bool {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    content_type.is_some_and(|value| value.trim_start().to_ascii_lowercase().starts_with("text/event-stream"))
}

/// A refusal with what the provider said of it.
async fn refusal(outcome: AttemptOutcome, response: Response<Incoming>) -> Failure {
    let retry_after =
        response.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    let status = response.status().as_u16();
    let mut read = BytesMut::new();
    let mut body = response.into_body();
    while let Some(Ok(frame)) = body.frame().await {
        if let Ok(data) = frame.into_data() {
            let room = MAX_ERROR - read.len();
            read.extend_from_slice(&data[..data.len().min(room)]);
        }
        if read.len() == MAX_ERROR {
            break;
        }
    }
    let said = wire::provider_error(&read).map(Box::new);
    let detail = said
        .as_ref()
        .map_or_else(|| format!("HTTP {status}"), |said| format!("HTTP {status}: {}", said.message));
    Failure { status: Some(status), said, retry_after, ..Failure::new(outcome, detail) }
}

/// Reads a stream up to its first content, so that an error before it can still go to another target.
async fn open_stream(
    mut tap: ChatTap,
    mut pieces: Vec<Piece>,
    mut body: Incoming,
    meter: &mut Meter,
) -> Result<Kind, Failure> {
    let mut held = 0;
    loop {
        let frame = body.frame().await;
        let ended = frame.is_none();
        match frame {
            Some(Ok(frame)) => {
                let Ok(data) = frame.into_data() else { continue };
                held += data.len();
                tap.feed(data, &mut pieces)
                    .map_err(|error| Failure::new(AttemptOutcome::Protocol, error.to_string()))?;
            }
            Some(Err(error)) => {
                return Err(Failure::new(AttemptOutcome::Cut, crate::upstream::innermost(&error)));
            }
            None => tap.finish(&mut pieces),
        }
        let seen = tap.seen();
        meter.observe(seen.usage, seen.tokens_estimate());
        if let (Some(error), false) = (&seen.error, seen.content) {
            let said = Some(Box::new(error.clone()));
            return Err(Failure { said, ..Failure::new(AttemptOutcome::StreamError, error.message.clone()) });
        }
        if seen.content || seen.done || held > MAX_OPENING {
            meter.first_content();
            return Ok(Kind::Stream(Box::new(tap), pieces, body));
        }
        if ended {
            return Err(Failure::new(AttemptOutcome::Cut, "the stream ended before any content"));
        }
    }
}

/// Reads a plain answer, whole if it is not too large.
async fn hold(mut body: Incoming) -> Result<Kind, Failure> {
    let mut whole = BytesMut::new();
    let mut first: Option<Bytes> = None;
    while let Some(frame) = body.frame().await {
        let frame =
            frame.map_err(|error| Failure::new(AttemptOutcome::Cut, crate::upstream::innermost(&error)))?;
        let Ok(data) = frame.into_data() else { continue };
        match &first {
            None if whole.is_empty() => first = Some(data),
            _ => {
                // Most answers are one frame and are passed on as they came; the others are joined.
                whole.extend_from_slice(&first.take().unwrap_or_default());
                whole.extend_from_slice(&data);
            }
        }
        if whole.len() > MAX_HELD {
            return Ok(Kind::Long(whole.freeze(), body));
        }
    }
    Ok(Kind::Plain(first.unwrap_or_else(|| whole.freeze())))
}

/// Takes the credential out of everything the provider said.
fn blot(failure: &mut Failure, tried: &Try<'_>) {
    let Some(credential) = tried.credential else { return };
    failure.detail = redact(&failure.detail, &credential.secret);
    if let Some(said) = &mut failure.said {
        said.message = redact(&said.message, &credential.secret);
        for text in [&mut said.kind, &mut said.code, &mut said.param].into_iter().flatten() {
            *text = redact(text, &credential.secret);
        }
    }
}
