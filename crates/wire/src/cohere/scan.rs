//! The one pass over a body of Cohere's.

use std::ops::Range;

use crate::{
    json::{Fault, Reader, decode},
    scan::{MAX_OUTPUT, RequestFacts, ScanError},
};

type Step = Result<(), ScanError>;

const FIELDS: [&str; 4] = ["model", "stream", "max_tokens", "messages"];

#[derive(Default)]
struct Draft {
    model: Option<(String, Range<usize>)>,
    stream: bool,
    max_tokens: Option<u64>,
    messages: Option<u32>,
    images: u32,
}

/// Validates a body and gives its facts; see [`crate::scan()`].
pub(super) fn scan(body: &[u8]) -> Result<RequestFacts, ScanError> {
    if let Err(error) = simdutf8::compat::from_utf8(body) {
        return Err(Fault { at: error.valid_up_to(), what: "expected UTF-8" }.into());
    }
    let mut reader = Reader::new(body);
    let (mut draft, mut seen) = (Draft::default(), [false; FIELDS.len()]);
    reader.members(|reader, key| {
        let key = decode(key);
        let Some(at) = FIELDS.iter().position(|name| Some(*name) == key.as_deref()) else {
            return Ok(reader.ignore()?);
        };
        if std::mem::replace(&mut seen[at], true) {
            return Err(ScanError::field(FIELDS[at], "is there twice"));
        }
        draft.member(reader, FIELDS[at])
    })?;
    let close = reader.at() - 1;
    reader.end()?;
    let (model, model_span) = draft.model.ok_or(ScanError::field("model", "is missing"))?;
    Ok(RequestFacts {
        stream: draft.stream,
        include_usage: true,
        max_output: draft.max_tokens,
        messages: draft.messages.ok_or(ScanError::field("messages", "is missing"))?,
        images: draft.images,
        close,
        ..RequestFacts::plain(model, model_span)
    })
}

impl Draft {
    fn member(&mut self, reader: &mut Reader<'_>, name: &'static str) -> Step {
        if name == "messages" {
            return self.messages(reader);
        }
        let span = reader.value()?;
        let token = reader.slice(span.clone());
        match name {
            "model" => {
                let model = text(token).filter(|model| !model.is_empty());
                let model = model.ok_or(ScanError::field(name, "must be a non-empty string"))?;
                self.model = Some((model, span));
            }
            "stream" => match token {
                b"true" => self.stream = true,
                b"false" | b"null" => {}
                _ => return Err(ScanError::field(name, "must be true or false")),
            },
            _ if token == b"null" => {}
            _ => {
                let number = str::from_utf8(token).ok().and_then(|token| token.parse().ok());
                let limit = number.filter(|number| *number <= MAX_OUTPUT);
                let wrong = ScanError::field(name, "must be an integer from 0 to 1000000000");
                self.max_tokens = Some(limit.ok_or(wrong)?);
            }
        }
        Ok(())
    }

    fn messages(&mut self, reader: &mut Reader<'_>) -> Step {
        if reader.peek() != Some(b'[') {
            return Err(ScanError::field("messages", "must be an array"));
        }
        let mut messages = 0_u32;
        reader.elements(|reader| {
            messages = messages.saturating_add(1);
            if reader.peek() != Some(b'{') {
                return Err(ScanError::field("messages", "must hold objects only"));
            }
            reader.members(|reader, key| -> Step {
                match decode(key).as_deref() {
                    Some("content") => Ok(reader.elements_if_array(|reader| self.part(reader))?),
                    _ => Ok(reader.ignore()?),
                }
            })
        })?;
        self.messages = Some(messages);
        Ok(())
    }

    /// Counts what costs tokens beyond its text; documents are text.
    fn part(&mut self, reader: &mut Reader<'_>) -> Result<(), Fault> {
        let mut image = false;
        reader.members_if_object(|reader, key| {
            let key = decode(key);
            let span = reader.value()?;
            image |= key.as_deref() == Some("image_url")
                || key.as_deref() == Some("type") && text(reader.slice(span)).as_deref() == Some("image_url");
            Ok(())
        })?;
        self.images = self.images.saturating_add(u32::from(image));
        Ok(())
    }
}

fn text(token: &[u8]) -> Option<String> {
    decode(token.strip_prefix(b"\"")?.strip_suffix(b"\"")?).map(String::from)
}
