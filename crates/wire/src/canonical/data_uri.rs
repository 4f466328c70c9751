//! Media by their addresses, which may hold the data themselves (RFC 2397).

use super::{Media, Text};

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
