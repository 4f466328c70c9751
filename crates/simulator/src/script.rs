//! Scripts: how the simulator behaves for a model, set by tests, one step per request.

mod store;

use std::collections::HashMap;

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde::{Deserialize, Deserializer};

pub(crate) use store::Scripts;

/// Longest scripted wait, in milliseconds.
const MAX_WAIT_MS: u64 = 600_000;
/// Most content chunks that a script may ask for.
const MAX_CHUNKS: usize = 10_000;
/// Largest event that a script may ask for, in bytes.
const MAX_EVENT: usize = 64 * 1024 * 1024;
/// Most blank lines before a plain answer.
const MAX_BLANK_LINES: usize = 10_000;

/// One step of a script. Every field may be left out; the empty object is the normal, healthy answer.
///
/// Positions (`cut_after`, `end_after`, `error_event_after`, `hang.after_chunks`) count content chunks. At position 0 nothing
/// has been sent after the headers, not even the opening role chunk; a position past the end means "before the
/// closing chunk". At one position an error event wins over a hang and a hang over a cut.
#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Behaviour {
    /// Wait before the response headers, in milliseconds.
    pub latency_ms: u64,
    /// HTTP status, 200 when left out; 300 and above answers with an error body.
    #[serde(deserialize_with = "status")]
    pub status: Option<StatusCode>,
    /// `error.message` of an error body or an error event.
    pub error_message: Option<String>,
    /// `error.type`; follows from the status when left out.
    pub error_type: Option<String>,
    /// `error.code`; null when left out.
    pub error_code: Option<String>,
    /// Value of the `retry-after` header, in seconds.
    pub retry_after: Option<u64>,
    /// More response headers.
    #[serde(deserialize_with = "headers")]
    pub headers: HeaderMap,
    /// Content chunks of the answer: its words, repeated as often as needed (see [`crate::echo::chunks`]).
    pub chunks: Option<usize>,
    /// Wait before each content chunk, in milliseconds.
    pub chunk_delay_ms: u64,
    /// Abort the TCP connection at this position; a plain answer is cut in the middle of its body.
    pub cut_after: Option<usize>,
    /// Say nothing more, until the client hangs up.
    pub hang: Option<Hang>,
    /// While waiting inside a stream, write an SSE comment each time so many milliseconds have passed.
    pub keepalive_comments: Option<u64>,
    /// Write an error object into the stream at this position and end it without `[DONE]`.
    pub error_event_after: Option<usize>,
    /// Where usage is told.
    pub usage: UsagePlace,
    /// Overrides the counted input tokens.
    pub prompt_tokens: Option<u64>,
    /// Overrides the counted output tokens.
    pub completion_tokens: Option<u64>,
    /// Adds `prompt_tokens_details.cached_tokens` to the usage, or what the dialect calls it.
    pub cached_tokens: Option<u64>,
    /// Input tokens written to a cache that lives five minutes, part of `prompt_tokens`.
    pub cache_write_tokens: Option<u64>,
    /// Input tokens written to a cache that lives an hour, part of `prompt_tokens`.
    pub cache_write_1h_tokens: Option<u64>,
    /// Adds `completion_tokens_details.reasoning_tokens` to the usage, or what the dialect calls it.
    pub reasoning_tokens: Option<u64>,
    /// Replaces the answer's text.
    pub text: Option<String>,
    /// A content filter refuses the prompt: an answer without content, in the dialect's way.
    pub blocked: bool,
    /// Replaces the finish reason, as the dialect's own word.
    pub finish_reason: Option<String>,
    /// Field that carries reasoning text in OpenAI chat, `reasoning_content` when left out; `""` leaves it away.
    pub reasoning_field: Option<String>,
    /// Give function calls of Gemini an `id`, as its newer models do.
    pub call_ids: bool,
    /// Take fields that the provider does not know.
    pub allow_unknown: bool,
    /// Content chunk of so many bytes in place of the second one.
    pub huge_event: Option<usize>,
    /// Put bytes that are not UTF-8 into the answer's text.
    pub invalid_utf8: bool,
    /// Fill deltas up with an `obfuscation` field (`p` in Bedrock's frames).
    pub obfuscation: bool,
    /// A comment (Anthropic: a `ping` event) after every so many content chunks.
    pub pings: Option<usize>,
    /// Leave out the event that ends the stream.
    pub no_terminal: bool,
    /// End the stream properly at this position, as if nothing were missing.
    pub end_after: Option<usize>,
    /// Abort the TCP connection in the middle of the content chunk at this position.
    pub cut_inside: Option<usize>,
    /// Write so many events at once.
    pub packet_events: Option<usize>,
    /// Spread the data of each event over several `data:` lines.
    pub multi_line_data: bool,
    /// Write no space after the colon of `data:`.
    pub tight: bool,
    /// Start the stream with a byte order mark.
    pub bom: bool,
    /// How lines of a stream end.
    pub line_end: LineEnd,
    /// Compress the body whether or not the request allows it.
    pub gzip: bool,
    /// So many blank lines before a plain answer, as some vendors send while they wait.
    pub blank_lines: usize,
    /// Answer 403 unless the request is signed (SigV4) with this key.
    pub require_sigv4: Option<AwsKey>,
    /// End lines of the stream with CRLF; the same as `line_end: crlf`.
    pub crlf: bool,
    /// Write the stream in pieces of at most so many bytes, each flushed by itself.
    pub split_bytes: Option<usize>,
    /// Overrides the `content-type` header.
    pub content_type: Option<String>,
    /// Replaces the whole body, whatever the status.
    pub raw_body: Option<String>,
    /// Answer 401 unless the request carries this key.
    pub require_key: Option<String>,
}

