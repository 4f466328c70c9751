//! The one pass over a body of OpenAI Responses.

use std::ops::Range;

use crate::{
    json::{Fault, Reader, decode},
    scan::{MAX_OUTPUT, MAX_USER, RequestFacts, ScanError, StreamOptions},
};

type Step = Result<(), ScanError>;

const FIELDS: [&str; 6] = ["model", "stream", "max_output_tokens", "input", "user", "safety_identifier"];

#[derive(Default)]
struct Draft {
    model: Option<(String, Range<usize>)>,
    stream: bool,
    limit: Option<u64>,
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
            "stream" => {
                let span = reader.value()?;
                self.stream = match reader.slice(span) {
                    b"true" => true,
                    b"false" | b"null" => false,
                    _ => return Err(ScanError::field(name, "must be true or false")),
                };
            }
            "max_output_tokens" => self.limit = limit(reader)?,
            "input" => self.input(reader)?,
            "user" => self.user = user(reader)?,
            _ => self.safety_identifier = user(reader)?,
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
        reader.elements(|reader| {
            self.items = self.items.saturating_add(1);
            if reader.peek() != Some(b'{') {
                return Err(ScanError::field("input", "must hold objects only"));
            }
            reader.members(|reader, key| -> Step {
                match decode(key).as_deref() {
                    Some("content" | "output") => Ok(reader.elements_if_array(|reader| self.part(reader))?),
                    _ => Ok(reader.ignore()?),
                }
            })
        })
    }

    /// Counts what costs tokens beyond its text.
    fn part(&mut self, reader: &mut Reader<'_>) -> Result<(), Fault> {
        let mut kind = None;
        reader.members_if_object(|reader, key| {
            let span = reader.value()?;
            if decode(key).as_deref() == Some("type") {
                kind = text(reader, &span);
            }
            Ok(())
        })?;
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
        let (model, model_span) = self.model.ok_or(ScanError::field("model", "is missing"))?;
        Ok(RequestFacts {
            model,
            model_span,
            stream: self.stream,
            include_usage: true,
            max_output: self.limit,
            choices: 1,
            user: self.user.or(self.safety_identifier),
            messages: self.items,
            images: self.images,
            audio: self.audio,
            files: self.files,
            characters: 0,
            close,
            stream_options: StreamOptions::Absent,
            null_limit: None,
        })
    }
}

fn text(reader: &Reader<'_>, span: &Range<usize>) -> Option<String> {
    let inside = reader.slice(span.clone()).strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    decode(inside).map(String::from)
}

fn user(reader: &mut Reader<'_>) -> Result<Option<String>, ScanError> {
    let span = reader.value()?;
    Ok(text(reader, &span).filter(|user| !user.is_empty() && user.len() <= MAX_USER))
}

fn limit(reader: &mut Reader<'_>) -> Result<Option<u64>, ScanError> {
    let span = reader.value()?;
    let token = reader.slice(span);
    if token == b"null" {
        return Ok(None);
    }
    let number = str::from_utf8(token).ok().and_then(|token| token.parse().ok());
    let wrong = ScanError::field("max_output_tokens", "must be an integer from 1 to 1000000000");
    number.filter(|number| (1..=MAX_OUTPUT).contains(number)).map(Some).ok_or(wrong)
}
