//! Writing a stream for Gemini's clients: every event is an answer with the next parts; calls come whole.

use std::collections::BTreeMap;

use domain::Usage;

use super::{common::END_OF_EVENT, encode_response, finish, logprobs, usage};
use crate::{
    canonical::{Event, Finish, Part, PartKind, Signature, Text, ToolCall},
    codec::{Envelope, StreamEncoder},
    json::out::{self, ArrayOut, ObjectOut},
    scan::MAX_CHOICES,
    sse::MAX_EVENT,
};

/// Writes one stream.
pub(super) struct Encoder {
    envelope: Envelope,
    id: Option<String>,
    model: Option<String>,
    /// Calls that are not whole yet, by candidate and call.
    calls: BTreeMap<(u32, u32), Pending>,
    /// Bytes of arguments in them.
    size: usize,
    usage: Option<Usage>,
    ends: BTreeMap<u32, End>,
}

struct Pending {
    id: String,
    name: String,
    signature: Option<Signature<'static>>,
    arguments: String,
    whole: bool,
}

impl Pending {
    /// Bytes it takes, its frame included, so that empty ones are bounded as well.
    const fn size(&self) -> usize {
        const FRAME: usize = 256;
        FRAME + self.id.len() + self.name.len() + self.arguments.len()
    }
}

#[derive(Default)]
struct End {
    reason: Option<Finish>,
    explanation: Option<String>,
    /// A call could not be shown: its arguments are no object, or too many.
    broken: bool,
}

impl StreamEncoder for Encoder {
    fn event(&mut self, event: &Event<'_>, out: &mut Vec<u8>) {
        match event {
            Event::Start { id, model } => {
                let owned = |text: &Option<Text<'_>>| {
                    text.as_deref().filter(|text| !text.is_empty()).map(str::to_owned)
                };
                (self.id, self.model) = (owned(id), owned(model));
            }
            Event::CallStart { choice, .. } if u64::from(*choice) >= MAX_CHOICES => {}
            Event::CallStart { .. } | Event::CallArguments { .. } => self.grow(event),
            Event::CallEnd { choice, call } => {
                if let Some(pending) = self.calls.get_mut(&(*choice, *call)) {
                    pending.whole = true;
                }
                self.flush(*choice, false, out);
            }
            Event::Usage(usage) => self.usage = Some(*usage),
            Event::Finish { choice, reason, explanation, .. } if u64::from(*choice) < MAX_CHOICES => {
                self.flush(*choice, true, out);
                let end = self.ends.entry(*choice).or_default();
                end.reason = Some(*reason);
                end.explanation = explanation.as_deref().map(str::to_owned);
            }
            Event::Finish { .. } | Event::Error(_) | Event::End => {}
            _ => self.content(event, out),
        }
    }

    /// The last event holds the reasons and the usage; a comment may go in front of it.
    fn end(&mut self, out: &mut Vec<u8>, terminal: &mut Vec<u8>) {
        let choices: Vec<u32> = self.calls.keys().map(|(choice, _)| *choice).collect();
        for choice in choices {
            self.flush(choice, true, out);
        }
        if self.ends.is_empty() {
            self.ends.insert(0, End::default());
        }
        let (ends, usage) = (&self.ends, self.usage);
        self.chunk(terminal, |o| {
            o.array("candidates", |a| {
                for (choice, end) in ends {
                    a.object(|o| end.write(*choice, o));
                }
            });
            if let Some(usage) = &usage {
                usage::write(usage, o);
            }
        });
    }
}

impl End {
    fn write(&self, choice: u32, o: &mut ObjectOut<'_>) {
        // As Google does it, so that clients which print every text find one.
        encode_response::content(o, |a| a.object(|o| o.text("text", "")));
        let reason = match self.reason.unwrap_or(Finish::End) {
            Finish::End | Finish::StopSequence | Finish::ToolCalls if self.broken => Finish::Malformed,
            reason => reason,
        };
        o.text("finishReason", finish::write(reason));
        o.text_if("finishMessage", self.explanation.as_deref());
        o.number("index", choice.into());
    }
}

impl Encoder {
    pub(super) const fn new(envelope: Envelope) -> Self {
        Self {
            envelope,
            id: None,
            model: None,
            calls: BTreeMap::new(),
            size: 0,
            usage: None,
            ends: BTreeMap::new(),
        }
    }

