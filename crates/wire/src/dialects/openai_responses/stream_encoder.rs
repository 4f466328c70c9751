//! Writing a stream for a client: every event numbered, everything said again when it is whole.

mod items;

use crate::{
    canonical::{Event, Finish, PartKind, Signature, ToolCallRef},
    codec::{Envelope, StreamEncoder},
    json::out::{self, ObjectOut},
    openai::finish::FILTERED,
    sse::MAX_EVENT,
};
use domain::Usage;

use super::{
    encode_response::item_status,
    object::{Item, State, response, sealed},
};

/// Most bytes of an answer that are kept to be repeated: more than any model's longest output.
const MOST_KEPT: usize = 4 * MAX_EVENT;

/// Writes one stream.
pub(super) struct Encoder {
    envelope: Envelope,
    model: Option<String>,
    begun: bool,
    sequence: u64,
    items: Vec<Entry>,
    /// The message or the thoughts that are growing.
    open: Option<usize>,
    kept: usize,
    usage: Option<Usage>,
    finish: Option<(Finish, Option<String>)>,
}

/// An item that has begun.
struct Entry {
    item: Item,
    /// The canonical number of a call.
    call: Option<u32>,
    done: bool,
}

/// Writes an event with its number.
fn send(sequence: &mut u64, kind: &str, out: &mut Vec<u8>, write: impl FnOnce(&mut ObjectOut<'_>)) {
    out.extend_from_slice(b"event: response.");
    out.extend_from_slice(kind.as_bytes());
    out.extend_from_slice(b"\ndata: ");
    out::object(out, |o| {
        o.pieces("type", &["response.", kind]);
        o.number("sequence_number", *sequence);
        write(o);
    });
    out.extend_from_slice(b"\n\n");
    *sequence += 1;
}

/// The item that an event is about.
fn address(id: &str, at: usize, o: &mut ObjectOut<'_>) {
    o.text("item_id", id);
    o.number("output_index", at as u64);
}

impl Encoder {
    pub(super) fn new(envelope: Envelope) -> Self {
        Self {
            envelope,
            model: None,
            begun: false,
            sequence: 0,
            items: Vec::new(),
            open: None,
            kept: 0,
            usage: None,
            finish: None,
        }
    }

    fn begin(&mut self, out: &mut Vec<u8>) {
        if std::mem::replace(&mut self.begun, true) {
            return;
        }
        let state = State { model: self.model.as_deref(), ..State::default() };
        for kind in ["created", "in_progress"] {
            send(&mut self.sequence, kind, out, |o| {
                o.object("response", |o| response(&self.envelope, &state, |_| (), o));
            });
        }
    }

    fn seal(&mut self, signature: &Signature<'_>, redacted: bool, out: &mut Vec<u8>) {
        if redacted {
            self.close(out);
        }
        let at = self.thoughts(out);
        if let Item::Reasoning { sealed: seal, .. } = &mut self.items[at].item {
            *seal = sealed(signature, redacted, &self.envelope);
        }
        self.close(out);
    }

    fn close_all(&mut self, out: &mut Vec<u8>) {
        let cut = self.finish.as_ref().is_some_and(|(finish, _)| *finish == Finish::Length);
        self.close(out);
        let open = self.items.iter().filter(|entry| !entry.done);
        let calls: Vec<u32> = open.filter_map(|entry| entry.call).collect();
        calls.into_iter().for_each(|call| self.call_done(call, cut, out));
    }

    fn finish(&mut self, reason: Finish, explanation: Option<&str>, out: &mut Vec<u8>) {
        self.begin(out);
        self.finish = Some((reason, explanation.map(str::to_owned)));
        if reason == Finish::ContentFilter {
            let said = self.items.iter().any(|entry| !matches!(entry.item, Item::Reasoning { .. }));
            let words = explanation.or((!said).then_some(FILTERED)).unwrap_or_default();
            self.say(true, words, out);
        }
        self.close_all(out);
    }

    /// The status of an item that ends now.
    fn status(&self) -> &'static str {
        self.finish.as_ref().map_or("completed", |(finish, _)| item_status(*finish))
    }
}

impl StreamEncoder for Encoder {
    fn event(&mut self, event: &Event<'_>, out: &mut Vec<u8>) {
        match event {
            Event::Start { model, .. } => {
                self.model = model.as_deref().map(str::to_owned);
                self.begin(out);
            }
            Event::Usage(used) => self.usage = Some(*used),
            Event::Text { choice: 0, text } => self.say(false, text, out),
            Event::Refusal { choice: 0, text } => self.say(true, text, out),
            Event::Reasoning { choice: 0, text } => self.think(text, out),
            Event::Signature { choice: 0, signature } => self.seal(signature, false, out),
            Event::Redacted { choice: 0, signature } => self.seal(signature, true, out),
            Event::CallStart { choice: 0, call, id, name, signature, custom } => {
                let at = self.items.len();
                let begun = ToolCallRef { id, name, signature: signature.as_ref() };
                let item = Item::call(&self.envelope, at, begun, *custom);
                self.add(item, Some(*call), out);
            }
            Event::CallArguments { choice: 0, call, fragment } => self.arguments(*call, fragment, out),
            Event::CallEnd { choice: 0, call } => self.call_done(*call, false, out),
            Event::Part { choice: 0, part } => match &part.kind {
                PartKind::Text(text) => self.say(false, text, out),
                PartKind::Refusal(text) => self.say(true, text, out),
                // Other dialects' media and tools have no item here.
                _ => {}
            },
            Event::Logprobs { choice: 0, logprobs } => self.weigh(logprobs),
            Event::Finish { choice: 0, reason, explanation, .. } => {
                self.finish(*reason, explanation.as_deref(), out);
            }
            // This dialect has one answer; errors and the end are written by who sees the stream as a whole.
            _ => {}
        }
    }

    fn end(&mut self, out: &mut Vec<u8>, terminal: &mut Vec<u8>) {
        self.begin(out);
        self.close_all(out);
        let (finish, explanation) = match &self.finish {
            Some((finish, explanation)) => (*finish, explanation.as_deref()),
            None => (Finish::End, None),
        };
        let (usage, model) = (self.usage, self.model.as_deref());
        let state = State { finish: Some(finish), model, usage, service_tier: None, explanation };
        let status = item_status(finish);
        let output = |a: &mut out::ArrayOut<'_>| {
            self.items.iter().for_each(|entry| a.object(|o| entry.item.write(status, o)));
        };
        send(&mut self.sequence, super::finish::status(finish), terminal, |o| {
            o.object("response", |o| response(&self.envelope, &state, output, o));
        });
    }
}
