//! One chunk of a chat stream, read in a single walk over its bytes.

use std::{borrow::Cow, ops::Range};

use domain::{ServiceTier, Usage};

use super::super::summary::{StreamSummary, keep_larger};
use crate::{
    error::{ProviderError, error_member},
    json::{Fault, Reader, decode, decoded_len},
    openai::{finish::FILTERS, usage},
};

type Step = Result<(), Fault>;

/// What a chunk says. After a fault it holds what came before it: servers that write `NaN` among log
/// probabilities still sent the text in front.
#[derive(Default)]
pub(super) struct Chunk<'a> {
    /// Deltas that hold a piece of an answer.
    pub(super) deltas: u64,
    pub(super) finish: bool,
    /// A finish reason that names a filter.
    pub(super) filtered: bool,
    pub(super) output_bytes: u64,
    pub(super) usage: Option<Usage>,
    pub(super) error: Option<ProviderError>,
    /// What to cut out of the payload so that a `"usage":null` and one adjoining comma are gone.
    pub(super) null_usage: Option<Range<usize>>,
    /// The inside of the model's string.
    model: &'a [u8],
    choices: Option<u32>,
    top_usage: bool,
}

impl<'a> Chunk<'a> {
    /// Adds what the chunk says to what the stream said before it.
    pub(super) fn add_to(self, seen: &mut StreamSummary) {
        seen.blocked |= self.filtered && self.deltas == 0 && !seen.content;
        seen.content |= self.deltas > 0 || self.finish;
        seen.finish |= self.finish;
        seen.output_bytes = seen.output_bytes.saturating_add(self.output_bytes);
        seen.deltas = seen.deltas.saturating_add(self.deltas);
        if seen.model.is_none() {
            seen.model = self.model().map(String::from);
        }
        if seen.error.is_none() {
            seen.error = self.error;
        }
        if let Some(usage) = self.usage {
            seen.report(usage);
        }
    }

    pub(super) fn read(&mut self, payload: &'a [u8]) -> Step {
        let mut reader = Reader::new(payload);
        reader.peek();
        let start = reader.at() + 1;
        let mut before = start;
        let mut tier = ServiceTier::Standard;
        let read = reader.members(|reader, key| {
            match key {
                b"choices" => self.choices(reader)?,
                b"usage" if reader.peek() == Some(b'n') => {
                    let end = reader.value()?.end;
                    // The first member takes the comma behind it along, any other one the comma before it.
                    let behind = before == start && reader.peek() == Some(b',');
                    self.null_usage = Some(before..if behind { reader.at() + 1 } else { end });
                }
                b"usage" => self.top_usage |= self.usage(reader)?,
                b"service_tier" => tier = usage::tier(reader)?,
                b"x_groq" => reader.members_if_object(|reader, key| match key {
                    b"usage" => self.usage(reader).map(drop),
                    _ => reader.ignore(),
                })?,
                b"error" => {
                    let span = reader.value()?;
                    let value = serde_json::from_slice(reader.slice(span)).unwrap_or_default();
                    self.error = error_member(&value);
                }
                b"model" if reader.peek() == Some(b'"') => self.model = string(reader)?,
                _ => reader.ignore()?,
            }
            before = reader.at();
            Ok::<(), Fault>(())
        });
        if let Some(usage) = &mut self.usage {
            usage.service_tier = tier;
        }
        read?;
        reader.end()
    }

    /// The model's name, where the chunk has one.
    pub(super) fn model(&self) -> Option<Cow<'a, str>> {
        decode(self.model).filter(|model| !model.is_empty())
    }

    /// Whether the chunk exists for its usage alone.
    pub(super) fn only_usage(&self) -> bool {
        self.choices == Some(0) && self.top_usage && self.error.is_none()
    }

    fn usage(&mut self, reader: &mut Reader<'a>) -> Result<bool, Fault> {
        let read = usage::read(reader)?;
        if let Some(usage) = read {
            keep_larger(&mut self.usage, usage);
        }
        Ok(read.is_some())
    }

    fn choices(&mut self, reader: &mut Reader<'a>) -> Step {
        let mut count = 0_u32;
        let array = reader.peek() == Some(b'[');
        reader.elements_if_array(|reader| {
            count = count.saturating_add(1);
            reader.members_if_object(|reader, key| match key {
                b"delta" => self.delta(reader),
                // The older Completions write no deltas.
                b"text" => {
                    let start = reader.at();
                    self.texts(reader, true)?;
                    self.deltas += u64::from(!is_empty(reader.slice(start..reader.at())));
                    Ok(())
                }
                b"finish_reason" => {
                    self.finish |= reader.peek() == Some(b'"');
                    let span = reader.value()?;
                    self.filtered |= FILTERS.contains(&reader.slice(span));
                    Ok(())
                }
                // Where older Moonshot models put it.
                b"usage" => self.usage(reader).map(drop),
                _ => reader.ignore(),
            })
        })?;
        self.choices = array.then_some(count);
        Ok(())
    }

    fn delta(&mut self, reader: &mut Reader<'a>) -> Step {
        let mut answer = false;
        reader.members_if_object(|reader, key| match key {
            b"content" | b"refusal" | b"reasoning_content" | b"reasoning" | b"reasoning_details"
            | b"tool_calls" | b"function_call" | b"audio" | b"images" => {
                let start = reader.at();
                self.texts(reader, true)?;
                answer |= !is_empty(reader.slice(start..reader.at()));
                Ok(())
            }
            _ => reader.ignore(),
        })?;
        self.deltas += u64::from(answer);
        Ok(())
    }

    /// Adds up the texts of a value: itself where `text` says that a string here is one, else by their keys,
    /// as vendors nest them (`tool_calls[].function.arguments`, `content[].thinking[].text`).
    fn texts(&mut self, reader: &mut Reader<'a>, text: bool) -> Step {
        match reader.peek() {
            Some(b'"') => {
                let inside = string(reader)?;
                if text {
                    let len = u64::try_from(decoded_len(inside)).unwrap_or(u64::MAX);
                    self.output_bytes = self.output_bytes.saturating_add(len);
                }
                Ok(())
            }
            Some(b'{') => reader.members(|reader, key| self.texts(reader, is_text(key))),
            Some(b'[') => reader.elements(|reader| self.texts(reader, text)),
            _ => reader.ignore(),
        }
    }
}

/// Keys of nested strings that the model wrote.
fn is_text(key: &[u8]) -> bool {
    matches!(
        key,
        b"text" | b"content" | b"thinking" | b"summary" | b"name" | b"arguments" | b"input" | b"transcript"
    )
}

/// Whether a value says nothing.
fn is_empty(value: &[u8]) -> bool {
    match value {
        [b'[' | b'{', inside @ .., _] => inside.trim_ascii().is_empty(),
        _ => matches!(value, b"null" | b"\"\"" | b"false"),
    }
}

/// Reads a string and gives its inside.
fn string<'a>(reader: &mut Reader<'a>) -> Result<&'a [u8], Fault> {
    let span = reader.string()?;
    Ok(reader.slice(span.start + 1..span.end - 1))
}
