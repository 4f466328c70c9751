//! What a provider's answer says of its limits and of when to ask again.

mod bucket;
mod fields;
mod limits;
mod moment;

use std::time::Duration;

use domain::Timestamp;
use http::HeaderMap;

use self::bucket::{Buckets, Unit};
pub use self::limits::{MAX_COUNT, MAX_WAIT};

/// Remaining counts, limits and resets of one answer, and how long the provider wants to be left alone.
///
/// Each is what the provider said, or `None`; negative, absurd and garbled values are as good as none. A provider
/// that counts by several windows or in several ways says so in several headers: those of the one with the least
/// left are given, together. A count of output tokens alone says little about a call, which is mostly input: it is
/// given only where it is used up, or where there is no other.
///
/// Read are, by vendor documentation unless marked (docs/spec/errors.md#rate-limit-headers; ‡ field reports):
/// - OpenAI, Groq, Fireworks, xAI‡ and copies: `x-ratelimit-{limit,remaining,reset}-{requests,tokens}`, with further
///   words behind (`tokens-prompt`, `requests-day`); the reset is a duration (`6m0s`, `1m30.5s`, `20ms`). A reset
///   of OpenAI's says when all of the limit is back, not when some of it is.
/// - Azure: the same without a reset, or with one in seconds‡; −1‡ where it does not count.
/// - Anthropic: `anthropic-ratelimit-{requests,tokens,input-tokens,output-tokens}-{limit,remaining,reset}`; the
///   reset is a moment (RFC 3339).
/// - Cerebras‡: `…-requests-day`, `…-tokens-minute`; Mistral‡: `…-req-minute`, `…-tokens-minute`, formerly
///   `x-ratelimitbysize-{limit,remaining}-{minute,month}`; resets in seconds.
/// - Together‡: `x-ratelimit-{limit,remaining,reset}` and `x-tokenlimit-{limit,remaining}`; OpenRouter the former
///   with a reset in milliseconds since 1970.
/// - The IETF's draft-ietf-httpapi-ratelimit-headers: `ratelimit` with `ratelimit-policy` (since 08), the dictionary
///   of 07, and the three fields of the drafts before.
/// - `retry-after` (RFC 9110 §10.2.3: seconds or a date, here also with a fraction) and `retry-after-ms`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RateLimitHeaders {
    /// Requests that are left.
    pub remaining_requests: Option<u64>,
    /// Requests that may be sent in a window.
    pub limit_requests: Option<u64>,
    /// How long until the count of requests starts again.
    pub reset_requests: Option<Duration>,
    /// Tokens that are left.
    pub remaining_tokens: Option<u64>,
    /// Tokens that may be used in a window.
    pub limit_tokens: Option<u64>,
    /// How long until the count of tokens starts again.
    pub reset_tokens: Option<Duration>,
    /// How long the provider wants to be left alone; the longer one where it says it in two ways.
    pub retry_after: Option<Duration>,
}

impl RateLimitHeaders {
    /// Reads an answer's headers; `now` is what moments are counted from.
    #[must_use]
    pub fn read(headers: &HeaderMap, now: Timestamp) -> Self {
        let mut buckets = Buckets::default();
        for (name, value) in headers {
            let Ok(value) = value.to_str() else { continue };
            let (name, value) = (name.as_str(), value.trim());
            match name {
                "ratelimit" => fields::limits(value, &mut buckets),
                "ratelimit-policy" => fields::policies(value, &mut buckets),
                _ => {
                    if let Some((unit, label, tally)) = fields::named(name) {
                        buckets.of(unit, label).note(tally, value, now);
                    }
                }
            }
        }
        let (requests, tokens) = (buckets.tightest(Unit::Requests), buckets.tightest(Unit::Tokens));
        Self {
            remaining_requests: requests.remaining,
            limit_requests: requests.limit,
            reset_requests: requests.reset,
            remaining_tokens: tokens.remaining,
            limit_tokens: tokens.limit,
            reset_tokens: tokens.reset,
            retry_after: retry_after(headers, now),
        }
    }
}

/// How long the provider wants to be left alone, by the headers alone.
#[must_use]
pub fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let said =
        |name| headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok().map(str::trim));
    let waits = said("retry-after").filter_map(|value| moment::wait(value, now));
    waits.chain(said("retry-after-ms").filter_map(moment::millis)).max()
}

#[cfg(test)]
mod tests;
