//! The one pass over a body of OpenAI Responses.

use std::ops::Range;

use crate::{
    facts::{LimitPlace, RequestFacts},
    json::{Fault, Reader, decode},
    scan::{
        ScanError,
        shared::{self, Step},
    },
};

const FIELDS: [&str; 6] = ["model", "stream", "max_output_tokens", "input", "user", "safety_identifier"];

#[derive(Default)]
struct Draft {
    model: Option<(String, Range<usize>)>,
    stream: bool,
    limit: Option<u64>,
    limit_place: LimitPlace,
    user: Option<String>,
    safety_identifier: Option<String>,
    items: u32,
    images: u32,
    audio: u32,
    files: u32,
}

/// Validates a body and gives its facts; see [`crate::scan()`].
///
/// `input` may be absent: a stored prompt may stand for it.
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
            "max_output_tokens" => {
                let start = reader.at();
                self.limit = shared::limit(reader, name)?;
                self.limit_place = LimitPlace::Value(start..reader.at());
            }
            "input" => self.input(reader)?,
            "user" => self.user = shared::user(reader)?,
            _ => self.safety_identifier = shared::user(reader)?,
        }
        Ok(())
    }

    fn input(&mut self, reader: &mut Reader<'_>) -> Step {
        match reader.peek() {
            Some(b'"') => {
                reader.string()?;
                self.items = 1;
                return Ok(());
            }
            Some(b'[') => {}
            Some(b'n') => return Ok(reader.ignore()?),
            _ => return Err(ScanError::field("input", "must be a string or an array")),
        }
        self.items = shared::objects(reader, "input", |reader| {
            reader.members(|reader, key| -> Step {
                match decode(key).as_deref() {
                    Some("content" | "output") => Ok(reader.elements_if_array(|reader| self.part(reader))?),
                    _ => Ok(reader.ignore()?),
                }
            })
        })?;
        Ok(())
    }

    /// Counts what costs tokens beyond its text.
    fn part(&mut self, reader: &mut Reader<'_>) -> Result<(), Fault> {
        let kind = shared::text_of(reader, |key| decode(key).as_deref() == Some("type"))?;
        let count = match kind.as_deref() {
            Some("input_image") => &mut self.images,
            Some("input_audio") => &mut self.audio,
            Some("input_file") => &mut self.files,
            _ => return Ok(()),
        };
        *count = count.saturating_add(1);
        Ok(())
    }

    fn finish(self, close: usize) -> Result<RequestFacts, ScanError> {
        let (model, model_span) = self.model.ok_or(shared::missing("model"))?;
        Ok(RequestFacts {
            stream: self.stream,
            include_usage: true,
            max_output: self.limit,
            user: self.user.or(self.safety_identifier),
            messages: self.items,
            images: self.images,
            audio: self.audio,
            files: self.files,
            close,
            limit_place: self.limit_place,
            ..RequestFacts::plain(model, model_span)
        })
    }
}
