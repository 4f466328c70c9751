//! Writing a plain answer for Cohere's clients.

use super::{finish, logprobs, usage};
use crate::{
    canon::{Choice, Part, PartKind, Reply, Signature, ToolCall, carry},
    dialect::Envelope,
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
    let calls: Vec<&ToolCall<'_>> = choice
        .parts
        .iter()
        .filter_map(|part| match &part.kind {
            PartKind::ToolCall(call) => Some(call),
            _ => None,
        })
        .collect();
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
    let mut seal = thoughts_seal(&choice.parts);
    o.array("tool_calls", |a| {
        for (at, made) in calls.iter().enumerate() {
            let seal = made.signature.as_ref().or(seal.take());
            // No arguments at all are an empty object (DIALECTS §7.3).
            let arguments = if made.arguments.trim().is_empty() { "{}" } else { &made.arguments };
            a.object(|o| call(&call_id(&made.id, at, seal, envelope), &made.name, arguments, o));
        }
    });
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

/// The seal on thoughts, which has no place of its own: the first call carries it.
fn thoughts_seal<'r>(parts: &'r [Part<'_>]) -> Option<&'r Signature<'r>> {
    parts.iter().rev().find_map(|part| match &part.kind {
        PartKind::Reasoning { signature, .. } => signature.as_ref(),
        _ => None,
    })
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

/// The id of a call: the provider's or a minted one, with a seal inside (DIALECTS §7.8).
pub(super) fn call_id(id: &str, at: usize, seal: Option<&Signature<'_>>, envelope: &Envelope) -> String {
    let own = if id.is_empty() { format!("call_{}_{at}", envelope.request) } else { id.to_owned() };
    match seal {
        Some(seal) => carry::carry(&own, seal, &*envelope.seal),
        None => own,
    }
}
