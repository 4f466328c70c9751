//! The members of a request body that the scan reads, and what each must look like.

use std::ops::Range;

use super::{
    MAX_CHOICES, ScanError,
    shared::{Step, count, flag, limit, missing, model, objects, text, user},
};
use crate::{
    api::Api,
    facts::{LimitPlace, RequestFacts, StreamOptions},
    json::{Reader, decode},
};

/// Fields that both APIs read.
const SHARED: [&str; 4] = ["model", "user", "safety_identifier", "metadata"];
const CHAT: [&str; 6] = ["messages", "stream", "stream_options", "max_completion_tokens", "max_tokens", "n"];
const COMPLETIONS: [&str; 5] = ["prompt", "stream", "stream_options", "max_tokens", "n"];
const EMBEDDINGS: [&str; 1] = ["input"];
const IMAGES: [&str; 3] = ["prompt", "n", "stream"];
const RERANK: [&str; 1] = ["documents"];

/// The fields an API reads beyond the shared ones, and the list of inputs that it must have.
const fn fields(api: Api) -> (&'static [&'static str], &'static str) {
    match api {
        Api::Embeddings | Api::Moderations | Api::Speech => (&EMBEDDINGS, "input"),
        Api::Completions => (&COMPLETIONS, "prompt"),
        Api::Images => (&IMAGES, "prompt"),
        Api::Rerank => (&RERANK, "documents"),
        _ => (&CHAT, "messages"),
    }
}

/// What has been read so far.
#[derive(Default)]
struct Draft {
    model: Option<(String, Range<usize>)>,
    stream: bool,
    include_usage: bool,
    max_completion_tokens: Option<u64>,
    max_tokens: Option<u64>,
    choices: Option<u64>,
    user: Option<String>,
    safety_identifier: Option<String>,
    metadata_user: Option<String>,
    messages: Option<u32>,
    media: Media,
    stream_options: StreamOptions,
    limit_place: LimitPlace,
    null_max_tokens: Option<Range<usize>>,
    characters: u64,
}

/// Content parts that cost tokens beyond their text.
#[derive(Clone, Copy, Default)]
struct Media {
    images: u32,
    audio: u32,
    files: u32,
}

/// Reads the whole body.
pub(super) fn read(api: Api, reader: &mut Reader<'_>) -> Result<RequestFacts, ScanError> {
    let (own, list) = fields(api);
    let mut draft = Draft::default();
    let mut seen = 0_u16;
    reader.members(|reader, key| {
        let Some((index, name)) = known(own, key) else { return Ok(reader.ignore()?) };
        if seen & (1 << index) != 0 {
            return Err(ScanError::field(name, "is there twice"));
        }
        seen |= 1 << index;
        draft.member(reader, name)
    })?;
    draft.finish(list, reader.at() - 1)
}

