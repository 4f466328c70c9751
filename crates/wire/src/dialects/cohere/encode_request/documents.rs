//! Writing documents: as text, beside the conversation or in a tool's result.

use base64::{Engine as _, engine::general_purpose::STANDARD};

use crate::{
    canonical::{Call, Content, Document, LossReport, Media, PartKind, Role, Text, content::content_place},
    json::{
        Json,
        out::{ArrayOut, ObjectOut},
    },
};

/// The text of a document, if it is text.
pub(super) fn text<'d>(document: &'d Document<'_>) -> Option<Text<'d>> {
    match (&document.text, &document.media) {
        (Some(text), _) => Some(Text::Borrowed(text)),
        (None, Some(Media::Base64 { mime, data })) if is_text(mime) => {
            let bytes = STANDARD.decode(data.as_bytes()).ok()?;
            String::from_utf8(bytes).ok().map(Text::Owned)
        }
        _ => None,
    }
}

fn is_text(mime: &str) -> bool {
    mime.starts_with("text/") || mime.starts_with("application/json")
}

/// Writes the documents of the users' turns as `documents`.
pub(super) fn write(call: &Call<'_>, losses: &mut LossReport, o: &mut ObjectOut<'_>) {
    let users = call.turns.iter().filter(|turn| turn.role == Role::User);
    let documents: Vec<_> = users
        .flat_map(|turn| &turn.parts)
        .filter_map(|part| match &part.kind {
            PartKind::Document(document) => Some((document, text(document)?)),
            _ => None,
        })
        .collect();
    if documents.is_empty() {
        return;
    }
    o.array("documents", |a| documents.iter().for_each(|(document, text)| one(document, text, a)));
    if documents.iter().all(|(document, _)| !document.cite) {
        // Cohere cites unless it is told not to.
        o.object("citation_options", |o| o.text("mode", "OFF"));
    }
    if documents.iter().any(|(document, _)| document.context.is_some()) {
        losses.hint(content_place(losses.client(), Content::DocumentContext));
    }
}

fn one(document: &Document<'_>, text: &str, a: &mut ArrayOut<'_>) {
    match (&document.name, object(text)) {
        (None, None) => a.text(text),
        _ => a.object(|o| data(document, text, o)),
    }
}

/// Writes `id` and `data`: a text that is an object has been one before.
pub(super) fn data(document: &Document<'_>, text: &str, o: &mut ObjectOut<'_>) {
    let name = document.name.as_deref();
    if let Some(object) = object(text) {
        o.text_if("id", name);
        return o.raw("data", object);
    }
    o.object("data", |o| {
        o.text_if("title", name);
        o.text("text", text);
    });
}

fn object(text: &str) -> Option<Json<'_>> {
    let json = Json::parse(text.as_bytes()).ok()?;
    json.object().ok().flatten().map(|_| json)
}
