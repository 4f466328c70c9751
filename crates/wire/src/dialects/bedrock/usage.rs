//! Bedrock's `usage`, read and written.

use domain::{ServiceTier, Usage};

use crate::json::{Fields, Json, out::ObjectOut};

/// Reads the `usage` and `serviceTier` of a response or of a `metadata` event, if they are there.
///
/// AWS documents `inputTokens` as excluding the cache. Where a total would allow the other reading as well, this one
/// is taken: it never charges too little (docs/spec/usage.md#bedrock).
pub(super) fn read(fields: &Fields<'_>) -> Option<Usage> {
    let usage = fields.peek("usage")?.object().ok()??;
    let number = |key: &str| usage.peek(key).and_then(Json::u64);
    let (input, output) = (number("inputTokens"), number("outputTokens"));
    if input.is_none() && output.is_none() {
        return None;
    }
    let (mut write_5m, mut write_1h) = (0, 0);
    for detail in usage.peek("cacheDetails").and_then(|list| list.array().ok().flatten()).unwrap_or_default()
    {
        let Ok(Some(detail)) = detail.object() else { continue };
        let tokens = detail.peek("inputTokens").and_then(Json::u64).unwrap_or(0);
        match detail.peek("ttl").and_then(Json::text).as_deref() {
            Some("5m") => write_5m = tokens,
            Some("1h") => write_1h = tokens,
            _ => {}
        }
    }
    let written = number("cacheWriteInputTokens").unwrap_or(0);
    let tier = fields.peek("serviceTier").and_then(|tier| tier.object().ok().flatten());
    let tier = tier.and_then(|tier| tier.peek("type")).and_then(Json::text);
    Some(Usage {
        input_uncached: input.unwrap_or(0),
        cache_read: number("cacheReadInputTokens").unwrap_or(0),
        cache_write: written.saturating_sub(write_5m).saturating_sub(write_1h),
        write_5m,
        write_1h,
        output_visible: output.unwrap_or(0),
        service_tier: tier.and_then(|tier| tier.parse().ok()).unwrap_or_default(),
        ..Usage::default()
    })
}

/// Writes `usage`, and `serviceTier` where it is not the usual one; unknown counts are the estimate of the input and
/// no output, since clients insist on numbers.
pub(super) fn write(o: &mut ObjectOut<'_>, usage: Option<Usage>, estimate: u64) {
    let usage = usage.unwrap_or(Usage { input_uncached: estimate, ..Usage::default() });
    let written = usage.cache_written();
    o.object("usage", |o| {
        o.number("inputTokens", usage.input().saturating_sub(usage.cache_read).saturating_sub(written));
        o.number("outputTokens", usage.output());
        o.number("totalTokens", usage.input().saturating_add(usage.output()));
        if usage.cache_read > 0 || written > 0 {
            o.number("cacheReadInputTokens", usage.cache_read);
            o.number("cacheWriteInputTokens", written);
        }
        if written > 0 {
            let hour = usage.write_30m.saturating_add(usage.write_1h).saturating_add(usage.write_12h);
            o.array("cacheDetails", |a| {
                for (ttl, tokens) in [("5m", written - hour.min(written)), ("1h", hour)] {
                    if tokens > 0 {
                        a.object(|o| {
                            o.text("ttl", ttl);
                            o.number("inputTokens", tokens);
                        });
                    }
                }
            });
        }
    });
    if matches!(usage.service_tier, ServiceTier::Priority | ServiceTier::Flex) {
        o.object("serviceTier", |o| o.text("type", usage.service_tier.as_str()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::out;

    fn read_text(text: &str) -> Option<Usage> {
        read(&Json::parse(text.as_bytes()).unwrap().object().unwrap().unwrap())
    }

    #[test]
    fn counts_are_disjoint_and_written_as_they_were_read() {
        let text = r#"{"usage":{"inputTokens":10,"outputTokens":70,"totalTokens":470,"cacheReadInputTokens":40,
            "cacheWriteInputTokens":350,"cacheDetails":[{"ttl":"5m","inputTokens":200},
            {"ttl":"1h","inputTokens":150}]},"serviceTier":{"type":"flex"}}"#;
        let usage = read_text(text).unwrap();
        assert_eq!(
            (usage.input_uncached, usage.cache_read, usage.write_5m, usage.write_1h),
            (10, 40, 200, 150)
        );
        assert_eq!((usage.cache_write, usage.output_visible, usage.service_tier), (0, 70, ServiceTier::Flex));
        let mut out = Vec::new();
        out::object(&mut out, |o| write(o, Some(usage), 0));
        let (written, expected): (serde_json::Value, serde_json::Value) =
            (serde_json::from_slice(&out).unwrap(), serde_json::from_str(text).unwrap());
        assert_eq!(written, expected);
    }

    #[test]
    fn a_total_that_leaves_no_room_for_the_cache_is_charged_as_if_it_did() {
        let usage = read_text(
            r#"{"usage":{"inputTokens":50,"outputTokens":1,"totalTokens":51,"cacheReadInputTokens":40}}"#,
        );
        assert_eq!(usage.map(|usage| usage.input()), Some(90));
        assert_eq!(read_text(r#"{"usage":{}}"#), None);
        assert_eq!(read_text("{}"), None);
    }
}
