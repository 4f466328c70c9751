//! The one pass over a body of Cohere's.

use std::ops::Range;

use crate::{
    facts::{LimitPlace, RequestFacts},
    json::{Fault, Reader, decode},
    scan::{
        ScanError,
        shared::{self, Step},
    },
};

const FIELDS: [&str; 4] = ["model", "stream", "max_tokens", "messages"];

#[derive(Default)]
struct Draft {
    model: Option<(String, Range<usize>)>,
    stream: bool,
    max_tokens: Option<u64>,
    limit_place: LimitPlace,
    messages: Option<u32>,
    images: u32,
}

/// Validates a body and gives its facts; see [`crate::scan()`].
pub(super) fn scan(body: &[u8]) -> Result<RequestFacts, ScanError> {
    let (mut reader, mut draft) = (shared::open(body)?, Draft::default());
    shared::fields(&mut reader, FIELDS, |reader, name| draft.member(reader, name))?;
    let close = shared::close(&mut reader)?;
    let (model, model_span) = draft.model.ok_or(shared::missing("model"))?;
    Ok(RequestFacts {
        stream: draft.stream,
        include_usage: true,
        max_output: draft.max_tokens,
        messages: draft.messages.ok_or(shared::missing("messages"))?,
        images: draft.images,
        close,
        limit_place: draft.limit_place,
        ..RequestFacts::plain(model, model_span)
    })
}

impl Draft {
    fn member(&mut self, reader: &mut Reader<'_>, name: &'static str) -> Step {
        match name {
            "model" => self.model = Some(shared::model(reader)?),
            "stream" => self.stream = shared::flag(reader, name)?.0,
            "messages" => self.messages(reader)?,
            _ => {
                let start = reader.at();
                self.max_tokens = shared::limit_or_zero(reader, name)?;
                self.limit_place = LimitPlace::Value(start..reader.at());
            }
        }
        Ok(())
    }

    fn messages(&mut self, reader: &mut Reader<'_>) -> Step {
        let messages = shared::objects(reader, "messages", |reader| {
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
                || key.as_deref() == Some("type")
                    && shared::text(reader, &span).as_deref() == Some("image_url");
            Ok(())
        })?;
        self.images = self.images.saturating_add(u32::from(image));
        Ok(())
    }
}
