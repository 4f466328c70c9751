//! From a behaviour and a healthy answer to the HTTP response that the script asks for.

use std::collections::VecDeque;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderName, HeaderValue, StatusCode};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::body::{Manner, ScriptedBody, Step};
use crate::recorder::InFlight;
use crate::script::{Behaviour, Hang};

/// A healthy answer, already serialised.
pub(crate) enum Payload {
    /// One JSON document.
    Document(Bytes),
    /// Server-sent events, each complete with its blank line.
    Events {
        /// The chunk that carries the role.
        opening: Bytes,
        /// Content chunks.
        content: Vec<Bytes>,
        /// Finish reason, usage and the terminal event.
        closing: Vec<Bytes>,
    },
}

/// An OpenAI error object; type and code follow from the status where they are not given.
pub(crate) fn error_json(
    status: StatusCode,
    message: &str,
    kind: Option<&str>,
    code: Option<&str>,
) -> String {
    let default = match status.as_u16() {
        401 => ("invalid_request_error", Some("invalid_api_key")),
        404 => ("invalid_request_error", Some("model_not_found")),
        429 => ("requests", Some("rate_limit_exceeded")),
        500.. => ("server_error", None),
        _ => ("invalid_request_error", None),
    };
    let kind = kind.unwrap_or(default.0);
    json!({"error": {"message": message, "type": kind, "param": null, "code": code.or(default.1)}})
        .to_string()
}

/// One server-sent event with this data.
pub(crate) fn event(data: &str, crlf: bool) -> Bytes {
    let end = if crlf { "\r\n\r\n" } else { "\n\n" };
    let mut event = String::with_capacity(data.len() + 10);
    event.push_str("data: ");
    event.push_str(data);
    event.push_str(end);
    Bytes::from(event)
}

/// The response that `behaviour` makes of `payload`.
pub(crate) fn respond(
    behaviour: &Behaviour,
    payload: Payload,
    request: InFlight,
    shutdown: &CancellationToken,
) -> Response {
    let status = behaviour.status.unwrap_or(StatusCode::OK);
    let streams = matches!(payload, Payload::Events { .. });
    let failed = status.as_u16() >= 300;
    let (steps, content_length) = match (&behaviour.raw_body, payload) {
        (Some(raw), _) => document(&Bytes::from(raw.clone()), behaviour, !streams || failed),
        (None, _) if failed => document(&Bytes::from(scripted_error(behaviour, status)), behaviour, true),
        (None, Payload::Document(bytes)) => document(&bytes, behaviour, true),
        (None, Payload::Events { opening, content, closing }) => {
            (plan_events(behaviour, opening, content, closing), None)
        }
    };
    let sse = streams && !failed;
    let manner = Manner {
        content_length,
        split_bytes: behaviour.split_bytes,
        keepalive: behaviour.keepalive_comments.filter(|_| sse).map(Duration::from_millis),
        crlf: behaviour.crlf,
    };
    let number = request.n;
    let body = ScriptedBody::new(steps, manner, shutdown.clone(), request);
    let mut response = Response::new(Body::new(body));
    *response.status_mut() = status;
    set_headers(&mut response, behaviour, sse, number);
    response
}

