//! The names of limit headers, and the two of them that hold more than one value.

use std::time::Duration;

use super::{
    bucket::{Buckets, Unit, count, least},
    limits::{MAX_WAIT, Tally},
};

/// What a header counts, by which name, and what it says of it, if it is a limit header.
pub(super) fn named(name: &str) -> Option<(Unit, &str, Tally)> {
    if let Some(rest) = name.strip_prefix("anthropic-ratelimit-") {
        let (label, tally) = rest.rsplit_once('-')?;
        return Some((unit(label)?, label, Tally::from_name(tally)?));
    }
    let (unit_of_all, rest) = if let Some(rest) = name.strip_prefix("x-tokenlimit-") {
        (Some(Unit::Tokens), rest)
    } else if let Some(rest) = name.strip_prefix("x-ratelimitbysize-") {
        (Some(Unit::Tokens), rest)
    } else {
        (None, name.strip_prefix("x-ratelimit-").or_else(|| name.strip_prefix("ratelimit-"))?)
    };
    let (tally, label) = rest.split_once('-').unwrap_or((rest, ""));
    let unit = unit_of_all.or_else(|| unit(label))?;
    Some((unit, label, Tally::from_name(tally)?))
}

/// What a name counts; a limit that does not say what of is one of requests.
fn unit(label: &str) -> Option<Unit> {
    if label.contains("token") {
        Some(Unit::Tokens)
    } else if label.is_empty() || label.contains("requests") || label.starts_with("req-") {
        Some(Unit::Requests)
    } else {
        None
    }
}

/// Reads `ratelimit`: `"default";r=50;t=30` (draft 08 and later), or `limit=100, remaining=50, reset=5` (draft 07).
pub(super) fn limits(value: &str, buckets: &mut Buckets) {
    for member in split(value, ',') {
        let mut parts = split(member, ';');
        let head = parts.next().unwrap_or_default();
        if let Some((name, value)) = head.split_once('=') {
            let bucket = buckets.of(Unit::Requests, "");
            match Tally::from_name(name.trim()) {
                Some(Tally::Limit) => bucket.limit = least(bucket.limit, count(value)),
                Some(Tally::Remaining) => bucket.remaining = least(bucket.remaining, count(value)),
                Some(Tally::Reset) => bucket.reset = bucket.reset.max(seconds(value)),
                None => {}
            }
            continue;
        }
        let Some((unit, name)) = policy(head) else { continue };
        let bucket = buckets.of(unit, name);
        for (key, value) in parts.filter_map(|part| part.split_once('=')) {
            match key.trim() {
                "r" => bucket.remaining = least(bucket.remaining, count(value)),
                "t" => bucket.reset = bucket.reset.max(seconds(value)),
                _ => {}
            }
        }
    }
}

/// Reads `ratelimit-policy`: `"default";q=100;w=60`. Other units than requests, which `qu` names, are told by the
/// policy's name in `ratelimit` as well or not at all.
pub(super) fn policies(value: &str, buckets: &mut Buckets) {
    for member in split(value, ',') {
        let mut parts = split(member, ';');
        let Some((unit, name)) = parts.next().and_then(policy) else { continue };
        let quota = parts.filter_map(|part| part.split_once('=')).find(|(key, _)| key.trim() == "q");
        if let Some((_, quota)) = quota {
            let bucket = buckets.of(unit, name);
            bucket.limit = least(bucket.limit, count(quota));
        }
    }
}

/// A policy's name, and what it counts.
fn policy(head: &str) -> Option<(Unit, &str)> {
    let name = head.trim().strip_prefix('"')?.strip_suffix('"')?;
    let other = ["byte", "concurren", "image", "audio"].iter().any(|word| name.contains(word));
    let unit = if name.contains("token") { Unit::Tokens } else { Unit::Requests };
    (!other).then_some((unit, name))
}

fn seconds(value: &str) -> Option<Duration> {
    count(value).map(Duration::from_secs).filter(|&wait| wait <= MAX_WAIT)
}

/// The members of a structured field (RFC 9651 §3.1); separators in quotes are text.
fn split(value: &str, separator: char) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    value.split(move |letter| {
        quoted ^= letter == '"';
        letter == separator && !quoted
    })
}
