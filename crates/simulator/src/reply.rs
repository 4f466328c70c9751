//! From a behaviour and a healthy answer to the HTTP response that the script asks for.

use std::collections::VecDeque;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use tokio_util::sync::CancellationToken;

use crate::body::{Manner, ScriptedBody, Step};
use crate::endpoint::Dialect;
use crate::failure::{Framing, failure};
use crate::plan::{self, Events};
use crate::recorder::InFlight;
use crate::script::Behaviour;
use crate::sse::unmask;

const JSON: &str = "application/json";

/// A healthy answer, already serialised.
pub(crate) enum Payload {
    /// One JSON document.
    Document(Bytes),
    /// Something else in one piece, with its content type.
    File(&'static str, Bytes),
    /// One JSON document, with a number that is told in this header.
    Counted(&'static str, u64, Bytes),
    Events(Framing, Events),
}

impl Payload {
    /// A document; marks in its text become the broken bytes that they stand for.
    pub(crate) fn json(value: &serde_json::Value) -> Self {
        Self::Document(unmask(value.to_string().into_bytes()))
    }
}

/// The response that `behaviour` makes of `payload`.
pub(crate) fn respond(
    behaviour: &Behaviour,
    dialect: Dialect,
    payload: Payload,
    request: InFlight,
    shutdown: &CancellationToken,
) -> Response {
    let status = behaviour.status.unwrap_or(StatusCode::OK);
    let framing = match &payload {
        Payload::Events(framing, _) if status.as_u16() < 300 => Some(*framing),
        _ => None,
    };
    let mut headers = HeaderMap::new();
    let mut kind = framing.map_or(JSON, Framing::content_type);
    let mut sized = framing.is_none();
    let mut steps = match (&behaviour.raw_body, payload) {
        (Some(raw), _) => plan::document(&Bytes::from(raw.clone()), behaviour),
        (None, _) if status.as_u16() >= 300 => {
            let failure = failure(dialect, &plan::scripted(behaviour, status), request.n);
            headers = failure.headers;
            plan::document(&failure.body, behaviour)
        }
        (None, Payload::Document(bytes)) => plan::document(&bytes, behaviour),
        (None, Payload::File(file, bytes)) => {
            kind = file;
            plan::document(&bytes, behaviour)
        }
        (None, Payload::Counted(name, number, bytes)) => {
            headers.insert(HeaderName::from_static(name), HeaderValue::from(number));
            plan::document(&bytes, behaviour)
        }
        (None, Payload::Events(framing, events)) => plan::stream(behaviour, framing, events),
    };
    if framing.is_none() && behaviour.blank_lines > 0 {
        steps.push_front(Step::Flush);
        steps.push_front(Step::Write(Bytes::from("\n".repeat(behaviour.blank_lines))));
        sized = false;
    }
    if behaviour.gzip {
        steps = plan::compress(steps);
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    let length = sized.then(|| announced(&steps, behaviour)).flatten();
    common_headers(&mut headers, behaviour, dialect, kind, request.n);
    let manner = Manner {
        content_length: length,
        split_bytes: behaviour.split_bytes,
        keepalive: behaviour
            .keepalive_comments
            .map(Duration::from_millis)
            .zip(framing.and_then(Framing::comment)),
    };
    let mut response = Response::new(Body::new(ScriptedBody::new(steps, manner, shutdown.clone(), request)));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

/// The length of a plain answer: what is written, and for one that is cut more than that.
fn announced(steps: &VecDeque<Step>, behaviour: &Behaviour) -> Option<u64> {
    let written: usize =
        steps.iter().map(|step| if let Step::Write(bytes) = step { bytes.len() } else { 0 }).sum();
    let missing = usize::from(steps.contains(&Step::Cut)) * (written + 1);
    behaviour.hang.is_none().then_some((written + missing) as u64)
}

/// The header in which a dialect tells the id of a request.
fn id_header(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Anthropic => "request-id",
        Dialect::Bedrock => "x-amzn-requestid",
        _ => "x-request-id",
    }
}

fn common_headers(headers: &mut HeaderMap, behaviour: &Behaviour, dialect: Dialect, kind: &str, number: u64) {
    let kind = behaviour.content_type.as_deref().unwrap_or(kind);
    if let Ok(kind) = HeaderValue::try_from(kind) {
        headers.insert(CONTENT_TYPE, kind);
    }
    if let Ok(id) = HeaderValue::try_from(format!("sim-{number}")) {
        headers.insert(HeaderName::from_static(id_header(dialect)), id);
    }
    if let Some(seconds) = behaviour.retry_after.filter(|_| dialect != Dialect::Gemini) {
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    headers.extend(behaviour.headers.clone());
}

/// The error response of a dialect outside of any script.
pub(crate) fn refuse(dialect: Dialect, problem: &crate::problem::Problem, number: u64) -> Response {
    let mut failure = failure(dialect, problem, number);
    common_headers(&mut failure.headers, &Behaviour::default(), dialect, JSON, number);
    let mut response = Response::new(Body::from(failure.body));
    *response.status_mut() = failure.status;
    *response.headers_mut() = failure.headers;
    response
}
