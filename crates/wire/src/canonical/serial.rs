//! One call after the other: what providers let grow side by side, for dialects in which blocks never overlap.

use std::collections::VecDeque;

use super::{Event, Events, Signature};
use crate::sse::MAX_EVENT;

/// Puts the events of one answer into an order in which a call, once begun, ends before anything else comes.
///
/// What comes meanwhile waits, at most [`MAX_EVENT`] bytes of it; beyond that the open call is taken for whole
/// (docs/spec/cases.md#case-23).
#[derive(Debug, Default)]
pub(crate) struct Serial {
    open: Option<u32>,
    waiting: VecDeque<Waiting>,
    size: usize,
}

/// Most blocks that wait: each fragment looks for its own among them.
const MOST_BLOCKS: usize = 1_024;

/// A block that waits for the open call's end.
#[derive(Debug)]
enum Waiting {
    Text(String),
    Reasoning(String),
    Signature(Signature<'static>),
    Redacted(Signature<'static>),
    Refusal(String),
    Call {
        call: u32,
        id: String,
        name: String,
        signature: Option<Signature<'static>>,
        arguments: String,
        ended: bool,
    },
}

impl Serial {
    pub(crate) const fn new() -> Self {
        Self { open: None, waiting: VecDeque::new(), size: 0 }
    }

    /// Takes an event of the first answer; `sink` gets what may be written now.
    pub(crate) fn push(&mut self, event: &Event<'_>, sink: &mut Events<'_>) {
        match event {
            Event::CallArguments { call, .. } if self.open != Some(*call) => self.wait(event),
            Event::CallEnd { call, .. } if self.open == Some(*call) => {
                self.open = None;
                sink(event.clone());
                self.drain(sink);
            }
            Event::CallEnd { .. } => self.wait(event),
            Event::CallStart { call, .. } if self.open.is_none() => {
                self.open = Some(*call);
                sink(event.clone());
            }
            Event::CallStart { .. }
            | Event::Text { .. }
            | Event::Reasoning { .. }
            | Event::Signature { .. }
            | Event::Redacted { .. }
            | Event::Refusal { .. }
                if self.open.is_some() =>
            {
                self.wait(event);
            }
            Event::Finish { .. } => {
                self.close(sink);
                sink(event.clone());
            }
            _ => sink(event.clone()),
        }
        if self.size > MAX_EVENT || self.waiting.len() > MOST_BLOCKS {
            self.end_open(sink);
        }
    }

    /// Ends the open call and all that wait.
    pub(crate) fn close(&mut self, sink: &mut Events<'_>) {
        while self.open.is_some() {
            self.end_open(sink);
        }
    }

    fn end_open(&mut self, sink: &mut Events<'_>) {
        if let Some(call) = self.open.take() {
            sink(Event::CallEnd { choice: 0, call });
            self.drain(sink);
        }
    }

    fn wait(&mut self, event: &Event<'_>) {
        let owned = |signature: &Signature<'_>| signature.clone().into_owned();
        match event {
            Event::Text { text, .. } => {
                self.size += text.len();
                match self.waiting.back_mut() {
                    Some(Waiting::Text(before)) => before.push_str(text),
                    _ => self.waiting.push_back(Waiting::Text(text.to_string())),
                }
            }
            Event::Reasoning { text, .. } => {
                self.size += text.len();
                match self.waiting.back_mut() {
                    Some(Waiting::Reasoning(before)) => before.push_str(text),
                    _ => self.waiting.push_back(Waiting::Reasoning(text.to_string())),
                }
            }
            Event::Refusal { text, .. } => {
                self.size += text.len();
                match self.waiting.back_mut() {
                    Some(Waiting::Refusal(before)) => before.push_str(text),
                    _ => self.waiting.push_back(Waiting::Refusal(text.to_string())),
                }
            }
            Event::Signature { signature, .. } => {
                self.size += signature.text.len();
                self.waiting.push_back(Waiting::Signature(owned(signature)));
            }
            Event::Redacted { signature, .. } => {
                self.size += signature.text.len();
                self.waiting.push_back(Waiting::Redacted(owned(signature)));
            }
            Event::CallStart { call, id, name, signature, .. } => {
                self.size += id.len() + name.len();
                self.waiting.push_back(Waiting::Call {
                    call: *call,
                    id: id.to_string(),
                    name: name.to_string(),
                    signature: signature.as_ref().map(owned),
                    arguments: String::new(),
                    ended: false,
                });
            }
            Event::CallArguments { call, fragment, .. } => {
                if let Some((arguments, _)) = self.waiting_call(*call) {
                    arguments.push_str(fragment);
                    self.size += fragment.len();
                }
            }
            Event::CallEnd { call, .. } => {
                if let Some((_, ended)) = self.waiting_call(*call) {
                    *ended = true;
                }
            }
            _ => {}
        }
    }

    fn waiting_call(&mut self, wanted: u32) -> Option<(&mut String, &mut bool)> {
        self.waiting.iter_mut().rev().find_map(|waiting| match waiting {
            Waiting::Call { call, arguments, ended, .. } if *call == wanted => Some((arguments, ended)),
            _ => None,
        })
    }

    /// Hands on what waits, up to and with the next call that is still growing.
    fn drain(&mut self, sink: &mut Events<'_>) {
        let choice = 0;
        self.size = 0;
        while let Some(waiting) = self.waiting.pop_front() {
            match waiting {
                Waiting::Text(text) => sink(Event::Text { choice, text: text.into() }),
                Waiting::Reasoning(text) => sink(Event::Reasoning { choice, text: text.into() }),
                Waiting::Refusal(text) => sink(Event::Refusal { choice, text: text.into() }),
                Waiting::Signature(signature) => sink(Event::Signature { choice, signature }),
                Waiting::Redacted(signature) => sink(Event::Redacted { choice, signature }),
                Waiting::Call { call, id, name, signature, arguments, ended } => {
                    // No dialect in which blocks never overlap has free-form tools.
                    let (id, name, custom) = (id.into(), name.into(), false);
                    sink(Event::CallStart { choice, call, id, name, signature, custom });
                    if !arguments.is_empty() {
                        sink(Event::CallArguments { choice, call, fragment: arguments.into() });
                    }
                    if !ended {
                        self.open = Some(call);
                        self.size = self.waiting.iter().map(Waiting::len).sum();
                        return;
                    }
                    sink(Event::CallEnd { choice, call });
                }
            }
        }
    }
}

impl Waiting {
    fn len(&self) -> usize {
        match self {
            Self::Text(text) | Self::Reasoning(text) | Self::Refusal(text) => text.len(),
            Self::Signature(signature) | Self::Redacted(signature) => signature.text.len(),
            Self::Call { id, name, arguments, .. } => id.len() + name.len() + arguments.len(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start(call: u32) -> Event<'static> {
        Event::CallStart {
            choice: 0,
            call,
            id: format!("id{call}").into(),
            name: "f".into(),
            signature: None,
            custom: false,
        }
    }

    fn arguments(call: u32, fragment: &'static str) -> Event<'static> {
        Event::CallArguments { choice: 0, call, fragment: fragment.into() }
    }

    fn run(events: &[Event<'static>]) -> Vec<String> {
        let (mut serial, mut out) = (Serial::default(), Vec::new());
        let mut sink = |event: Event<'_>| {
            out.push(match event {
                Event::CallStart { call, .. } => format!("start {call}"),
                Event::CallArguments { call, fragment, .. } => format!("{call}: {fragment}"),
                Event::CallEnd { call, .. } => format!("end {call}"),
                Event::Text { text, .. } => text.to_string(),
                _ => "other".to_owned(),
            });
        };
        for event in events {
            serial.push(event, &mut sink);
        }
        serial.close(&mut sink);
        out
    }

    #[test]
    fn calls_that_grow_side_by_side_come_one_after_the_other() {
        let text = |text: &'static str| Event::Text { choice: 0, text: text.into() };
        let end = |call| Event::CallEnd { choice: 0, call };
        let events = [
            text("a"),
            start(0),
            arguments(0, "{"),
            start(1),
            arguments(1, "["),
            arguments(0, "}"),
            text("b"),
            text("c"),
            arguments(1, "]"),
            end(0),
            arguments(1, "!"),
        ];
        let expected = ["a", "start 0", "0: {", "0: }", "end 0", "start 1", "1: []", "1: !", "end 1", "bc"];
        assert_eq!(run(&events), expected);
    }

    #[test]
    fn what_waits_is_bounded() {
        let fragment: &'static str = "x".repeat(MAX_EVENT).leak();
        let out =
            run(&[start(0), start(1), arguments(1, fragment), arguments(1, "yy"), arguments(0, "late")]);
        assert_eq!((&*out[1], &*out[2], out[3].len()), ("end 0", "start 1", MAX_EVENT + 3));
        assert_eq!(
            out[4..],
            ["1: yy", "end 1"],
            "the open call was ended to make room; the other lost nothing"
        );
    }
}
