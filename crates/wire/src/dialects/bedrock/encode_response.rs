//! Writing a plain answer for a client.

use std::borrow::Cow;

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::usage;
use crate::{
    canonical::{
        Family, Finish, Image, Media, Part, PartKind, Reply, Signature, ToolCall,
        trailing_seal::without_trailing_seal,
    },
    claude::content::{call_id, object, sealed},
    codec::Envelope,
    json::out::{self, ArrayOut, ObjectOut},
};

/// Writes an answer; a client of this dialect can ask for one only, so it gets the first.
pub(super) fn encode(reply: &Reply<'_>, envelope: &Envelope) -> Vec<u8> {
    let mut body = Vec::with_capacity(1_024);
    let choice = reply.choices.first();
    out::object(&mut body, |o| {
        let calls = o.object("output", |o| {
            o.object("message", |o| {
                o.text("role", "assistant");
                o.array("content", |a| {
                    let parts = choice.map_or(&[][..], |choice| without_trailing_seal(&choice.parts));
                    parts.iter().enumerate().filter(|(at, part)| block(part, *at, envelope, a)).count()
                })
            })
        });
        let finish = match choice.map_or(Finish::End, |choice| choice.finish) {
            // The only call was no JSON, so the client is not asked to answer one.
            Finish::ToolCalls if calls == 0 => Finish::End,
            finish => finish,
        };
        o.text("stopReason", stop_reason(finish));
        let named = choice.and_then(|choice| choice.stop_sequence.as_deref());
        stop_sequence(o, named);
        usage::write(o, reply.usage, envelope.input_estimate);
        metrics(o);
    });
    body
}

/// Which stop sequence it was, where Claude's own answer says it.
pub(super) fn stop_sequence(o: &mut ObjectOut<'_>, named: Option<&str>) {
    if let Some(named) = named {
        o.object("additionalModelResponseFields", |o| o.text("stop_sequence", named));
    }
}

/// `metrics` is a required member, and only AWS knows its latency.
pub(super) fn metrics(o: &mut ObjectOut<'_>) {
    o.object("metrics", |o| o.number("latencyMs", 0));
}

/// Writes one block; whether it is a call.
fn block(part: &Part<'_>, at: usize, envelope: &Envelope, a: &mut ArrayOut<'_>) -> bool {
    match &part.kind {
        PartKind::Text(text) | PartKind::Refusal(text) if !text.is_empty() => {
            a.object(|o| o.text("text", text));
        }
        PartKind::Reasoning { text, signature } => {
            let seal = signature.as_ref().map(|seal| sealed(seal, envelope));
            a.object(|o| thought(o, text, seal.as_deref()));
        }
        PartKind::RedactedReasoning(signature) => {
            a.object(|o| redacted(o, &blob(signature, envelope)));
        }
        PartKind::ToolCall(call) => return tool_use(call, at, envelope, a),
        PartKind::Image(Image { media: Media::Base64 { mime, data }, .. }) => a.object(|o| {
            o.object("image", |o| {
                o.text("format", mime.strip_prefix("image/").unwrap_or(mime));
                o.object("source", |o| o.text("bytes", data));
            });
        }),
        _ => {}
    }
    false
}

fn tool_use(call: &ToolCall<'_>, at: usize, envelope: &Envelope, a: &mut ArrayOut<'_>) -> bool {
    let text = call.arguments.trim();
    let Some(input) = object(if text.is_empty() { "{}" } else { text }) else { return false };
    a.object(|o| {
        o.object("toolUse", |o| {
            o.text("toolUseId", &call_id(&call.id, at, call.signature.as_ref(), envelope));
            o.text("name", &call.name);
            o.raw("input", input);
        });
    });
    true
}

/// Writes thoughts with their seal.
pub(super) fn thought(o: &mut ObjectOut<'_>, text: &str, signature: Option<&str>) {
    o.object("reasoningContent", |o| {
        o.object("reasoningText", |o| {
            o.text("text", text);
            o.text_if("signature", signature);
        });
    });
}

/// Writes thoughts that only the provider can read.
pub(super) fn redacted(o: &mut ObjectOut<'_>, blob: &str) {
    o.object("reasoningContent", |o| o.text("redactedContent", blob));
}

/// A seal as a blob: clients decode its base64, so what is none is wrapped.
pub(super) fn blob<'s>(signature: &'s Signature<'_>, envelope: &Envelope) -> Cow<'s, str> {
    if signature.family == Family::Anthropic && STANDARD.decode(signature.text.as_bytes()).is_ok() {
        return (&*signature.text).into();
    }
    STANDARD.encode(sealed(signature, envelope).as_bytes()).into()
}

/// Errors end the request before they come here; what is left of them is an end.
pub(super) const fn stop_reason(finish: Finish) -> &'static str {
    match finish {
        Finish::End | Finish::Pause | Finish::Error => "end_turn",
        Finish::StopSequence => "stop_sequence",
        Finish::Length => "max_tokens",
        Finish::ContextFull => "model_context_window_exceeded",
        Finish::ToolCalls => "tool_use",
        Finish::ContentFilter | Finish::Refusal => "content_filtered",
        Finish::Malformed => "malformed_tool_use",
    }
}
