//! What Chat Completions and Responses have in common in a call's options.

use crate::{canon::Effort, dialect::DialectName, quirks::Efforts};

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

const fn is_openai(client: DialectName) -> bool {
    matches!(client, DialectName::OpenAiChat | DialectName::OpenAiResponses)
}

/// A client's service tier in OpenAI's words; `None`: it has no such queue.
pub(crate) fn service_tier(tier: &str, client: DialectName) -> Option<&str> {
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
pub(crate) fn shared_extra(name: &str, client: DialectName) -> bool {
    is_openai(client) && SHARED.contains(&name)
}
