//! Writing the conversation: systems' and users' messages, and the parts of their content.

use std::borrow::Cow;

use base64::{Engine as _, engine::general_purpose::STANDARD};

use crate::{
    canonical::{
        Call, Content, Document, Field, Image, LossReport, Media, Part, PartKind, Role, Text, Turn,
        Unsupported, ids::Ids,
    },
    dialect::Dialect,
    json::out::{ArrayOut, ObjectOut},
    openai::part::{cache_out, file_name},
    quirks::{CacheMarks, Quirks},
};

/// Writes messages in order, with an account of the ids of calls.
pub(super) struct Writer<'w> {
    pub(super) losses: &'w mut LossReport,
    pub(super) quirks: &'w Quirks,
    pub(super) ids: Ids,
}

/// Longest id of a call that OpenAI takes.
const MAX_ID: usize = 40;

impl<'w> Writer<'w> {
    pub(super) fn new(losses: &'w mut LossReport, quirks: &'w Quirks) -> Self {
        Self { losses, quirks, ids: Ids::new(|id| id.len() <= MAX_ID) }
    }

    /// Writes every turn.
    pub(super) fn messages(&mut self, call: &Call<'_>, a: &mut ArrayOut<'_>) -> Result<(), Unsupported> {
        let mut shown = Vec::new();
        let last = call.turns.len().saturating_sub(1);
        for (at, turn) in call.turns.iter().enumerate() {
            if turn.role == Role::Tool {
                self.results(turn, &mut shown, a)?;
                let more = call.turns.get(at + 1).is_some_and(|next| next.role == Role::Tool);
                if !more && !shown.is_empty() {
                    self.show(&std::mem::take(&mut shown), a)?;
                }
            } else if turn.role == Role::Assistant {
                self.assistant(turn, at == last, a)?;
            } else {
                self.said(turn, a)?;
            }
        }
        Ok(())
    }

    fn said(&mut self, turn: &Turn<'_>, a: &mut ArrayOut<'_>) -> Result<(), Unsupported> {
        let role = match turn.role {
            Role::Developer if !self.quirks.no_developer_role => "developer",
            Role::Developer | Role::System => "system",
            _ => "user",
        };
        let mut parts = Vec::with_capacity(turn.parts.len());
        for part in &turn.parts {
            let text = matches!(part.kind, PartKind::Text(_) | PartKind::Refusal(_));
            if text || (role == "user" && self.expressible(part)) {
                parts.push(part);
            } else {
                self.lose(part)?;
            }
        }
        if parts.is_empty() {
            return Ok(());
        }
        let name = self.name(turn)?;
        a.object(|o| {
            o.text("role", role);
            o.text_if("name", name);
            self.content(&parts, o);
        });
        Ok(())
    }

    /// The participant's name, where the provider takes one.
    pub(super) fn name<'t>(&mut self, turn: &'t Turn<'_>) -> Result<Option<&'t str>, Unsupported> {
        let Some(name) = turn.name.as_deref() else { return Ok(None) };
        if self.quirks.no_names {
            self.losses.field(Field::ParticipantName)?;
            return Ok(None);
        }
        Ok(Some(name))
    }

    /// Accounts for a part that cannot be said.
    pub(super) fn lose(&mut self, part: &Part<'_>) -> Result<(), Unsupported> {
        self.losses.content(Content::of(part))
    }

