//! Writing a plain answer for a client.

use std::borrow::Cow;

use super::usage;
use crate::{
    canonical::{Choice, Finish, Part, PartKind, Reply, ToolCall, trailing_seal::without_trailing_seal},
    claude::content::{call_id, object, sealed},
    codec::Envelope,
    json::out::{self, ArrayOut, ObjectOut},
};

/// Writes an answer; a client of this dialect can ask for one only, so it gets the first.
pub(super) fn encode(reply: &Reply<'_>, envelope: &Envelope) -> Vec<u8> {
    let mut body = Vec::with_capacity(1_024);
    let choice = reply.choices.first();
    out::object(&mut body, |o| {
        o.text("id", &message_id(reply.id.as_deref(), envelope));
        o.text("type", "message");
        o.text("role", "assistant");
        o.text("model", reply.model.as_deref().unwrap_or(&envelope.model));
        let calls = o.array("content", |a| {
            let parts = choice.map_or(&[][..], |choice| without_trailing_seal(&choice.parts));
            parts.iter().enumerate().filter(|(at, part)| block(part, *at, envelope, a)).count()
        });
        let fallback = Choice {
            parts: Vec::new(),
            finish: Finish::End,
            stop_sequence: None,
            explanation: None,
            logprobs: Vec::new(),
            citations: None,
        };
        let choice = choice.unwrap_or(&fallback);
        let finish = match choice.finish {
            // The only call was no JSON, so the client is not asked to answer one.
            Finish::ToolCalls if calls == 0 => Finish::End,
            finish => finish,
        };
        stop(o, finish, choice.stop_sequence.as_deref(), choice.explanation.as_deref(), envelope);
        usage::write(o, reply.usage, envelope.input_estimate);
    });
    body
}

/// The provider's id where it is one of this dialect, else the gateway's own.
pub(super) fn message_id<'a>(id: Option<&'a str>, envelope: &Envelope) -> Cow<'a, str> {
    match id {
        Some(id) if id.starts_with("msg_") => id.into(),
        _ => format!("msg_{}", envelope.request).into(),
    }
}

/// Writes one block; whether it is a call.
fn block(part: &Part<'_>, at: usize, envelope: &Envelope, a: &mut ArrayOut<'_>) -> bool {
    match &part.kind {
        PartKind::Text(text) | PartKind::Refusal(text) if !text.is_empty() => a.object(|o| {
            o.text("type", "text");
            o.text("text", text);
        }),
        PartKind::Reasoning { text, signature } => a.object(|o| {
            o.text("type", "thinking");
            o.text("thinking", text);
            o.text("signature", &signature.as_ref().map_or("".into(), |seal| sealed(seal, envelope)));
        }),
        PartKind::RedactedReasoning(signature) => a.object(|o| {
            o.text("type", "redacted_thinking");
            o.text("data", &sealed(signature, envelope));
        }),
        PartKind::ToolCall(call) => return tool_use(call, at, envelope, a),
        _ => {}
    }
    false
}

fn tool_use(call: &ToolCall<'_>, at: usize, envelope: &Envelope, a: &mut ArrayOut<'_>) -> bool {
    let text = call.arguments.trim();
    let Some(input) = object(if text.is_empty() { "{}" } else { text }) else { return false };
    a.object(|o| {
        o.text("type", "tool_use");
        o.text("id", &call_id(&call.id, at, call.signature.as_ref(), envelope));
        o.text("name", &call.name);
        o.raw("input", input);
    });
    true
}

/// Writes `stop_reason` and what belongs to it (docs/spec/responses.md#finish-reasons, docs/spec/cases.md#case-12,
/// #case-14).
pub(super) fn stop(
    o: &mut ObjectOut<'_>,
    finish: Finish,
    sequence: Option<&str>,
    explanation: Option<&str>,
    envelope: &Envelope,
) {
    // With a single sequence asked for there is no doubt which one it was.
    let only = str::from_utf8(&envelope.echo).ok().filter(|only| !only.is_empty());
    let sequence = sequence.or(only).filter(|_| finish == Finish::StopSequence);
    o.text("stop_reason", stop_reason(finish));
    match sequence {
        Some(sequence) => o.text("stop_sequence", sequence),
        None => o.null("stop_sequence"),
    }
    if matches!(finish, Finish::Refusal | Finish::ContentFilter) {
        o.object("stop_details", |o| {
            o.text("type", "refusal");
            o.null("category");
            match explanation {
                Some(explanation) => o.text("explanation", explanation),
                None => o.null("explanation"),
            }
        });
    }
}

/// Errors and malformed calls end the request before they come here; what is left of them is an end.
const fn stop_reason(finish: Finish) -> &'static str {
    match finish {
        Finish::End | Finish::Malformed | Finish::Error => "end_turn",
        Finish::StopSequence => "stop_sequence",
        Finish::Length => "max_tokens",
        Finish::ContextFull => "model_context_window_exceeded",
        Finish::ToolCalls => "tool_use",
        Finish::ContentFilter | Finish::Refusal => "refusal",
        Finish::Pause => "pause_turn",
    }
}