fn set_headers(response: &mut Response, behaviour: &Behaviour, sse: bool, number: u64) {
    let headers = response.headers_mut();
    let kind = if sse { "text/event-stream" } else { "application/json" };
    let scripted = behaviour.content_type.as_ref().and_then(|v| HeaderValue::try_from(v).ok());
    headers.insert(CONTENT_TYPE, scripted.unwrap_or(HeaderValue::from_static(kind)));
    if let Ok(id) = HeaderValue::try_from(format!("sim-{number}")) {
        headers.insert(HeaderName::from_static("x-request-id"), id);
    }
    if let Some(seconds) = behaviour.retry_after {
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    headers.extend(behaviour.headers.clone());
}

fn scripted_error(behaviour: &Behaviour, status: StatusCode) -> String {
    let message = behaviour.error_message.as_deref().unwrap_or("scripted error");
    error_json(status, message, behaviour.error_type.as_deref(), behaviour.error_code.as_deref())
}

/// The plan of a body that is one piece, with its announced length when it is `sized`.
fn document(bytes: &Bytes, behaviour: &Behaviour, sized: bool) -> (VecDeque<Step>, Option<u64>) {
    let length = sized.then_some(bytes.len() as u64);
    let steps = if behaviour.hang.is_some() {
        vec![Step::Hang, Step::Cut]
    } else if behaviour.cut_after.is_some() {
        vec![Step::Write(bytes.slice(..bytes.len() / 2)), Step::Flush, Step::Cut]
    } else if bytes.is_empty() {
        Vec::new()
    } else {
        vec![Step::Write(bytes.clone())]
    };
    (steps.into(), length)
}

/// The plan of a stream, up to the position where the script ends it.
fn plan_events(
    behaviour: &Behaviour,
    opening: Bytes,
    content: Vec<Bytes>,
    closing: Vec<Bytes>,
) -> VecDeque<Step> {
    let end = content.len();
    let delay = Duration::from_millis(behaviour.chunk_delay_ms);
    let mut steps = VecDeque::with_capacity(end + closing.len() + 2);
    let mut opening = Some(opening);
    for (index, chunk) in content.into_iter().enumerate() {
        if stop(behaviour, index, end, &mut steps) {
            return steps;
        }
        steps.extend(opening.take().map(Step::Write));
        if !delay.is_zero() {
            steps.push_back(Step::Pause(delay));
        }
        steps.push_back(Step::Write(chunk));
    }
    if !stop(behaviour, end, end, &mut steps) {
        steps.extend(opening.take().into_iter().chain(closing).map(Step::Write));
    }
    steps
}

/// Adds what happens at `index` of `end` chunks when the script ends the stream there.
fn stop(behaviour: &Behaviour, index: usize, end: usize, steps: &mut VecDeque<Step>) -> bool {
    let here = |position: Option<usize>| position.is_some_and(|p| p.min(end) == index);
    let hang = behaviour.hang.map(|hang| match hang {
        Hang::AfterChunks(chunks) => chunks,
        Hang::AfterHeaders | Hang::BeforeHeaders => 0,
    });
    if here(behaviour.error_event_after) {
        let status =
            behaviour.status.filter(|s| s.as_u16() >= 300).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        steps.push_back(Step::Write(event(&scripted_error(behaviour, status), behaviour.crlf)));
    } else if here(hang) {
        steps.extend([Step::Hang, Step::Cut]);
    } else if here(behaviour.cut_after) {
        steps.extend([Step::Flush, Step::Cut]);
    } else {
        return false;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(json: &str, chunks: usize) -> Vec<Step> {
        let behaviour: Behaviour = serde_json::from_str(json).unwrap();
        let content = (0..chunks).map(|i| Bytes::from(i.to_string())).collect();
        plan_events(&behaviour, "open".into(), content, vec!["done".into()]).into()
    }

    fn write(text: &'static str) -> Step {
        Step::Write(Bytes::from_static(text.as_bytes()))
    }

    #[test]
    fn a_healthy_stream_writes_everything_in_order() {
        assert_eq!(plan("{}", 2), [write("open"), write("0"), write("1"), write("done")]);
        assert_eq!(plan("{}", 0), [write("open"), write("done")]);
    }

    #[test]
    fn a_cut_comes_at_its_position_and_position_zero_is_before_everything() {
        assert_eq!(plan(r#"{"cut_after":0}"#, 2), [Step::Flush, Step::Cut]);
        assert_eq!(plan(r#"{"cut_after":1}"#, 2), [write("open"), write("0"), Step::Flush, Step::Cut]);
        assert_eq!(plan(r#"{"cut_after":9}"#, 1), [write("open"), write("0"), Step::Flush, Step::Cut]);
    }

    #[test]
    fn delays_precede_chunks_and_hangs_end_in_a_cut() {
        let pause = Step::Pause(Duration::from_millis(5));
        let steps = plan(r#"{"chunk_delay_ms":5,"hang":{"after_chunks":1}}"#, 2);
        assert_eq!(steps, [write("open"), pause, write("0"), Step::Hang, Step::Cut]);
    }

    #[test]
    fn an_error_event_ends_the_stream_without_the_terminal_event() {
        let steps = plan(r#"{"error_event_after":0,"error_message":"boom"}"#, 2);
        let [Step::Write(bytes)] = steps.as_slice() else { panic!("{steps:?}") };
        let text = std::str::from_utf8(bytes).unwrap();
        assert!(text.starts_with("data: {\"error\":") && text.contains("boom"), "{text}");
    }
}
