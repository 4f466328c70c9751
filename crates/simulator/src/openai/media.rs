//! Images, speech, transcriptions and moderations, each a function of the request.

use bytes::Bytes;
use serde_json::{Value, json};

use super::{fits, text_tokens};
use crate::CREATED;
use crate::digest::{hex, sha256};
use crate::field_schema::FieldSchema::{self, Any, Either, Enum, Int, List, Map, Num, Object, Str};
use crate::problem::Problem;
use crate::reply::Payload;
use crate::request::SimRequest;

/// A PNG of one transparent pixel.
const PIXEL: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==";
/// Most images of one request.
const MAX_IMAGES: u64 = 10;

static IMAGES: FieldSchema = Object(&[
    ("prompt!", Str),
    ("background", Enum(&["transparent", "opaque", "auto"])),
    ("complexity", Enum(&["low", "medium", "high"])),
    ("frame_count", Int),
    ("frame_duration_ms", Int),
    ("model", Str),
    ("moderation", Enum(&["low", "auto"])),
    ("n", Int),
    ("output_compression", Int),
    ("output_format", Enum(&["png", "webp", "jpeg", "gif", "svg"])),
    ("partial_images", Int),
    ("quality", Enum(&["low", "medium", "high", "xhigh", "max", "auto", "standard", "hd"])),
    ("response_format", Enum(&["url", "b64_json"])),
    ("safety_identifier", Str),
    ("size", Str),
    ("stream", Any),
    ("style", Enum(&["vivid", "natural"])),
    ("svg", Map),
    ("user", Str),
]);

/// Answers `POST /v1/images/generations` with one transparent pixel for each image.
pub(crate) fn images(request: &SimRequest<'_>) -> Result<Payload, Problem> {
    fits(request, &IMAGES)?;
    let n = request.json["n"].as_u64().unwrap_or(1).clamp(1, MAX_IMAGES);
    let image = match request.json["response_format"].as_str() {
        Some("url") => json!({"url": "https://example.com/pixel.png"}),
        _ => json!({ "b64_json": PIXEL }),
    };
    let input = text_tokens(&request.json["prompt"]);
    let document = json!({"created": CREATED, "data": vec![image; usize::try_from(n).unwrap_or(1)],
        "usage": {"input_tokens": input, "output_tokens": 100 * n, "total_tokens": input + 100 * n,
            "input_tokens_details": {"text_tokens": input, "image_tokens": 0}}});
    Ok(Payload::json(&document))
}

static SPEECH: FieldSchema = Object(&[
    ("input!", Str),
    ("model", Str),
    ("voice!", Either(&[&Str, &Map])),
    ("instructions", Str),
    ("response_format", Enum(&["mp3", "opus", "aac", "flac", "wav", "pcm"])),
    ("speed", Num(0.25, 4.0)),
    ("stream_format", Enum(&["sse", "audio"])),
]);

/// Answers `POST /v1/audio/speech` with bytes that are the SHA-256 of the input, once for each token of it.
pub(crate) fn speech(request: &SimRequest<'_>) -> Result<Payload, Problem> {
    fits(request, &SPEECH)?;
    let kind = match request.json["response_format"].as_str() {
        Some("opus") => "audio/opus",
        Some("aac") => "audio/aac",
        Some("flac") => "audio/flac",
        Some("wav") => "audio/wav",
        Some("pcm") => "audio/pcm",
        _ => "audio/mpeg",
    };
    let input = request.json["input"].as_str().unwrap_or_default();
    let times = usize::try_from(text_tokens(&request.json["input"])).unwrap_or(1);
    Ok(Payload::File(kind, Bytes::from(sha256(input.as_bytes()).repeat(times))))
}

