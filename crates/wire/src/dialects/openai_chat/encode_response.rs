//! Writing a plain answer for a client.

use domain::Usage;

use crate::{
    canonical::{
        Choice, Finish, Media, PartKind, Reply, ToolCall,
        embedded::{PendingSignatures, SignedPart},
    },
    codec::Envelope,
    json::out::{self, ArrayOut, ObjectOut},
    openai::{
        encode::{logprobs, served_tier},
        finish::{self, FILTERED},
    },
};

/// Writes an answer.
pub(super) fn encode(reply: &Reply<'_>, envelope: &Envelope) -> Vec<u8> {
    let mut out = Vec::with_capacity(1_024);
    out::object(&mut out, |o| {
        o.pieces("id", &["chatcmpl-", &envelope.request]);
        o.text("object", "chat.completion");
        o.number("created", reply.created.unwrap_or(envelope.created));
        o.text("model", reply.model.as_deref().unwrap_or(&envelope.model));
        o.array("choices", |a| {
            for (index, choice) in reply.choices.iter().enumerate() {
                a.object(|o| write_choice(ChoiceRef { index: index as u64, choice }, envelope, o));
            }
        });
        if let Some(used) = &reply.usage {
            o.object("usage", |o| usage(used, o));
        }
        o.text_if("service_tier", reply.service_tier.as_deref().map(served_tier));
    });
    out
}

/// An answer and its number.
#[derive(Clone, Copy)]
struct ChoiceRef<'c> {
    index: u64,
    choice: &'c Choice<'c>,
}

fn write_choice(answer: ChoiceRef<'_>, envelope: &Envelope, o: &mut ObjectOut<'_>) {
    let ChoiceRef { index, choice } = answer;
    o.number("index", index);
    o.object("message", |o| message(answer, envelope, o));
    match &choice.logprobs[..] {
        [] => o.null("logprobs"),
        tokens => o.object("logprobs", |o| {
            o.array("content", |a| logprobs(tokens, a));
            o.null("refusal");
        }),
    }
    o.text("finish_reason", finish::write(choice.finish));
}

fn message(answer: ChoiceRef<'_>, envelope: &Envelope, o: &mut ObjectOut<'_>) {
    let ChoiceRef { index, choice } = answer;
    let (mut text, mut thoughts, mut refusal) = (String::new(), String::new(), None);
    let mut images = Vec::new();
    let (mut seals, mut calls) = (PendingSignatures::default(), Vec::new());
    for part in &choice.parts {
        match &part.kind {
            PartKind::Text(more) => text.push_str(more),
            PartKind::Refusal(words) => refusal = Some(&**words),
            PartKind::Reasoning { text, signature } => {
                thoughts.push_str(text);
                seals.think(text);
                signature.iter().for_each(|signature| seals.push(SignedPart::Thoughts, signature));
            }
            PartKind::RedactedReasoning(signature) => seals.push(SignedPart::Redacted, signature),
            PartKind::ToolCall(call) => {
                call.signature.iter().for_each(|signature| seals.push(SignedPart::Call, signature));
                let id = minted(&call.id, envelope, index, calls.len() as u64);
                calls.push((seals.onto(&id, &*envelope.seal), call));
            }
            PartKind::Image(image) if image.media.is_readable() => images.push(&image.media),
            _ => {}
        }
    }
    let filtered = choice.finish == Finish::ContentFilter && text.is_empty() && calls.is_empty();
    let explained = choice.explanation.as_deref().filter(|_| choice.finish == Finish::ContentFilter);
    let refusal = refusal.or(explained).or(filtered.then_some(FILTERED));
    o.text("role", "assistant");
    if text.is_empty() && (!calls.is_empty() || refusal.is_some()) {
        o.null("content");
    } else {
        o.text("content", &text);
    }
    match refusal {
        Some(refusal) => o.text("refusal", refusal),
        None => o.null("refusal"),
    }
    if !thoughts.is_empty() {
        o.text("reasoning_content", &thoughts);
    }
    if !images.is_empty() {
        o.array("images", |a| images.iter().for_each(|image| picture(image, a)));
    }
    if !calls.is_empty() {
        o.array("tool_calls", |a| calls.iter().for_each(|(id, call)| write_call(id, call, a)));
    }
}

/// Writes an image of an answer, as OpenRouter has it: OpenAI's own chat has no place for one.
pub(super) fn picture(media: &Media<'_>, a: &mut ArrayOut<'_>) {
    let url = match media {
        Media::Base64 { mime, data } => ["data:", mime, ";base64,", data],
        Media::Url { url, .. } | Media::File(url) => [url, "", "", ""],
    };
    a.object(|o| {
        o.text("type", "image_url");
        o.object("image_url", |o| o.pieces("url", &url));
    });
}

/// A call's id; one that its provider gave none gets one that is unique in the answer (docs/spec/cases.md#case-5).
pub(super) fn minted(id: &str, envelope: &Envelope, choice: u64, call: u64) -> String {
    // Within OpenAI's 40 characters.
    let request = &envelope.request[envelope.request.len().saturating_sub(24)..];
    if id.is_empty() { format!("call_{request}_{choice}_{call}") } else { id.to_owned() }
}

fn write_call(id: &str, call: &ToolCall<'_>, a: &mut ArrayOut<'_>) {
    a.object(|o| {
        o.text("id", id);
        let (kind, input) = if call.custom { ("custom", "input") } else { ("function", "arguments") };
        o.text("type", kind);
        o.object(kind, |o| {
            o.text("name", &call.name);
            let empty = !call.custom && call.arguments.trim().is_empty();
            o.text(input, if empty { "{}" } else { &call.arguments });
        });
    });
}

/// Writes the members of `usage`.
pub(super) fn usage(used: &Usage, o: &mut ObjectOut<'_>) {
    o.number("prompt_tokens", used.input());
    o.number("completion_tokens", used.output());
    o.number("total_tokens", used.input().saturating_add(used.output()));
    o.object("prompt_tokens_details", |o| {
        o.number("cached_tokens", used.cache_read);
        o.number("cache_write_tokens", used.cache_written());
        o.number("audio_tokens", used.audio_in);
        if used.image_in > 0 {
            o.number("image_tokens", used.image_in);
        }
    });
    o.object("completion_tokens_details", |o| {
        o.number("reasoning_tokens", used.reasoning);
        o.number("audio_tokens", used.audio_out);
    });
}