    fn content(&self, event: &Event<'_>, out: &mut Vec<u8>) {
        let seal = std::sync::Arc::clone(&self.envelope.seal);
        let choice = match event {
            Event::Text { choice, .. }
            | Event::Reasoning { choice, .. }
            | Event::Signature { choice, .. }
            | Event::Redacted { choice, .. }
            | Event::Refusal { choice, .. }
            | Event::Part { choice, .. }
            | Event::Logprobs { choice, .. } => *choice,
            _ => return,
        };
        match event {
            Event::Logprobs { logprobs, .. } => {
                self.candidate(choice, out, |o| {
                    encode_response::content(o, |a| a.object(|o| o.text("text", "")));
                    logprobs::write(logprobs, o);
                });
            }
            Event::Part { part, .. } if matches!(part.kind, PartKind::Foreign { .. }) => {}
            _ => self.parts(choice, out, |a| match event {
                Event::Text { text, .. } | Event::Refusal { text, .. } => a.object(|o| o.text("text", text)),
                Event::Reasoning { text, .. } => encode_response::thoughts(text, None, &*seal, a),
                Event::Signature { signature, .. } => {
                    encode_response::thoughts("", Some(signature), &*seal, a)
                }
                Event::Redacted { signature, .. } => encode_response::redacted(signature, &*seal, a),
                Event::Part { part, .. } => {
                    encode_response::part(part, &*seal, a);
                }
                _ => {}
            }),
        }
    }

    /// Collects a call. What exceeds the bound is broken: the client hears so at the end.
    fn grow(&mut self, event: &Event<'_>) {
        match event {
            Event::CallStart { choice, call, id, name, signature, .. } => {
                let pending = Pending {
                    id: id.to_string(),
                    name: name.to_string(),
                    signature: signature.clone().map(Signature::into_owned),
                    arguments: String::new(),
                    whole: false,
                };
                self.size = self.size.saturating_add(pending.size());
                self.calls.insert((*choice, *call), pending);
            }
            Event::CallArguments { choice, call, fragment } => {
                if let Some(pending) = self.calls.get_mut(&(*choice, *call)) {
                    pending.arguments.push_str(fragment);
                    self.size = self.size.saturating_add(fragment.len());
                }
            }
            _ => {}
        }
        if self.size > MAX_EVENT {
            for (choice, _) in std::mem::take(&mut self.calls).into_keys() {
                self.ends.entry(choice).or_default().broken = true;
            }
            self.size = 0;
        }
    }

    /// Writes a candidate's calls in their order; only those that are whole unless `all`.
    fn flush(&mut self, choice: u32, all: bool, out: &mut Vec<u8>) {
        let seal = std::sync::Arc::clone(&self.envelope.seal);
        while let Some((key, pending)) = self.calls.range((choice, 0)..=(choice, u32::MAX)).next() {
            let key = *key;
            if !all && !pending.whole {
                return;
            }
            let Some(pending) = self.calls.remove(&key) else { return };
            self.size = self.size.saturating_sub(pending.size());
            let call = ToolCall {
                id: pending.id.into(),
                name: pending.name.into(),
                arguments: pending.arguments.into(),
                signature: pending.signature,
                custom: false,
            };
            if super::common::arguments(&call.arguments).is_none() {
                self.ends.entry(choice).or_default().broken = true;
                continue;
            }
            let part = Part::new(PartKind::ToolCall(call));
            self.parts(choice, out, |a| {
                encode_response::part(&part, &*seal, a);
            });
        }
    }

    fn parts(&self, choice: u32, out: &mut Vec<u8>, write: impl FnOnce(&mut ArrayOut<'_>)) {
        self.candidate(choice, out, |o| encode_response::content(o, write));
    }

    fn candidate(&self, choice: u32, out: &mut Vec<u8>, write: impl FnOnce(&mut ObjectOut<'_>)) {
        self.chunk(out, |o| {
            o.array("candidates", |a| {
                a.object(|o| {
                    write(o);
                    o.number("index", choice.into());
                });
            });
        });
    }

    fn chunk(&self, out: &mut Vec<u8>, write: impl FnOnce(&mut ObjectOut<'_>)) {
        out.extend_from_slice(b"data: ");
        out::object(out, |o| {
            write(o);
            o.text("modelVersion", self.model.as_deref().unwrap_or(&self.envelope.model));
            o.text("responseId", self.id.as_deref().unwrap_or(&self.envelope.request));
        });
        out.extend_from_slice(END_OF_EVENT);
    }
}
