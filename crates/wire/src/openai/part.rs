//! What Chat Completions and Responses have in common in content: data URIs, marks for the cache, file names.

use crate::{
    canonical::{CacheTtl, LossReport, Malformed, Media, Text},
    json::out::ObjectOut,
    quirks::CacheMarks,
    read::Members,
};

/// A medium by its address, which may be a data URI.
pub(crate) fn media(url: Text<'_>) -> Media<'_> {
    let Some(comma) = data_comma(&url) else { return Media::Url { url, mime: None } };
    match url {
        Text::Borrowed(url) => {
            let (mime, data) = (mime(&url[..comma]).into(), url[comma + 1..].into());
            Media::Base64 { mime, data }
        }
        Text::Owned(url) => {
            let mime = mime(&url[..comma]).to_owned().into();
            Media::Base64 { mime, data: url[comma + 1..].to_owned().into() }
        }
    }
}

/// Where the data begin in a data URI of base64 (RFC 2397).
fn data_comma(url: &str) -> Option<usize> {
    let head = url.get(..5)?;
    let comma = memchr::memchr(b',', url.as_bytes())?;
    let base64 = url.get(..comma)?.to_ascii_lowercase().ends_with(";base64");
    (head.eq_ignore_ascii_case("data:") && base64).then_some(comma)
}

/// The media type in the head of a data URI, without parameters.
fn mime(head: &str) -> &str {
    let mime = head.get(5..).unwrap_or_default().split(';').next().unwrap_or_default();
    if mime.is_empty() { "text/plain" } else { mime }
}

/// The first `len` bytes of a text, without a copy.
pub(crate) fn shortened(text: Text<'_>, len: usize) -> Text<'_> {
    match text {
        Text::Borrowed(text) => Text::Borrowed(&text[..len]),
        Text::Owned(mut text) => {
            text.truncate(len);
            Text::Owned(text)
        }
    }
}

/// Reads a mark for the cache; thirty minutes where no lifetime is said.
pub(crate) fn cache_in(part: &mut Members<'_, '_>) -> Result<Option<CacheTtl>, Malformed> {
    const KEY: &str = "prompt_cache_breakpoint";
    let Some(mark) = part.raw(KEY) else { return Ok(None) };
    let place = part.place.key(KEY);
    let mut mark = Members::open(mark, &place)?;
    match mark.text("ttl")?.as_deref() {
        None | Some("30m") => Ok(Some(CacheTtl::ThirtyMinutes)),
        Some("12h") => Ok(Some(CacheTtl::TwelveHours)),
        Some(_) => Err(place.key("ttl").malformed("must be `30m` or `12h`")),
    }
}

/// Writes a mark for the cache, its lifetime rounded up; where the provider has none the loss is told.
pub(crate) fn cache_out(
    ttl: Option<CacheTtl>,
    marks: CacheMarks,
    losses: &mut LossReport,
    o: &mut ObjectOut<'_>,
) {
    let Some(ttl) = ttl else { return };
    match marks {
        CacheMarks::None => losses.hint(crate::canonical::Field::Cache.name_in(losses.client())),
        CacheMarks::Breakpoint => o.object("prompt_cache_breakpoint", |o| {
            o.text("mode", "explicit");
            o.text("ttl", if ttl.seconds() > 1_800 { "12h" } else { "30m" });
        }),
        CacheMarks::CacheControl => o.object("cache_control", |o| {
            o.text("type", "ephemeral");
            if ttl.seconds() > 300 {
                o.text("ttl", "1h");
            }
        }),
    }
}

/// A file name for a document whose client gave none: providers choose their reader by it.
pub(crate) fn file_name<'n>(name: Option<&'n str>, mime: &str) -> &'n str {
    name.unwrap_or(match mime {
        "application/pdf" => "document.pdf",
        "text/csv" => "document.csv",
        "text/html" => "document.html",
        "application/json" => "document.json",
        _ => "document.txt",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_uris_come_apart_without_a_copy() {
        let borrowed = |url: &'static str| media(url.into());
        let parts = |media: Media<'static>| match media {
            Media::Base64 { mime, data } => Some((mime.into_owned(), data.into_owned())),
            _ => None,
        };
        let png = Some(("image/png".to_owned(), "AA==".to_owned()));
        assert_eq!(parts(borrowed("data:image/png;base64,AA==")), png);
        assert_eq!(parts(borrowed("DATA:image/png;name=a.png;BASE64,AA==")), png);
        assert_eq!(parts(media(String::from("data:image/png;base64,AA==").into())), png);
        assert_eq!(parts(borrowed("data:;base64,")), Some(("text/plain".to_owned(), String::new())));
        for url in ["https://a.example/,;base64,", "data:text/plain,hello", "", "da\u{e9}:x;base64,"] {
            assert_eq!(parts(borrowed(url)), None, "{url}");
        }
    }
}
