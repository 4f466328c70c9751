//! Writing a call for a provider; the model's name goes into the path.

mod content;
mod options;
mod target;

use self::{
    content::{Writer, cache_point},
    target::{ModelVendor, Target},
};
use crate::{
    canonical::{Call, Encoded, Field, LossReport, PartKind, TargetFacts, Unsupported},
    claude::alternate::{alternate, can_continue_thinking, is_sayable},
    dialect::Dialect,
    json::out::{self, ObjectOut},
};

/// Writes a call.
pub(super) fn encode(
    call: &Call<'_>,
    facts: &TargetFacts<'_>,
    mut losses: LossReport,
) -> Result<Encoded, Unsupported> {
    let vendor = ModelVendor::of(facts.model);
    let caches = vendor.caches(facts.model) || losses.client() == Dialect::Bedrock;
    let target = Target { vendor, facts, caches };
    let mut body = Vec::with_capacity(4_096);
    out::object(&mut body, |o| {
        system(call, &target, &mut losses, o)?;
        let continues = messages(call, &target, &mut losses, o)?;
        options::write(call, &target, continues, &mut losses, o)
    })?;
    losses.encoded(body)
}

fn system(
    call: &Call<'_>,
    target: &Target<'_>,
    losses: &mut LossReport,
    o: &mut ObjectOut<'_>,
) -> Result<(), Unsupported> {
    let turns = &call.turns[..call.leading_system()];
    if turns.iter().any(|turn| turn.name.is_some()) {
        losses.field(Field::ParticipantName)?;
    }
    let mut parts = Vec::new();
    for part in turns.iter().flat_map(|turn| &turn.parts).filter(|part| is_sayable(part)) {
        match &part.kind {
            PartKind::Foreign { .. } if losses.client() == Dialect::Bedrock => parts.push(part),
            PartKind::Text(_) => parts.push(part),
            _ => losses.field(Field::System)?,
        }
    }
    if parts.is_empty() {
        return Ok(());
    }
    o.array("system", |a| {
        for part in parts {
            match &part.kind {
                PartKind::Foreign { raw, .. } => a.raw(*raw),
                PartKind::Text(text) => a.object(|o| o.text("text", text)),
                _ => {}
            }
            if let Some(ttl) = target.cache(part.cache, losses) {
                cache_point(ttl, a);
            }
        }
    });
    Ok(())
}

/// Writes the conversation; whether Claude can go on thinking in it.
fn messages(
    call: &Call<'_>,
    target: &Target<'_>,
    losses: &mut LossReport,
    o: &mut ObjectOut<'_>,
) -> Result<bool, Unsupported> {
    let client = losses.client();
    let messages = alternate(call, losses, &|part| content::inexpressible(part, client))?;
    if messages.first().is_some_and(|message| message.assistant) {
        // Even in lenient mode: a first turn of the user cannot be made up (docs/spec/cases.md#case-26).
        let target = "Bedrock Converse: a conversation starts with the user".to_owned();
        return Err(Unsupported { field: "messages".to_owned(), target });
    }
    let whole = target.cache(call.cache, losses);
    let last = messages.len().saturating_sub(1);
    let mut writer = Writer::new(target, losses);
    o.array("messages", |a| {
        for (at, message) in messages.iter().enumerate() {
            a.object(|o| {
                o.text("role", if message.assistant { "assistant" } else { "user" });
                o.array("content", |a| {
                    message.parts.iter().try_for_each(|said| writer.block(*said, a))?;
                    if let Some(ttl) = whole.filter(|_| at == last) {
                        cache_point(ttl, a);
                    }
                    Ok(())
                })
            })?;
        }
        Ok(())
    })?;
    Ok(can_continue_thinking(&messages))
}
