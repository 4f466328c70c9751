//! Reading the messages of a client's call.

use crate::{
    canonical::{
        CacheTtl, Document, Extra, Image, Malformed, Media, Part, PartKind, Role, SignatureMac, Text,
        ToolCall, ToolResult, Turn,
        data_uri::media,
        embedded::{self, SignedCall},
    },
    json::{Json, JsonKind},
    openai::part::{cache_control, cache_in},
    read::{Members, Place},
};

/// Reads messages into turns, and collects members that the canonical call has no place for.
pub(super) struct Messages<'a, 's> {
    seal: &'s dyn SignatureMac,
    pub(super) turns: Vec<Turn<'a>>,
    pub(super) extra: Vec<Extra<'a>>,
}

impl<'a, 's> Messages<'a, 's> {
    pub(super) const fn new(seal: &'s dyn SignatureMac) -> Self {
        Self { seal, turns: Vec::new(), extra: Vec::new() }
    }

    /// Reads one message.
    pub(super) fn read(&mut self, json: Json<'a>, place: &Place<'_>) -> Result<(), Malformed> {
        let mut message = Members::open(json, place)?;
        let role = message.need_text("role")?;
        match &*role {
            "system" => self.said(Role::System, message),
            "developer" => self.said(Role::Developer, message),
            "user" => self.said(Role::User, message),
            "assistant" => self.assistant(message),
            "tool" | "function" => self.result(message, role == "function"),
            other => Err(place.key("role").malformed(format!("has the unknown value {other:?}"))),
        }
    }

    fn said(&mut self, role: Role, mut message: Members<'a, '_>) -> Result<(), Malformed> {
        let content = message.raw("content").ok_or_else(|| message.missing("content"))?;
        let mut parts = self.content(content, &message.place.key("content"))?;
        mark_last(&mut parts, cache_control(&mut message));
        let name = message.text("name")?;
        self.keep(message);
        self.turns.push(Turn { role, parts, name });
        Ok(())
    }

    fn assistant(&mut self, mut message: Members<'a, '_>) -> Result<(), Malformed> {
        let mut parts = Vec::new();
        let content = message.raw("content");
        if let Some(content) = content.filter(|content| content.raw() != "\"\"") {
            parts = self.content(content, &message.place.key("content"))?;
        }
        let refusal = message.text("refusal")?.filter(|refusal| !refusal.is_empty());
        parts.extend(refusal.map(|refusal| Part::new(PartKind::Refusal(refusal))));
        if let Some(audio) = message.raw("audio") {
            parts.push(Part::new(PartKind::Foreign { kind: "audio".into(), raw: audio }));
        }
        mark_last(&mut parts, cache_control(&mut message));
        let thoughts = thoughts(&mut message);
        let calls = self.calls(&mut message)?;
        parts = embedded::in_order(parts, thoughts, calls);
        let name = message.text("name")?;
        // Notes on what the model said already; they tell it nothing when they come back.
        message.raw("annotations");
        self.keep(message);
        self.turns.push(Turn { role: Role::Assistant, parts, name });
        Ok(())
    }

