//! The one pass over a body of Google's: generateContent and countTokens alike.

use super::common::camel;
use crate::{
    facts::{LimitPlace, RequestFacts},
    json::{Fault, Reader, decode},
    scan::{
        MAX_CHOICES, MAX_OUTPUT, PathParamsRef, ScanError,
        shared::{self, Step},
    },
};

/// What has been read so far.
#[derive(Default)]
struct Draft {
    contents: Option<u32>,
    /// A body of countTokens may hold the whole request in here.
    wrapped: bool,
    config: bool,
    max_output: Option<u64>,
    limit_place: LimitPlace,
    choices: Option<u64>,
    images: u32,
    audio: u32,
    files: u32,
}

/// Validates a body and gives its facts; see [`crate::scan()`]. The model is the path's.
pub(super) fn scan(path: PathParamsRef<'_>, body: &[u8]) -> Result<RequestFacts, ScanError> {
    let (mut reader, mut draft) = (shared::open(body)?, Draft::default());
    draft.request(&mut reader)?;
    let close = shared::close(&mut reader)?;
    let facts = shared::of_path(path, "model")?;
    Ok(RequestFacts {
        max_output: draft.max_output,
        choices: draft.choices.unwrap_or(1),
        messages: draft.contents.ok_or(shared::missing("contents"))?,
        images: draft.images,
        audio: draft.audio,
        files: draft.files,
        close,
        limit_place: draft.limit_place,
        ..facts
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
        self.contents = Some(shared::objects(reader, "contents", |reader| Ok(self.content(reader)?))?);
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
        let mime = shared::text_of(reader, |key| name(key).as_deref() == Some("mimeType"))?;
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
            Some(b'n') => {
                self.limit_place = LimitPlace::NullObject(reader.value()?);
                return Ok(());
            }
            _ => return Err(ScanError::field("generationConfig", "must be an object")),
        }
        let mut limit_place = None;
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
            let (start, is_limit) = (reader.at(), most == MAX_OUTPUT);
            *slot = shared::count(reader, field, 1..=most, "must be a positive whole number within reason")?;
            if is_limit {
                limit_place = Some(LimitPlace::Value(start..reader.at()));
            }
            Ok(())
        })?;
        self.limit_place = limit_place.unwrap_or_else(|| LimitPlace::Close(reader.at() - 1));
        Ok(())
    }
}

/// A member's name in camelCase.
fn name(key: &[u8]) -> Option<String> {
    decode(key).map(|key| camel(&key))
}
