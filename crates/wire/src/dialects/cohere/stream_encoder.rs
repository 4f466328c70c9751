//! Writing a stream for Cohere's clients: blocks of text and thoughts, and calls, one after the other.

use crate::{
    canonical::{
        Event, Finish, ToolCallRef,
        embedded::{PendingSignatures, SignedPart},
        serial::Serial,
    },
    codec::{Envelope, StreamEncoder},
    json::out::{self, ObjectOut},
};
use domain::Usage;

use super::{encode_response, finish, logprobs, usage};

/// Writes one stream.
pub(super) struct Encoder {
    serial: Serial,
    state: State,
}

/// What stands open.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Open {
    Nothing,
    Text,
    Thinking,
    Call(u32),
}

struct State {
    envelope: Envelope,
    id: Option<String>,
    started: bool,
    open: Open,
    /// Blocks of content and calls so far; each kind has its own numbers.
    blocks: u64,
    calls: u64,
    /// The open call had no arguments yet.
    empty: bool,
    /// The seals on the thoughts so far, which the next call carries.
    seals: PendingSignatures,
    usage: Option<Usage>,
    finish: Option<Finish>,
    explanation: Option<String>,
}

impl StreamEncoder for Encoder {
    fn event(&mut self, event: &Event<'_>, out: &mut Vec<u8>) {
        let state = &mut self.state;
        self.serial.push(event, &mut |event| state.event(&event, out));
    }

    fn end(&mut self, out: &mut Vec<u8>, terminal: &mut Vec<u8>) {
        let state = &mut self.state;
        self.serial.close(&mut |event| state.event(&event, out));
        state.start(out);
        state.close(out);
        state.message_end(terminal);
        terminal.extend_from_slice(b"data: [DONE]\n\n");
    }
}

impl Encoder {
    pub(super) fn new(envelope: Envelope) -> Self {
        let state = State {
            envelope,
            id: None,
            started: false,
            open: Open::Nothing,
            blocks: 0,
            calls: 0,
            empty: false,
            seals: PendingSignatures::default(),
            usage: None,
            finish: None,
            explanation: None,
        };
        Self { serial: Serial::default(), state }
    }
}

impl State {
    fn event(&mut self, event: &Event<'_>, out: &mut Vec<u8>) {
        if let Event::Start { id, .. } = event {
            self.id = id.as_deref().filter(|id| !id.is_empty()).map(str::to_owned);
        }
        self.start(out);
        match event {
            Event::Text { text, .. } | Event::Refusal { text, .. } => self.grow(Open::Text, text, out),
            Event::Reasoning { text, .. } => {
                self.seals.think(text);
                self.grow(Open::Thinking, text, out);
            }
            Event::Signature { signature, .. } => self.seals.push(SignedPart::Thoughts, signature),
            Event::Redacted { signature, .. } => self.seals.push(SignedPart::Redacted, signature),
            Event::CallStart { call, id, name, signature, .. } => {
                self.call(*call, ToolCallRef { id, name, signature: signature.as_ref() }, out);
            }
            Event::CallArguments { call, fragment, .. } if self.open == Open::Call(*call) => {
                self.arguments(fragment, out);
            }
            Event::CallEnd { call, .. } if self.open == Open::Call(*call) => self.close(out),
            Event::Logprobs { logprobs, .. } => {
                if self.open != Open::Text {
                    self.grow(Open::Text, "", out);
                }
                for logprob in logprobs {
                    self.delta("content-delta", self.blocks, out, |o| {
                        // Clients reach for the text without asking whether there is any.
                        o.object("delta", |o| {
                            o.object("message", |o| o.object("content", |o| o.text("text", "")));
                        });
                        o.object("logprobs", |o| logprobs::item(logprob, o));
                    });
                }
            }
            Event::Usage(usage) => self.usage = Some(*usage),
            Event::Finish { reason, explanation, .. } => {
                self.finish.get_or_insert(*reason);
                self.explanation = explanation.as_deref().map(str::to_owned);
            }
            _ => {}
        }
    }

