//! Reading content blocks of a call: objects of one member, named after the kind of the block.

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::media::Kind;
use crate::{
    canonical::{
        CacheTtl, Document, Family, Image, Malformed, Media, Part, PartKind, Signature, Text, ToolCall,
        ToolResult, signed_id,
    },
    claude::content::Content,
    json::{Json, JsonKind},
    read::{Members, Place},
};

/// Reads blocks; a cache point marks the block in front of it.
pub(super) fn blocks<'a>(
    content: &mut Content<'a, '_>,
    blocks: Vec<Json<'a>>,
    list: &Place<'_>,
) -> Result<Vec<Part<'a>>, Malformed> {
    let mut parts: Vec<Part<'a>> = Vec::with_capacity(blocks.len());
    for (at, json) in blocks.into_iter().enumerate() {
        let place = list.index(at);
        let (kind, inner) = union(json, &place)?;
        if kind == "cachePoint" {
            let ttl = cache_point(inner, &place.key("cachePoint"))?;
            if let Some(last) = parts.last_mut() {
                last.cache = Some(ttl);
            }
            continue;
        }
        parts.push(Part::new(block(content, &kind, inner, json, &place.key(&kind))?));
    }
    Ok(parts)
}

/// The only member of a union.
pub(super) fn union<'a>(json: Json<'a>, place: &Place<'_>) -> Result<(Text<'a>, Json<'a>), Malformed> {
    let mut members = Members::open(json, place)?.rest();
    match (members.next(), members.next()) {
        (Some(only), None) => Ok(only),
        _ => Err(place.malformed("must have exactly one member")),
    }
}

/// A cache mark's lifetime.
pub(super) fn cache_point(json: Json<'_>, place: &Place<'_>) -> Result<CacheTtl, Malformed> {
    let mut point = Members::open(json, place)?;
    match point.text("ttl")?.as_deref() {
        None | Some("5m") => Ok(CacheTtl::FiveMinutes),
        Some("1h") => Ok(CacheTtl::OneHour),
        Some(_) => Err(place.key("ttl").malformed("must be `5m` or `1h`")),
    }
}

fn block<'a>(
    content: &mut Content<'a, '_>,
    kind: &Text<'a>,
    inner: Json<'a>,
    raw: Json<'a>,
    place: &Place<'_>,
) -> Result<PartKind<'a>, Malformed> {
    let foreign = || PartKind::Foreign { kind: kind.clone(), raw };
    Ok(match &**kind {
        "text" => PartKind::Text(inner.text().ok_or_else(|| place.malformed("must be a string"))?),
        "image" => media(content, Kind::Image, inner, place)?
            .map_or_else(foreign, |media| PartKind::Image(Image { media, detail: None })),
        "audio" => media(content, Kind::Audio, inner, place)?.map_or_else(foreign, PartKind::Audio),
        "video" => media(content, Kind::Video, inner, place)?.map_or_else(foreign, PartKind::Video),
        "document" => document(content, inner, place)?.map_or_else(foreign, PartKind::Document),
        "toolUse" => tool_use(content, inner, place)?.map_or_else(foreign, PartKind::ToolCall),
        "toolResult" => PartKind::ToolResult(tool_result(content, inner, place)?),
        "reasoningContent" => reasoning(content, inner, place)?,
        // Notes on what the model said already; they tell it nothing when they come back.
        "citationsContent" => PartKind::Text(cited(inner, place)?),
        _ => foreign(),
    })
}

/// A medium of which the client sent the bytes, unless it is in a bucket that only Bedrock can read.
fn media<'a>(
    content: &mut Content<'a, '_>,
    kind: Kind,
    json: Json<'a>,
    place: &Place<'_>,
) -> Result<Option<Media<'a>>, Malformed> {
    let mut block = Members::open(json, place)?;
    let format = block.need_text("format")?;
    let Some(data) = bytes(content, &mut block)? else { return Ok(None) };
    content.keep(block);
    let unknown = || place.key("format").malformed(format!("has the unknown value {format:?}"));
    let mime = kind.mime(&format).ok_or_else(unknown)?;
    Ok(Some(Media::Base64 { mime: mime.into(), data }))
}

fn bytes<'a>(
    content: &mut Content<'a, '_>,
    block: &mut Members<'a, '_>,
) -> Result<Option<Text<'a>>, Malformed> {
    let source = block.raw("source").ok_or_else(|| block.missing("source"))?;
    let place = block.place.key("source");
    let mut source = Members::open(source, &place)?;
    let data = source.text("bytes")?;
    if data.is_some() {
        content.keep(source);
    }
    Ok(data)
}

