//! A chat answer, plain or as events.

use serde_json::{Value, json};

use crate::answer::{Answer, Call, Finish, Usage};
use crate::failure::Framing;
use crate::openai::logprobs;
use crate::plan::Events;
use crate::reply::Payload;
use crate::script::{Behaviour, UsagePlace};
use crate::sse::Sse;

/// What all parts of an answer share.
pub(super) struct Writer<'a> {
    pub(super) behaviour: &'a Behaviour,
    pub(super) id: String,
    pub(super) logprobs: bool,
    pub(super) usage: Usage,
}

fn call(call: &Call) -> Value {
    json!({"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}})
}

impl Writer<'_> {
    fn finish(&self, answer: &Answer) -> Value {
        let word = match answer.finish {
            Finish::End | Finish::Refusal => "COMPLETE",
            Finish::Stop(_) => "STOP_SEQUENCE",
            Finish::Length => "MAX_TOKENS",
            Finish::Calls => "TOOL_CALL",
            Finish::Filter => "ERROR",
        };
        self.behaviour.finish_reason.as_deref().unwrap_or(word).into()
    }

    fn usage(&self) -> Value {
        let usage = &self.usage;
        let told = json!({"input_tokens": usage.input, "output_tokens": usage.output});
        json!({"billed_units": told, "tokens": told, "cached_tokens": usage.cache_read})
    }

    /// Token ids are the places of the tokens: nothing here has a vocabulary.
    fn logprobs(answer: &Answer) -> Value {
        let told = logprobs(&answer.text, 0);
        let one = |(index, entry): (usize, &Value)| json!({"text": entry["token"], "token_ids": [index], "logprobs": [entry["logprob"]]});
        told.as_array().into_iter().flatten().enumerate().map(one).collect()
    }

    /// What is said before calls is a plan, not content.
    fn plans(answer: &Answer) -> bool {
        answer.finish == Finish::Calls
    }

    pub(super) fn document(&self, answer: &Answer) -> Value {
        let mut message = json!({"role": "assistant"});
        let mut content = Vec::new();
        if !answer.reasoning.is_empty() {
            content.push(json!({"type": "thinking", "thinking": answer.reasoning.concat()}));
        }
        let text = answer.text.concat();
        if Self::plans(answer) {
            if !text.is_empty() {
                message["tool_plan"] = text.into();
            }
        } else {
            content.push(json!({"type": "text", "text": text}));
        }
        if !answer.calls.is_empty() {
            message["tool_calls"] = answer.calls.iter().map(call).collect();
        }
        if !content.is_empty() {
            message["content"] = content.into();
        }
        let mut document = json!({"id": self.id, "finish_reason": self.finish(answer), "message": message});
        if self.logprobs {
            document["logprobs"] = Self::logprobs(answer);
        }
        if self.behaviour.usage != UsagePlace::None {
            document["usage"] = self.usage();
        }
        document
    }

    pub(super) fn events(&self, answer: &Answer) -> Payload {
        let sse = Sse::of(self.behaviour);
        let message = |name: &str, index: Option<usize>, message: Value| {
            let mut event = json!({"type": name, "delta": {"message": message}});
            if let Some(index) = index {
                event["index"] = index.into();
            }
            sse.typed(&event)
        };
        let start = json!({"type": "message-start", "id": self.id, "delta": {"message":
            {"role": "assistant", "content": [], "tool_plan": "", "tool_calls": [], "citations": []}}});
        let mut content = Vec::new();
        if Self::plans(answer) {
            content.extend(
                answer.text.iter().map(|text| message("tool-plan-delta", None, json!({ "tool_plan": text }))),
            );
        }
        let calls = |content: &mut Vec<_>| {
            for (index, call) in answer.calls.iter().enumerate() {
                let first = json!({"id": call.id, "type": "function", "function": {"name": call.name, "arguments": ""}});
                content.push(message("tool-call-start", Some(index), json!({ "tool_calls": first })));
                content.extend(call.pieces().iter().map(|piece| {
                    let more = json!({"tool_calls": {"function": {"arguments": piece}}});
                    message("tool-call-delta", Some(index), more)
                }));
                content.push(sse.typed(&json!({"type": "tool-call-end", "index": index})));
            }
        };
        let mut told = if self.logprobs { Self::logprobs(answer) } else { Value::Null };
        let said = if Self::plans(answer) { &[] } else { answer.text.as_slice() };
        let blocks = [("thinking", answer.reasoning.as_slice()), ("text", said)];
        let filled = blocks.into_iter().filter(|(_, pieces)| !pieces.is_empty());
        for (index, (kind, pieces)) in filled.enumerate() {
            content.push(message("content-start", Some(index), json!({"content": {"type": kind, kind: ""}})));
            content.extend(pieces.iter().enumerate().map(|(token, piece)| {
                let mut event = json!({"type": "content-delta", "index": index,
                    "delta": {"message": {"content": {kind: piece}}}});
                if self.logprobs && kind == "text" {
                    event["logprobs"] = told[token].take();
                }
                sse.typed(&event)
            }));
            content.push(sse.typed(&json!({"type": "content-end", "index": index})));
        }
        calls(&mut content);
        let mut end = json!({"finish_reason": self.finish(answer)});
        if self.behaviour.usage != UsagePlace::None {
            end["usage"] = self.usage();
        }
        let end = sse.typed(&json!({"type": "message-end", "id": self.id, "delta": end}));
        let closing = match self.behaviour.no_terminal {
            // Without its last event a stream has neither of the two that end it.
            true => vec![end],
            false => vec![end, sse.data("[DONE]")],
        };
        Payload::Events(Framing::Cohere(sse), Events { opening: vec![sse.typed(&start)], content, closing })
    }
}