/// The field a raw key names; providers resolve escapes in keys, so the scan must as well.
fn known(own: &[&'static str], key: &[u8]) -> Option<(usize, &'static str)> {
    let key = decode(key)?;
    SHARED.iter().chain(own).copied().enumerate().find(|(_, name)| *name == key)
}

impl Draft {
    fn member(&mut self, reader: &mut Reader<'_>, name: &'static str) -> Step {
        match name {
            "model" => self.model = Some(model(reader)?),
            "user" => self.user = user(reader)?,
            "safety_identifier" => self.safety_identifier = user(reader)?,
            "metadata" => self.metadata(reader)?,
            "messages" => self.messages(reader)?,
            "input" | "prompt" | "documents" => {
                if reader.peek() == Some(b'"') {
                    let start = reader.at();
                    reader.string()?;
                    self.characters = characters(reader.slice(start + 1..reader.at() - 1));
                    self.messages = Some(1);
                } else {
                    self.messages = Some(inputs(reader, name)?);
                }
            }
            "stream" => self.stream = flag(reader, name)?.0,
            "stream_options" => self.stream_options(reader)?,
            "n" => self.choices = count(reader, name, 1..=MAX_CHOICES, "must be an integer from 1 to 128")?,
            "max_tokens" => {
                let start = reader.at();
                self.max_tokens = limit(reader, name)?;
                self.null_max_tokens = self.max_tokens.is_none().then(|| start..reader.at());
            }
            _ => {
                let start = reader.at();
                self.max_completion_tokens = limit(reader, name)?;
                self.limit_place = LimitPlace::Value(start..reader.at());
            }
        }
        Ok(())
    }

    fn metadata(&mut self, reader: &mut Reader<'_>) -> Step {
        if reader.peek() != Some(b'{') {
            return Ok(reader.ignore()?);
        }
        let mut found = false;
        reader.members(|reader, key| {
            if decode(key).as_deref() != Some("user_id") {
                return Ok(reader.ignore()?);
            }
            if std::mem::replace(&mut found, true) {
                return Err(ScanError::field("metadata.user_id", "is there twice"));
            }
            self.metadata_user = user(reader)?;
            Ok(())
        })
    }

    fn stream_options(&mut self, reader: &mut Reader<'_>) -> Step {
        match reader.peek() {
            Some(b'{') => {}
            Some(b'n') => {
                self.stream_options = StreamOptions::Null(reader.value()?);
                return Ok(());
            }
            _ => return Err(ScanError::field("stream_options", "must be an object or null")),
        }
        let (mut empty, mut value) = (true, None);
        reader.members(|reader, key| {
            empty = false;
            if decode(key).as_deref() != Some("include_usage") {
                return Ok(reader.ignore()?);
            }
            let (flag, span) = flag(reader, "stream_options.include_usage")?;
            self.include_usage = flag;
            match value.replace(span) {
                Some(_) => Err(ScanError::field("stream_options.include_usage", "is there twice")),
                None => Ok(()),
            }
        })?;
        self.stream_options = StreamOptions::Object { close: reader.at() - 1, empty, include_usage: value };
        Ok(())
    }

    fn messages(&mut self, reader: &mut Reader<'_>) -> Step {
        let messages = objects(reader, "messages", |reader| {
            reader.members(|reader, key| match decode(key).as_deref() {
                Some("content") if reader.peek() == Some(b'[') => {
                    reader.elements(|reader| self.media.part(reader))
                }
                _ => Ok(reader.ignore()?),
            })
        })?;
        self.messages = Some(messages);
        Ok(())
    }

    fn finish(self, list: &'static str, close: usize) -> Result<RequestFacts, ScanError> {
        let (model, model_span) = self.model.ok_or(missing("model"))?;
        Ok(RequestFacts {
            model,
            model_span,
            stream: self.stream,
            include_usage: self.include_usage,
            max_output: self.max_completion_tokens.max(self.max_tokens),
            choices: self.choices.unwrap_or(1),
            user: self.user.or(self.safety_identifier).or(self.metadata_user),
            messages: self.messages.ok_or(missing(list))?,
            images: self.media.images,
            audio: self.media.audio,
            files: self.media.files,
            characters: self.characters,
            close,
            stream_options: self.stream_options,
            limit_place: self.limit_place,
            null_max_tokens: self.null_max_tokens,
        })
    }
}

impl Media {
    /// Counts a content part by its `type` and by its payload's key: some providers need only the latter.
    fn part(&mut self, reader: &mut Reader<'_>) -> Step {
        if reader.peek() != Some(b'{') {
            return Ok(reader.ignore()?);
        }
        let mut kinds = [false; 3];
        let mut note = |kind: Option<&str>| match kind {
            Some("image_url") => kinds[0] = true,
            Some("input_audio") => kinds[1] = true,
            Some("file") => kinds[2] = true,
            _ => {}
        };
        reader.members(|reader, key| -> Step {
            let key = decode(key);
            let span = reader.value()?;
            match key.as_deref() {
                Some("type") => note(text(reader, &span).as_deref()),
                key => note(key),
            }
            Ok(())
        })?;
        for (count, found) in [&mut self.images, &mut self.audio, &mut self.files].into_iter().zip(kinds) {
            *count = count.saturating_add(u32::from(found));
        }
        Ok(())
    }
}

/// How many characters a string has, from its raw inside: an escape is one.
fn characters(inside: &[u8]) -> u64 {
    decode(inside).map_or(inside.len(), |text| text.chars().count()) as u64
}

/// How many texts an embeddings request holds; a flat list of token ids is one text.
fn inputs(reader: &mut Reader<'_>, name: &'static str) -> Result<u32, ScanError> {
    if reader.peek() != Some(b'[') {
        return Err(ScanError::field(name, "must be a string or an array"));
    }
    let (mut inputs, mut ids) = (0_u32, false);
    reader.elements(|reader| -> Step {
        ids |= matches!(reader.peek(), Some(b'-' | b'0'..=b'9'));
        inputs = inputs.saturating_add(1);
        Ok(reader.ignore()?)
    })?;
    Ok(if ids { 1 } else { inputs })
}
