//! Anthropic's `usage`, read and written: its counts exclude each other, so nothing is subtracted but thoughts.

use domain::{ServiceTier, Usage};

use crate::json::{Json, out::ObjectOut};

/// The numbers as they were said; in streams a later report replaces only what it names.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Reported {
    input: Option<u64>,
    output: Option<u64>,
    cache_read: Option<u64>,
    cache_written: Option<u64>,
    write_5m: Option<u64>,
    write_1h: Option<u64>,
    thinking: Option<u64>,
    searches: Option<u64>,
    tier: Option<ServiceTier>,
    fast: bool,
}

impl Reported {
    /// Takes in a `usage` object; what is not said stays.
    pub(super) fn read(&mut self, usage: Json<'_>) {
        let number = |json: Json<'_>, key: &str| json.object().ok().flatten()?.peek(key)?.u64();
        let keep = |kept: &mut Option<u64>, new: Option<u64>| *kept = new.or(*kept);
        let Ok(Some(fields)) = usage.object() else { return };
        let direct = |key: &str| fields.peek(key).and_then(Json::u64);
        keep(&mut self.input, direct("input_tokens"));
        keep(&mut self.output, direct("output_tokens"));
        keep(&mut self.cache_read, direct("cache_read_input_tokens"));
        keep(&mut self.cache_written, direct("cache_creation_input_tokens"));
        if let Some(written) = fields.peek("cache_creation") {
            keep(&mut self.write_5m, number(written, "ephemeral_5m_input_tokens"));
            keep(&mut self.write_1h, number(written, "ephemeral_1h_input_tokens"));
        }
        if let Some(details) = fields.peek("output_tokens_details") {
            keep(&mut self.thinking, number(details, "thinking_tokens"));
        }
        if let Some(tools) = fields.peek("server_tool_use") {
            keep(&mut self.searches, number(tools, "web_search_requests"));
        }
        let text = |key: &str| fields.peek(key).and_then(Json::text);
        self.tier = text("service_tier").and_then(|tier| tier.parse().ok()).or(self.tier);
        self.fast |= text("speed").as_deref() == Some("fast");
    }

    /// The disjoint counts, if any were said.
    pub(super) fn usage(&self) -> Option<Usage> {
        if self.input.is_none() && self.output.is_none() {
            return None;
        }
        let output = self.output.unwrap_or(0);
        let reasoning = self.thinking.unwrap_or(0).min(output);
        let (write_5m, write_1h) = (self.write_5m.unwrap_or(0), self.write_1h.unwrap_or(0));
        // Where total and parts differ the larger is charged: the lifetime of the rest is not known.
        let cache_write = self.cache_written.unwrap_or(0).saturating_sub(write_5m).saturating_sub(write_1h);
        let tier = if self.fast { ServiceTier::Fast } else { self.tier.unwrap_or_default() };
        Some(Usage {
            input_uncached: self.input.unwrap_or(0),
            cache_read: self.cache_read.unwrap_or(0),
            cache_write,
            write_5m,
            write_1h,
            output_visible: output - reasoning,
            reasoning,
            web_searches: self.searches.unwrap_or(0),
            service_tier: tier,
            ..Usage::default()
        })
    }
}

/// Writes `usage`; unknown counts are the estimate of the input and no output, since clients insist on numbers.
pub(super) fn write(o: &mut ObjectOut<'_>, usage: Option<Usage>, estimate: u64) {
    o.object("usage", |o| {
        let Some(usage) = usage else {
            o.number("input_tokens", estimate);
            o.number("output_tokens", 0);
            return;
        };
        let written = usage.cache_written();
        let beside_cache = usage.input().saturating_sub(usage.cache_read).saturating_sub(written);
        o.number("input_tokens", beside_cache);
        o.number("cache_creation_input_tokens", written);
        o.number("cache_read_input_tokens", usage.cache_read);
        if written > 0 {
            let hour = usage.write_30m.saturating_add(usage.write_1h).saturating_add(usage.write_12h);
            o.object("cache_creation", |o| {
                o.number("ephemeral_5m_input_tokens", written - hour.min(written));
                o.number("ephemeral_1h_input_tokens", hour);
            });
        }
        o.number("output_tokens", usage.output());
        if usage.reasoning > 0 {
            o.object("output_tokens_details", |o| o.number("thinking_tokens", usage.reasoning));
        }
        if usage.web_searches > 0 {
            o.object("server_tool_use", |o| {
                o.number("web_fetch_requests", 0);
                o.number("web_search_requests", usage.web_searches);
            });
        }
        match usage.service_tier {
            ServiceTier::Standard | ServiceTier::Priority | ServiceTier::Batch => {
                o.text("service_tier", usage.service_tier.as_str());
            }
            ServiceTier::Fast => o.text("speed", "fast"),
            ServiceTier::Flex | ServiceTier::Ultrafast => {}
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::out;

    fn read(text: &str) -> Option<Usage> {
        let mut reported = Reported::default();
        reported.read(Json::parse(text.as_bytes()).unwrap());
        reported.usage()
    }

    #[test]
    fn counts_are_disjoint_and_written_as_they_were_read() {
        let text = r#"{"input_tokens":10,"cache_creation_input_tokens":350,"cache_read_input_tokens":40,
            "cache_creation":{"ephemeral_5m_input_tokens":200,"ephemeral_1h_input_tokens":150},
            "output_tokens":70,"output_tokens_details":{"thinking_tokens":30},
            "server_tool_use":{"web_fetch_requests":0,"web_search_requests":2},"service_tier":"priority"}"#;
        let usage = read(text).unwrap();
        assert_eq!(
            (usage.input_uncached, usage.cache_read, usage.write_5m, usage.write_1h),
            (10, 40, 200, 150)
        );
        assert_eq!((usage.cache_write, usage.output_visible, usage.reasoning), (0, 40, 30));
        assert_eq!((usage.web_searches, usage.service_tier), (2, ServiceTier::Priority));
        let mut out = Vec::new();
        out::object(&mut out, |o| write(o, Some(usage), 0));
        let (written, expected): (serde_json::Value, serde_json::Value) =
            (serde_json::from_slice(&out).unwrap(), serde_json::from_str(text).unwrap());
        assert_eq!(written["usage"], expected);
    }

    #[test]
    fn what_is_not_said_is_unknown_and_a_later_report_replaces_only_what_it_names() {
        assert_eq!(read("{}"), None);
        assert_eq!(read("null"), None);
        let mut reported = Reported::default();
        let mut take = |text: &str| {
            reported.read(Json::parse(text.as_bytes()).unwrap());
            reported.usage().unwrap()
        };
        take(r#"{"input_tokens":10,"cache_creation_input_tokens":5,"output_tokens":1}"#);
        let usage = take(r#"{"output_tokens":9}"#);
        assert_eq!((usage.input_uncached, usage.cache_write, usage.output_visible), (10, 5, 9));
        // OpenAI's input with reads and writes inside becomes Anthropic's without.
        let usage = Usage { input_uncached: 7, cache_read: 2, write_30m: 3, audio_in: 1, ..Usage::default() };
        let mut out = Vec::new();
        out::object(&mut out, |o| write(o, Some(usage), 0));
        let usage = &serde_json::from_slice::<serde_json::Value>(&out).unwrap()["usage"];
        assert_eq!((&usage["input_tokens"], &usage["cache_creation_input_tokens"]), (&8.into(), &3.into()));
        assert_eq!(usage["cache_creation"]["ephemeral_1h_input_tokens"], 3);
    }
}
