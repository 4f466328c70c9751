//! Writing a stream for a client.

use crate::{
    canonical::{
        CallIndex, Event, Finish, PartKind, ToolCallRef,
        embedded::{PendingSignatures, SignedPart},
    },
    codec::{Envelope, StreamEncoder},
    json::out::{self, ObjectOut},
    openai::{
        encode::logprobs,
        finish::{self, FILTERED},
    },
};
use domain::Usage;

use super::encode_response::{minted, picture, usage};

/// Writes one stream.
pub(super) struct Encoder {
    envelope: Envelope,
    /// What every chunk begins with, up to the choices.
    head: Vec<u8>,
    choices: Vec<Answer>,
    usage: Option<Usage>,
}

/// One answer.
#[derive(Default)]
struct Answer {
    index: u32,
    /// Whether anything but thoughts was said.
    said: bool,
    seals: PendingSignatures,
    /// Calls that have no arguments yet.
    bare: Vec<u32>,
    /// Calls of free-form tools.
    custom: Vec<u32>,
}

impl Encoder {
    pub(super) fn new(envelope: Envelope) -> Self {
        Self { envelope, head: Vec::new(), choices: Vec::new(), usage: None }
    }

    /// Fixes what is the same in every chunk.
    fn begin(&mut self, model: Option<&str>) {
        if self.head.is_empty() {
            let envelope = &self.envelope;
            self.head.extend_from_slice(b"data: ");
            out::object(&mut self.head, |o| {
                o.pieces("id", &["chatcmpl-", &envelope.request]);
                o.text("object", "chat.completion.chunk");
                o.number("created", envelope.created);
                o.text("model", model.unwrap_or(&envelope.model));
            });
            // The object stays open for the choices.
            self.head.pop();
        }
    }

