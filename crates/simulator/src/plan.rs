//! From the events of a healthy answer to what is written, waited for and broken off, as the script says.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::StatusCode;

use crate::body::Step;
use crate::failure::Framing;
use crate::gzip::Gzip;
use crate::problem::Problem;
use crate::script::{Behaviour, Hang};

/// The events of a healthy stream, each complete.
#[derive(Debug, Default)]
pub(crate) struct Events {
    /// Before any content.
    pub(crate) opening: Vec<Bytes>,
    pub(crate) content: Vec<Bytes>,
    /// Finish reason, usage and what ends the stream.
    pub(crate) closing: Vec<Bytes>,
}

/// The error that a script asks for.
pub(crate) fn scripted(behaviour: &Behaviour, status: StatusCode) -> Problem {
    Problem {
        status,
        message: behaviour.error_message.clone().unwrap_or_else(|| "scripted error".into()),
        kind: behaviour.error_type.clone(),
        code: behaviour.error_code.clone(),
        param: None,
        retry_after: behaviour.retry_after,
    }
}

/// The plan of a body that is one piece.
pub(crate) fn document(bytes: &Bytes, behaviour: &Behaviour) -> VecDeque<Step> {
    let steps = if behaviour.hang.is_some() {
        vec![Step::Hang, Step::Cut]
    } else if behaviour.cut_after.or(behaviour.cut_inside).is_some() {
        vec![Step::Write(bytes.slice(..bytes.len() / 2)), Step::Flush, Step::Cut]
    } else if bytes.is_empty() {
        Vec::new()
    } else {
        vec![Step::Write(bytes.clone())]
    };
    steps.into()
}

/// The plan of a stream, up to the position where the script ends it.
pub(crate) fn stream(behaviour: &Behaviour, framing: Framing, events: Events) -> VecDeque<Step> {
    let mut plan = Plan { behaviour, framing, end: events.content.len(), written: 0, steps: VecDeque::new() };
    plan.play(events);
    let Plan { mut steps, .. } = plan;
    if let Some(events) = behaviour.packet_events {
        steps = pack(steps, events);
    }
    if behaviour.bom {
        steps.push_front(Step::Write(Bytes::from_static(b"\xef\xbb\xbf")));
    }
    steps
}

/// The same writes as gzip.
pub(crate) fn compress(steps: VecDeque<Step>) -> VecDeque<Step> {
    let mut gzip = Gzip::default();
    let mut out: VecDeque<Step> = steps
        .into_iter()
        .map(|step| match step {
            Step::Write(bytes) => Step::Write(gzip.piece(&bytes)),
            other => other,
        })
        .collect();
    if out.back() != Some(&Step::Cut) {
        out.push_back(Step::Write(gzip.end()));
    }
    out
}

/// Joins up to `events` writes that follow each other.
fn pack(steps: VecDeque<Step>, events: usize) -> VecDeque<Step> {
    let mut out = VecDeque::new();
    let mut packet = (BytesMut::new(), 0);
    for step in steps {
        match step {
            Step::Write(bytes) if packet.1 < events => {
                packet.0.extend_from_slice(&bytes);
                packet.1 += 1;
            }
            Step::Write(bytes) => {
                out.push_back(Step::Write(std::mem::take(&mut packet.0).freeze()));
                packet = (BytesMut::from(bytes), 1);
            }
            other => {
                if packet.1 > 0 {
                    out.push_back(Step::Write(std::mem::take(&mut packet.0).freeze()));
                    packet.1 = 0;
                }
                out.push_back(other);
            }
        }
    }
    if packet.1 > 0 {
        out.push_back(Step::Write(packet.0.freeze()));
    }
    out
}

struct Plan<'a> {
    behaviour: &'a Behaviour,
    framing: Framing,
    /// Number of content chunks.
    end: usize,
    /// Events written so far.
    written: usize,
    steps: VecDeque<Step>,
}

