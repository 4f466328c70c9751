//! Writing a stream for a client.

use domain::Usage;

use super::{
    encode_response::{message_id, stop},
    usage,
};
use crate::{
    canonical::{Event, Finish, serial::Serial, trailing_seal::TrailingSeal},
    claude::content::{call_id, sealed},
    codec::{Envelope, StreamEncoder},
    json::out::{self, ObjectOut},
};

/// Writes one stream: blocks one after the other, numbered from 0.
pub(super) struct Encoder {
    serial: Serial,
    trailing_seal: TrailingSeal,
    writer: Writer,
}

struct Writer {
    envelope: Envelope,
    started: bool,
    open: Option<Block>,
    /// The open block's number, or the next one's.
    index: u64,
    usage: Option<Usage>,
    finish: Option<(Finish, Option<String>, Option<String>)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Block {
    Text,
    Thinking,
    ToolUse,
}

impl Encoder {
    pub(super) const fn new(envelope: Envelope) -> Self {
        let writer = Writer { envelope, started: false, open: None, index: 0, usage: None, finish: None };
        Self { serial: Serial::new(), trailing_seal: TrailingSeal::new(), writer }
    }
}

impl StreamEncoder for Encoder {
    fn event(&mut self, event: &Event<'_>, out: &mut Vec<u8>) {
        let Self { serial, trailing_seal, writer } = self;
        serial.push(event, &mut |event| trailing_seal.pass(event, &mut |event| writer.event(&event, out)));
    }

    fn end(&mut self, out: &mut Vec<u8>, terminal: &mut Vec<u8>) {
        let Self { serial, trailing_seal, writer } = self;
        serial.close(&mut |event| trailing_seal.pass(event, &mut |event| writer.event(&event, out)));
        writer.finish(out);
        frame(terminal, "message_stop", |_| ());
    }
}

impl Writer {
    fn event(&mut self, event: &Event<'_>, out: &mut Vec<u8>) {
        match event {
            Event::Start { id, model } => self.start(id.as_deref(), model.as_deref(), out),
            Event::Text { choice: 0, text } | Event::Refusal { choice: 0, text } => {
                self.open(Block::Text, out, |o| o.text("text", ""));
                self.delta(out, "text_delta", "text", text);
            }
            Event::Reasoning { choice: 0, text } => {
                self.thinking(out);
                self.delta(out, "thinking_delta", "thinking", text);
            }
            Event::Signature { choice: 0, signature } => {
                self.thinking(out);
                let seal = sealed(signature, &self.envelope).into_owned();
                self.delta(out, "signature_delta", "signature", &seal);
                self.close(out);
            }
            Event::Redacted { choice: 0, signature } => {
                self.close(out);
                let data = sealed(signature, &self.envelope).into_owned();
                self.begin("redacted_thinking", out, |o| o.text("data", &data));
                self.stop_block(out);
            }
            Event::CallStart { choice: 0, call, id, name, signature, .. } => {
                let at = usize::try_from(*call).unwrap_or(usize::MAX);
                let id = call_id(id, at, signature.as_ref(), &self.envelope);
                self.close(out);
                self.open(Block::ToolUse, out, |o| {
                    o.text("id", &id);
                    o.text("name", name);
                    o.object("input", |_| ());
                });
            }
            Event::CallArguments { choice: 0, fragment, .. } => {
                self.delta(out, "input_json_delta", "partial_json", fragment);
            }
            Event::CallEnd { choice: 0, .. } => self.close(out),
            Event::Usage(usage) => self.usage = Some(*usage),
            Event::Finish { choice: 0, reason, stop_sequence, explanation } => {
                let owned = |text: &Option<crate::canonical::Text<'_>>| text.as_deref().map(str::to_owned);
                self.finish = Some((*reason, owned(stop_sequence), owned(explanation)));
            }
            // Other answers than the first, and what this dialect has no words for.
            _ => {}
        }
    }

    fn start(&mut self, id: Option<&str>, model: Option<&str>, out: &mut Vec<u8>) {
        if std::mem::replace(&mut self.started, true) {
            return;
        }
        frame(out, "message_start", |o| {
            o.object("message", |o| {
                o.text("id", &message_id(id, &self.envelope));
                o.text("type", "message");
                o.text("role", "assistant");
                o.text("model", model.unwrap_or(&self.envelope.model));
                o.array("content", |_| ());
                o.null("stop_reason");
                o.null("stop_sequence");
                usage::write(o, self.usage, self.envelope.input_estimate);
            });
        });
    }

    fn thinking(&mut self, out: &mut Vec<u8>) {
        self.open(Block::Thinking, out, |o| {
            o.text("thinking", "");
            o.text("signature", "");
        });
    }

    /// Opens a block unless one of this kind is open; calls are closed by their end.
    fn open(&mut self, block: Block, out: &mut Vec<u8>, members: impl FnOnce(&mut ObjectOut<'_>)) {
        if self.open == Some(block) {
            return;
        }
        self.close(out);
        let kind = match block {
            Block::Text => "text",
            Block::Thinking => "thinking",
            Block::ToolUse => "tool_use",
        };
        self.begin(kind, out, members);
        self.open = Some(block);
    }

    fn begin(&mut self, kind: &str, out: &mut Vec<u8>, members: impl FnOnce(&mut ObjectOut<'_>)) {
        self.start(None, None, out);
        frame(out, "content_block_start", |o| {
            o.number("index", self.index);
            o.object("content_block", |o| {
                o.text("type", kind);
                members(o);
            });
        });
    }

    fn delta(&self, out: &mut Vec<u8>, kind: &str, key: &str, text: &str) {
        frame(out, "content_block_delta", |o| {
            o.number("index", self.index);
            o.object("delta", |o| {
                o.text("type", kind);
                o.text(key, text);
            });
        });
    }

    fn close(&mut self, out: &mut Vec<u8>) {
        if self.open.take().is_some() {
            self.stop_block(out);
        }
    }

    fn stop_block(&mut self, out: &mut Vec<u8>) {
        frame(out, "content_block_stop", |o| o.number("index", self.index));
        self.index += 1;
    }

    /// Usage often comes behind the reason, so both are written at the very end.
    fn finish(&mut self, out: &mut Vec<u8>) {
        self.start(None, None, out);
        self.close(out);
        let (finish, sequence, explanation) = self.finish.take().unwrap_or((Finish::End, None, None));
        frame(out, "message_delta", |o| {
            o.object("delta", |o| {
                stop(o, finish, sequence.as_deref(), explanation.as_deref(), &self.envelope);
            });
            usage::write(o, self.usage, self.envelope.input_estimate);
        });
    }
}

/// Writes one event; clients ignore events without the line `event:`.
pub(super) fn frame(out: &mut Vec<u8>, kind: &str, members: impl FnOnce(&mut ObjectOut<'_>)) {
    out.extend_from_slice(b"event: ");
    out.extend_from_slice(kind.as_bytes());
    out.extend_from_slice(b"\ndata: ");
    out::object(out, |o| {
        o.text("type", kind);
        members(o);
    });
    out.extend_from_slice(b"\n\n");
}