    fn calls(&mut self, message: &mut Members<'a, '_>) -> Result<Vec<SignedCall<'a>>, Malformed> {
        let list = message.place.key("tool_calls");
        let mut calls = Vec::new();
        for (at, json) in message.array("tool_calls")?.into_iter().enumerate() {
            calls.push(self.call(json, &list.index(at))?);
        }
        if let Some(json) = message.raw("function_call") {
            let place = message.place.key("function_call");
            let mut function = Members::open(json, &place)?;
            let name = function.need_text("name")?;
            let arguments = function.text("arguments")?.unwrap_or_default();
            self.keep(function);
            let call = ToolCall { id: "".into(), name, arguments, signature: None, custom: false };
            calls.push((call, Vec::new()));
        }
        Ok(calls)
    }

    fn call(&mut self, json: Json<'a>, place: &Place<'_>) -> Result<SignedCall<'a>, Malformed> {
        let mut call = Members::open(json, place)?;
        let (id, seals) = embedded::extract_signatures(call.need_text("id")?, self.seal);
        // Clients that put a stream together by themselves leave the index in.
        call.raw("index");
        let custom = match call.text("type")?.as_deref() {
            None | Some("function") => false,
            Some("custom") => true,
            Some(other) => {
                return Err(place.key("type").malformed(format!("has the unknown value {other:?}")));
            }
        };
        let (member, input) = if custom { ("custom", "input") } else { ("function", "arguments") };
        let inner = call.raw(member).ok_or_else(|| call.missing(member))?;
        let inner_place = place.key(member);
        let mut inner = Members::open(inner, &inner_place)?;
        let name = inner.need_text("name")?;
        let arguments = inner.text(input)?.unwrap_or_default();
        self.keep(inner);
        self.keep(call);
        Ok((ToolCall { id, name, arguments, signature: None, custom }, seals))
    }

    fn result(&mut self, mut message: Members<'a, '_>, function: bool) -> Result<(), Malformed> {
        let name = message.text("name")?;
        let (id, name) = if function {
            (Text::Borrowed(""), name.ok_or_else(|| message.missing("name"))?)
        } else {
            let (id, _) = embedded::extract_signatures(message.need_text("tool_call_id")?, self.seal);
            (id, name.unwrap_or_default())
        };
        let content = match message.raw("content") {
            Some(content) => self.content(content, &message.place.key("content"))?,
            None => Vec::new(),
        };
        let cache = cache_control(&mut message);
        self.keep(message);
        let mut part =
            Part::new(PartKind::ToolResult(ToolResult { id, name, content, structured: None, error: false }));
        part.cache = cache;
        match self.turns.last_mut() {
            Some(turn) if turn.role == Role::Tool => turn.parts.push(part),
            _ => self.turns.push(Turn::new(Role::Tool, vec![part])),
        }
        Ok(())
    }

    /// A string or an array of parts.
    fn content(&mut self, json: Json<'a>, place: &Place<'_>) -> Result<Vec<Part<'a>>, Malformed> {
        if let Some(text) = json.text() {
            return Ok(vec![Part::text(text)]);
        }
        let wrong = || place.malformed("must be a string or an array of parts");
        let parts = json.array().map_err(|error| place.malformed(error.to_string()))?.ok_or_else(wrong)?;
        parts.into_iter().enumerate().map(|(at, part)| self.part(part, &place.index(at))).collect()
    }

    fn part(&mut self, json: Json<'a>, place: &Place<'_>) -> Result<Part<'a>, Malformed> {
        let mut part = Members::open(json, place)?;
        let kind = part.need_text("type")?;
        let kind = match &*kind {
            "text" => PartKind::Text(part.need_text("text")?),
            "refusal" => PartKind::Refusal(part.need_text("refusal")?),
            "image_url" => PartKind::Image(self.image(&mut part)?),
            "input_audio" => PartKind::Audio(self.audio(&mut part)?),
            "file" => PartKind::Document(self.file(&mut part)?),
            _ => return Ok(Part::new(PartKind::Foreign { kind, raw: json })),
        };
        let cache = cache_in(&mut part)?;
        self.keep(part);
        Ok(Part { kind, cache })
    }

    fn image(&mut self, part: &mut Members<'a, '_>) -> Result<Image<'a>, Malformed> {
        let place = part.place.key("image_url");
        let inner = part.raw("image_url").ok_or_else(|| part.missing("image_url"))?;
        // Some servers take the address alone, and so some clients send it.
        if let Some(url) = inner.text() {
            return Ok(Image { media: media(url), detail: None });
        }
        let mut inner = Members::open(inner, &place)?;
        let image = Image { media: media(inner.need_text("url")?), detail: inner.text("detail")? };
        self.keep(inner);
        Ok(image)
    }

    fn audio(&mut self, part: &mut Members<'a, '_>) -> Result<Media<'a>, Malformed> {
        let place = part.place.key("input_audio");
        let inner = part.raw("input_audio").ok_or_else(|| part.missing("input_audio"))?;
        let mut inner = Members::open(inner, &place)?;
        let mime = match &*inner.need_text("format")? {
            "mp3" => Text::Borrowed("audio/mpeg"),
            other => Text::Owned(format!("audio/{other}")),
        };
        let media = Media::Base64 { mime, data: inner.need_text("data")? };
        self.keep(inner);
        Ok(media)
    }

    fn file(&mut self, part: &mut Members<'a, '_>) -> Result<Document<'a>, Malformed> {
        let place = part.place.key("file");
        let inner = part.raw("file").ok_or_else(|| part.missing("file"))?;
        let mut inner = Members::open(inner, &place)?;
        let (data, id) = (inner.text("file_data")?, inner.text("file_id")?);
        let media = match (data.map(media), id) {
            (Some(data @ Media::Base64 { .. }), _) => data,
            (Some(_), _) => return Err(place.key("file_data").malformed("must be a data URI in base64")),
            (None, Some(id)) => Media::File(id),
            (None, None) => return Err(inner.missing("file_data")),
        };
        let name = inner.text("filename")?;
        self.keep(inner);
        Ok(Document { media: Some(media), text: None, name, context: None, cite: false })
    }

    /// Keeps the members that were not read: other dialects cannot place them.
    pub(super) fn keep(&mut self, members: Members<'a, '_>) {
        let place = *members.place;
        for (name, value) in members.rest() {
            self.extra.push(Extra { name: place.key(&name).to_string().into(), value });
        }
    }
}

/// A mark at a message stands behind its last part.
fn mark_last(parts: &mut [Part<'_>], mark: Option<CacheTtl>) {
    if let (Some(part), Some(mark)) = (parts.last_mut(), mark) {
        part.cache = Some(mark);
    }
}

/// The thoughts that vendors put beside the content. Their own seals mean nothing to anybody else.
fn thoughts<'a>(message: &mut Members<'a, '_>) -> Option<Text<'a>> {
    message.raw("reasoning_details");
    let mut text = |key| message.raw(key).filter(|value| value.kind() == JsonKind::String)?.text();
    let (first, second) = (text("reasoning_content"), text("reasoning"));
    first.or(second).filter(|text| !text.is_empty())
}