    fn start(&mut self, out: &mut Vec<u8>) {
        if std::mem::replace(&mut self.started, true) {
            return;
        }
        event("message-start", out, |o| {
            o.text("id", self.id());
            o.object("delta", |o| {
                o.object("message", |o| {
                    o.text("role", "assistant");
                    for list in ["content", "tool_calls", "citations"] {
                        o.array(list, |_| ());
                    }
                    o.text("tool_plan", "");
                });
            });
        });
    }

    fn id(&self) -> &str {
        self.id.as_deref().unwrap_or(&self.envelope.request)
    }

    /// More of a block, which is opened where it is not.
    fn grow(&mut self, kind: Open, text: &str, out: &mut Vec<u8>) {
        let name = if kind == Open::Thinking { "thinking" } else { "text" };
        if self.open != kind {
            self.close(out);
            self.open = kind;
            self.content("content-start", out, |o| {
                o.text("type", name);
                o.text(name, "");
            });
        }
        if !text.is_empty() {
            self.content("content-delta", out, |o| o.text(name, text));
        }
    }

    fn content(&self, kind: &str, out: &mut Vec<u8>, write: impl FnOnce(&mut ObjectOut<'_>)) {
        self.message(kind, self.blocks, out, |o| o.object("content", write));
    }

    fn call(&mut self, index: u32, call: ToolCallRef<'_>, out: &mut Vec<u8>) {
        self.close(out);
        call.signature.into_iter().for_each(|seal| self.seals.push(SignedPart::Call, seal));
        let id = encode_response::own_id(call.id, self.calls, &self.envelope);
        let id = self.seals.onto(&id, &*self.envelope.seal);
        self.open = Open::Call(index);
        self.empty = true;
        self.message("tool-call-start", self.calls, out, |o| {
            o.object("tool_calls", |o| encode_response::call(&id, call.name, "", o));
        });
    }

    fn arguments(&mut self, fragment: &str, out: &mut Vec<u8>) {
        if fragment.is_empty() {
            return;
        }
        self.empty = false;
        self.message("tool-call-delta", self.calls, out, |o| {
            o.object("tool_calls", |o| o.object("function", |o| o.text("arguments", fragment)));
        });
    }

    /// Ends what is open. No arguments at all are an empty object (docs/spec/cases.md#case-3).
    fn close(&mut self, out: &mut Vec<u8>) {
        match self.open {
            Open::Nothing => return,
            Open::Text | Open::Thinking => {
                self.delta("content-end", self.blocks, out, |_| ());
                self.blocks += 1;
            }
            Open::Call(_) => {
                if self.empty {
                    self.arguments("{}", out);
                }
                self.delta("tool-call-end", self.calls, out, |_| ());
                self.calls += 1;
            }
        }
        self.open = Open::Nothing;
    }

    fn message_end(&self, out: &mut Vec<u8>) {
        let reason = self.finish.unwrap_or(Finish::End);
        event("message-end", out, |o| {
            o.text("id", self.id());
            o.object("delta", |o| {
                o.text("finish_reason", finish::write(reason));
                if finish::write(reason) == "ERROR" {
                    o.text(
                        "error",
                        self.explanation.as_deref().unwrap_or("the answer was stopped by a filter"),
                    );
                }
                if let Some(usage) = &self.usage {
                    usage::write(usage, o);
                }
            });
        });
    }

    fn message(&self, kind: &str, index: u64, out: &mut Vec<u8>, write: impl FnOnce(&mut ObjectOut<'_>)) {
        self.delta(kind, index, out, |o| {
            o.object("delta", |o| o.object("message", write));
        });
    }

    fn delta(&self, kind: &str, index: u64, out: &mut Vec<u8>, write: impl FnOnce(&mut ObjectOut<'_>)) {
        event(kind, out, |o| {
            o.number("index", index);
            write(o);
        });
    }
}

fn event(kind: &str, out: &mut Vec<u8>, write: impl FnOnce(&mut ObjectOut<'_>)) {
    for piece in ["event: ", kind, "\ndata: "] {
        out.extend_from_slice(piece.as_bytes());
    }
    out::object(out, |o| {
        o.text("type", kind);
        write(o);
    });
    out.extend_from_slice(b"\n\n");
}
