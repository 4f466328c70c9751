//! What Chat Completions and Responses have in common in content: data URIs, marks for the cache, file names.

use crate::{
    canonical::{CacheTtl, LossReport, Malformed},
    json::out::ObjectOut,
    quirks::CacheMarks,
    read::Members,
};

/// Reads a mark for the cache; thirty minutes where no lifetime is said.
pub(crate) fn cache_in(part: &mut Members<'_, '_>) -> Result<Option<CacheTtl>, Malformed> {
    const KEY: &str = "prompt_cache_breakpoint";
    let Some(mark) = part.raw(KEY) else { return Ok(cache_control(part)) };
    let place = part.place.key(KEY);
    let mut mark = Members::open(mark, &place)?;
    match mark.text("ttl")?.as_deref() {
        None | Some("30m") => Ok(Some(CacheTtl::ThirtyMinutes)),
        Some("12h") => Ok(Some(CacheTtl::TwelveHours)),
        Some(_) => Err(place.key("ttl").malformed("must be `30m` or `12h`")),
    }
}

/// Takes Anthropic's mark, which clients of this dialect send for Claude's models. One that is written otherwise stays an
/// unknown field.
pub(crate) fn cache_control(members: &mut Members<'_, '_>) -> Option<CacheTtl> {
    const KEY: &str = "cache_control";
    let mark = members.peek(KEY)?.object().ok().flatten()?;
    let word = |name: &str| mark.peek(name).and_then(crate::json::Json::text);
    let ttl = match (word("type").as_deref(), word("ttl").as_deref()) {
        (Some("ephemeral"), None | Some("5m")) => CacheTtl::FiveMinutes,
        (Some("ephemeral"), Some("1h")) => CacheTtl::OneHour,
        _ => return None,
    };
    members.raw(KEY);
    Some(ttl)
}

/// Writes a mark for the cache, its lifetime rounded up; where the provider has none the loss is told.
pub(crate) fn cache_out(
    ttl: Option<CacheTtl>,
    marks: CacheMarks,
    losses: &mut LossReport,
    o: &mut ObjectOut<'_>,
) {
    let Some(ttl) = ttl else { return };
    match marks {
        CacheMarks::None => losses.cache_mark(ttl),
        CacheMarks::Breakpoint => o.object("prompt_cache_breakpoint", |o| {
            o.text("mode", "explicit");
            o.text("ttl", if ttl.seconds() > 1_800 { "12h" } else { "30m" });
        }),
        CacheMarks::CacheControl => o.object("cache_control", |o| {
            o.text("type", "ephemeral");
            if ttl.seconds() > 300 {
                o.text("ttl", "1h");
            }
        }),
    }
}

/// A file name for a document that came without one: providers choose their reader by it.
pub(crate) fn file_name<'n>(name: Option<&'n str>, mime: &str) -> &'n str {
    name.unwrap_or(match mime {
        "application/pdf" => "document.pdf",
        "text/csv" => "document.csv",
        "text/html" => "document.html",
        "application/json" => "document.json",
        _ => "document.txt",
    })
}
