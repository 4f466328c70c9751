//! Writing an answer for Gemini's clients: plain ones, and the pieces of streamed ones.

use super::{finish, logprobs, part_out, seal, usage};
use crate::{
    canonical::{Choice, Finish, Part, PartKind, Reply, Signature, SignatureMac, ToolCall},
    codec::Envelope,
    json::out::{self, ArrayOut, ObjectOut},
};

/// Writes a plain answer.
pub(super) fn encode(reply: &Reply<'_>, envelope: &Envelope) -> Vec<u8> {
    let mut body = Vec::with_capacity(1024);
    out::object(&mut body, |o| {
        o.array("candidates", |a| {
            reply
                .choices
                .iter()
                .zip(0..)
                .for_each(|(choice, index)| a.object(|o| candidate(choice, index, envelope, o)));
        });
        if let Some(usage) = &reply.usage {
            usage::write(usage, o);
        }
        o.text("modelVersion", reply.model.as_deref().unwrap_or(&envelope.model));
        o.text("responseId", reply.id.as_deref().unwrap_or(&envelope.request));
    });
    body
}

fn candidate(choice: &Choice<'_>, index: u64, envelope: &Envelope, o: &mut ObjectOut<'_>) {
    let mut broken = false;
    content(o, |a| {
        for part in &choice.parts {
            broken |= !self::part(part, &*envelope.seal, a);
        }
    });
    // A call that was cut by the limit cannot be shown (docs/spec/cases.md#case-15); one that is broken otherwise is
    // malformed.
    let reason = match choice.finish {
        Finish::End | Finish::StopSequence | Finish::ToolCalls if broken => Finish::Malformed,
        reason => reason,
    };
    o.text("finishReason", finish::write(reason));
    o.text_if("finishMessage", choice.explanation.as_deref());
    o.number("index", index);
    logprobs::write(&choice.logprobs, o);
}

/// The content of a candidate.
pub(super) fn content(o: &mut ObjectOut<'_>, parts: impl FnOnce(&mut ArrayOut<'_>)) {
    o.object("content", |o| {
        o.array("parts", parts);
        o.text("role", "model");
    });
}

/// Writes a part; false: it is a call with arguments that are no object.
pub(super) fn part(part: &Part<'_>, seal: &dyn SignatureMac, a: &mut ArrayOut<'_>) -> bool {
    match &part.kind {
        PartKind::Text(text) | PartKind::Refusal(text) => a.object(|o| o.text("text", text)),
        PartKind::Reasoning { text, signature } => thoughts(text, signature.as_ref(), seal, a),
        PartKind::RedactedReasoning(signature) => redacted(signature, seal, a),
        PartKind::ToolCall(made) => return call(made, seal, a),
        PartKind::Image(_) | PartKind::Document(_) | PartKind::Audio(_) | PartKind::Video(_) => {
            a.object(|o| {
                part_out::media(&part.kind, o);
            });
        }
        // Nothing that a client of this dialect could read.
        PartKind::ToolResult(_) | PartKind::Foreign { .. } => {}
    }
    true
}

/// Thoughts with their seal, another family's wrapped (docs/spec/cases.md#case-10).
pub(super) fn thoughts(
    text: &str,
    signature: Option<&Signature<'_>>,
    seal: &dyn SignatureMac,
    a: &mut ArrayOut<'_>,
) {
    a.object(|o| {
        o.text("text", text);
        o.bool("thought", true);
        let seal = signature.and_then(|signature| seal::write(signature, false, seal));
        o.text_if("thoughtSignature", seal.as_deref());
    });
}

/// Thoughts that only their provider can read.
pub(super) fn redacted(signature: &Signature<'_>, seal: &dyn SignatureMac, a: &mut ArrayOut<'_>) {
    let Some(wrapped) = seal::write(signature, true, seal) else { return };
    a.object(|o| {
        o.text("text", "");
        o.bool("thought", true);
        o.text("thoughtSignature", &wrapped);
    });
}

fn call(call: &ToolCall<'_>, seal: &dyn SignatureMac, a: &mut ArrayOut<'_>) -> bool {
    let Some(arguments) = super::common::arguments(&call.arguments) else { return false };
    a.object(|o| {
        o.object("functionCall", |o| {
            if !call.id.is_empty() {
                o.text("id", &call.id);
            }
            o.text("name", &call.name);
            o.raw("args", arguments);
        });
        let seal = call.signature.as_ref().and_then(|signature| seal::write(signature, false, seal));
        o.text_if("thoughtSignature", seal.as_deref());
    });
    true
}
