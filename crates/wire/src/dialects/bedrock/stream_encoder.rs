//! Writing a stream for a client.

use domain::Usage;

use super::{
    encode_response::{blob, metrics, stop_reason, stop_sequence},
    frame, usage,
};
use crate::{
    canonical::{Event, Finish, serial::Serial, trailing_seal::TrailingSeal},
    claude::content::{call_id, sealed},
    codec::{Envelope, Framing, StreamEncoder},
    json::out::ObjectOut,
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
    finish: Option<(Finish, Option<String>)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Block {
    Text,
    Reasoning,
    ToolUse,
}

impl Encoder {
    pub(super) const fn new(envelope: Envelope) -> Self {
        let writer = Writer { envelope, started: false, open: None, index: 0, usage: None, finish: None };
        Self { serial: Serial::new(), trailing_seal: TrailingSeal::new(), writer }
    }
}

impl StreamEncoder for Encoder {
    fn framing(&self) -> Framing {
        Framing::AwsEventStream
    }

    fn event(&mut self, event: &Event<'_>, out: &mut Vec<u8>) {
        let Self { serial, trailing_seal, writer } = self;
        serial.push(event, &mut |event| trailing_seal.pass(event, &mut |event| writer.event(&event, out)));
    }

    fn end(&mut self, out: &mut Vec<u8>, terminal: &mut Vec<u8>) {
        let Self { serial, trailing_seal, writer } = self;
        serial.close(&mut |event| trailing_seal.pass(event, &mut |event| writer.event(&event, out)));
        writer.finish(out);
        frame::event(terminal, "metadata", |o| {
            usage::write(o, writer.usage, writer.envelope.input_estimate);
            metrics(o);
        });
    }
}

impl Writer {
    fn event(&mut self, event: &Event<'_>, out: &mut Vec<u8>) {
        match event {
            Event::Start { .. } => self.start(out),
            Event::Text { choice: 0, text } | Event::Refusal { choice: 0, text } => {
                self.open(Block::Text, out);
                self.delta(out, |o| o.text("text", text));
            }
            Event::Reasoning { choice: 0, text } => {
                self.open(Block::Reasoning, out);
                self.delta(out, |o| o.object("reasoningContent", |o| o.text("text", text)));
            }
            Event::Signature { choice: 0, signature } => {
                self.open(Block::Reasoning, out);
                let seal = sealed(signature, &self.envelope);
                self.delta(out, |o| o.object("reasoningContent", |o| o.text("signature", &seal)));
                self.close(out);
            }
            Event::Redacted { choice: 0, signature } => {
                self.close(out);
                self.open(Block::Reasoning, out);
                let data = blob(signature, &self.envelope);
                self.delta(out, |o| o.object("reasoningContent", |o| o.text("redactedContent", &data)));
                self.close(out);
            }
            Event::CallStart { choice: 0, call, id, name, signature, .. } => {
                let at = usize::try_from(*call).unwrap_or(usize::MAX);
                let id = call_id(id, at, signature.as_ref(), &self.envelope);
                self.close(out);
                self.open(Block::ToolUse, out);
                frame::event(out, "contentBlockStart", |o| {
                    o.object("start", |o| {
                        o.object("toolUse", |o| {
                            o.text("toolUseId", &id);
                            o.text("name", name);
                        });
                    });
                    o.number("contentBlockIndex", self.index);
                });
            }
            Event::CallArguments { choice: 0, fragment, .. } => {
                self.delta(out, |o| o.object("toolUse", |o| o.text("input", fragment)));
            }
            Event::CallEnd { choice: 0, .. } => self.close(out),
            Event::Usage(usage) => self.usage = Some(*usage),
            Event::Finish { choice: 0, reason, stop_sequence, .. } => {
                self.finish = Some((*reason, stop_sequence.as_deref().map(str::to_owned)));
            }
            // Other answers than the first, and what this dialect has no words for.
            _ => {}
        }
    }

    fn start(&mut self, out: &mut Vec<u8>) {
        if !std::mem::replace(&mut self.started, true) {
            frame::event(out, "messageStart", |o| o.text("role", "assistant"));
        }
    }

    /// Opens a block unless one of this kind is open; blocks of text and thoughts begin with their first delta.
    fn open(&mut self, block: Block, out: &mut Vec<u8>) {
        self.start(out);
        if self.open != Some(block) {
            self.close(out);
            self.open = Some(block);
        }
    }

    fn delta(&self, out: &mut Vec<u8>, delta: impl FnOnce(&mut ObjectOut<'_>)) {
        frame::event(out, "contentBlockDelta", |o| {
            o.object("delta", delta);
            o.number("contentBlockIndex", self.index);
        });
    }

    fn close(&mut self, out: &mut Vec<u8>) {
        if self.open.take().is_some() {
            frame::event(out, "contentBlockStop", |o| o.number("contentBlockIndex", self.index));
            self.index += 1;
        }
    }

    fn finish(&mut self, out: &mut Vec<u8>) {
        self.start(out);
        self.close(out);
        let (finish, named) = self.finish.take().unwrap_or((Finish::End, None));
        frame::event(out, "messageStop", |o| {
            o.text("stopReason", stop_reason(finish));
            stop_sequence(o, named.as_deref());
        });
    }
}
