//! What the response's headers say of the limits that a request was charged to.
//!
//! `ratelimit` and `ratelimit-policy` follow draft-ietf-httpapi-ratelimit-headers-10; the clients of OpenAI and Anthropic
//! also get the headers that they know from there (platform.openai.com/docs/guides/rate-limits,
//! platform.claude.com/docs/en/api/rate-limits).

use std::{fmt::Write as _, time::Duration};

use coordination::{Denied, Level};
use domain::Timestamp;
use http::{HeaderMap, HeaderName, HeaderValue};
use wire::Dialect;

/// The fullest limit of each kind; concurrency has no place in these headers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RateLimits([Option<Level>; KINDS.len()]);

/// The kinds, in the order of the headers.
const KINDS: [&str; 4] = ["requests", "tokens", "input_tokens", "output_tokens"];

/// How a provider calls the headers of one kind.
struct Names {
    limit: &'static str,
    remaining: &'static str,
    reset: &'static str,
}

/// Names of headers by kind.
type Table = [Option<Names>; KINDS.len()];

const OPENAI: Table = [
    Some(Names {
        limit: "x-ratelimit-limit-requests",
        remaining: "x-ratelimit-remaining-requests",
        reset: "x-ratelimit-reset-requests",
    }),
    Some(Names {
        limit: "x-ratelimit-limit-tokens",
        remaining: "x-ratelimit-remaining-tokens",
        reset: "x-ratelimit-reset-tokens",
    }),
    None,
    None,
];

const ANTHROPIC: Table = [
    Some(Names {
        limit: "anthropic-ratelimit-requests-limit",
        remaining: "anthropic-ratelimit-requests-remaining",
        reset: "anthropic-ratelimit-requests-reset",
    }),
    Some(Names {
        limit: "anthropic-ratelimit-tokens-limit",
        remaining: "anthropic-ratelimit-tokens-remaining",
        reset: "anthropic-ratelimit-tokens-reset",
    }),
    Some(Names {
        limit: "anthropic-ratelimit-input-tokens-limit",
        remaining: "anthropic-ratelimit-input-tokens-remaining",
        reset: "anthropic-ratelimit-input-tokens-reset",
    }),
    Some(Names {
        limit: "anthropic-ratelimit-output-tokens-limit",
        remaining: "anthropic-ratelimit-output-tokens-remaining",
        reset: "anthropic-ratelimit-output-tokens-reset",
    }),
];

impl RateLimits {
    /// Of a request that no limit counts.
    pub(crate) const NONE: Self = Self([None; KINDS.len()]);

    /// Of the limit that refuses: nothing of it is left until the client may try again.
    pub(crate) fn denied(denied: &Denied) -> Self {
        let Denied { limit, most, window, retry_after, kind } = *denied;
        Self::NONE.with(&Level { limit, kind, most, used: most, window, full_in: retry_after })
    }

    /// With one more limit.
    pub(crate) fn with(mut self, level: &Level) -> Self {
        let place = KINDS.iter().position(|kind| *kind == level.kind);
        if let Some(known) = place.and_then(|place| self.0.get_mut(place)) {
            // Of two, the one of which the smaller share is left.
            let share = |level: &Level| (u128::from(level.left()) << 64) / u128::from(level.most.max(1));
            if known.is_none_or(|known| share(level) < share(&known)) {
                *known = Some(*level);
            }
        }
        self
    }

    /// Writes the headers for a client of this dialect; none without limits.
    pub(crate) fn write(&self, headers: &mut HeaderMap, dialect: Dialect, now: Timestamp) {
        let levels =
            || KINDS.into_iter().zip(&self.0).filter_map(|(kind, level)| Some((kind, level.as_ref()?)));
        let (mut policy, mut left) = (String::new(), String::new());
        for (kind, level) in levels() {
            let comma = if policy.is_empty() { "" } else { ", " };
            let (window, reset) = (level.window.as_secs().max(1), retry_after_seconds(level.full_in));
            // Writing to a string does not fail.
            let _ = write!(policy, "{comma}\"{kind}\";q={};w={window}", level.most);
            let _ = write!(left, "{comma}\"{kind}\";r={};t={reset}", level.left());
        }
        if policy.is_empty() {
            return;
        }
        put(headers, "ratelimit-policy", &policy);
        put(headers, "ratelimit", &left);
        let (table, reset): (&Table, &dyn Fn(Duration) -> String) = match dialect {
            Dialect::OpenAiChat | Dialect::OpenAiResponses => (&OPENAI, &spoken),
            Dialect::Anthropic => (&ANTHROPIC, &|after| after_now(now, after)),
            Dialect::Gemini | Dialect::Cohere | Dialect::Bedrock => return,
        };
        for (names, level) in table.iter().zip(&self.0) {
            let (Some(names), Some(level)) = (names, level) else { continue };
            headers.insert(HeaderName::from_static(names.limit), HeaderValue::from(level.most));
            headers.insert(HeaderName::from_static(names.remaining), HeaderValue::from(level.left()));
            put(headers, names.reset, &reset(level.full_in));
        }
    }
}

