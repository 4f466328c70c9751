//! Form uploads (RFC 7578), as far as routing needs them: which model is asked for, and where that is written.

use std::ops::Range;

use memchr::memmem;

use crate::{facts::RequestFacts, scan::ScanError};

/// Longest boundary (RFC 2046 §5.1.1).
const MAX_BOUNDARY: usize = 70;
/// Most parts that are looked at.
const MAX_PARTS: usize = 64;

/// The boundary in a `content-type` header, if that is a form upload's.
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
        let named = Named::read(header).ok_or(HEADER)?;
        files += u32::from(named.file);
        if named.name == "model" && (named.file || model.replace(part.value).is_some()) {
            return Err(ScanError::field("model", "must be one field of the form, and no file"));
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

const HEADER: ScanError = ScanError::field("body", "has a part without a plain content-disposition");

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
        // A line that only begins like the delimiter is none to the provider (RFC 2046 §5.1.1).
        let inside = inside.strip_prefix(b"\r\n").ok_or(BROKEN)?;
        let from = from + 2;
        let header = memmem::find(inside, b"\r\n\r\n").ok_or(BROKEN)?;
        parts.push(Part { header: from..from + header, value: from + header + 4..from + inside.len() });
    }
    let closed = starts.last().is_some_and(|&last| body[last + delimiter.len()..].starts_with(b"--"));
    if parts.is_empty() || !closed { Err(BROKEN) } else { Ok(parts) }
}

/// What a part's headers call it.
struct Named<'h> {
    name: &'h str,
    file: bool,
}

impl<'h> Named<'h> {
    /// Reads the one `content-disposition`, unless it is missing, there twice, or written in a way that the provider
    /// may understand otherwise, so that it would find a model where none is seen here.
    fn read(header: &'h [u8]) -> Option<Self> {
        let mut found = None;
        for line in str::from_utf8(header).ok()?.split("\r\n").filter(|line| !line.is_empty()) {
            // A folded line would belong to the one before; a lone CR or LF ends a line for some.
            let (field, value) = line.split_once(':').filter(|_| !line.contains(['\r', '\n']))?;
            if field.trim_ascii().eq_ignore_ascii_case("content-disposition") {
                let parameters = value.trim_ascii().strip_prefix("form-data")?;
                if found.replace(parameters).is_some() {
                    return None;
                }
            }
        }
        Self::parameters(found?)
    }

    fn parameters(mut rest: &'h str) -> Option<Self> {
        let (mut name, mut file) = (None, false);
        loop {
            rest = rest.trim_ascii_start();
            if rest.is_empty() {
                return name.map(|name| Self { name, file });
            }
            let (key, after) = rest.strip_prefix(';')?.split_once('=')?;
            let (value, after) = match after.strip_prefix('"') {
                Some(quoted) => quoted.split_once('"')?,
                None => after.split_at(after.find([';', ' ']).unwrap_or(after.len())),
            };
            rest = after;
            let key = key.trim_ascii().to_ascii_lowercase();
            match key.as_str() {
                // An escape may make another name of it.
                "name" if name.is_some() || value.contains('\\') => return None,
                "name" => name = Some(value),
                _ => file |= key == "filename" || key == "filename*",
            }
            if key == "name*" {
                return None;
            }
        }
    }
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
    fn a_part_that_may_be_read_in_two_ways_is_refused() {
        let with = |header: &str| {
            let whole = String::from_utf8(upload("cheap")).unwrap();
            let more = format!("--b\r\n{header}\r\n\r\ndear\r\n--b--");
            scan("b", whole.replace("--b--", &more).as_bytes())
        };
        let plain = with("Content-Disposition: form-data; name=language; x=\"a;b\"").unwrap();
        assert_eq!(plain.model, "cheap");
        for header in [
            "Content-Disposition: form-data; Name=\"model\"",
            "X-Other: filename=x\r\nContent-Disposition: form-data; name=\"model\"",
            "content-disposition: form-data; name=model; filename=\"x\"",
            "Content-Disposition: form-data; name*=utf-8''model",
            "Content-Disposition: form-data; name=\"mod\\el\"",
            "Content-Disposition: form-data; name=a; name=model",
            "Content-Disposition: form-data; name=a\r\nContent-Disposition: form-data; name=model",
            "Content-Disposition: form-data;\r\n name=model",
            "Content-Disposition: form-data",
            "X: y\nContent-Disposition: form-data; name=model",
            "X: y",
        ] {
            assert!(with(header).is_err(), "{header}");
        }
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
