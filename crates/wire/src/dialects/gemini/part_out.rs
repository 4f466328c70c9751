//! Writing parts, of a call for Gemini and of an answer for its clients alike.

use base64::{Engine as _, engine::general_purpose::STANDARD};

use crate::{
    canonical::{Document, Media, PartKind},
    json::out::ObjectOut,
};

/// Writes the member that holds a medium; false: it is none.
pub(super) fn media(kind: &PartKind<'_>, o: &mut ObjectOut<'_>) -> bool {
    match kind {
        PartKind::Image(image) => blob(&image.media, None, o),
        PartKind::Audio(media) | PartKind::Video(media) => blob(media, None, o),
        PartKind::Document(document) => self::document(document, o),
        _ => return false,
    }
    true
}

fn document(document: &Document<'_>, o: &mut ObjectOut<'_>) {
    let name = document.name.as_deref();
    match (&document.media, &document.text) {
        (Some(media), _) => blob(media, name, o),
        (None, text) => {
            let data = STANDARD.encode(text.as_deref().unwrap_or_default());
            blob(&Media::Base64 { mime: "text/plain".into(), data: data.into() }, name, o);
        }
    }
}

fn blob(media: &Media<'_>, name: Option<&str>, o: &mut ObjectOut<'_>) {
    let (uri, mime) = match media {
        Media::Base64 { mime, data } => {
            return o.object("inlineData", |o| {
                o.text("mimeType", mime);
                o.text("data", data);
                o.text_if("displayName", name);
            });
        }
        Media::Url { url, mime } => (url, mime.as_deref().or_else(|| mime_of(url))),
        Media::File(uri) => (uri, mime_of(uri)),
    };
    o.object("fileData", |o| {
        o.text_if("mimeType", mime);
        o.text("fileUri", uri);
        o.text_if("displayName", name);
    });
}

/// The media type that an address' ending promises.
fn mime_of(url: &str) -> Option<&'static str> {
    let path = url.split(['?', '#']).next().unwrap_or(url);
    let (_, ending) = path.rsplit_once('.')?;
    let types = [
        ("png", "image/png"),
        ("jpg", "image/jpeg"),
        ("jpeg", "image/jpeg"),
        ("webp", "image/webp"),
        ("gif", "image/gif"),
        ("heic", "image/heic"),
        ("pdf", "application/pdf"),
        ("txt", "text/plain"),
        ("mp4", "video/mp4"),
        ("mp3", "audio/mp3"),
        ("wav", "audio/wav"),
    ];
    types.into_iter().find(|(known, _)| ending.eq_ignore_ascii_case(known)).map(|(_, mime)| mime)
}
