//! What Chat Completions and Responses have in common in a call's options.

use crate::{
    canonical::{Call, Effort, Field, LossReport, Reasoning, ReasoningMode, Unsupported},
    dialect::Dialect,
    json::{Json, out::ObjectOut},
    quirks::Efforts,
};

/// A number; one that cannot be said is a loss unless it is what is so anyway.
pub(crate) fn number(
    (field, key, usual): (Field, &str, f64),
    value: Option<Json<'_>>,
    taken: bool,
    losses: &mut LossReport,
    o: &mut ObjectOut<'_>,
) -> Result<(), Unsupported> {
    match value {
        Some(value) if taken => o.raw(key, value),
        Some(value) if value.f64() == Some(usual) => losses.hint(field.name_in(losses.client())),
        Some(_) => losses.field(field)?,
        None => {}
    }
    Ok(())
}

/// Writes `metadata`.
pub(crate) fn metadata(call: &Call<'_>, o: &mut ObjectOut<'_>) {
    if !call.metadata.is_empty() {
        o.object("metadata", |o| call.metadata.iter().for_each(|(key, value)| o.text(key, value)));
    }
}

/// How hard the model is to think; `None`: not said.
pub(crate) fn asked_effort(asked: &Reasoning) -> Option<Effort> {
    match asked.mode {
        Some(ReasoningMode::Off) => Some(Effort::None),
        _ => asked.effort.or(asked.budget.map(Effort::from_budget)),
    }
}

/// The effort that a provider knows and that is nearest to the one asked for.
pub(crate) const fn nearest(effort: Effort, known: Efforts) -> Effort {
    match (known, effort) {
        (Efforts::ToXHigh, Effort::Max) => Effort::XHigh,
        (Efforts::LowToHigh | Efforts::LowHighMax, Effort::Minimal) => Effort::Low,
        (Efforts::LowToHigh, Effort::XHigh | Effort::Max)
        | (Efforts::LowHighMax, Effort::Medium | Effort::XHigh) => Effort::High,
        _ => effort,
    }
}

const fn is_openai(client: Dialect) -> bool {
    matches!(client, Dialect::OpenAiChat | Dialect::OpenAiResponses)
}

/// A client's service tier in OpenAI's words; `None`: it has no such queue.
pub(crate) fn service_tier(tier: &str, client: Dialect) -> Option<&str> {
    match tier {
        "auto" | "default" | "flex" | "priority" => Some(tier),
        "scale" | "fast" | "ultrafast" if is_openai(client) => Some(tier),
        "standard" | "standard_only" => Some("default"),
        _ => None,
    }
}

/// The tier that an answer was served from, in OpenAI's words.
pub(crate) fn served_tier(tier: &str) -> &str {
    if matches!(tier, "standard" | "on_demand") { "default" } else { tier }
}

/// Documented fields that both dialects have and the canonical call has not.
const SHARED: [&str; 4] =
    ["moderation", "prompt_cache_key", "prompt_cache_options", "prompt_cache_retention"];

/// Whether a field outside the canonical call means the same in both of OpenAI's dialects.
pub(crate) fn shared_extra(name: &str, client: Dialect) -> bool {
    is_openai(client) && SHARED.contains(&name)
}