    /// Writes `content`: a string where it is one plain text or has to be, else parts.
    pub(super) fn content(&mut self, parts: &[&Part<'_>], o: &mut ObjectOut<'_>) {
        let text = |part: &&Part<'_>| matches!(part.kind, PartKind::Text(_) | PartKind::Refusal(_));
        let marked = parts.iter().any(|part| part.cache.is_some());
        let marks = marked && self.quirks.cache_marks != CacheMarks::None;
        if parts.iter().all(text) && (self.quirks.string_content || (parts.len() == 1 && !marks)) {
            parts.iter().filter_map(|part| part.cache).for_each(|ttl| self.losses.cache_mark(ttl));
            return o.text("content", &joined(parts));
        }
        o.array("content", |a| parts.iter().for_each(|part| self.part(part, a)));
    }

    /// Writes a part that was found expressible.
    pub(super) fn part(&mut self, part: &Part<'_>, a: &mut ArrayOut<'_>) {
        a.object(|o| {
            match &part.kind {
                PartKind::Text(text) | PartKind::Refusal(text) => plain(text, o),
                PartKind::Image(image) => write_image(image, o),
                PartKind::Document(document) => write_document(document, o),
                PartKind::Audio(Media::Base64 { mime, data }) => {
                    o.text("type", "input_audio");
                    o.object("input_audio", |o| {
                        o.text("data", data);
                        o.text("format", audio_format(mime).unwrap_or("wav"));
                    });
                }
                // Refused or dropped before.
                _ => plain("", o),
            }
            cache_out(part.cache, self.quirks.cache_marks, self.losses, o);
        });
    }

    /// Whether a user's part can be said.
    pub(super) fn expressible(&self, part: &Part<'_>) -> bool {
        // Ids of files mean the same in both of OpenAI's dialects and nothing elsewhere.
        let files = self.losses.client() == Dialect::OpenAiResponses;
        match &part.kind {
            PartKind::Text(_) | PartKind::Refusal(_) => true,
            PartKind::Image(image) => !matches!(image.media, Media::File(_)),
            PartKind::Document(document) => match &document.media {
                Some(Media::Base64 { .. }) => true,
                Some(Media::File(_)) => files,
                Some(Media::Url { .. }) => false,
                None => document.text.is_some(),
            },
            PartKind::Audio(Media::Base64 { mime, .. }) => audio_format(mime).is_some(),
            _ => false,
        }
    }
}

/// The texts of parts as one.
pub(super) fn joined<'t>(parts: &[&'t Part<'_>]) -> Cow<'t, str> {
    let text = |part: &&'t Part<'_>| match &part.kind {
        PartKind::Text(text) | PartKind::Refusal(text) => Some(&**text),
        _ => None,
    };
    let texts: Vec<&str> = parts.iter().filter_map(text).collect();
    match &texts[..] {
        [only] => Cow::Borrowed(only),
        _ => Cow::Owned(texts.join("\n")),
    }
}

fn plain(text: &str, o: &mut ObjectOut<'_>) {
    o.text("type", "text");
    o.text("text", text);
}

fn audio_format(mime: &str) -> Option<&'static str> {
    match mime {
        "audio/wav" | "audio/x-wav" | "audio/wave" => Some("wav"),
        "audio/mpeg" | "audio/mp3" => Some("mp3"),
        _ => None,
    }
}

fn write_image(image: &Image<'_>, o: &mut ObjectOut<'_>) {
    o.text("type", "image_url");
    o.object("image_url", |o| {
        match &image.media {
            Media::Base64 { mime, data } => o.pieces("url", &["data:", mime, ";base64,", data]),
            Media::Url { url, .. } | Media::File(url) => o.text("url", url),
        }
        o.text_if("detail", image.detail.as_deref());
    });
}

/// A file, or the text of one that is nothing else: few providers read plain text as a file.
fn write_document(document: &Document<'_>, o: &mut ObjectOut<'_>) {
    if let Some(text) = document_text(document) {
        return plain(&text, o);
    }
    o.text("type", "file");
    o.object("file", |o| match &document.media {
        Some(Media::Base64 { mime, data }) => {
            o.pieces("file_data", &["data:", mime, ";base64,", data]);
            o.text("filename", file_name(document.name.as_deref(), mime));
        }
        Some(Media::File(id)) => o.text("file_id", id),
        Some(Media::Url { .. }) | None => {}
    });
}

/// The text of a document that is plain text, its title and context in front.
pub(super) fn document_text(document: &Document<'_>) -> Option<Text<'static>> {
    let decoded = match &document.media {
        Some(Media::Base64 { mime, data }) if mime.starts_with("text/") => {
            Some(String::from_utf8(STANDARD.decode(data.as_bytes()).ok()?).ok()?)
        }
        _ => None,
    };
    let text = decoded.as_deref().or(document.text.as_deref())?;
    let heads = [document.name.as_deref(), document.context.as_deref()];
    let mut whole = String::with_capacity(text.len() + 64);
    for head in heads.into_iter().flatten() {
        whole.push_str(head);
        whole.push_str("\n\n");
    }
    whole.push_str(text);
    Some(whole.into())
}
