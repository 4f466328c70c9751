//! Writing a call for a provider.

mod content;
mod options;

use self::content::Writer;
use super::version::API_VERSION_WITH_SAMPLING;
use crate::{
    canonical::{Call, Encoded, Field, LossReport, PartKind, TargetFacts, Unsupported},
    claude::{
        alternate::{alternate, can_continue_thinking, is_sayable},
        thinking::ThinkingContext,
    },
    json::out::{self, ObjectOut},
};

/// The output limit where neither the client nor the catalogue knows one: all current models allow it.
const FALLBACK_LIMIT: u64 = 8_192;

/// Writes a call.
pub(super) fn encode(
    call: &Call<'_>,
    target: &TargetFacts<'_>,
    mut losses: LossReport,
) -> Result<Encoded, Unsupported> {
    let mut body = Vec::with_capacity(4_096);
    out::object(&mut body, |o| write(call, target, &mut losses, o))?;
    losses.encoded(body)
}

fn write(
    call: &Call<'_>,
    target: &TargetFacts<'_>,
    losses: &mut LossReport,
    o: &mut ObjectOut<'_>,
) -> Result<(), Unsupported> {
    o.text("model", target.model);
    let limit = limit(call, target, losses);
    o.number("max_tokens", limit);
    if call.stream {
        o.bool("stream", true);
    }
    system(call, losses, o)?;
    let continues = messages(call, losses, o)?;
    options::tools(call, losses, o)?;
    let sampling = super::version::api_version(call, target) == API_VERSION_WITH_SAMPLING;
    options::sampling(call, sampling, losses, o)?;
    let context = ThinkingContext { sampling: target.sampling, limit, continues };
    options::reasoning(call, &context, losses, o)?;
    options::others(call, losses, o)
}

fn limit(call: &Call<'_>, target: &TargetFacts<'_>, losses: &mut LossReport) -> u64 {
    call.max_output.or(target.max_output).unwrap_or_else(|| {
        losses.note(Field::MaxOutput.name_in(losses.client()));
        FALLBACK_LIMIT
    })
}

/// The leading system turns: a string where it is one plain text, else blocks, which may carry cache marks.
fn system(call: &Call<'_>, losses: &mut LossReport, o: &mut ObjectOut<'_>) -> Result<(), Unsupported> {
    let turns = &call.turns[..call.leading_system()];
    if turns.iter().any(|turn| turn.name.is_some()) {
        losses.field(Field::ParticipantName)?;
    }
    let mut parts = Vec::new();
    for part in turns.iter().flat_map(|turn| &turn.parts).filter(|part| is_sayable(part)) {
        match &part.kind {
            PartKind::Text(text) => parts.push((text, part.cache)),
            _ => losses.field(Field::System)?,
        }
    }
    match &parts[..] {
        [] => {}
        [(text, None)] => o.text("system", text),
        _ => o.array("system", |a| {
            for (text, cache) in parts {
                a.object(|o| {
                    o.text("type", "text");
                    o.text("text", text);
                    content::cache(cache, o);
                });
            }
        }),
    }
    Ok(())
}

/// Writes the conversation; whether the model can go on thinking in it.
fn messages(call: &Call<'_>, losses: &mut LossReport, o: &mut ObjectOut<'_>) -> Result<bool, Unsupported> {
    let client = losses.client();
    let messages = alternate(call, losses, &|part| content::inexpressible(part, client))?;
    let mut writer = Writer::new(losses);
    o.array("messages", |a| {
        for message in &messages {
            a.object(|o| {
                o.text("role", if message.assistant { "assistant" } else { "user" });
                writer.message(message, o)
            })?;
        }
        Ok(())
    })?;
    Ok(can_continue_thinking(&messages))
}
