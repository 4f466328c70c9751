//! Google's dialect: Gemini generateContent and streamGenerateContent.
//!
//! Field names after the official client's own types. The model and whether to stream stand in the path; members may
//! be written in camelCase or in snake_case.

mod decode_request;
mod decode_response;
mod encode_request;
mod encode_response;
mod error;
mod finish;
mod logprobs;
mod part_in;
mod part_out;
mod scan;
mod schema;
mod seal;
mod stream_decoder;
mod stream_encoder;
mod usage;

use std::time::Duration;

use bytes::Bytes;

use crate::{
    canonical::{Call, Encoded, LossReport, Malformed, Reply, TargetFacts, Unsupported},
    dialect::{
        ClientErrorBody, DecodeError, Dialect, DialectCodec, Envelope, ErrorAnswer, ErrorClass,
        PathParamsRef, SignatureMac, StreamDecoder, StreamEncoder,
    },
    json::Json,
    openai::error::ProviderError,
    read::{Members, Place},
    scan::{RequestFacts, ScanError},
    splice::Edits,
};

/// Gemini generateContent.
#[derive(Clone, Copy, Debug)]
pub struct Gemini;

impl DialectCodec for Gemini {
    fn name(&self) -> Dialect {
        Dialect::Gemini
    }

    fn scan(&self, path: PathParamsRef<'_>, body: &[u8]) -> Result<RequestFacts, ScanError> {
        scan::scan(path, body)
    }

    /// Model and stream are in the path and usage always comes: no byte has to change.
    fn verbatim(&self, body: &Bytes, _facts: &RequestFacts, _edits: &Edits<'_>) -> Bytes {
        body.clone()
    }

    fn prepare(&self, body: &Bytes) -> Bytes {
        schema::prepare(body).map_or_else(|| body.clone(), Bytes::from)
    }

    fn decode_call<'a>(
        &self,
        path: PathParamsRef<'a>,
        body: Json<'a>,
        seal: &dyn SignatureMac,
    ) -> Result<Call<'a>, Malformed> {
        decode_request::decode(path, body, seal)
    }

    fn encode_call(
        &self,
        call: &Call<'_>,
        target: &TargetFacts<'_>,
        losses: LossReport,
    ) -> Result<Encoded, Unsupported> {
        encode_request::encode(call, target, losses)
    }

    fn decode_reply<'a>(&self, body: Json<'a>) -> Result<Reply<'a>, DecodeError> {
        decode_response::decode(body)
    }

    fn encode_reply(&self, reply: &Reply<'_>, envelope: &Envelope) -> Vec<u8> {
        encode_response::encode(reply, envelope)
    }

    fn stream_decoder(&self) -> Box<dyn StreamDecoder> {
        Box::new(stream_decoder::Decoder::default())
    }

    fn stream_encoder(&self, envelope: Envelope) -> Box<dyn StreamEncoder> {
        Box::new(stream_encoder::Encoder::new(envelope))
    }

    fn decode_error(&self, answer: &ErrorAnswer<'_>) -> (ErrorClass, Option<ProviderError>) {
        error::decode(answer)
    }

    fn class_of(&self, said: &ProviderError) -> ErrorClass {
        error::class_of(said)
    }

    fn encode_error(&self, error: &ClientErrorBody<'_>) -> Vec<u8> {
        error::encode(error)
    }

    fn encode_error_event(&self, error: &ClientErrorBody<'_>) -> Vec<u8> {
        let mut event = b"data: ".to_vec();
        event.extend_from_slice(&error::encode(error));
        event.extend_from_slice(END_OF_EVENT);
        event
    }
}

/// Most calls of one turn: each result looks for its own among them.
const MOST_CALLS: usize = 1_024;

/// What ends an event of Google's streams.
const END_OF_EVENT: &[u8] = b"\r\n\r\n";

/// Opens an object whose members may be written in either case; they are read in camelCase.
fn open<'a, 'p>(json: Json<'a>, place: &'p Place<'p>) -> Result<Members<'a, 'p>, Malformed> {
    Members::open_renamed(json, place, |key| key.contains('_').then(|| camel(key)))
}

/// `thought_signature` in camelCase.
fn camel(key: &str) -> String {
    let mut out = String::with_capacity(key.len());
    let mut upper = false;
    for letter in key.chars() {
        match letter {
            '_' if !out.is_empty() => upper = true,
            letter if std::mem::take(&mut upper) => out.push(letter.to_ascii_uppercase()),
            letter => out.push(letter),
        }
    }
    out
}

/// Whether a model is of the third generation or later: it thinks by levels, wants its seals back and takes media in
/// results. Aliases without a number (`gemini-flash-latest`) name new models.
fn is_newer(model: &str) -> bool {
    let name = model.rsplit('/').next().unwrap_or(model);
    let Some(rest) = name.strip_prefix("gemini-") else { return false };
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    rest[..digits].parse::<u32>().map_or(true, |generation| generation >= 3)
}

/// Arguments as an object; none at all are an empty one (DIALECTS §7.3).
fn arguments(text: &str) -> Option<Json<'_>> {
    let text = text.trim();
    if text.is_empty() {
        return Some(Json::EMPTY_OBJECT);
    }
    let json = Json::parse(text.as_bytes()).ok()?;
    match json.object() {
        _ if json.is_null() => Some(Json::EMPTY_OBJECT),
        Ok(Some(_)) => Some(json),
        _ => None,
    }
}

/// How long an error of Google's asks to be left alone; `None`: it does not say.
#[must_use]
pub fn retry_delay(body: &[u8]) -> Option<Duration> {
    error::retry_delay(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_in_both_cases() {
        for (name, expected) in
            [("max_output_tokens", "maxOutputTokens"), ("topP", "topP"), ("_x", "_x"), ("a__b_", "aB")]
        {
            assert_eq!(camel(name), expected);
        }
    }

    #[test]
    fn generations_are_told_from_names() {
        for model in ["gemini-3-pro", "models/gemini-3.5-flash", "gemini-flash-latest", "gemini-12-x"] {
            assert!(is_newer(model), "{model}");
        }
        for model in ["gemini-2.5-pro", "gemini-1.5-flash-002", "gemma-3", "tunedModels/mine"] {
            assert!(!is_newer(model), "{model}");
        }
    }

    #[test]
    fn a_delay_is_read_and_nonsense_is_none() {
        let said = |delay: &str| {
            retry_delay(
                format!(r#"{{"error":{{"details":[{{"x":1}},{{"retryDelay":{delay}}}]}}}}"#).as_bytes(),
            )
        };
        for (delay, millis) in
            [("\"37s\"", 37_000), ("\"0.001s\"", 1), ("\"3.25s\"", 3_250), ("\"1.500000000s\"", 1_500)]
        {
            assert_eq!(said(delay), Some(Duration::from_millis(millis)), "{delay}");
        }
        for none in ["37", "\"s\"", "\"-1s\"", "\"1e9s\"", "\"1.s\"", "\"1.0000000001s\"", "null"] {
            assert_eq!(said(none), None, "{none}");
        }
        assert_eq!((retry_delay(b""), retry_delay(b"[]")), (None, None));
    }
}
