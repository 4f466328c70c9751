//! Anthropic's body as Google's paths want it: the model stands in the path, the version in the body.

use std::ops::Range;

use bytes::Bytes;

use super::version::API_VERSION_WITH_SAMPLING;
use crate::json::{Fault, Reader, decode};

/// What the older version is called there.
const OLDER: &str = "vertex-2023-10-16";

/// The body without `model` and with `anthropic_version`, unless the client wrote one; `version` is what the header
/// `anthropic-version` says, or would say. Every other byte stays.
pub(super) fn vertex_body(body: &Bytes, version: &str) -> Bytes {
    let Ok(found) = find(body) else { return body.clone() };
    let model = found.model.unwrap_or(found.close..found.close);
    let mut out = Vec::with_capacity(body.len() + 40);
    out.extend_from_slice(&body[..model.start]);
    out.extend_from_slice(&body[model.end..found.close]);
    if !found.versioned {
        let version = if version == API_VERSION_WITH_SAMPLING { OLDER } else { version };
        let comma = if found.others { "," } else { "" };
        let version = serde_json::Value::from(version);
        out.extend_from_slice(format!("{comma}\"anthropic_version\":{version}").as_bytes());
    }
    out.extend_from_slice(&body[found.close..]);
    out.into()
}

struct Found {
    /// The member `model` with one of the commas around it.
    model: Option<Range<usize>>,
    /// Whether there is a version already.
    versioned: bool,
    /// Whether there are members but `model`.
    others: bool,
    /// Offset of the closing brace.
    close: usize,
}

fn find(body: &[u8]) -> Result<Found, Fault> {
    let mut reader = Reader::new(body);
    let (mut model, mut versioned, mut others) = (None, false, false);
    reader.members(|reader, key| -> Result<(), Fault> {
        let value = reader.value()?;
        match decode(key).as_deref() {
            Some("model") => model = Some((key.len(), value)),
            Some("anthropic_version") => (versioned, others) = (true, true),
            _ => others = true,
        }
        Ok(())
    })?;
    let close = reader.at() - 1;
    let model = model.map(|(key, value)| {
        // In front of the value: whitespace, the colon, whitespace, and the key in its quotes.
        let before = body[..value.start].trim_ascii_end();
        let before = before.strip_suffix(b":").unwrap_or(before).trim_ascii_end();
        let start = before.len().saturating_sub(key + 2);
        let after = body[value.end..].iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        if body.get(value.end + after) == Some(&b',') {
            return start..value.end + after + 1;
        }
        let before = body[..start].trim_ascii_end();
        before.strip_suffix(b",").map_or(start, <[u8]>::len)..value.end
    });
    Ok(Found { model, versioned, others, close })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_model_goes_and_the_version_comes() {
        for (body, expected) in [
            (r#"{"model":"m","a":1}"#, r#"{"a":1,"anthropic_version":"2026-10-21"}"#),
            (r#"{"a":1 , "mod\u0065l" : "m" }"#, r#"{"a":1  ,"anthropic_version":"2026-10-21"}"#),
            (r#"{"a":1,"model":"m","b":2}"#, r#"{"a":1,"b":2,"anthropic_version":"2026-10-21"}"#),
            (r#" {"model": "m"} "#, r#" {"anthropic_version":"2026-10-21"} "#),
            (r#"{"anthropic_version":"x","model":"m"}"#, r#"{"anthropic_version":"x"}"#),
            (r#"{"a":{"model":1}}"#, r#"{"a":{"model":1},"anthropic_version":"2026-10-21"}"#),
            ("[]", "[]"),
        ] {
            let written = vertex_body(&Bytes::copy_from_slice(body.as_bytes()), "2026-10-21");
            assert_eq!(str::from_utf8(&written), Ok(expected));
        }
        let older = vertex_body(&Bytes::from_static(b"{}"), "2023-06-01");
        assert_eq!(older, r#"{"anthropic_version":"vertex-2023-10-16"}"#);
    }
}
