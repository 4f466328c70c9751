//! Cohere's `usage` as disjoint counts, and back. Its numbers are floats; a part of a token counts as one.

use domain::Usage;

use crate::{
    json::{Json, out::ObjectOut},
    read::{Members, Place},
};

/// Reads `usage`. If it says nothing of tokens, they are unknown, which is not zero. What ran counts; where only what
/// is billed was said, that.
pub(super) fn read(json: Json<'_>) -> Option<Usage> {
    let mut usage = Members::open(json, &Place::ROOT).ok()?;
    let mut pair = |key: &str| {
        let mut counts = Members::open(usage.raw(key)?, &Place::ROOT).ok()?;
        let mut count = |key: &str| counts.raw(key).and_then(whole);
        Some((count("input_tokens"), count("output_tokens"), count("search_units")))
    };
    let ran = pair("tokens").filter(|(input, output, _)| input.is_some() || output.is_some());
    let billed = pair("billed_units");
    let search_units = billed.and_then(|(.., units)| units).unwrap_or(0);
    let (input, output, _) = ran.or(billed)?;
    if input.is_none() && output.is_none() {
        return None;
    }
    let input = input.unwrap_or(0);
    let cache_read = usage.raw("cached_tokens").and_then(whole).unwrap_or(0).min(input);
    Some(Usage {
        input_uncached: input - cache_read,
        cache_read,
        output_visible: output.unwrap_or(0),
        search_units,
        ..Usage::default()
    })
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "float casts saturate, which is wanted"
)]
fn whole(json: Json<'_>) -> Option<u64> {
    json.u64().or_else(|| json.f64().map(|number| number.ceil() as u64))
}

/// Writes `usage`.
pub(super) fn write(usage: &Usage, o: &mut ObjectOut<'_>) {
    let counts = |o: &mut ObjectOut<'_>| {
        o.number("input_tokens", usage.input());
        o.number("output_tokens", usage.output());
    };
    o.object("usage", |o| {
        o.object("billed_units", |o| {
            counts(o);
            o.number_if("search_units", Some(usage.search_units).filter(|units| *units > 0));
        });
        o.object("tokens", counts);
        o.number_if("cached_tokens", Some(usage.cache_read).filter(|cached| *cached > 0));
    });
}
