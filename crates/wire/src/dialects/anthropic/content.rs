//! Reading content blocks of a call.

use crate::{
    canonical::{CacheTtl, Document, Image, Malformed, Media, Part, PartKind, Text, ToolCall, ToolResult},
    claude::content::Content,
    json::{Json, JsonKind},
    read::{Members, Place},
};

impl<'a> Content<'a, '_> {
    /// A string or an array of blocks.
    pub(super) fn read(&mut self, json: Json<'a>, place: &Place<'_>) -> Result<Vec<Part<'a>>, Malformed> {
        if let Some(text) = json.text() {
            return Ok(vec![Part::text(text)]);
        }
        let wrong = || place.malformed("must be a string or an array of blocks");
        let blocks = json.array().map_err(|error| place.malformed(error.to_string()))?.ok_or_else(wrong)?;
        blocks.into_iter().enumerate().map(|(at, block)| self.block(block, &place.index(at))).collect()
    }

    fn block(&mut self, json: Json<'a>, place: &Place<'_>) -> Result<Part<'a>, Malformed> {
        let mut block = Members::open(json, place)?;
        let kind = block.need_text("type")?;
        let kind = match &*kind {
            "text" => {
                // Notes on what the model said already; they tell it nothing when they come back.
                block.raw("citations");
                PartKind::Text(block.need_text("text")?)
            }
            "image" => PartKind::Image(Image { media: self.source(&mut block)?, detail: None }),
            "document" => match self.document(&mut block)? {
                Some(document) => PartKind::Document(document),
                None => return Ok(foreign(kind, json)),
            },
            "thinking" => {
                let signature = block.text("signature")?.filter(|signature| !signature.is_empty());
                let signature = signature.map(|signature| self.signature(signature));
                PartKind::Reasoning { text: block.need_text("thinking")?, signature }
            }
            "redacted_thinking" => PartKind::RedactedReasoning(self.signature(block.need_text("data")?)),
            "tool_use" => PartKind::ToolCall(self.tool_use(&mut block)?),
            "tool_result" => PartKind::ToolResult(self.tool_result(&mut block)?),
            _ => return Ok(foreign(kind, json)),
        };
        let cache = cache(&mut block)?;
        self.keep(block);
        Ok(Part { kind, cache })
    }

    fn tool_use(&mut self, block: &mut Members<'a, '_>) -> Result<ToolCall<'a>, Malformed> {
        let (id, signature) = self.id(block.need_text("id")?);
        let input = block.object("input")?.unwrap_or(Json::EMPTY_OBJECT);
        direct(block);
        Ok(ToolCall {
            id,
            name: block.need_text("name")?,
            arguments: input.raw().into(),
            signature,
            custom: false,
        })
    }

    fn tool_result(&mut self, block: &mut Members<'a, '_>) -> Result<ToolResult<'a>, Malformed> {
        let (id, _) = self.id(block.need_text("tool_use_id")?);
        let content = match block.raw("content") {
            Some(content) => self.read(content, &block.place.key("content"))?,
            None => Vec::new(),
        };
        let error = block.bool("is_error")?.unwrap_or(false);
        Ok(ToolResult { id, name: "".into(), content, structured: None, error })
    }
}

fn foreign<'a>(kind: Text<'a>, raw: Json<'a>) -> Part<'a> {
    Part::new(PartKind::Foreign { kind, raw })
}

/// Takes `caller` where it says what is so anyway.
fn direct(block: &mut Members<'_, '_>) {
    let caller = block.peek("caller").and_then(|caller| caller.object().ok().flatten());
    let kind = caller.and_then(|caller| caller.peek("type")).and_then(Json::text);
    if kind.as_deref() == Some("direct") {
        block.raw("caller");
    }
}

/// A cache mark.
pub(super) fn cache(block: &mut Members<'_, '_>) -> Result<Option<CacheTtl>, Malformed> {
    let Some(mark) = block.raw("cache_control") else { return Ok(None) };
    let place = block.place.key("cache_control");
    let mut mark = Members::open(mark, &place)?;
    match mark.text("ttl")?.as_deref() {
        None | Some("5m") => Ok(Some(CacheTtl::FiveMinutes)),
        Some("1h") => Ok(Some(CacheTtl::OneHour)),
        Some(_) => Err(place.key("ttl").malformed("must be `5m` or `1h`")),
    }
}

impl<'a> Content<'a, '_> {
    /// The source of an image.
    fn source(&mut self, block: &mut Members<'a, '_>) -> Result<Media<'a>, Malformed> {
        let json = block.raw("source").ok_or_else(|| block.missing("source"))?;
        let place = block.place.key("source");
        let mut source = Members::open(json, &place)?;
        let media = match &*source.need_text("type")? {
            "base64" => {
                Media::Base64 { mime: source.need_text("media_type")?, data: source.need_text("data")? }
            }
            "url" => Media::Url { url: source.need_text("url")?, mime: None },
            "file" => Media::File(source.need_text("file_id")?),
            other => return Err(place.key("type").malformed(format!("has the unknown value {other:?}"))),
        };
        self.keep(source);
        Ok(media)
    }

    /// A document, unless its source is a list of blocks, which no other dialect has.
    fn document(&mut self, block: &mut Members<'a, '_>) -> Result<Option<Document<'a>>, Malformed> {
        let json = block.peek("source").ok_or_else(|| block.missing("source"))?;
        let place = block.place.key("source");
        let mut inner = Members::open(json, &place)?;
        let (mut media, mut text) = (None, None);
        match &*inner.need_text("type")? {
            "text" => {
                // It is always the same.
                inner.raw("media_type");
                text = Some(inner.need_text("data")?);
            }
            "content" => match inner.raw("content").filter(|content| content.kind() == JsonKind::String) {
                Some(content) => text = content.text(),
                None => return Ok(None),
            },
            _ => media = Some(self.source(block)?),
        }
        if media.is_none() {
            self.keep(inner);
        }
        block.raw("source");
        let (name, context) = (block.text("title")?, block.text("context")?);
        let cite = match block.raw("citations") {
            Some(citations) => {
                let place = block.place.key("citations");
                Members::open(citations, &place)?.bool("enabled")?.unwrap_or(false)
            }
            None => false,
        };
        Ok(Some(Document { media, text, name, context, cite }))
    }
}
