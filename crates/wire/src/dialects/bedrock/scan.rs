//! The one pass over a body of Bedrock's, and the one splice that it may get.

use std::ops::Range;

use bytes::Bytes;

use crate::{
    facts::RequestFacts,
    json::{Fault, Reader, decode},
    scan::{
        PathParamsRef, ScanError,
        shared::{self, Step},
    },
};

/// Validates a body and gives its facts; see [`crate::scan()`]. Model and stream stand in the path.
pub(super) fn scan(path: PathParamsRef<'_>, body: &[u8]) -> Result<RequestFacts, ScanError> {
    let mut reader = shared::open(body)?;
    let mut facts = shared::of_path(path, "modelId")?;
    shared::fields(&mut reader, ["messages", "inferenceConfig"], |reader, name| match name {
        "messages" => messages(reader, &mut facts),
        _ => limit(reader, &mut facts.max_output),
    })?;
    facts.close = shared::close(&mut reader)?;
    Ok(facts)
}

fn messages(reader: &mut Reader<'_>, facts: &mut RequestFacts) -> Step {
    facts.messages = shared::objects(reader, "messages", |reader| {
        reader.members(|reader, key| -> Step {
            match decode(key).as_deref() {
                Some("content") => Ok(reader.elements_if_array(|reader| block(reader, facts))?),
                _ => Ok(reader.ignore()?),
            }
        })
    })?;
    Ok(())
}

/// Counts what costs tokens beyond its text, also inside a tool's result; the member's name is the block's kind.
fn block(reader: &mut Reader<'_>, facts: &mut RequestFacts) -> Result<(), Fault> {
    reader.members_if_object(|reader, key| {
        let count = match decode(key).as_deref() {
            Some("image") => &mut facts.images,
            Some("document") => &mut facts.files,
            // A second of pictures costs far more than its bytes say; it is bounded like a file.
            Some("video") => &mut facts.files,
            Some("audio") => &mut facts.audio,
            Some("toolResult") => {
                return reader.members_if_object(|reader, key| match decode(key).as_deref() {
                    Some("content") => reader.elements_if_array(|reader| block(reader, facts)),
                    _ => reader.ignore(),
                });
            }
            _ => return reader.ignore(),
        };
        *count = count.saturating_add(1);
        reader.ignore()
    })
}

fn limit(reader: &mut Reader<'_>, max_output: &mut Option<u64>) -> Step {
    match reader.peek() {
        Some(b'{') => {}
        Some(b'n') => return Ok(reader.ignore()?),
        _ => return Err(ScanError::field("inferenceConfig", "must be an object")),
    }
    const FIELD: &str = "inferenceConfig.maxTokens";
    let mut seen = false;
    reader.members(|reader, key| {
        if decode(key).as_deref() != Some("maxTokens") {
            return Ok(reader.ignore()?);
        }
        if std::mem::replace(&mut seen, true) {
            return Err(ScanError::field(FIELD, "is there twice"));
        }
        *max_output = shared::limit(reader, FIELD)?;
        Ok(())
    })
}

/// The body with an output limit where the client set none; every other byte as it is.
pub(super) fn with_limit(body: &Bytes, facts: &RequestFacts, limit: u64) -> Bytes {
    let Some((span, text)) = limit_patch(body, facts, limit) else { return body.clone() };
    let mut out = Vec::with_capacity(body.len() + text.len());
    out.extend_from_slice(&body[..span.start]);
    out.extend_from_slice(text.as_bytes());
    out.extend_from_slice(&body[span.end..]);
    out.into()
}

/// Where the limit goes and what is written there, if the body is the one that was scanned.
fn limit_patch(body: &[u8], facts: &RequestFacts, limit: u64) -> Option<(Range<usize>, String)> {
    let mut reader = Reader::new(body);
    let (mut empty, mut patch) = (true, None);
    let read: Result<(), Fault> = reader.members(|reader, key| {
        empty = false;
        if decode(key).as_deref() != Some("inferenceConfig") {
            return reader.ignore();
        }
        if reader.peek() != Some(b'{') {
            patch = Some((reader.value()?, format!(r#"{{"maxTokens":{limit}}}"#)));
            return Ok(());
        }
        let mut none = true;
        let mut null = None;
        reader.members(|reader, key| -> Result<(), Fault> {
            none = false;
            let span = reader.value()?;
            if decode(key).as_deref() == Some("maxTokens") {
                null = Some((span, limit.to_string()));
            }
            Ok(())
        })?;
        let close = reader.at() - 1;
        let comma = if none { "" } else { "," };
        patch = null.or_else(|| Some((close..close, format!(r#"{comma}"maxTokens":{limit}"#))));
        Ok(())
    });
    read.ok()?;
    let comma = if empty { "" } else { "," };
    let appended =
        || (facts.close..facts.close, format!(r#"{comma}"inferenceConfig":{{"maxTokens":{limit}}}"#));
    Some(patch.unwrap_or_else(appended))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATH: PathParamsRef<'static> = PathParamsRef { model: Some("amazon.nova"), stream: Some(true) };

    #[test]
    fn finds_what_routing_and_metering_need() {
        let body = br#"{"messages":[{"role":"user","content":[{"text":"x"},{"image":{}},{"document":{}},{"audio":{}},
            {"toolResult":{"content":[{"image":{}},{"video":{}}]}}]}],"inferenceConfig":{"maxTokens":7}}"#;
        let facts = scan(PATH, body).unwrap();
        assert_eq!((&*facts.model, facts.stream, facts.max_output), ("amazon.nova", true, Some(7)));
        assert_eq!((facts.messages, facts.images, facts.files, facts.audio), (1, 2, 2, 1));
        for (body, field) in [
            ("[]", None),
            (r#"{"messages":1}"#, Some("messages")),
            (r#"{"messages":[1]}"#, Some("messages")),
            (r#"{"messages":[],"messages":[]}"#, Some("messages")),
            (r#"{"inferenceConfig":1}"#, Some("inferenceConfig")),
            (r#"{"inferenceConfig":{"maxTokens":0}}"#, Some("inferenceConfig.maxTokens")),
        ] {
            assert_eq!(scan(PATH, body.as_bytes()).unwrap_err().field, field, "{body}");
        }
        assert_eq!(scan(PathParamsRef::default(), b"{}").unwrap_err().field, Some("modelId"));
    }

    #[test]
    fn a_limit_is_set_wherever_there_is_none() {
        for (body, expected) in [
            ("{ }", r#"{ "inferenceConfig":{"maxTokens":9}}"#),
            (r#"{"a":1 } "#, r#"{"a":1 ,"inferenceConfig":{"maxTokens":9}} "#),
            (r#"{"inferenceConfig":null}"#, r#"{"inferenceConfig":{"maxTokens":9}}"#),
            (r#"{"inferenceConfig":{},"b":2}"#, r#"{"inferenceConfig":{"maxTokens":9},"b":2}"#),
            (r#"{"inferenceConfig":{"topP":1}}"#, r#"{"inferenceConfig":{"topP":1,"maxTokens":9}}"#),
            (r#"{"inferenceConfig":{"maxTokens":null}}"#, r#"{"inferenceConfig":{"maxTokens":9}}"#),
        ] {
            let body = Bytes::copy_from_slice(body.as_bytes());
            let facts = scan(PATH, &body).unwrap();
            assert_eq!(str::from_utf8(&with_limit(&body, &facts, 9)), Ok(expected));
        }
    }
}
