//! The one pass over a body of Bedrock's.

use crate::{
    facts::{LimitPlace, RequestFacts},
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
        _ => limit(reader, &mut facts),
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

fn limit(reader: &mut Reader<'_>, facts: &mut RequestFacts) -> Step {
    match reader.peek() {
        Some(b'{') => {}
        Some(b'n') => {
            facts.limit_place = LimitPlace::NullObject(reader.value()?);
            return Ok(());
        }
        _ => return Err(ScanError::field("inferenceConfig", "must be an object")),
    }
    const FIELD: &str = "inferenceConfig.maxTokens";
    let mut limit_place = None;
    reader.members(|reader, key| {
        if decode(key).as_deref() != Some("maxTokens") {
            return Ok(reader.ignore()?);
        }
        let start = reader.at();
        if limit_place.is_some() {
            return Err(ScanError::field(FIELD, "is there twice"));
        }
        facts.max_output = shared::limit(reader, FIELD)?;
        limit_place = Some(LimitPlace::Value(start..reader.at()));
        Ok(())
    })?;
    facts.limit_place = limit_place.unwrap_or_else(|| LimitPlace::Close(reader.at() - 1));
    Ok(())
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
}
