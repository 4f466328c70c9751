//! Gemini's `usageMetadata` as disjoint counts, and back.

use domain::{ServiceTier, Usage};

use crate::{
    json::{Json, out::ObjectOut},
    read::{Members, Place},
};

/// Reads `usageMetadata`. If it says nothing, usage is unknown, which is not zero. Odd types count as unsaid, because
/// an answer must not be lost over its bill.
pub(super) fn read(json: Json<'_>) -> Option<Usage> {
    let mut members = super::common::open(json, &Place::ROOT).ok()?;
    let mut count = |key: &str| members.raw(key).and_then(Json::u64);
    let total = count("totalTokenCount");
    let prompt = count("promptTokenCount");
    let candidates = count("candidatesTokenCount");
    if total.is_none() && prompt.is_none() && candidates.is_none() {
        return None;
    }
    let tool_input = count("toolUsePromptTokenCount").unwrap_or(0);
    let reasoning = count("thoughtsTokenCount").unwrap_or(0);
    let cached = count("cachedContentTokenCount").unwrap_or(0);
    let said = prompt.unwrap_or(0).saturating_add(tool_input).saturating_add(reasoning);
    // A total without the other counts still says what was written.
    let output = candidates.unwrap_or_else(|| match (total, prompt) {
        (Some(total), Some(_)) => total.saturating_sub(said),
        _ => 0,
    });
    let input = prompt.unwrap_or_else(|| {
        total.unwrap_or(0).saturating_sub(output.saturating_add(tool_input).saturating_add(reasoning))
    });
    let audio_read = modality(&mut members, "promptTokensDetails", "AUDIO");
    let audio_cached = modality(&mut members, "cacheTokensDetails", "AUDIO");
    let audio_out = modality(&mut members, "candidatesTokensDetails", "AUDIO").min(output);
    let image_out = modality(&mut members, "candidatesTokensDetails", "IMAGE").min(output - audio_out);
    let cache_read = cached.min(input);
    let audio_in = audio_read.saturating_sub(audio_cached).min(input - cache_read);
    Some(Usage {
        input_uncached: input - cache_read - audio_in,
        cache_read,
        tool_input,
        audio_in,
        output_visible: output - audio_out - image_out,
        reasoning,
        audio_out,
        image_out,
        service_tier: tier(members.raw("trafficType").and_then(Json::text).as_deref()),
        ..Usage::default()
    })
}

/// The tokens of one modality in a list of counts.
fn modality(members: &mut Members<'_, '_>, list: &str, wanted: &str) -> u64 {
    let counts = members.peek(list).and_then(|list| list.array().ok().flatten()).unwrap_or_default();
    let of = |count: Json<'_>| {
        let mut count = super::common::open(count, &Place::ROOT).ok()?;
        let named = count.raw("modality").and_then(Json::text).is_some_and(|name| name == wanted);
        count.raw("tokenCount").and_then(Json::u64).filter(|_| named)
    };
    counts.into_iter().filter_map(of).fold(0, u64::saturating_add)
}

fn tier(traffic: Option<&str>) -> ServiceTier {
    match traffic {
        Some("ON_DEMAND_PRIORITY") => ServiceTier::Priority,
        Some("ON_DEMAND_FLEX") => ServiceTier::Flex,
        _ => ServiceTier::Standard,
    }
}

/// Searches that a candidate's grounding names.
pub(super) fn searches(grounding: Option<Json<'_>>) -> u64 {
    let queries = || {
        let mut grounding = super::common::open(grounding?, &Place::ROOT).ok()?;
        grounding.raw("webSearchQueries")?.array().ok().flatten()
    };
    queries().map_or(0, |queries| queries.len() as u64)
}

/// Writes `usageMetadata`.
pub(super) fn write(usage: &Usage, o: &mut ObjectOut<'_>) {
    let some = |count: u64| Some(count).filter(|count| *count > 0);
    let prompt = usage.input().saturating_sub(usage.tool_input);
    let candidates = usage.output().saturating_sub(usage.reasoning);
    o.object("usageMetadata", |o| {
        o.number("promptTokenCount", prompt);
        o.number_if("cachedContentTokenCount", some(usage.cache_read));
        o.number("candidatesTokenCount", candidates);
        o.number_if("toolUsePromptTokenCount", some(usage.tool_input));
        o.number_if("thoughtsTokenCount", some(usage.reasoning));
        o.number("totalTokenCount", usage.input().saturating_add(usage.output()));
        details("promptTokensDetails", &[("AUDIO", usage.audio_in)], o);
        details("candidatesTokensDetails", &[("AUDIO", usage.audio_out), ("IMAGE", usage.image_out)], o);
        match usage.service_tier {
            ServiceTier::Priority => o.text("trafficType", "ON_DEMAND_PRIORITY"),
            ServiceTier::Flex => o.text("trafficType", "ON_DEMAND_FLEX"),
            _ => {}
        }
    });
}

fn details(key: &str, counts: &[(&str, u64)], o: &mut ObjectOut<'_>) {
    if counts.iter().all(|(_, count)| *count == 0) {
        return;
    }
    o.array(key, |a| {
        for (modality, count) in counts.iter().filter(|(_, count)| *count > 0) {
            a.object(|o| {
                o.text("modality", modality);
                o.number("tokenCount", *count);
            });
        }
    });
}
