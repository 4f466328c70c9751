//! The one pass over a body of Anthropic's: messages and `count_tokens` alike.

use std::ops::Range;

use crate::{
    facts::RequestFacts,
    json::{Fault, Reader, decode},
    scan::{
        ScanError,
        shared::{self, Step},
    },
};

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
    let (mut reader, mut draft) = (shared::open(body)?, Draft::default());
    shared::fields(&mut reader, FIELDS, |reader, name| draft.member(reader, name))?;
    let close = shared::close(&mut reader)?;
    draft.finish(close)
}

impl Draft {
    fn member(&mut self, reader: &mut Reader<'_>, name: &'static str) -> Step {
        match name {
            "model" => self.model = Some(shared::model(reader)?),
            "stream" => self.stream = shared::flag(reader, name)?.0,
            // 0 warms the cache and writes nothing.
            "max_tokens" => self.max_tokens = shared::limit_or_zero(reader, name)?,
            "messages" => self.messages(reader)?,
            _ => self.metadata(reader)?,
        }
        Ok(())
    }

    fn metadata(&mut self, reader: &mut Reader<'_>) -> Step {
        let user = shared::text_of(reader, |key| decode(key).as_deref() == Some("user_id"))?;
        self.user = user.filter(|user| shared::is_user(user));
        Ok(())
    }

    fn messages(&mut self, reader: &mut Reader<'_>) -> Step {
        let messages = shared::objects(reader, "messages", |reader| {
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
                    kind = shared::text(reader, &span);
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
        let (model, model_span) = self.model.ok_or(shared::missing("model"))?;
        Ok(RequestFacts {
            stream: self.stream,
            include_usage: true,
            max_output: self.max_tokens,
            user: self.user,
            messages: self.messages.ok_or(shared::missing("messages"))?,
            images: self.images,
            files: self.files,
            close,
            ..RequestFacts::plain(model, model_span)
        })
    }
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
