//! Writing content blocks of a call.

use super::{
    super::{
        encode_response,
        media::{Kind, Names},
    },
    target::Target,
};
use crate::{
    canonical::{
        CacheTtl, Content, Document, LossReport, Media, Part, PartKind, ToolCall, ToolResult, Unsupported,
        ids::Ids,
    },
    claude::{
        alternate::{Said, is_sayable},
        content::arguments,
    },
    dialect::Dialect,
    json::{
        JsonKind,
        out::{ArrayOut, ObjectOut},
    },
};

/// Writes the blocks of a conversation in order.
pub(super) struct Writer<'l> {
    target: &'l Target<'l>,
    losses: &'l mut LossReport,
    ids: Ids,
    names: Names,
}

/// What Bedrock takes as an id.
fn legal_id(id: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b':' | b'-');
    id.len() <= 64 && id.bytes().all(legal)
}

impl<'l> Writer<'l> {
    pub(super) fn new(target: &'l Target<'l>, losses: &'l mut LossReport) -> Self {
        Self { target, losses, ids: Ids::new(legal_id), names: Names::default() }
    }

    /// Writes a block, and the cache point behind it.
    pub(super) fn block(&mut self, said: Said<'_, '_>, a: &mut ArrayOut<'_>) -> Result<(), Unsupported> {
        match &said.part.kind {
            PartKind::Foreign { raw, .. } => a.raw(*raw),
            PartKind::Text(text) if said.instructions => {
                a.object(|o| o.pieces("text", &["\n<system>\n", text, "\n</system>\n"]));
            }
            PartKind::ToolCall(call) => a.object(|o| o.object("toolUse", |o| self.tool_use(call, o)))?,
            PartKind::ToolResult(result) => {
                a.object(|o| o.object("toolResult", |o| self.tool_result(result, o)))?;
            }
            kind => a.object(|o| self.plain(kind, o)),
        }
        if let Some(ttl) = self.target.cache(said.part.cache, self.losses) {
            cache_point(ttl, a);
        }
        Ok(())
    }

    fn tool_use(&mut self, call: &ToolCall<'_>, o: &mut ObjectOut<'_>) -> Result<(), Unsupported> {
        o.text("toolUseId", &self.ids.call(call));
        o.text("name", &call.name);
        if call.custom {
            self.losses.content(Content::FreeFormCall)?;
            o.object("input", |o| o.text("input", &call.arguments));
            return Ok(());
        }
        o.raw("input", arguments(call, "Bedrock Converse")?);
        Ok(())
    }

    fn tool_result(&mut self, result: &ToolResult<'_>, o: &mut ObjectOut<'_>) -> Result<(), Unsupported> {
        o.text("toolUseId", &self.ids.result(result));
        let mut parts = Vec::with_capacity(result.content.len());
        for part in result.content.iter().filter(|part| is_sayable(part)) {
            match inexpressible(part, self.losses.client()) {
                Some(content) => self.losses.content(content)?,
                None => parts.push(part),
            }
        }
        o.array("content", |a| {
            match result.structured {
                Some(json) if json.kind() == JsonKind::Object => a.object(|o| o.raw("json", json)),
                // Some models take objects only.
                Some(json) => a.object(|o| o.text("text", json.raw())),
                // An error without a word is refused.
                None if parts.is_empty() && result.error => a.object(|o| o.object("json", |_| ())),
                None => {}
            }
            for part in parts {
                match &part.kind {
                    PartKind::Foreign { raw, .. } => a.raw(*raw),
                    kind => a.object(|o| self.plain(kind, o)),
                }
            }
        });
        if result.error {
            o.text("status", "error");
        }
        Ok(())
    }

    /// Writes the only member of a block that needs no account of ids.
    fn plain(&mut self, kind: &PartKind<'_>, o: &mut ObjectOut<'_>) {
        match kind {
            PartKind::Text(text) | PartKind::Refusal(text) => o.text("text", text),
            PartKind::Image(image) => o.object("image", |o| bytes(Kind::Image, &image.media, o)),
            PartKind::Audio(media) => o.object("audio", |o| bytes(Kind::Audio, media, o)),
            PartKind::Video(media) => o.object("video", |o| bytes(Kind::Video, media, o)),
            PartKind::Document(document) => o.object("document", |o| self.document(document, o)),
            PartKind::Reasoning { text, signature } => {
                encode_response::thought(o, text, signature.as_ref().map(|seal| &*seal.text));
            }
            PartKind::RedactedReasoning(seal) => encode_response::redacted(o, &seal.text),
            // Refused or dropped before; the others are written where ids are known.
            _ => {}
        }
    }

    fn document(&mut self, document: &Document<'_>, o: &mut ObjectOut<'_>) {
        match (&document.media, &document.text) {
            (Some(media), _) => bytes(Kind::Document, media, o),
            (None, text) => {
                o.text("format", "txt");
                o.object("source", |o| o.text_if("text", text.as_deref()));
            }
        }
        o.text("name", &self.names.name(document.name.as_deref()));
        o.text_if("context", document.context.as_deref());
        if document.cite {
            o.object("citations", |o| o.bool("enabled", true));
        }
    }
}

fn bytes(kind: Kind, media: &Media<'_>, o: &mut ObjectOut<'_>) {
    if let Media::Base64 { mime, data } = media {
        o.text_if("format", kind.format(mime));
        o.object("source", |o| o.text("bytes", data));
    }
}

/// A cache mark; lifetimes are rounded up to the next that there is, the longest being an hour.
pub(super) fn cache_point(ttl: CacheTtl, a: &mut ArrayOut<'_>) {
    a.object(|o| {
        o.object("cachePoint", |o| {
            o.text("type", "default");
            if ttl != CacheTtl::FiveMinutes {
                o.text("ttl", "1h");
            }
        });
    });
}

/// What Bedrock cannot take, of a part that the client sent: media are bytes or nothing.
pub(super) fn inexpressible(part: &Part<'_>, client: Dialect) -> Option<Content> {
    let taken = |kind: Kind, media: &Media<'_>| match media {
        Media::Base64 { mime, .. } => kind.format(mime).is_some(),
        Media::Url { .. } | Media::File(_) => false,
    };
    let expressible = match &part.kind {
        PartKind::Image(image) => taken(Kind::Image, &image.media),
        PartKind::Audio(media) => taken(Kind::Audio, media),
        PartKind::Video(media) => taken(Kind::Video, media),
        PartKind::Document(document) => match &document.media {
            Some(media) => taken(Kind::Document, media),
            None => document.text.is_some(),
        },
        PartKind::Foreign { .. } => client == Dialect::Bedrock,
        _ => true,
    };
    (!expressible).then(|| Content::of(part))
}
