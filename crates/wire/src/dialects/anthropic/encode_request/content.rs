//! Writing content blocks of a call.

use std::borrow::Cow;

use base64::{Engine as _, engine::general_purpose::STANDARD};

use crate::{
    canonical::{
        CacheTtl, Content, Document, LossReport, Media, Part, PartKind, Signature, ToolCall, ToolResult,
        Unsupported, ids::Ids,
    },
    claude::{
        alternate::{Message, Said, is_sayable},
        content::arguments,
    },
    dialect::Dialect,
    json::out::{ArrayOut, ObjectOut},
};

/// Writes the blocks of a conversation in order.
pub(super) struct Writer<'l> {
    ids: Ids,
    losses: &'l mut LossReport,
}

/// What Anthropic takes as an id.
fn legal_id(id: &str) -> bool {
    id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}

impl<'l> Writer<'l> {
    pub(super) fn new(losses: &'l mut LossReport) -> Self {
        Self { ids: Ids::new(legal_id), losses }
    }

    /// Writes `content`: a string where it is one plain text.
    pub(super) fn message(
        &mut self,
        message: &Message<'_, '_>,
        o: &mut ObjectOut<'_>,
    ) -> Result<(), Unsupported> {
        if let [Said { part: Part { kind: PartKind::Text(text), cache: None }, instructions: false }] =
            &message.parts[..]
        {
            o.text("content", text);
            return Ok(());
        }
        o.array("content", |a| message.parts.iter().try_for_each(|said| self.block(*said, a)))
    }

    fn block(&mut self, said: Said<'_, '_>, a: &mut ArrayOut<'_>) -> Result<(), Unsupported> {
        if let PartKind::Foreign { raw, .. } = &said.part.kind {
            a.raw(*raw);
            return Ok(());
        }
        a.object(|o| {
            match &said.part.kind {
                PartKind::Text(text) if said.instructions => {
                    o.text("type", "text");
                    o.pieces("text", &["\n<system>\n", text, "\n</system>\n"]);
                }
                PartKind::ToolCall(call) => self.tool_use(call, o)?,
                PartKind::ToolResult(result) => self.tool_result(result, o)?,
                kind => plain(kind, o),
            }
            let thoughts =
                matches!(said.part.kind, PartKind::Reasoning { .. } | PartKind::RedactedReasoning(_));
            cache(said.part.cache.filter(|_| !thoughts), o);
            Ok(())
        })
    }

    fn tool_use(&mut self, call: &ToolCall<'_>, o: &mut ObjectOut<'_>) -> Result<(), Unsupported> {
        o.text("type", "tool_use");
        let id = self.ids.call(call);
        o.text("id", &id);
        o.text("name", &call.name);
        if call.custom {
            self.losses.content(Content::FreeFormCall)?;
            o.object("input", |o| o.text("input", &call.arguments));
            return Ok(());
        }
        o.raw("input", arguments(call, "Anthropic Messages")?);
        Ok(())
    }

    fn tool_result(&mut self, result: &ToolResult<'_>, o: &mut ObjectOut<'_>) -> Result<(), Unsupported> {
        o.text("type", "tool_result");
        o.text("tool_use_id", &self.ids.result(result));
        let parts = self.result_parts(result)?;
        match (&parts[..], result.structured) {
            ([], None) => {}
            ([], Some(json)) => o.text("content", json.raw()),
            ([Part { kind: PartKind::Text(text), cache: None }], None) => o.text("content", text),
            _ => o.array("content", |a| {
                if let Some(json) = result.structured {
                    a.object(|o| plain(&PartKind::Text(json.raw().into()), o));
                }
                for part in parts {
                    match &part.kind {
                        PartKind::Foreign { raw, .. } => a.raw(*raw),
                        kind => a.object(|o| {
                            plain(kind, o);
                            cache(part.cache, o);
                        }),
                    }
                }
            }),
        }
        if result.error {
            o.bool("is_error", true);
        }
        Ok(())
    }

