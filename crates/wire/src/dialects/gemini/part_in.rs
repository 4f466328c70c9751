//! Reading parts, of a client's turns and of a model's answers alike.

use super::seal::{self, Sealed};
use crate::{
    canonical::{
        Document, Extra, Image, Malformed, Media, Part, PartKind, SignatureMac, Text, ToolCall, ToolResult,
    },
    json::{Json, JsonKind},
    read::{Members, Place},
};

/// The members of a part of which it has exactly one.
const DATA: [&str; 9] = [
    "text",
    "inlineData",
    "fileData",
    "functionCall",
    "functionResponse",
    "executableCode",
    "codeExecutionResult",
    "toolCall",
    "toolResponse",
];

/// Where a part was written.
pub(super) enum Origin<'s, 'a> {
    /// In a client's turn.
    Request {
        /// Opens what the gateway wrapped in the client's seals.
        seal: &'s dyn SignatureMac,
        /// Members that the canonical call has no place for.
        extra: &'s mut Vec<Extra<'a>>,
    },
    /// In a provider's answer, where what is new must not cost the text.
    Response,
}

impl<'s, 'a> Origin<'s, 'a> {
    const fn is_request(&self) -> bool {
        matches!(self, Self::Request { .. })
    }

    fn seal(&self) -> Option<&'s dyn SignatureMac> {
        match self {
            Self::Request { seal, .. } => Some(*seal),
            Self::Response => None,
        }
    }

    /// Keeps the members that were not read.
    pub(super) fn keep(&mut self, members: Members<'a, '_>) {
        let Self::Request { extra, .. } = self else { return };
        let place = *members.place;
        let named = |(name, value): (Text<'a>, Json<'a>)| {
            let name = place.key(&name).to_string().into();
            Extra { name, value }
        };
        extra.extend(members.rest().map(named));
    }
}

/// Reads a part and appends it; a seal on text or media becomes a part of empty thoughts behind it.
pub(super) fn read<'a>(
    json: Json<'a>,
    place: &Place<'_>,
    origin: &mut Origin<'_, 'a>,
    out: &mut Vec<Part<'a>>,
) -> Result<(), Malformed> {
    let mut members = super::common::open(json, place)?;
    let mut data = DATA.into_iter().filter(|key| members.peek(key).is_some());
    let (first, second) = (data.next(), data.next());
    if second.is_some() {
        return Err(place.malformed("must hold only one of text, inlineData, functionCall and so on"));
    }
    let thought = members.bool("thought")?.unwrap_or(false);
    let signature = members.text("thoughtSignature")?.filter(|text| !text.is_empty());
    let mut sealed = signature.map(|text| seal::read(text, origin.seal()));
    let kind = match first {
        Some("text") => text(members.need_text("text")?, thought, &mut sealed),
        Some("inlineData" | "fileData") => media(&mut members, origin)?,
        Some("functionCall") => call(&mut members, origin, &mut sealed)?,
        Some("functionResponse") => result(&mut members, origin)?,
        None if sealed.is_none() && origin.is_request() => {
            return Err(place.malformed("must hold one of text, inlineData, functionCall and so on"));
        }
        _ => None,
    };
    match (kind, first) {
        (Some(kind), _) => {
            origin.keep(members);
            out.push(Part::new(kind));
        }
        // Nothing is said but, perhaps, the seal.
        (None, None | Some("text")) => {}
        (_, kind) => {
            let kind = Text::Borrowed(kind.unwrap_or("part"));
            out.push(Part::new(PartKind::Foreign { kind, raw: json }));
            return Ok(());
        }
    }
    if let Some(Sealed { signature, .. }) = sealed {
        out.push(Part::new(PartKind::Reasoning { text: "".into(), signature: Some(signature) }));
    }
    Ok(())
}

/// Text or thoughts, if there is anything but the seal.
fn text<'a>(text: Text<'a>, thought: bool, sealed: &mut Option<Sealed<'a>>) -> Option<PartKind<'a>> {
    if !thought {
        return (!text.is_empty()).then_some(PartKind::Text(text));
    }
    match sealed.take() {
        Some(Sealed { signature, redacted: true }) => Some(PartKind::RedactedReasoning(signature)),
        sealed => Some(PartKind::Reasoning { text, signature: sealed.map(|sealed| sealed.signature) }),
    }
}

/// Bytes or the place of a file, by media type.
fn media<'a>(
    members: &mut Members<'a, '_>,
    origin: &mut Origin<'_, 'a>,
) -> Result<Option<PartKind<'a>>, Malformed> {
    let place = *members.place;
    let (mime, name, media) = match (members.object("inlineData")?, members.object("fileData")?) {
        (Some(blob), _) => {
            let place = place.key("inlineData");
            let mut blob = super::common::open(blob, &place)?;
            let mime = blob.need_text("mimeType")?;
            let media = Media::Base64 { mime: mime.clone(), data: standard(blob.need_text("data")?) };
            let name = blob.text("displayName")?;
            origin.keep(blob);
            (mime, name, media)
        }
        (None, Some(file)) => {
            let place = place.key("fileData");
            let mut file = super::common::open(file, &place)?;
            let (mime, uri) = (file.text("mimeType")?, file.need_text("fileUri")?);
            let media = match is_public(&uri) {
                true => Media::Url { url: uri, mime: mime.clone() },
                false => Media::File(uri),
            };
            let name = file.text("displayName")?;
            origin.keep(file);
            (mime.unwrap_or_default(), name, media)
        }
        (None, None) => return Ok(None),
    };
    let of = |kind: &str| mime.starts_with(kind);
    Ok(Some(if of("image/") {
        PartKind::Image(Image { media, detail: detail(members) })
    } else if of("audio/") {
        PartKind::Audio(media)
    } else if of("video/") {
        PartKind::Video(media)
    } else {
        PartKind::Document(Document { media: Some(media), text: None, name, context: None, cite: false })
    }))
}

