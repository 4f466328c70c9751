//! One chunk of a chat stream, read in a single walk over its bytes.

use std::{borrow::Cow, ops::Range};

use domain::{ServiceTier, Usage};

use super::super::summary::{StreamSummary, keep_larger};
use crate::{
    error::{FAILURES, ProviderError, error_member, unexplained},
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
    /// An error inside a choice, or a finish reason that is one.
    hidden_error: Option<ProviderError>,
    /// The choices that have deltas, of which some hold calls and some finish.
    pub(super) turns: Turns,
    /// What to cut out of the payload so that a `"usage":null` and one adjoining comma are gone.
    pub(super) null_usage: Option<Range<usize>>,
    /// The inside of the model's string.
    model: &'a [u8],
    /// The same of its id.
    pub(super) id: &'a [u8],
    /// When the answer was made, as it is written.
    pub(super) created: &'a [u8],
    choices: Option<u32>,
    top_usage: bool,
}

/// Choices of a stream by their index, a bit each; those behind the 64th are not told apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Turns {
    pub(super) begun: u64,
    /// That hold calls of tools.
    pub(super) called: u64,
    pub(super) finished: u64,
}

impl Turns {
    /// Adds what another chunk says of them.
    pub(super) const fn add(&mut self, more: Self) {
        self.begun |= more.begun;
        self.called |= more.called;
        self.finished |= more.finished;
    }
}

impl<'a> Chunk<'a> {
    /// Adds what the chunk says to what the stream said before it.
    pub(super) fn add_to(self, seen: &mut StreamSummary) {
        if seen.model.is_none() {
            seen.model = self.model().map(String::from);
        }
        let disguised = self.error.is_none() && self.hidden_error.is_some();
        let error = self.error.or(self.hidden_error);
        seen.blocked |= self.filtered && self.deltas == 0 && !seen.content;
        // What stands beside an error is no answer.
        seen.content |= error.is_none() && (self.deltas > 0 || self.finish);
        seen.finish |= error.is_none() && self.finish;
        seen.output_bytes = seen.output_bytes.saturating_add(self.output_bytes);
        seen.deltas = seen.deltas.saturating_add(self.deltas);
        if seen.error.is_none() && error.is_some() {
            seen.error = error;
            seen.disguised = disguised;
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
                b"id" if reader.peek() == Some(b'"') => self.id = string(reader)?,
                b"created" => {
                    let span = reader.value()?;
                    self.created = reader.slice(span);
                }
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

    /// Whether the chunk is one of an answer, though perhaps an empty one.
    pub(super) const fn has_choices(&self) -> bool {
        self.choices.is_some()
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
            let (mut index, mut turn) = (0, Turns::default());
            reader.members_if_object(|reader, key| match key {
                b"index" => {
                    let span = reader.value()?;
                    index = match reader.slice(span) {
                        [digit @ b'0'..=b'9'] => u32::from(digit - b'0'),
                        more => str::from_utf8(more).ok().and_then(|text| text.parse().ok()).unwrap_or(0),
                    };
                    Ok(())
                }
                b"delta" => {
                    turn.begun = 1;
                    self.delta(reader, &mut turn)
                }
                b"error" => {
                    let span = reader.value()?;
                    let value = serde_json::from_slice(reader.slice(span)).unwrap_or_default();
                    self.hidden_error = error_member(&value).or(self.hidden_error.take());
                    Ok(())
                }
                // The older Completions write no deltas.
                b"text" => {
                    let start = reader.at();
                    self.texts(reader, true)?;
                    self.deltas += u64::from(!is_empty(reader.slice(start..reader.at())));
                    Ok(())
                }
                b"finish_reason" => {
                    // Some write an empty reason for none.
                    let said = reader.peek() == Some(b'"');
                    let span = reader.value()?;
                    let reason = reader.slice(span);
                    self.finish |= said;
                    turn.finished = u64::from(said && reason != b"\"\"");
                    self.filtered |= FILTERS.contains(&reason);
                    let word = reason.strip_prefix(b"\"").and_then(|word| word.strip_suffix(b"\""));
                    if word.is_some_and(|word| FAILURES.iter().any(|failure| failure.as_bytes() == word)) {
                        self.hidden_error.get_or_insert_with(unexplained);
                    }
                    Ok(())
                }
                // Where older Moonshot models put it.
                b"usage" => self.usage(reader).map(drop),
                _ => reader.ignore(),
            })?;
            let shift = index.min(63);
            self.turns.add(Turns {
                begun: turn.begun << shift,
                called: turn.called << shift,
                finished: turn.finished << shift,
            });
            Ok::<(), Fault>(())
        })?;
        self.choices = array.then_some(count);
        Ok(())
    }

    fn delta(&mut self, reader: &mut Reader<'a>, turn: &mut Turns) -> Step {
        let mut answer = false;
        reader.members_if_object(|reader, key| match key {
            b"content" | b"refusal" | b"reasoning_content" | b"reasoning" | b"reasoning_details"
            | b"tool_calls" | b"function_call" | b"audio" | b"images" => {
                let start = reader.at();
                self.texts(reader, true)?;
                let said = !is_empty(reader.slice(start..reader.at()));
                answer |= said;
                turn.called |= u64::from(said && key == b"tool_calls");
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