    /// Writes a chunk; `rest` writes its members behind the model.
    fn chunk(&mut self, out: &mut Vec<u8>, rest: impl FnOnce(&mut ObjectOut<'_>)) {
        self.begin(None);
        out.extend_from_slice(&self.head);
        out.push(b',');
        let mut members = Vec::with_capacity(128);
        out::object(&mut members, rest);
        out.extend_from_slice(&members[1..]);
        out.extend_from_slice(b"\n\n");
    }

    /// Writes a chunk with one choice.
    fn choice(
        &mut self,
        index: u32,
        out: &mut Vec<u8>,
        reason: Option<&str>,
        write: impl FnOnce(&mut ObjectOut<'_>),
    ) {
        let asked = self.envelope.stream_usage;
        self.chunk(out, |o| {
            o.array("choices", |a| {
                a.object(|o| {
                    o.number("index", index.into());
                    write(o);
                    match reason {
                        Some(reason) => o.text("finish_reason", reason),
                        None => o.null("finish_reason"),
                    }
                });
            });
            if asked {
                o.null("usage");
            }
        });
    }

    fn delta(&mut self, index: u32, out: &mut Vec<u8>, write: impl FnOnce(&mut ObjectOut<'_>)) {
        self.choice(index, out, None, |o| {
            o.object("delta", write);
            o.null("logprobs");
        });
    }

    /// The answer; its role is written when it is first heard of.
    fn answer(&mut self, index: u32, out: &mut Vec<u8>) -> &mut Answer {
        let at = self.choices.iter().position(|answer| answer.index == index);
        let at = at.unwrap_or_else(|| {
            self.delta(index, out, |o| {
                o.text("role", "assistant");
                o.text("content", "");
                o.null("refusal");
            });
            self.choices.push(Answer { index, ..Answer::default() });
            self.choices.len() - 1
        });
        &mut self.choices[at]
    }

    fn text(&mut self, index: u32, key: &str, text: &str, out: &mut Vec<u8>) {
        if text.is_empty() {
            return;
        }
        self.answer(index, out).said |= key != "reasoning_content";
        self.delta(index, out, |o| o.text(key, text));
    }

    fn start(&mut self, at: CallIndex, call: ToolCallRef<'_>, custom: bool, out: &mut Vec<u8>) {
        let id = minted(call.id, &self.envelope, at.choice.into(), at.call.into());
        let seal = std::sync::Arc::clone(&self.envelope.seal);
        let answer = self.answer(at.choice, out);
        answer.said = true;
        if custom { &mut answer.custom } else { &mut answer.bare }.push(at.call);
        call.signature.into_iter().for_each(|signature| answer.seals.push(SignedPart::Call, signature));
        let id = answer.seals.onto(&id, &*seal);
        self.call(at, out, |o| {
            o.text("id", &id);
            let (kind, input) = words(custom);
            o.text("type", kind);
            o.object(kind, |o| {
                o.text("name", call.name);
                o.text(input, "");
            });
        });
    }

    fn arguments(&mut self, at: CallIndex, fragment: &str, out: &mut Vec<u8>) {
        if fragment.is_empty() {
            return;
        }
        let answer = self.answer(at.choice, out);
        answer.bare.retain(|bare| *bare != at.call);
        let (kind, input) = words(answer.custom.contains(&at.call));
        self.call(at, out, |o| o.object(kind, |o| o.text(input, fragment)));
    }

    fn call(&mut self, at: CallIndex, out: &mut Vec<u8>, write: impl FnOnce(&mut ObjectOut<'_>)) {
        self.delta(at.choice, out, |o| {
            o.array("tool_calls", |a| {
                a.object(|o| {
                    o.number("index", at.call.into());
                    write(o);
                });
            });
        });
    }

    fn finish(&mut self, index: u32, reason: Finish, explanation: Option<&str>, out: &mut Vec<u8>) {
        let answer = self.answer(index, out);
        let (said, bare) = (answer.said, std::mem::take(&mut answer.bare));
        // A call that ended without arguments has empty ones; one that the limit cut has none
        // (docs/spec/cases.md#case-3, #case-15).
        if reason != Finish::Length {
            bare.into_iter().for_each(|call| self.arguments(CallIndex { choice: index, call }, "{}", out));
        }
        if reason == Finish::ContentFilter {
            let words = explanation.or((!said).then_some(FILTERED)).unwrap_or_default();
            self.text(index, "refusal", words, out);
        }
        self.choice(index, out, Some(finish::write(reason)), |o| {
            o.object("delta", |_| ());
            o.null("logprobs");
        });
    }
}

impl StreamEncoder for Encoder {
    fn event(&mut self, event: &Event<'_>, out: &mut Vec<u8>) {
        match event {
            Event::Start { model, .. } => {
                self.begin(model.as_deref());
                self.answer(0, out);
            }
            Event::Text { choice, text } => self.text(*choice, "content", text, out),
            Event::Reasoning { choice, text } => {
                self.answer(*choice, out).seals.think(text);
                self.text(*choice, "reasoning_content", text, out);
            }
            Event::Refusal { choice, text } => self.text(*choice, "refusal", text, out),
            Event::Signature { choice, signature } => {
                self.answer(*choice, out).seals.push(SignedPart::Thoughts, signature);
            }
            Event::Redacted { choice, signature } => {
                self.answer(*choice, out).seals.push(SignedPart::Redacted, signature);
            }
            Event::CallStart { choice, call, id, name, signature, custom } => {
                let at = CallIndex { choice: *choice, call: *call };
                self.start(at, ToolCallRef { id, name, signature: signature.as_ref() }, *custom, out);
            }
            Event::CallArguments { choice, call, fragment } => {
                self.arguments(CallIndex { choice: *choice, call: *call }, fragment, out);
            }
            Event::CallEnd { choice, call } => {
                if self.answer(*choice, out).bare.contains(call) {
                    self.arguments(CallIndex { choice: *choice, call: *call }, "{}", out);
                }
            }
            Event::Part { choice, part } => match &part.kind {
                PartKind::Text(text) => self.text(*choice, "content", text, out),
                PartKind::Refusal(text) => self.text(*choice, "refusal", text, out),
                PartKind::Image(image) if image.media.is_readable() => {
                    self.answer(*choice, out).said = true;
                    self.delta(*choice, out, |o| o.array("images", |a| picture(&image.media, a)));
                }
                // Chat's streams have no place for other media.
                _ => {}
            },
            Event::Logprobs { choice, logprobs: tokens } => {
                self.answer(*choice, out);
                self.choice(*choice, out, None, |o| {
                    o.object("delta", |_| ());
                    o.object("logprobs", |o| {
                        o.array("content", |a| logprobs(tokens, a));
                        o.null("refusal");
                    });
                });
            }
            Event::Usage(used) => self.usage = Some(*used),
            Event::Finish { choice, reason, explanation, .. } => {
                self.finish(*choice, *reason, explanation.as_deref(), out);
            }
            // Written by who sees the stream as a whole.
            Event::Citations { .. } | Event::Error(_) | Event::End => {}
        }
    }

    fn end(&mut self, out: &mut Vec<u8>, terminal: &mut Vec<u8>) {
        if let (true, Some(used)) = (self.envelope.stream_usage, self.usage) {
            self.chunk(out, |o| {
                o.array("choices", |_| ());
                o.object("usage", |o| usage(&used, o));
            });
        }
        terminal.extend_from_slice(b"data: [DONE]\n\n");
    }
}

/// How a call's kind and its input are called.
const fn words(custom: bool) -> (&'static str, &'static str) {
    if custom { ("custom", "input") } else { ("function", "arguments") }
}