impl Plan<'_> {
    fn play(&mut self, events: Events) {
        let delay = Duration::from_millis(self.behaviour.chunk_delay_ms);
        let mut opening = events.opening;
        for (index, chunk) in events.content.into_iter().enumerate() {
            if self.stops(index) {
                return;
            }
            opening.drain(..).for_each(|event| self.write(event));
            if !delay.is_zero() {
                self.steps.push_back(Step::Pause(delay));
            }
            if self.here(self.behaviour.cut_inside, index) {
                self.steps.extend([Step::Write(chunk.slice(..chunk.len() / 2)), Step::Flush, Step::Cut]);
                return;
            }
            self.write(chunk);
            if self.behaviour.pings.is_some_and(|every| (index + 1) % every == 0) {
                self.steps.extend(self.framing.ping().map(Step::Write));
            }
        }
        if self.stops(self.end) {
            return;
        }
        let mut closing = events.closing;
        if self.behaviour.no_terminal {
            closing.pop();
        }
        opening.into_iter().chain(closing).for_each(|event| self.write(event));
    }

    fn write(&mut self, event: Bytes) {
        self.written += 1;
        self.steps.push_back(Step::Write(event));
    }

    fn here(&self, position: Option<usize>, index: usize) -> bool {
        position.is_some_and(|p| p.min(self.end) == index)
    }

    /// Adds what happens before chunk `index` when the script ends the stream there.
    fn stops(&mut self, index: usize) -> bool {
        let behaviour = self.behaviour;
        let hang = behaviour.hang.map(|hang| match hang {
            Hang::AfterChunks(chunks) => chunks,
            Hang::AfterHeaders | Hang::BeforeHeaders => 0,
        });
        if self.here(behaviour.error_event_after, index) {
            let failed = behaviour.status.filter(|s| s.as_u16() >= 300);
            let problem = scripted(behaviour, failed.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR));
            self.steps.push_back(Step::Write(self.framing.error(&problem, self.written)));
        } else if self.here(hang, index) {
            self.steps.extend([Step::Hang, Step::Cut]);
        } else if self.here(behaviour.cut_after, index) {
            self.steps.extend([Step::Flush, Step::Cut]);
        } else {
            return self.here(behaviour.end_after, index);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sse::Sse;

    fn plan(json: &str, chunks: usize) -> Vec<Step> {
        let behaviour: Behaviour = serde_json::from_str(json).unwrap();
        let content = (0..chunks).map(|i| Bytes::from(i.to_string())).collect();
        let events = Events { opening: vec!["open".into()], content, closing: vec!["done".into()] };
        stream(&behaviour, Framing::Chat(Sse::default()), events).into()
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
        let inside = plan(r#"{"cut_inside":1}"#, 2);
        assert_eq!(inside, [write("open"), write("0"), write(""), Step::Flush, Step::Cut]);
    }

    #[test]
    fn a_stream_may_end_early_or_without_its_last_event() {
        assert_eq!(plan(r#"{"end_after":1}"#, 2), [write("open"), write("0")]);
        assert_eq!(plan(r#"{"no_terminal":true}"#, 1), [write("open"), write("0")]);
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

    #[test]
    fn events_are_packed_and_comments_come_between() {
        assert_eq!(plan(r#"{"packet_events":3}"#, 2), [write("open01"), write("done")]);
        assert_eq!(
            plan(r#"{"pings":2}"#, 2),
            [write("open"), write("0"), write("1"), write(": keep-alive\n\n"), write("done")]
        );
        assert_eq!(plan(r#"{"bom":true}"#, 0)[0], Step::Write(Bytes::from_static(b"\xef\xbb\xbf")));
    }

    #[test]
    fn compression_covers_every_write_and_ends_properly() {
        let steps = compress(VecDeque::from([write("a"), Step::Flush, write("b")]));
        assert_eq!((steps.len(), &steps[1]), (4, &Step::Flush));
        assert_eq!(compress(VecDeque::from([write("a"), Step::Cut])).len(), 2);
    }
}