/// Where an answer stops for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Hang {
    /// Not even the headers come.
    BeforeHeaders,
    /// Headers and nothing else.
    AfterHeaders,
    /// After so many content chunks of a stream; on a plain answer the same as `after_headers`.
    AfterChunks(usize),
}

/// How lines of a stream end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LineEnd {
    /// `\n`
    #[default]
    Lf,
    /// `\r\n`
    Crlf,
    /// `\r`
    Cr,
}

/// An AWS access key that requests are checked against.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AwsKey {
    /// Its public part, such as `AKIA…`.
    pub access_key_id: String,
    /// What signatures are made with.
    pub secret_access_key: String,
}

/// Where a stream tells its usage, given that the request set `stream_options.include_usage`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UsagePlace {
    /// In a chunk of its own with empty `choices`, as OpenAI does.
    #[default]
    OwnChunk,
    /// In the chunk that also carries the finish reason, as several compatible vendors do.
    LastChoice,
    /// Inside that chunk's choice.
    InChoice,
    /// In every chunk, counting up.
    EveryChunk,
    /// Nowhere, in plain answers neither.
    None,
}

fn status<'de, D: Deserializer<'de>>(from: D) -> Result<Option<StatusCode>, D::Error> {
    let code = u16::deserialize(from)?;
    match StatusCode::from_u16(code) {
        Ok(status) if (200..600).contains(&code) => Ok(Some(status)),
        _ => Err(serde::de::Error::custom(format!("status: {code} is not between 200 and 599"))),
    }
}

fn headers<'de, D: Deserializer<'de>>(from: D) -> Result<HeaderMap, D::Error> {
    let bad = |name: &str| serde::de::Error::custom(format!("headers: {name:?} is not a valid header"));
    let mut map = HeaderMap::new();
    for (name, value) in HashMap::<String, String>::deserialize(from)? {
        let key = HeaderName::try_from(&name).map_err(|_| bad(&name))?;
        map.insert(key, HeaderValue::try_from(value).map_err(|_| bad(&name))?);
    }
    Ok(map)
}

impl Behaviour {
    /// The first field outside its bounds, as a sentence.
    fn check(&self) -> Result<(), String> {
        let waits = [("latency_ms", self.latency_ms), ("chunk_delay_ms", self.chunk_delay_ms)];
        if let Some((field, _)) = waits.iter().find(|(_, ms)| *ms > MAX_WAIT_MS) {
            return Err(format!("{field}: at most {MAX_WAIT_MS}"));
        }
        if self.keepalive_comments.is_some_and(|ms| ms == 0 || ms > MAX_WAIT_MS) {
            return Err(format!("keepalive_comments: between 1 and {MAX_WAIT_MS}"));
        }
        if self.chunks.is_some_and(|n| n > MAX_CHUNKS) {
            return Err(format!("chunks: at most {MAX_CHUNKS}"));
        }
        let at_least_one =
            [("split_bytes", self.split_bytes), ("packet_events", self.packet_events), ("pings", self.pings)];
        if let Some((field, _)) = at_least_one.iter().find(|(_, n)| *n == Some(0)) {
            return Err(format!("{field}: at least 1"));
        }
        if self.huge_event.is_some_and(|n| n > MAX_EVENT) {
            return Err(format!("huge_event: at most {MAX_EVENT}"));
        }
        if self.blank_lines > MAX_BLANK_LINES {
            return Err(format!("blank_lines: at most {MAX_BLANK_LINES}"));
        }
        if self.content_type.as_ref().is_some_and(|v| HeaderValue::try_from(v).is_err()) {
            return Err("content_type: not a valid header value".into());
        }
        Ok(())
    }

    /// How lines of the stream end.
    pub(crate) fn lines(&self) -> LineEnd {
        if self.crlf { LineEnd::Crlf } else { self.line_end }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hang_reads_all_three_forms() {
        for (json, want) in [
            (r#"{"hang":"before_headers"}"#, Hang::BeforeHeaders),
            (r#"{"hang":"after_headers"}"#, Hang::AfterHeaders),
            (r#"{"hang":{"after_chunks":3}}"#, Hang::AfterChunks(3)),
        ] {
            let behaviour: Behaviour = serde_json::from_str(json).unwrap();
            assert_eq!(behaviour.hang, Some(want));
        }
    }
}
