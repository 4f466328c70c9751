//! Writing a plain answer for a client.

use super::{
    finish,
    object::{Item, Said, State, response, sealed},
};
use crate::{
    canonical::{Choice, Finish, Image, Media, Part, PartKind, Reply, Signature, ToolCallRef},
    codec::Envelope,
    json::out,
    openai::finish::FILTERED,
};

/// Writes an answer.
pub(super) fn encode(reply: &Reply<'_>, envelope: &Envelope) -> Vec<u8> {
    let mut body = Vec::with_capacity(2_048);
    let choice = reply.choices.first();
    let items = choice.map(|choice| items(choice, envelope)).unwrap_or_default();
    let finish = choice.map_or(Finish::Error, |choice| choice.finish);
    let state = State {
        finish: Some(finish),
        model: reply.model.as_deref(),
        usage: reply.usage,
        service_tier: reply.service_tier.as_deref(),
        explanation: choice.and_then(|choice| choice.explanation.as_deref()),
    };
    let mut dated = envelope.clone();
    dated.created = reply.created.unwrap_or(envelope.created);
    let status = item_status(finish);
    out::object(&mut body, |o| {
        let output = |a: &mut out::ArrayOut<'_>| {
            items.iter().for_each(|item| a.object(|o| item.write(status, o)));
        };
        response(&dated, &state, output, o);
    });
    body
}

/// The status of items in an answer that has ended.
pub(super) fn item_status(finish: Finish) -> &'static str {
    if finish::status(finish) == "completed" { "completed" } else { "incomplete" }
}

fn items(choice: &Choice<'_>, envelope: &Envelope) -> Vec<Item> {
    let mut items: Vec<Item> = Vec::new();
    for part in &choice.parts {
        add(part, &mut items, envelope);
    }
    if choice.finish == Finish::ContentFilter {
        let said = items.iter().any(|item| !matches!(item, Item::Reasoning { .. }));
        let words = choice.explanation.as_deref().or((!said).then_some(FILTERED));
        words.into_iter().for_each(|words| say(true, words, &mut items, envelope));
    }
    let weighed = items.iter_mut().find_map(|item| match item {
        Item::Message { parts, .. } => parts.iter_mut().find(|part| !part.refusal),
        _ => None,
    });
    if let Some(part) = weighed {
        part.weigh(&choice.logprobs);
    }
    items
}

fn add(part: &Part<'_>, items: &mut Vec<Item>, envelope: &Envelope) {
    let at = items.len();
    match &part.kind {
        PartKind::Text(text) => say(false, text, items, envelope),
        PartKind::Refusal(words) => say(true, words, items, envelope),
        PartKind::Reasoning { text, signature } => {
            think(text, signature.as_ref().map(|signature| (signature, false)), items, envelope);
        }
        PartKind::RedactedReasoning(signature) => think("", Some((signature, true)), items, envelope),
        PartKind::ToolCall(call) => {
            let begun = ToolCallRef { id: &call.id, name: &call.name, signature: call.signature.as_ref() };
            let mut item = Item::call(envelope, at, begun, call.custom);
            if let Item::Call { arguments, .. } = &mut item {
                let empty = !call.custom && call.arguments.trim().is_empty();
                arguments.push_str(if empty { "{}" } else { &call.arguments });
            }
            items.push(item);
        }
        PartKind::Image(Image { media: Media::Base64 { data, .. }, .. }) => {
            items.push(Item::image(envelope, at, data));
        }
        // Other dialects' media and tools have no item here.
        _ => {}
    }
}

/// Adds to the message that is open, or opens one.
fn say(refusal: bool, text: &str, items: &mut Vec<Item>, envelope: &Envelope) {
    if text.is_empty() {
        return;
    }
    if !matches!(items.last(), Some(Item::Message { .. })) {
        items.push(Item::message(envelope, items.len()));
    }
    if let Some(Item::Message { parts, .. }) = items.last_mut() {
        match parts.last_mut() {
            Some(part) if part.refusal == refusal => part.text.push_str(text),
            _ => parts.push(Said { refusal, text: text.to_owned(), logprobs: Vec::new() }),
        }
    }
}

fn think(
    thought: &str,
    signature: Option<(&Signature<'_>, bool)>,
    items: &mut Vec<Item>,
    envelope: &Envelope,
) {
    let mut item = Item::reasoning(envelope, items.len());
    if let Item::Reasoning { text, sealed: seal, .. } = &mut item {
        text.push_str(thought);
        *seal = signature.and_then(|(signature, redacted)| sealed(signature, redacted, envelope));
    }
    items.push(item);
}
