//! Writing a plain answer for Cohere's clients.

use super::{finish, logprobs, usage};
use crate::{
    canonical::{
        Choice, Part, PartKind, Reply, ToolCall,
        embedded::{PendingSignatures, SignedPart},
    },
    codec::Envelope,
    json::out::{self, ArrayOut, ObjectOut},
};

/// Writes an answer. There is one choice: this dialect's clients cannot ask for more.
pub(super) fn encode(reply: &Reply<'_>, envelope: &Envelope) -> Vec<u8> {
    let mut body = Vec::with_capacity(1024);
    out::object(&mut body, |o| {
        o.text("id", reply.id.as_deref().unwrap_or(&envelope.request));
        if let Some(choice) = reply.choices.first() {
            o.text("finish_reason", finish::write(choice.finish));
            o.object("message", |o| message(choice, envelope, o));
            if !choice.logprobs.is_empty() {
                o.array("logprobs", |a| logprobs::write(&choice.logprobs, a));
            }
        }
        if let Some(usage) = &reply.usage {
            usage::write(usage, o);
        }
    });
    body
}

fn message(choice: &Choice<'_>, envelope: &Envelope, o: &mut ObjectOut<'_>) {
    o.text("role", "assistant");
    let calls = calls(&choice.parts, envelope);
    let mut plan = String::new();
    o.array("content", |a| {
        for part in &choice.parts {
            match &part.kind {
                PartKind::Text(text) | PartKind::Refusal(text) if !calls.is_empty() => plan.push_str(text),
                _ => content(part, a),
            }
        }
    });
    if !plan.is_empty() {
        o.text("tool_plan", &plan);
    }
    if calls.is_empty() {
        return;
    }
    o.array("tool_calls", |a| {
        for (id, made) in &calls {
            // No arguments at all are an empty object (docs/spec/cases.md#case-3).
            let arguments = if made.arguments.trim().is_empty() { "{}" } else { &made.arguments };
            a.object(|o| call(id, &made.name, arguments, o));
        }
    });
}

/// The calls with their ids, in which the seals of what was thought before them are (docs/spec/cases.md#case-8).
fn calls<'r, 'a>(parts: &'r [Part<'a>], envelope: &Envelope) -> Vec<(String, &'r ToolCall<'a>)> {
    let (mut seals, mut calls) = (PendingSignatures::default(), Vec::new());
    for part in parts {
        match &part.kind {
            PartKind::Reasoning { text, signature } => {
                seals.think(text);
                signature.iter().for_each(|signature| seals.push(SignedPart::Thoughts, signature));
            }
            PartKind::RedactedReasoning(signature) => seals.push(SignedPart::Redacted, signature),
            PartKind::ToolCall(call) => {
                call.signature.iter().for_each(|signature| seals.push(SignedPart::Call, signature));
                let id = seals.onto(&own_id(&call.id, calls.len() as u64, envelope), &*envelope.seal);
                calls.push((id, call));
            }
            _ => {}
        }
    }
    calls
}

fn content(part: &Part<'_>, a: &mut ArrayOut<'_>) {
    match &part.kind {
        PartKind::Text(text) | PartKind::Refusal(text) => a.object(|o| {
            o.text("type", "text");
            o.text("text", text);
        }),
        PartKind::Reasoning { text, .. } if !text.is_empty() => a.object(|o| {
            o.text("type", "thinking");
            o.text("thinking", text);
        }),
        // Nothing that a client of this dialect could read.
        _ => {}
    }
}

/// Writes a call, whole or as the start of one in a stream.
pub(super) fn call(id: &str, name: &str, arguments: &str, o: &mut ObjectOut<'_>) {
    o.text("id", id);
    o.text("type", "function");
    o.object("function", |o| {
        o.text("name", name);
        o.text("arguments", arguments);
    });
}

/// The id of a call: the provider's or a minted one.
pub(super) fn own_id(id: &str, at: u64, envelope: &Envelope) -> String {
    if id.is_empty() { format!("call_{}_{at}", envelope.request) } else { id.to_owned() }
}
