//! A message, plain or as events.

use serde_json::{Value, json};

use super::DIALECT;
use crate::answer::{Answer, Finish, Usage};
use crate::failure::Framing;
use crate::openai::id;
use crate::plan::Events;
use crate::reply::Payload;
use crate::script::{Behaviour, UsagePlace};
use crate::signature;
use crate::sse::Sse;

/// What all parts of an answer share.
pub(super) struct Writer<'a> {
    pub(super) behaviour: &'a Behaviour,
    pub(super) model: &'a str,
    pub(super) digest: &'a [u8; 32],
    /// Reasoning is signed but not shown.
    pub(super) omitted: bool,
    pub(super) usage: Usage,
}

impl Writer<'_> {
    fn stop(&self, answer: &Answer) -> (Value, Value, Value) {
        let (reason, sequence, details) = match &answer.finish {
            Finish::End => ("end_turn", Value::Null, Value::Null),
            Finish::Stop(sequence) => ("stop_sequence", sequence.as_str().into(), Value::Null),
            Finish::Length => ("max_tokens", Value::Null, Value::Null),
            Finish::Calls => ("tool_use", Value::Null, Value::Null),
            Finish::Refusal => {
                ("refusal", Value::Null, json!({"type": "refusal", "explanation": answer.text.concat()}))
            }
            Finish::Filter => {
                ("refusal", Value::Null, json!({"type": "refusal", "category": "general_harms"}))
            }
        };
        (self.behaviour.finish_reason.as_deref().unwrap_or(reason).into(), sequence, details)
    }

    fn usage(&self, output: u64) -> Value {
        let usage = &self.usage;
        let mut told = json!({
            "input_tokens": usage.fresh(),
            "cache_creation_input_tokens": usage.written(),
            "cache_read_input_tokens": usage.cache_read,
            "cache_creation": {
                "ephemeral_5m_input_tokens": usage.write_5m,
                "ephemeral_1h_input_tokens": usage.write_1h,
            },
            "output_tokens": output,
            "service_tier": "standard",
        });
        if usage.reasoning > 0 && output == usage.output {
            told["output_tokens_details"] = json!({"thinking_tokens": usage.reasoning});
        }
        told
    }

    /// The reasoning as it is shown, with its signature.
    fn thinking(&self, answer: &Answer) -> Option<(Vec<String>, String)> {
        let reasoning = if self.omitted { Vec::new() } else { answer.reasoning.clone() };
        let signed = signature::mint(DIALECT, self.model, &reasoning.concat());
        (!answer.reasoning.is_empty()).then_some((reasoning, signed))
    }

    fn redacted(&self) -> Value {
        json!({"type": "redacted_thinking", "data": signature::mint(DIALECT, self.model, "")})
    }

    fn message(&self, content: &[Value], output: u64) -> Value {
        let mut message = json!({
            "id": id("msg_", self.digest),
            "type": "message",
            "role": "assistant",
            "model": self.model,
            "content": content,
            "stop_reason": null,
            "stop_sequence": null,
            "stop_details": null,
        });
        if self.behaviour.usage != UsagePlace::None {
            message["usage"] = self.usage(output);
        }
        message
    }

    pub(super) fn document(&self, answer: &Answer) -> Value {
        let mut content = Vec::new();
        if let Some((reasoning, signature)) = self.thinking(answer) {
            content.push(json!({"type": "thinking", "thinking": reasoning.concat(), "signature": signature}));
        }
        if answer.redacted {
            content.push(self.redacted());
        }
        let text = answer.text.concat();
        if !text.is_empty() && answer.finish != Finish::Refusal {
            content.push(json!({"type": "text", "text": text}));
        }
        // A call that the limit cut short is left out: its arguments are no object.
        content.extend(answer.calls.iter().filter_map(|call| {
            Some(json!({"type": "tool_use", "id": call.id, "name": call.name, "input": call.object()?}))
        }));
        let mut message = self.message(&content, self.usage.output);
        (message["stop_reason"], message["stop_sequence"], message["stop_details"]) = self.stop(answer);
        message
    }

    pub(super) fn events(&self, answer: &Answer) -> Payload {
        let sse = Sse::of(self.behaviour);
        let mut blocks = Blocks { sse, index: 0, events: Events::default() };
        let start = json!({"type": "message_start", "message": self.message(&[], 1)});
        blocks.events.opening.push(sse.typed(&start));
        if let Some((reasoning, signature)) = self.thinking(answer) {
            let texts = reasoning.iter().map(|text| json!({"type": "thinking_delta", "thinking": text}));
            let signed = json!({"type": "signature_delta", "signature": signature});
            blocks.add(&json!({"type": "thinking", "thinking": "", "signature": ""}), texts.chain([signed]));
        }
        if answer.redacted {
            blocks.add(&self.redacted(), []);
        }
        if answer.finish != Finish::Refusal && !answer.text.is_empty() {
            let texts = answer.text.iter().map(|text| json!({"type": "text_delta", "text": text}));
            blocks.add(&json!({"type": "text", "text": ""}), texts);
        }
        for call in &answer.calls {
            // No arguments are told by no fragment at all.
            let pieces = if call.arguments == "{}" { Vec::new() } else { call.pieces() };
            let pieces =
                pieces.into_iter().map(|piece| json!({"type": "input_json_delta", "partial_json": piece}));
            blocks.add(&json!({"type": "tool_use", "id": call.id, "name": call.name, "input": {}}), pieces);
        }
        let mut events = blocks.events;
        let (reason, sequence, details) = self.stop(answer);
        let delta = json!({"stop_reason": reason, "stop_sequence": sequence, "stop_details": details});
        let mut end = json!({"type": "message_delta", "delta": delta});
        if self.behaviour.usage != UsagePlace::None {
            end["usage"] = self.usage(self.usage.output);
        }
        events.closing.push(sse.typed(&end));
        events.closing.push(sse.typed(&json!({"type": "message_stop"})));
        Payload::Events(Framing::Anthropic(sse), events)
    }
}

/// Content blocks, one after the other.
struct Blocks {
    sse: Sse,
    index: usize,
    events: Events,
}

impl Blocks {
    fn add(&mut self, block: &Value, deltas: impl IntoIterator<Item = Value>) {
        let (sse, index) = (self.sse, self.index);
        let content = &mut self.events.content;
        content
            .push(sse.typed(&json!({"type": "content_block_start", "index": index, "content_block": block})));
        let deltas = deltas.into_iter();
        content.extend(
            deltas.map(|delta| {
                sse.typed(&json!({"type": "content_block_delta", "index": index, "delta": delta}))
            }),
        );
        content.push(sse.typed(&json!({"type": "content_block_stop", "index": index})));
        self.index += 1;
    }
}
