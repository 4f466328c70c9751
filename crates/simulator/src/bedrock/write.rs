//! A converse answer, plain or as binary frames.

use bytes::Bytes;
use serde_json::{Value, json};

use super::DIALECT;
use crate::answer::{Answer, Finish, Usage};
use crate::failure::Framing;
use crate::frames;
use crate::plan::Events;
use crate::reply::Payload;
use crate::script::{Behaviour, UsagePlace};
use crate::signature;

/// What all parts of an answer share.
pub(super) struct Writer<'a> {
    pub(super) behaviour: &'a Behaviour,
    pub(super) model: &'a str,
    /// Whether the request asks which stop sequence ended the answer.
    pub(super) tells_stop: bool,
    pub(super) usage: Usage,
}

impl Writer<'_> {
    fn stop(&self, answer: &Answer) -> Value {
        let word = match answer.finish {
            Finish::End => "end_turn",
            Finish::Stop(_) => "stop_sequence",
            Finish::Length => "max_tokens",
            Finish::Calls => "tool_use",
            Finish::Refusal => "content_filtered",
            Finish::Filter => "guardrail_intervened",
        };
        self.behaviour.finish_reason.as_deref().unwrap_or(word).into()
    }

    /// Input without what the cache had a part in, as AWS documents it.
    fn usage(&self) -> Value {
        let usage = &self.usage;
        let written = usage.written();
        let parts = [usage.fresh(), usage.cache_read, written, usage.output];
        let total = parts.into_iter().fold(0, u64::saturating_add);
        let mut told = json!({
            "inputTokens": usage.fresh(),
            "outputTokens": usage.output,
            "totalTokens": total,
        });
        if usage.cache_read > 0 || written > 0 {
            told["cacheReadInputTokens"] = usage.cache_read.into();
            told["cacheWriteInputTokens"] = written.into();
            let of = [("5m", usage.write_5m), ("1h", usage.write_1h)]
                .into_iter()
                .filter(|(_, tokens)| *tokens > 0);
            let details: Vec<Value> =
                of.map(|(ttl, tokens)| json!({"ttl": ttl, "inputTokens": tokens})).collect();
            told["cacheDetails"] = details.into();
        }
        told
    }

    fn signature(&self, answer: &Answer) -> String {
        signature::mint(DIALECT, self.model, &answer.reasoning.concat())
    }

    fn redacted(&self) -> String {
        signature::mint(DIALECT, self.model, "")
    }

    fn more(&self, answer: &Answer) -> Option<Value> {
        match &answer.finish {
            Finish::Stop(sequence) if self.tells_stop => Some(json!({ "stop_sequence": sequence })),
            _ => None,
        }
    }

    pub(super) fn document(&self, answer: &Answer) -> Value {
        let mut content = Vec::new();
        if !answer.reasoning.is_empty() {
            let shown = json!({"text": answer.reasoning.concat(), "signature": self.signature(answer)});
            content.push(json!({"reasoningContent": {"reasoningText": shown}}));
        }
        if answer.redacted {
            content.push(json!({"reasoningContent": {"redactedContent": self.redacted()}}));
        }
        let text = answer.text.concat();
        if !text.is_empty() {
            content.push(json!({ "text": text }));
        }
        // A call that the limit cut short is left out: its arguments are no object.
        content.extend(answer.calls.iter().filter_map(|call| {
            Some(json!({"toolUse": {"toolUseId": call.id, "name": call.name, "input": call.object()?}}))
        }));
        let mut document = json!({
            "output": {"message": {"role": "assistant", "content": content}},
            "stopReason": self.stop(answer),
            "metrics": {"latencyMs": 1},
        });
        if self.behaviour.usage != UsagePlace::None {
            document["usage"] = self.usage();
        }
        if let Some(more) = self.more(answer) {
            document["additionalModelResponseFields"] = more;
        }
        document
    }

    pub(super) fn events(&self, answer: &Answer) -> Payload {
        let padded = self.behaviour.obfuscation;
        let mut blocks = Blocks { padded, index: 0, content: Vec::new() };
        if !answer.reasoning.is_empty() {
            let texts = answer.reasoning.iter().map(|text| json!({"reasoningContent": {"text": text}}));
            let signed = json!({"reasoningContent": {"signature": self.signature(answer)}});
            blocks.add(None, texts.chain([signed]));
        }
        if answer.redacted {
            blocks.add(None, [json!({"reasoningContent": {"redactedContent": self.redacted()}})]);
        }
        if !answer.text.is_empty() {
            blocks.add(None, answer.text.iter().map(|text| json!({ "text": text })));
        }
        for call in &answer.calls {
            let start = json!({"toolUse": {"toolUseId": call.id, "name": call.name}});
            blocks.add(Some(&start), call.pieces().iter().map(|piece| json!({"toolUse": {"input": piece}})));
        }
        let mut stop = json!({"stopReason": self.stop(answer)});
        if let Some(more) = self.more(answer) {
            stop["additionalModelResponseFields"] = more;
        }
        let mut closing = vec![frame("messageStop", stop, padded)];
        if self.behaviour.usage != UsagePlace::None {
            let metadata = json!({"usage": self.usage(), "metrics": {"latencyMs": 1}});
            closing.push(frame("metadata", metadata, padded));
        }
        let opening = vec![frame("messageStart", json!({"role": "assistant"}), padded)];
        Payload::Events(Framing::Bedrock, Events { opening, content: blocks.content, closing })
    }
}

/// A frame, with padding in it when the script wants that.
fn frame(name: &str, mut event: Value, padded: bool) -> Bytes {
    if padded {
        event["p"] = "abcdefghij".into();
    }
    frames::event(name, &event.to_string())
}

/// Content blocks, one after the other.
struct Blocks {
    padded: bool,
    index: usize,
    content: Vec<Bytes>,
}

impl Blocks {
    fn add(&mut self, start: Option<&Value>, deltas: impl IntoIterator<Item = Value>) {
        let (index, padded) = (self.index, self.padded);
        if let Some(start) = start {
            let event = json!({"start": start, "contentBlockIndex": index});
            self.content.push(frame("contentBlockStart", event, padded));
        }
        self.content.extend(deltas.into_iter().map(|delta| {
            frame("contentBlockDelta", json!({"delta": delta, "contentBlockIndex": index}), padded)
        }));
        self.content.push(frame("contentBlockStop", json!({"contentBlockIndex": index}), padded));
        self.index += 1;
    }
}
