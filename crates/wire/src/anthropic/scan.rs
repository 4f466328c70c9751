//! The one pass over a body of Anthropic's: messages and `count_tokens` alike.

use std::ops::Range;

use crate::{
    json::{Fault, Reader, decode},
    scan::{MAX_OUTPUT, MAX_USER, RequestFacts, ScanError},
};

type Step = Result<(), ScanError>;

const FIELDS: [&str; 5] = ["model", "stream", "max_tokens", "messages", "metadata"];

#[derive(Default)]
struct Draft {
    model: Option<(String, Range<usize>)>,
    stream: bool,
    max_tokens: Option<u64>,
    user: Option<String>,
    messages: Option<u32>,
    images: u32,
    files: u32,
}

/// Validates a body and gives its facts; see [`crate::scan()`].
///
/// `max_tokens` may be absent: bodies of `count_tokens` have none, and who forgot it hears so from the provider.
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
    draft.finish(close)
}

impl Draft {
    fn member(&mut self, reader: &mut Reader<'_>, name: &'static str) -> Step {
        match name {
            "model" => {
                let span = reader.value()?;
                let model = text(reader, &span).filter(|model| !model.is_empty());
                let model = model.ok_or(ScanError::field("model", "must be a non-empty string"))?;
                self.model = Some((model, span));
            }
            "stream" => self.stream = flag(reader, name)?,
            "max_tokens" => self.max_tokens = limit(reader)?,
            "messages" => self.messages(reader)?,
            _ => self.metadata(reader)?,
        }
        Ok(())
    }

    fn metadata(&mut self, reader: &mut Reader<'_>) -> Step {
        let user = &mut self.user;
        Ok(reader.members_if_object(|reader, key| {
            let span = reader.value()?;
            if decode(key).as_deref() == Some("user_id") {
                *user = text(reader, &span).filter(|user| !user.is_empty() && user.len() <= MAX_USER);
            }
            Ok(())
        })?)
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
                    Some("content") => Ok(reader.elements_if_array(|reader| self.block(reader))?),
                    _ => Ok(reader.ignore()?),
                }
            })
        })?;
        self.messages = Some(messages);
        Ok(())
    }

    /// Counts what costs tokens beyond its text, also inside a tool's result.
    fn block(&mut self, reader: &mut Reader<'_>) -> Result<(), Fault> {
        let mut kind = None;
        reader.members_if_object(|reader, key| {
            match decode(key).as_deref() {
                Some("type") => {
                    let span = reader.value()?;
                    kind = text(reader, &span);
                }
                Some("content") => reader.elements_if_array(|reader| self.block(reader))?,
                _ => reader.ignore()?,
            }
            Ok(())
        })?;
        match kind.as_deref() {
            Some("image") => self.images = self.images.saturating_add(1),
            Some("document" | "container_upload") => self.files = self.files.saturating_add(1),
            _ => {}
        }
        Ok(())
    }

    fn finish(self, close: usize) -> Result<RequestFacts, ScanError> {
        let (model, model_span) = self.model.ok_or(ScanError::field("model", "is missing"))?;
        Ok(RequestFacts {
            stream: self.stream,
            include_usage: true,
            max_output: self.max_tokens,
            user: self.user,
            messages: self.messages.ok_or(ScanError::field("messages", "is missing"))?,
            images: self.images,
            files: self.files,
            close,
            ..RequestFacts::plain(model, model_span)
        })
    }
}

fn text(reader: &Reader<'_>, span: &Range<usize>) -> Option<String> {
    let inside = reader.slice(span.clone()).strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    decode(inside).map(String::from)
}

fn flag(reader: &mut Reader<'_>, name: &'static str) -> Result<bool, ScanError> {
    let span = reader.value()?;
    match reader.slice(span) {
        b"true" => Ok(true),
        b"false" | b"null" => Ok(false),
        _ => Err(ScanError::field(name, "must be true or false")),
    }
}

/// An output limit; 0 warms the cache and writes nothing.
fn limit(reader: &mut Reader<'_>) -> Result<Option<u64>, ScanError> {
    let span = reader.value()?;
    let token = reader.slice(span);
    if token == b"null" {
        return Ok(None);
    }
    let number = str::from_utf8(token).ok().and_then(|token| token.parse().ok());
    let wrong = ScanError::field("max_tokens", "must be an integer from 0 to 1000000000");
    number.filter(|number| *number <= MAX_OUTPUT).map(Some).ok_or(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_routing_and_metering_need() {
        let body =
            br#" {"model":"claude-x","max_tokens":64,"stream":true,"system":"s","metadata":{"user_id":"u1"},
            "messages":[{"role":"user","content":"hi"},{"role":"user","content":[{"type":"image","source":{}},
            {"type":"tool_result","content":[{"type":"image"},{"type":"document"}]}]}]} "#;
        let facts = scan(body).unwrap();
        assert_eq!((&*facts.model, &body[facts.model_span.clone()]), ("claude-x", &b"\"claude-x\""[..]));
        assert_eq!((facts.stream, facts.max_output, facts.user.as_deref()), (true, Some(64), Some("u1")));
        assert_eq!((facts.messages, facts.images, facts.files, facts.choices), (2, 2, 1, 1));
        assert_eq!(body[facts.close], b'}');
    }

    #[test]
    fn takes_a_body_of_count_tokens_and_refuses_nonsense() {
        assert_eq!(scan(br#"{"model":"m","messages":[]}"#).unwrap().max_output, None);
        for (body, field) in [
            (r#"{"messages":[]}"#, Some("model")),
            (r#"{"model":"m"}"#, Some("messages")),
            (r#"{"model":"m","mod\u0065l":"n","messages":[]}"#, Some("model")),
            (r#"{"model":"m","messages":[],"max_tokens":-1}"#, Some("max_tokens")),
            (r#"{"model":"m","messages":[],"max_tokens":1e99}"#, Some("max_tokens")),
            (r#"{"model":"m","messages":[1]}"#, Some("messages")),
            (r#"{"model":"m","messages":[]"#, None),
            (r#"{"model":"m","messages":[]}x"#, None),
        ] {
            assert_eq!(scan(body.as_bytes()).unwrap_err().field, field, "{body}");
        }
    }
}
