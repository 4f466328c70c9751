//! What Chat Completions and Responses have in common where they are written.

use crate::{
    canonical::{
        Call, Effort, Field, Logprob, LossReport, NumberField,
        account::{MetadataRule, end_user, metadata},
    },
    dialect::Dialect,
    json::out::{ArrayOut, ObjectOut},
    quirks::Efforts,
};

pub(crate) const TEMPERATURE: NumberField =
    NumberField { field: Field::Temperature, key: "temperature", default: 1.0 };
pub(crate) const TOP_P: NumberField = NumberField { field: Field::TopP, key: "top_p", default: 1.0 };
pub(crate) const TOP_K: NumberField = NumberField { field: Field::TopK, key: "top_k", default: 0.0 };
pub(crate) const FREQUENCY_PENALTY: NumberField =
    NumberField { field: Field::FrequencyPenalty, key: "frequency_penalty", default: 0.0 };
pub(crate) const PRESENCE_PENALTY: NumberField =
    NumberField { field: Field::PresencePenalty, key: "presence_penalty", default: 0.0 };

/// Longest name of an end user.
const MAX_USER: usize = 64;
const METADATA: MetadataRule = MetadataRule {
    pairs: 16,
    name: |name| (1..=64).contains(&name.chars().count()),
    value: |value| value.chars().count() <= 512,
};

/// Writes `user` and `metadata`.
pub(crate) fn account(call: &Call<'_>, losses: &mut LossReport, o: &mut ObjectOut<'_>) {
    o.text_if("user", end_user(call, MAX_USER, losses).as_deref());
    let pairs = metadata(call, METADATA, losses);
    if !pairs.is_empty() {
        o.object("metadata", |o| pairs.iter().for_each(|(key, value)| o.text(key, value)));
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

/// A client's service tier in OpenAI's words, if it has such a queue.
pub(crate) fn service_tier(tier: &str, client: Dialect) -> Option<&str> {
    match tier {
        "auto" | "default" | "flex" | "priority" => Some(tier),
        "scale" | "fast" | "ultrafast" if client.is_openai() => Some(tier),
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
    client.is_openai() && SHARED.contains(&name)
}

/// Writes tokens with their log-probabilities.
pub(crate) fn logprobs(tokens: &[Logprob<'_>], a: &mut ArrayOut<'_>) {
    for entry in tokens {
        a.object(|o| {
            o.text("token", &entry.token);
            o.raw("logprob", entry.logprob);
            match entry.bytes {
                Some(bytes) => o.raw("bytes", bytes),
                None => o.array("bytes", |a| entry.token.bytes().for_each(|byte| a.number(byte.into()))),
            }
            o.array("top_logprobs", |a| {
                for (token, logprob) in &entry.top {
                    a.object(|o| {
                        o.text("token", token);
                        o.raw("logprob", *logprob);
                        o.array("bytes", |a| token.bytes().for_each(|byte| a.number(byte.into())));
                    });
                }
            });
        });
    }
}
