//! Form uploads (RFC 7578), as far as routing needs them: which model is asked for, and where that is written.

use std::ops::Range;

use memchr::memmem;

use crate::scan::{RequestFacts, ScanError};

/// Longest boundary (RFC 2046 §5.1.1).
const MAX_BOUNDARY: usize = 70;
/// Most parts that are looked at.
const MAX_PARTS: usize = 64;

/// The boundary in a `content-type` header; `None`: it is no form upload.
#[must_use]
pub fn boundary(content_type: &str) -> Option<&str> {
    let (media, parameters) = content_type.split_once(';')?;
    if !media.trim().eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    let named = parameters.split(';').find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("boundary").then(|| value.trim().trim_matches('"'))
    });
    named.filter(|boundary| !boundary.is_empty() && boundary.len() <= MAX_BOUNDARY)
}

/// The facts of an upload: the model, and how many files it holds.
///
/// # Errors
/// It has no parts, no `model`, or two of them: then gateway and provider might each believe another one.
pub fn scan(boundary: &str, body: &[u8]) -> Result<RequestFacts, ScanError> {
    let (mut model, mut files) = (None, 0_u32);
    for part in parts(boundary, body)? {
        let header = body.get(part.header.clone()).unwrap_or_default();
        let disposition = String::from_utf8_lossy(header);
        if disposition.contains("filename=") || disposition.contains("filename*=") {
            files += 1;
            continue;
        }
        if parameter(&disposition, "name") == Some("model") && model.replace(part.value).is_some() {
            return Err(ScanError::field("model", "is there twice"));
        }
    }
    let span: Range<usize> = model.ok_or(ScanError::field("model", "is missing"))?;
    let name = body.get(span.clone()).and_then(|text| str::from_utf8(text).ok()).unwrap_or_default();
    if name.is_empty() || name.contains(char::is_control) {
        return Err(ScanError::field("model", "must be a non-empty string"));
    }
    Ok(RequestFacts { audio: files, ..RequestFacts::plain(name.to_owned(), span) })
}

/// The upload with another model's name.
#[must_use]
pub fn with_model(body: &[u8], facts: &RequestFacts, model: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.len() + model.len());
    out.extend_from_slice(body.get(..facts.model_span.start).unwrap_or_default());
    out.extend_from_slice(model.as_bytes());
    out.extend_from_slice(body.get(facts.model_span.end..).unwrap_or_default());
    out
}

struct Part {
    header: Range<usize>,
    value: Range<usize>,
}

fn parts(boundary: &str, body: &[u8]) -> Result<Vec<Part>, ScanError> {
    const BROKEN: ScanError = ScanError::field("body", "is no multipart/form-data with its boundary");
    let delimiter = format!("--{boundary}");
    let finder = memmem::Finder::new(delimiter.as_bytes());
    // A delimiter stands at the start of a line.
    let starts = finder.find_iter(body).filter(|&at| at == 0 || body[..at].ends_with(b"\r\n"));
    let starts: Vec<usize> = starts.take(MAX_PARTS + 2).collect();
    if starts.len() > MAX_PARTS + 1 {
        return Err(ScanError::field("body", "has more than 64 parts"));
    }
    let mut parts = Vec::new();
    for pair in starts.windows(2) {
        let from = pair[0] + delimiter.len();
        let inside = body.get(from..pair[1]).and_then(|inside| inside.strip_suffix(b"\r\n")).ok_or(BROKEN)?;
        let header = memmem::find(inside, b"\r\n\r\n").ok_or(BROKEN)?;
        parts.push(Part { header: from..from + header, value: from + header + 4..from + inside.len() });
    }
    let closed = starts.last().is_some_and(|&last| body[last + delimiter.len()..].starts_with(b"--"));
    if parts.is_empty() || !closed { Err(BROKEN) } else { Ok(parts) }
}

/// A quoted parameter of a header.
fn parameter<'h>(header: &'h str, name: &str) -> Option<&'h str> {
    header.split(';').find_map(|parameter| {
        let (found, value) = parameter.trim().split_once('=')?;
        let value = value.split("\r\n").next()?.trim();
        (found == name).then(|| value.trim_matches('"'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn upload(model: &str) -> Vec<u8> {
        format!(
            "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"model\"\r\nContent-Type: audio/wav\r\n\r\n\
             RIFF--b not a delimiter\r\n--b\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\n{model}\r\n--b--\r\n"
        )
        .into_bytes()
    }

    #[test]
    fn the_model_is_found_and_replaced_and_nothing_else() {
        let body = upload("whisper");
        let facts = scan("b", &body).unwrap();
        assert_eq!((facts.model.as_str(), facts.audio), ("whisper", 1));
        assert_eq!(with_model(&body, &facts, "whisper-1"), upload("whisper-1"));
    }

    #[test]
    fn broken_forms_are_refused() {
        let whole = upload("m");
        for end in 0..whole.len() - 2 {
            assert!(scan("b", &whole[..end]).is_err(), "cut at {end}");
        }
        assert!(scan("c", &whole).is_err());
        let twice = String::from_utf8(whole.clone()).unwrap().replace("--b--", "");
        let twice = [twice.trim_end().as_bytes(), b"\r\n", &whole].concat();
        assert!(scan("b", &twice).is_err());
        assert!(scan("b", &upload("")).is_err());
    }

    #[test]
    fn the_boundary_is_a_parameter() {
        assert_eq!(boundary("multipart/form-data; boundary=\"x y\""), Some("x y"));
        assert_eq!(boundary("Multipart/Form-Data; charset=utf-8; Boundary=abc"), Some("abc"));
        for bad in ["application/json", "multipart/form-data", "multipart/form-data; boundary="] {
            assert_eq!(boundary(bad), None, "{bad}");
        }
        assert_eq!(boundary(&format!("multipart/form-data; boundary={}", "x".repeat(71))), None);
    }
}