/// Answers `POST /v1/audio/transcriptions`: a multipart form with `file` and `model`; the text tells what came.
pub(crate) fn transcriptions(request: &SimRequest<'_>) -> Result<Payload, Problem> {
    const KNOWN: [&str; 13] = [
        "file",
        "model",
        "chunking_strategy",
        "include",
        "keywords",
        "known_speaker_names",
        "known_speaker_references",
        "language",
        "languages",
        "prompt",
        "response_format",
        "temperature",
        "timestamp_granularities",
    ];
    let kind =
        request.headers.get(http::header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let boundary = kind.strip_prefix("multipart/form-data").and_then(|rest| rest.split_once("boundary="));
    let boundary = boundary.map(|(_, text)| text.trim_matches('"'));
    let boundary = boundary.ok_or_else(|| Problem::bad("expected a multipart/form-data body"))?;
    let parts = form(request.body, boundary);
    let unknown = |name: &&String| !KNOWN.contains(&name.trim_end_matches("[]"));
    if let Some(name) =
        parts.iter().map(|(name, _)| name).find(unknown).filter(|_| !request.behaviour.allow_unknown)
    {
        return Err(Problem::bad(format!("Unknown parameter: '{name}'.")).with_param(name.as_str()));
    }
    let part = |name: &str| {
        let found = parts.iter().find(|(part, _)| part == name).map(|(_, bytes)| *bytes);
        found.ok_or_else(|| Problem::bad(format!("Missing required parameter: '{name}'.")).with_param(name))
    };
    let model = String::from_utf8_lossy(part("model")?).into_owned();
    let file = part("file")?;
    let text = format!("heard {} bytes {} for {model}", file.len(), hex(&sha256(file)).split_at(16).0);
    let tokens = crate::echo::tokens(file.len());
    if part("response_format").is_ok_and(|format| format == b"text") {
        return Ok(Payload::File("text/plain; charset=utf-8", Bytes::from(text + "\n")));
    }
    Ok(Payload::json(&json!({"text": text, "usage": {"type": "tokens", "input_tokens": tokens,
        "output_tokens": 8, "total_tokens": tokens + 8}})))
}

/// The parts of a form: name and bytes.
fn form<'a>(body: &'a [u8], boundary: &str) -> Vec<(String, &'a [u8])> {
    let delimiter = format!("--{boundary}");
    let find = |bytes: &[u8], what: &[u8]| bytes.windows(what.len()).position(|window| window == what);
    let mut parts = Vec::new();
    let mut rest = body;
    while let Some(at) = find(rest, delimiter.as_bytes()) {
        rest = rest.get(at + delimiter.len()..).unwrap_or_default();
        let end = find(rest, delimiter.as_bytes()).unwrap_or(rest.len());
        let part = rest.get(..end).unwrap_or_default();
        let Some(head) = find(part, b"\r\n\r\n") else { continue };
        let (head, content) = part.split_at(head);
        let content = content.get(4..).unwrap_or_default();
        let head = String::from_utf8_lossy(head);
        let name =
            head.split_once("name=\"").and_then(|(_, rest)| rest.split_once('"')).map(|(name, _)| name);
        if let Some(name) = name {
            parts.push((name.to_owned(), content.strip_suffix(b"\r\n").unwrap_or(content)));
        }
    }
    parts
}

static MODERATION: FieldSchema = Object(&[("input!", Either(&[&Str, &List(&Any)])), ("model", Str)]);

/// Answers `POST /v1/moderations`: what has the word `violence` in it is flagged for it.
pub(crate) fn moderations(request: &SimRequest<'_>) -> Result<Payload, Problem> {
    crate::field_schema::check(&MODERATION, request.json, request.behaviour.allow_unknown)
        .map_err(|(path, fault)| crate::problem::openai_fault(&path, &fault))?;
    const CATEGORIES: [&str; 13] = [
        "harassment",
        "harassment/threatening",
        "hate",
        "hate/threatening",
        "illicit",
        "illicit/violent",
        "self-harm",
        "self-harm/instructions",
        "self-harm/intent",
        "sexual",
        "sexual/minors",
        "violence",
        "violence/graphic",
    ];
    let inputs = match &request.json["input"] {
        Value::Array(many) if many.iter().all(Value::is_string) => many.clone(),
        one => vec![one.clone()],
    };
    let result = |input: &Value| {
        let flagged = input.to_string().contains("violence");
        let of = |category: &str| flagged && category == "violence";
        let map = |value: &dyn Fn(&str) -> Value| -> Value {
            Value::Object(CATEGORIES.iter().map(|name| ((*name).to_owned(), value(name))).collect())
        };
        json!({"flagged": flagged, "categories": map(&|name| of(name).into()),
            "category_scores": map(&|name| json!(if of(name) { 0.9 } else { 0.001 })),
            "category_applied_input_types": map(&|_| json!(["text"]))})
    };
    let results: Vec<Value> = inputs.iter().map(result).collect();
    Ok(Payload::json(
        &json!({"id": super::id("modr-", request.digest), "model": request.model, "results": results}),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_taken_apart_with_their_bytes_whole() {
        let body = b"--x\r\ncontent-disposition: form-data; name=\"model\"\r\n\r\nm\r\n--x\r\n\
            content-disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\n\r\n\x00\r\n\r\n--x--\r\n";
        let parts = form(body, "x");
        assert_eq!(parts[0], ("model".to_owned(), &b"m"[..]));
        assert_eq!(parts[1], ("file".to_owned(), &b"\r\n\x00\r\n"[..]));
    }
}
