//! The one pass over a body of Google's: generateContent and countTokens alike.

use std::ops::Range;

use super::camel;
use crate::{
    dialect::InPath,
    json::{Fault, Reader, decode},
    scan::{MAX_CHOICES, MAX_OUTPUT, RequestFacts, ScanError},
};

type Step = Result<(), ScanError>;

/// What has been read so far.
#[derive(Default)]
struct Draft {
    contents: Option<u32>,
    /// A body of countTokens may hold the whole request in here.
    wrapped: bool,
    config: bool,
    max_output: Option<u64>,
    choices: Option<u64>,
    images: u32,
    audio: u32,
    files: u32,
}

/// Validates a body and gives its facts; see [`crate::scan()`]. The model is the path's.
pub(super) fn scan(path: InPath<'_>, body: &[u8]) -> Result<RequestFacts, ScanError> {
    if let Err(error) = simdutf8::compat::from_utf8(body) {
        return Err(Fault { at: error.valid_up_to(), what: "expected UTF-8" }.into());
    }
    let mut reader = Reader::new(body);
    let mut draft = Draft::default();
    draft.request(&mut reader)?;
    let close = reader.at() - 1;
    reader.end()?;
    let model = path.model.filter(|model| !model.is_empty());
    let model = model.ok_or(ScanError::field("model", "is missing"))?;
    Ok(RequestFacts {
        stream: path.stream.unwrap_or(false),
        include_usage: true,
        max_output: draft.max_output,
        choices: draft.choices.unwrap_or(1),
        messages: draft.contents.ok_or(ScanError::field("contents", "is missing"))?,
        images: draft.images,
        audio: draft.audio,
        files: draft.files,
        close,
        ..RequestFacts::plain(model.to_owned(), 0..0)
    })
}

impl Draft {
    fn request(&mut self, reader: &mut Reader<'_>) -> Step {
        reader.members(|reader, key| match name(key).as_deref() {
            Some("contents") => self.contents(reader),
            Some("systemInstruction") => Ok(self.content(reader)?),
            Some("generationConfig") => self.config(reader),
            Some("generateContentRequest") if !std::mem::replace(&mut self.wrapped, true) => {
                if reader.peek() == Some(b'{') { self.request(reader) } else { Ok(reader.ignore()?) }
            }
            Some("cachedContent") => {
                // A prompt that Google keeps is as long as it is.
                let named = reader.peek() == Some(b'"');
                self.files = self.files.saturating_add(u32::from(named));
                Ok(reader.ignore()?)
            }
            _ => Ok(reader.ignore()?),
        })
    }

    fn contents(&mut self, reader: &mut Reader<'_>) -> Step {
        if self.contents.is_some() {
            return Err(ScanError::field("contents", "is there twice"));
        }
        if reader.peek() != Some(b'[') {
            return Err(ScanError::field("contents", "must be an array"));
        }
        let mut contents = 0_u32;
        reader.elements(|reader| {
            contents = contents.saturating_add(1);
            if reader.peek() != Some(b'{') {
                return Err(ScanError::field("contents", "must hold objects only"));
            }
            Ok(self.content(reader)?)
        })?;
        self.contents = Some(contents);
        Ok(())
    }

    fn content(&mut self, reader: &mut Reader<'_>) -> Result<(), Fault> {
        reader.members_if_object(|reader, key| match name(key).as_deref() {
            Some("parts") => reader.elements_if_array(|reader| self.part(reader)),
            _ => reader.ignore(),
        })
    }

    /// Counts what costs tokens beyond its text, also inside a tool's result.
    fn part(&mut self, reader: &mut Reader<'_>) -> Result<(), Fault> {
        reader.members_if_object(|reader, key| match name(key).as_deref() {
            Some("inlineData") => self.medium(reader, true),
            Some("fileData") => self.medium(reader, false),
            Some("functionResponse") => self.content(reader),
            _ => reader.ignore(),
        })
    }

    /// The sound of an inline medium is as long as its bytes; anything else is counted by the piece.
    fn medium(&mut self, reader: &mut Reader<'_>, inline: bool) -> Result<(), Fault> {
        let mut mime = None;
        reader.members_if_object(|reader, key| {
            let span = reader.value()?;
            if name(key).as_deref() == Some("mimeType") {
                mime = text(reader, &span);
            }
            Ok(())
        })?;
        let of = |kind: &str| mime.as_deref().is_some_and(|mime| mime.starts_with(kind));
        let count = if of("image/") {
            &mut self.images
        } else if of("audio/") && inline {
            &mut self.audio
        } else {
            &mut self.files
        };
        *count = count.saturating_add(1);
        Ok(())
    }

    fn config(&mut self, reader: &mut Reader<'_>) -> Step {
        if std::mem::replace(&mut self.config, true) {
            return Err(ScanError::field("generationConfig", "is there twice"));
        }
        match reader.peek() {
            Some(b'{') => {}
            Some(b'n') => return Ok(reader.ignore()?),
            _ => return Err(ScanError::field("generationConfig", "must be an object")),
        }
        reader.members(|reader, key| {
            let (field, slot, most) = match name(key).as_deref() {
                Some("maxOutputTokens") => {
                    ("generationConfig.maxOutputTokens", &mut self.max_output, MAX_OUTPUT)
                }
                Some("candidateCount") => ("generationConfig.candidateCount", &mut self.choices, MAX_CHOICES),
                _ => return Ok(reader.ignore()?),
            };
            if slot.is_some() {
                return Err(ScanError::field(field, "is there twice"));
            }
            *slot = count(reader, field, most)?;
            Ok(())
        })
    }
}

/// A member's name in camelCase.
fn name(key: &[u8]) -> Option<String> {
    decode(key).map(|key| camel(&key))
}

fn text(reader: &Reader<'_>, span: &Range<usize>) -> Option<String> {
    let inside = reader.slice(span.clone()).strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    decode(inside).map(String::from)
}

/// A whole number from 1 to `most`; null counts as absent.
fn count(reader: &mut Reader<'_>, field: &'static str, most: u64) -> Result<Option<u64>, ScanError> {
    let span = reader.value()?;
    let token = reader.slice(span);
    if token == b"null" {
        return Ok(None);
    }
    let number = str::from_utf8(token).ok().and_then(|token| token.parse().ok());
    let number = number.filter(|number| (1..=most).contains(number));
    number.map(Some).ok_or(ScanError::field(field, "must be a positive whole number within reason"))
}