fn put(headers: &mut HeaderMap, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(HeaderName::from_static(name), value);
    }
}

/// A wait as `retry-after` tells it: whole seconds, rounded up, and at least one.
pub(crate) fn retry_after_seconds(wait: std::time::Duration) -> u64 {
    u64::try_from(wait.as_millis().div_ceil(1_000)).unwrap_or(u64::MAX).max(1)
}

/// As OpenAI says it: `6m0s`, `1s`, `120ms`.
fn spoken(time: Duration) -> String {
    let (seconds, millis) = (time.as_secs(), time.subsec_millis());
    match (seconds / 3_600, seconds / 60 % 60, seconds % 60) {
        (0, 0, 0) => format!("{millis}ms"),
        (0, 0, seconds) if millis > 0 => format!("{seconds}.{millis:03}s"),
        (0, 0, seconds) => format!("{seconds}s"),
        (0, minutes, seconds) => format!("{minutes}m{seconds}s"),
        (hours, minutes, seconds) => format!("{hours}h{minutes}m{seconds}s"),
    }
}

/// As Anthropic says it (RFC 3339), rounded up to a second.
fn after_now(now: Timestamp, after: Duration) -> String {
    let after = i64::try_from(after.as_micros()).unwrap_or(i64::MAX);
    let seconds = now.micros().saturating_add(after).div_euclid(1_000_000).saturating_add(1);
    Timestamp::from_micros(seconds.saturating_mul(1_000_000)).to_string()
}

#[cfg(test)]
mod tests {
    use domain::ResourceId;

    use super::*;

    fn level(kind: &'static str, most: u64, used: u64) -> Level {
        let (window, full_in) = (Duration::from_secs(60), Duration::from_millis(61_500));
        Level { limit: ResourceId::new(), kind, most, used, window, full_in }
    }

    fn written(limits: RateLimits, dialect: Dialect) -> Vec<(String, String)> {
        let mut headers = HeaderMap::new();
        limits.write(&mut headers, dialect, Timestamp::from_micros(1_700_000_000_000_000));
        headers.iter().map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect()
    }

    #[test]
    fn the_fullest_limit_of_a_kind_is_told_in_the_headers_that_a_client_knows() {
        let levels = [level("requests", 600, 60), level("requests", 10, 9), level("concurrent", 5, 5)];
        let tokens = level("input_tokens", 1_000, 2_500);
        let limits = levels.iter().chain([&tokens]).fold(RateLimits::NONE, RateLimits::with);
        let both = [
            ("ratelimit-policy", r#""requests";q=10;w=60, "input_tokens";q=1000;w=60"#),
            ("ratelimit", r#""requests";r=1;t=62, "input_tokens";r=0;t=62"#),
        ];
        let openai = [
            ("x-ratelimit-limit-requests", "10"),
            ("x-ratelimit-remaining-requests", "1"),
            ("x-ratelimit-reset-requests", "1m1s"),
        ];
        let anthropic = [
            ("anthropic-ratelimit-requests-limit", "10"),
            ("anthropic-ratelimit-requests-remaining", "1"),
            ("anthropic-ratelimit-requests-reset", "2023-11-14T22:14:22Z"),
            ("anthropic-ratelimit-input-tokens-limit", "1000"),
            ("anthropic-ratelimit-input-tokens-remaining", "0"),
            ("anthropic-ratelimit-input-tokens-reset", "2023-11-14T22:14:22Z"),
        ];
        for (dialect, own) in [
            (Dialect::OpenAiChat, &openai[..]),
            (Dialect::OpenAiResponses, &openai[..]),
            (Dialect::Anthropic, &anthropic[..]),
            (Dialect::Gemini, &[]),
        ] {
            let expected: Vec<_> =
                both.iter().chain(own).map(|(n, v)| (n.to_string(), v.to_string())).collect();
            assert_eq!(written(limits, dialect), expected, "{dialect:?}");
        }
        assert_eq!(written(RateLimits::NONE, Dialect::OpenAiChat), []);
    }

    #[test]
    fn times_are_spoken_as_openai_does() {
        for (millis, text) in [
            (0, "0ms"),
            (120, "120ms"),
            (1_000, "1s"),
            (1_250, "1.250s"),
            (360_000, "6m0s"),
            (86_400_000, "24h0m0s"),
        ] {
            assert_eq!(spoken(Duration::from_millis(millis)), text);
        }
    }
}