/// Whether anybody could fetch it: neither Cloud Storage nor a file that Google keeps for the caller.
fn is_public(uri: &str) -> bool {
    uri.starts_with("http") && !uri.contains("/v1beta/files/") && !uri.contains("/v1/files/")
}

/// `mediaResolution` in OpenAI's words.
fn detail<'a>(members: &mut Members<'a, '_>) -> Option<Text<'a>> {
    let resolution = members.peek("mediaResolution")?;
    let level = super::common::open(resolution, &Place::ROOT).ok()?.raw("level")?.text()?;
    let detail = match level.strip_prefix("MEDIA_RESOLUTION_")? {
        "LOW" => "low",
        "MEDIUM" | "UNSPECIFIED" => "auto",
        "HIGH" => "high",
        "ULTRA_HIGH" => "original",
        _ => return None,
    };
    members.raw("mediaResolution");
    Some(detail.into())
}

/// A call, unless only pieces of it have come (Vertex).
fn call<'a>(
    members: &mut Members<'a, '_>,
    origin: &mut Origin<'_, 'a>,
    sealed: &mut Option<Sealed<'a>>,
) -> Result<Option<PartKind<'a>>, Malformed> {
    let Some(json) = members.object("functionCall")? else { return Ok(None) };
    let place = members.place.key("functionCall");
    let mut call = super::common::open(json, &place)?;
    let made = ToolCall {
        id: call.text("id")?.unwrap_or_default(),
        name: call.text("name")?.unwrap_or_default(),
        arguments: call.object("args")?.unwrap_or(Json::EMPTY_OBJECT).raw().into(),
        signature: None,
        custom: false,
    };
    if call.peek("partialArgs").is_some() {
        return Ok(None);
    }
    origin.keep(call);
    if made.name.is_empty() {
        return Err(place.key("name").malformed("is missing"));
    }
    let signature = sealed.take().map(|sealed| sealed.signature);
    Ok(Some(PartKind::ToolCall(ToolCall { signature, ..made })))
}

fn result<'a>(
    members: &mut Members<'a, '_>,
    origin: &mut Origin<'_, 'a>,
) -> Result<Option<PartKind<'a>>, Malformed> {
    let Some(json) = members.object("functionResponse")? else { return Ok(None) };
    let place = members.place.key("functionResponse");
    let mut result = super::common::open(json, &place)?;
    let (id, name) = (result.text("id")?.unwrap_or_default(), result.need_text("name")?);
    let (mut content, structured, error) = match result.object("response")? {
        Some(response) => response_in(response, &place.key("response"))?,
        None => (Vec::new(), None, false),
    };
    for (at, part) in result.array("parts")?.into_iter().enumerate() {
        let parts = place.key("parts");
        let place = parts.index(at);
        let mut part = super::common::open(part, &place)?;
        match media(&mut part, origin)? {
            Some(kind) => content.push(Part::new(kind)),
            None => return Err(place.malformed("must hold inlineData or fileData")),
        }
        origin.keep(part);
    }
    origin.keep(result);
    Ok(Some(PartKind::ToolResult(ToolResult { id, name, content, structured, error })))
}

type Answered<'a> = (Vec<Part<'a>>, Option<Json<'a>>, bool);

/// What a tool answered: the text under `output` or `error`, else the object as it is.
fn response_in<'a>(response: Json<'a>, place: &Place<'_>) -> Result<Answered<'a>, Malformed> {
    let members = response.object().map_err(|error| place.malformed(error.to_string()))?;
    let members: Vec<_> = members.iter().flat_map(|members| members.all()).collect();
    let error = members.iter().any(|(key, value)| *key == "error" && value.kind() != JsonKind::Null);
    if let [("output" | "error", value)] = members[..]
        && let Some(text) = value.text()
    {
        return Ok((vec![Part::text(text)], None, error));
    }
    Ok((Vec::new(), Some(response), error))
}

/// Base64 in the alphabet that every other dialect wants, padded: Google's clients write the one for addresses.
fn standard(data: Text<'_>) -> Text<'_> {
    let plain = !data.bytes().any(|byte| matches!(byte, b'-' | b'_'));
    if plain && data.len().is_multiple_of(4) {
        return data;
    }
    let mut data = data.replace('-', "+").replace('_', "/");
    while !data.len().is_multiple_of(4) {
        data.push('=');
    }
    data.into()
}
