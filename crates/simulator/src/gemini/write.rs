//! A response, plain or as a stream of partial responses.

use serde_json::{Value, json};

use super::DIALECT;
use crate::answer::{Answer, Call, Finish, Reply, Usage};
use crate::echo;
use crate::failure::Framing;
use crate::openai::{id, logprobs};
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
    /// Reasoning is shown.
    pub(super) thoughts: bool,
    /// How many alternatives each token gets, when log probabilities are asked for.
    pub(super) logprobs: Option<u64>,
    pub(super) usage: Usage,
}

impl Writer<'_> {
    fn finish(&self, answer: &Answer) -> Value {
        let word = match answer.finish {
            Finish::End | Finish::Stop(_) | Finish::Calls => "STOP",
            Finish::Length => "MAX_TOKENS",
            Finish::Refusal | Finish::Filter => "SAFETY",
        };
        self.behaviour.finish_reason.as_deref().unwrap_or(word).into()
    }

    /// Usage when so many output tokens, reasoning included, have been written.
    fn told(&self, output: u64) -> Value {
        let usage = &self.usage;
        let thoughts = usage.reasoning.min(output);
        let mut told = json!({
            "promptTokenCount": usage.input,
            "candidatesTokenCount": output - thoughts,
            "totalTokenCount": usage.input.saturating_add(output),
            "promptTokensDetails": [{"modality": "TEXT", "tokenCount": usage.input}],
        });
        if thoughts > 0 {
            told["thoughtsTokenCount"] = thoughts.into();
        }
        if usage.cache_read > 0 {
            told["cachedContentTokenCount"] = usage.cache_read.into();
        }
        told
    }

    fn response(&self, candidates: &[Value], output: u64) -> Value {
        let mut response = json!({
            "candidates": candidates,
            "modelVersion": self.model,
            "responseId": id("", self.digest),
        });
        if self.behaviour.usage != UsagePlace::None {
            response["usageMetadata"] = self.told(output);
        }
        response
    }

    /// A prompt that a filter stopped: no candidates at all.
    fn blocked(&self) -> Value {
        let mut response = self.response(&[], 0);
        if let Some(fields) = response.as_object_mut() {
            fields.remove("candidates");
        }
        response["promptFeedback"] = json!({"blockReason": "SAFETY"});
        response
    }

    /// The first call carries the signature of the step; later ones of the same step none.
    fn call(&self, index: usize, call: &Call) -> Option<Value> {
        let mut part = json!({"functionCall": {"name": call.name, "args": call.object()?}});
        if self.behaviour.call_ids {
            part["functionCall"]["id"] = call.id.as_str().into();
        }
        if index == 0 {
            part["thoughtSignature"] = signature::mint(DIALECT, self.model, &call.name).into();
        }
        Some(part)
    }

    /// The parts of an answer, one for each event of a stream.
    fn parts(&self, answer: &Answer) -> Vec<Value> {
        let mut parts = Vec::new();
        if self.thoughts {
            parts.extend(answer.reasoning.iter().map(|text| json!({"text": text, "thought": true})));
        }
        if answer.finish != Finish::Refusal {
            parts.extend(answer.text.iter().map(|text| json!({ "text": text })));
        }
        parts.extend(answer.calls.iter().enumerate().filter_map(|(index, call)| self.call(index, call)));
        parts
    }

    /// The signature of an answer without calls, which sits on a part of its own in streams.
    fn sign(&self, answer: &Answer) -> Option<Value> {
        let signed =
            !answer.reasoning.is_empty() && answer.calls.is_empty() && answer.finish != Finish::Refusal;
        signed.then(|| signature::mint(DIALECT, self.model, "").into())
    }

    fn candidate(&self, index: usize, parts: &[Value]) -> Value {
        json!({"content": {"role": "model", "parts": parts}, "index": index})
    }

    fn end(&self, candidate: &mut Value, answer: &Answer) {
        candidate["finishReason"] = self.finish(answer);
        if answer.finish == Finish::Refusal {
            candidate["finishMessage"] = answer.text.concat().into();
        }
        if let Some(top) = self.logprobs {
            let told = logprobs(&answer.text, top);
            let one = |entry: &Value| json!({"token": entry["token"], "logProbability": entry["logprob"]});
            let chosen = told.as_array().into_iter().flatten();
            let alternatives = |entry: &Value| {
                let all = entry["top_logprobs"].as_array().into_iter().flatten().map(one);
                json!({"candidates": all.collect::<Vec<_>>()})
            };
            candidate["logprobsResult"] = json!({
                "chosenCandidates": chosen.clone().map(one).collect::<Vec<_>>(),
                "topCandidates": chosen.map(alternatives).collect::<Vec<_>>(),
            });
        }
    }

    pub(super) fn document(&self, reply: &Reply) -> Value {
        if reply.answers.iter().any(|answer| answer.finish == Finish::Filter) {
            return self.blocked();
        }
        let all = reply.answers.iter().enumerate().map(|(index, answer)| {
            let mut parts = merged(self.parts(answer));
            if let (Some(signature), Some(last)) = (self.sign(answer), parts.last_mut()) {
                last["thoughtSignature"] = signature;
            }
            let mut candidate = self.candidate(index, &parts);
            self.end(&mut candidate, answer);
            candidate
        });
        self.response(&all.collect::<Vec<_>>(), self.usage.output)
    }

    pub(super) fn events(&self, reply: &Reply, sse: bool) -> Payload {
        let mut content = Vec::new();
        let mut closing = Vec::new();
        let mut bytes = 0;
        for (index, answer) in reply.answers.iter().enumerate() {
            if answer.finish == Finish::Filter {
                closing = vec![self.blocked()];
                break;
            }
            for part in self.parts(answer) {
                bytes += part["text"].as_str().map_or_else(|| part.to_string().len(), str::len);
                let output = echo::tokens(bytes).min(self.usage.output);
                content.push(self.response(&[self.candidate(index, &[part])], output));
            }
            let mut last = json!({"text": ""});
            if let Some(signature) = self.sign(answer) {
                last["thoughtSignature"] = signature;
            }
            let mut candidate = self.candidate(index, &[last]);
            self.end(&mut candidate, answer);
            closing.push(self.response(&[candidate], self.usage.output));
        }
        if sse {
            let sse = Sse::of(self.behaviour);
            let write = |all: Vec<Value>| all.iter().map(|one| sse.data(&one.to_string())).collect();
            let events = Events { opening: Vec::new(), content: write(content), closing: write(closing) };
            return Payload::Events(Framing::Gemini(sse), events);
        }
        Payload::Events(Framing::Array, array(&content, &closing))
    }
}

/// One JSON array, an element at a time.
fn array(content: &[Value], closing: &[Value]) -> Events {
    let element = |(index, one): (usize, &Value)| {
        let before = if index == 0 { "[" } else { ",\r\n" };
        crate::sse::unmask([before, &one.to_string()].concat().into_bytes())
    };
    let content: Vec<_> = content.iter().enumerate().map(element).collect();
    let rest = closing.iter().enumerate().map(|(index, one)| element((index + content.len(), one)));
    let mut closing: Vec<_> = rest.collect();
    closing.push("]".into());
    Events { opening: Vec::new(), content, closing }
}

/// Neighbouring texts of the same kind as one part, as a plain answer has them.
fn merged(parts: Vec<Value>) -> Vec<Value> {
    let mut out: Vec<Value> = Vec::new();
    for part in parts {
        let same = out.last_mut().filter(|last| {
            last["text"].is_string() && part["text"].is_string() && last["thought"] == part["thought"]
        });
        match (same, part["text"].as_str()) {
            (Some(last), Some(more)) => {
                last["text"] = [last["text"].as_str().unwrap_or_default(), more].concat().into();
            }
            _ => out.push(part),
        }
    }
    out
}