/// A document, unless its source is a bucket or a list of pieces.
fn document<'a>(
    content: &mut Content<'a, '_>,
    json: Json<'a>,
    place: &Place<'_>,
) -> Result<Option<Document<'a>>, Malformed> {
    let mut block = Members::open(json, place)?;
    let source = block.peek("source").ok_or_else(|| block.missing("source"))?;
    let text = Members::open(source, &place.key("source"))?.text("text")?;
    let media = match text {
        Some(_) => None,
        None => {
            let Some(data) = bytes(content, &mut block)? else { return Ok(None) };
            let format = block.need_text("format")?;
            let unknown = || place.key("format").malformed(format!("has the unknown value {format:?}"));
            let mime = Kind::Document.mime(&format).ok_or_else(unknown)?;
            Some(Media::Base64 { mime: mime.into(), data })
        }
    };
    let cite = match block.raw("citations") {
        Some(citations) => {
            Members::open(citations, &place.key("citations"))?.bool("enabled")?.unwrap_or(false)
        }
        None => false,
    };
    let (name, context) = (block.text("name")?, block.text("context")?);
    // Read where they matter.
    block.raw("source");
    block.raw("format");
    content.keep(block);
    Ok(Some(Document { media, text, name, context, cite }))
}

/// A call, unless Bedrock ran it by itself.
fn tool_use<'a>(
    content: &mut Content<'a, '_>,
    json: Json<'a>,
    place: &Place<'_>,
) -> Result<Option<ToolCall<'a>>, Malformed> {
    let mut block = Members::open(json, place)?;
    if block.text("type")?.is_some() {
        return Ok(None);
    }
    let (id, signature) = content.id(block.need_text("toolUseId")?);
    let name = block.need_text("name")?;
    let input = block.object("input")?.unwrap_or(Json::EMPTY_OBJECT);
    content.keep(block);
    Ok(Some(ToolCall { id, name, arguments: input.raw().into(), signature, custom: false }))
}

fn tool_result<'a>(
    content: &mut Content<'a, '_>,
    json: Json<'a>,
    place: &Place<'_>,
) -> Result<ToolResult<'a>, Malformed> {
    let mut block = Members::open(json, place)?;
    let (id, _) = content.id(block.need_text("toolUseId")?);
    let list = block.array("content")?;
    let error = block.text("status")?.as_deref() == Some("error");
    content.keep(block);
    let (mut structured, mut parts) = (None, Vec::new());
    if let [only] = &list[..] {
        structured = Members::open(*only, &place.key("content").index(0))?.raw("json");
    }
    if structured.is_none() {
        parts = blocks(content, list, &place.key("content"))?;
        // Structured pieces beside others are text to everybody else.
        for part in &mut parts {
            if let PartKind::Foreign { kind, raw } = &part.kind
                && kind == "json"
                && let Ok(Some(fields)) = raw.object()
                && let Some(json) = fields.peek("json")
            {
                part.kind = PartKind::Text(json.raw().into());
            }
        }
    }
    Ok(ToolResult { id, name: "".into(), content: parts, structured, error })
}

fn reasoning<'a>(
    content: &mut Content<'a, '_>,
    json: Json<'a>,
    place: &Place<'_>,
) -> Result<PartKind<'a>, Malformed> {
    let (kind, inner) = union(json, place)?;
    if kind == "redactedContent" {
        let text = inner.text().ok_or_else(|| place.key("redactedContent").malformed("must be a string"))?;
        return Ok(PartKind::RedactedReasoning(redacted(content, text)));
    }
    if kind != "reasoningText" {
        return Err(place.malformed("must hold `reasoningText` or `redactedContent`"));
    }
    let place = place.key("reasoningText");
    let mut thought = Members::open(inner, &place)?;
    let signature = thought.text("signature")?.filter(|signature| !signature.is_empty());
    let signature = signature.map(|signature| content.signature(signature));
    Ok(PartKind::Reasoning { text: thought.need_text("text")?, signature })
}

/// A blob is base64 here, so another family's seal was wrapped once more.
fn redacted<'a>(content: &Content<'a, '_>, text: Text<'a>) -> Signature<'a> {
    let inner = STANDARD.decode(text.as_bytes()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    match inner.as_deref().map(|inner| signed_id::extract_signature(inner, content.seal)) {
        Some(("", Some(signature))) => signature,
        _ => Signature { family: Family::Anthropic, text, item: None },
    }
}

fn cited<'a>(json: Json<'a>, place: &Place<'_>) -> Result<Text<'a>, Malformed> {
    let mut text = String::new();
    for piece in Members::open(json, place)?.array("content")? {
        let piece = piece.object().ok().flatten().and_then(|piece| piece.peek("text"));
        text.push_str(
            &piece.filter(|piece| piece.kind() == JsonKind::String).and_then(Json::text).unwrap_or_default(),
        );
    }
    Ok(text.into())
}