    fn result_parts<'r, 'a>(&mut self, result: &'r ToolResult<'a>) -> Result<Vec<&'r Part<'a>>, Unsupported> {
        let mut parts = Vec::with_capacity(result.content.len());
        for part in result.content.iter().filter(|part| is_sayable(part)) {
            match inexpressible(part, self.losses.client()) {
                Some(content) => self.losses.content(content)?,
                None => parts.push(part),
            }
        }
        Ok(parts)
    }
}

/// What Anthropic cannot take, of a part that the client sent.
pub(super) fn inexpressible(part: &Part<'_>, client: Dialect) -> Option<Content> {
    let own = client == Dialect::Anthropic;
    let media = |media: &Media<'_>, mimes: &[&str]| match media {
        Media::Base64 { mime, .. } => mimes.contains(&&**mime),
        Media::Url { .. } => true,
        // Ids of another provider's files mean nothing here.
        Media::File(_) => own,
    };
    let expressible = match &part.kind {
        PartKind::Image(image) => {
            media(&image.media, &["image/jpeg", "image/png", "image/gif", "image/webp"])
        }
        PartKind::Document(document) => match &document.media {
            Some(Media::Base64 { mime, data }) if mime.starts_with("text/") => plain_text(data).is_some(),
            Some(inner) => media(inner, &["application/pdf"]),
            None => document.text.is_some(),
        },
        PartKind::Foreign { .. } => own,
        PartKind::Audio(_) | PartKind::Video(_) => false,
        _ => true,
    };
    (!expressible).then(|| Content::of(part))
}

fn plain_text(data: &str) -> Option<String> {
    String::from_utf8(STANDARD.decode(data).ok()?).ok()
}

/// Writes the members of a block that needs no account of ids.
fn plain(kind: &PartKind<'_>, o: &mut ObjectOut<'_>) {
    match kind {
        PartKind::Text(text) | PartKind::Refusal(text) => {
            o.text("type", "text");
            o.text("text", text);
        }
        PartKind::Image(image) => {
            o.text("type", "image");
            source(&image.media, o);
        }
        PartKind::Document(inner) => document(inner, o),
        PartKind::Reasoning { text, signature } => {
            o.text("type", "thinking");
            o.text("thinking", text);
            o.text_if("signature", signature.as_ref().map(|Signature { text, .. }| &**text));
        }
        PartKind::RedactedReasoning(signature) => {
            o.text("type", "redacted_thinking");
            o.text("data", &signature.text);
        }
        // Refused or dropped before; the others are written where ids are known.
        _ => {}
    }
}

fn document(document: &Document<'_>, o: &mut ObjectOut<'_>) {
    o.text("type", "document");
    let text = match &document.media {
        Some(Media::Base64 { mime, data }) if mime.starts_with("text/") => plain_text(data).map(Cow::Owned),
        _ => document.text.clone(),
    };
    match (&text, &document.media) {
        (Some(text), _) => o.object("source", |o| {
            o.text("type", "text");
            o.text("media_type", "text/plain");
            o.text("data", text);
        }),
        (None, Some(media)) => source(media, o),
        (None, None) => {}
    }
    o.text_if("title", document.name.as_deref());
    o.text_if("context", document.context.as_deref());
    if document.cite {
        o.object("citations", |o| o.bool("enabled", true));
    }
}

fn source(media: &Media<'_>, o: &mut ObjectOut<'_>) {
    o.object("source", |o| match media {
        Media::Base64 { mime, data } => {
            o.text("type", "base64");
            o.text("media_type", mime);
            o.text("data", data);
        }
        Media::Url { url, .. } => {
            o.text("type", "url");
            o.text("url", url);
        }
        Media::File(id) => {
            o.text("type", "file");
            o.text("file_id", id);
        }
    });
}

/// A cache mark; lifetimes are rounded up to the next that there is, the longest being an hour.
pub(super) fn cache(ttl: Option<CacheTtl>, o: &mut ObjectOut<'_>) {
    let Some(ttl) = ttl else { return };
    o.object("cache_control", |o| {
        o.text("type", "ephemeral");
        if ttl != CacheTtl::FiveMinutes {
            o.text("ttl", "1h");
        }
    });
}
