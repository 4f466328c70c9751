//! Google's dialect: Gemini generateContent and streamGenerateContent.
//!
//! Field names after the official client's own types. The model and whether to stream stand in the path; members may
//! be written in camelCase or in snake_case.

mod common;
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

use self::common::END_OF_EVENT;
use crate::{
    api::Api,
    canonical::{Call, Encoded, LossReport, Malformed, Reply, SignatureMac, TargetFacts, Unsupported},
    codec::{DialectCodec, Envelope, StreamDecoder, StreamEncoder},
    dialect::Dialect,
    error::{ClientErrorBody, DecodeError, ErrorAnswer, ErrorClass, ProviderError},
    facts::RequestFacts,
    json::Json,
    scan::{PathParamsRef, ScanError},
    splice::{Edits, LimitField, splice_with},
};

/// Where a request says how much may be generated.
const LIMIT: LimitField = LimitField { object: Some("generationConfig"), name: "maxOutputTokens" };

/// Gemini generateContent.
#[derive(Clone, Copy, Debug)]
pub struct Gemini;

impl DialectCodec for Gemini {
    fn name(&self) -> Dialect {
        Dialect::Gemini
    }

    fn has_model_in_path(&self) -> bool {
        true
    }

    /// Google's clients take a comment for data.
    fn accepts_comments(&self) -> bool {
        false
    }

    fn scan(&self, _: Api, path: PathParamsRef<'_>, body: &[u8]) -> Result<RequestFacts, ScanError> {
        scan::scan(path, body)
    }

    /// Model and stream are in the path and usage always comes: no byte has to change.
    fn verbatim(&self, body: &Bytes, facts: &RequestFacts, edits: &Edits<'_>) -> Bytes {
        // The model is the path's.
        splice_with(body, facts, &Edits { model: &facts.model, want_usage: false, ..*edits }, LIMIT)
    }

    fn prepare(&self, body: &Bytes) -> Bytes {
        schema::prepare(body).map_or_else(|| body.clone(), Bytes::from)
    }

    fn decode_request<'a>(
        &self,
        path: PathParamsRef<'a>,
        body: Json<'a>,
        seal: &dyn SignatureMac,
    ) -> Result<Call<'a>, Malformed> {
        decode_request::decode(path, body, seal)
    }

    fn encode_request(
        &self,
        call: &Call<'_>,
        target: &TargetFacts<'_>,
        losses: LossReport,
    ) -> Result<Encoded, Unsupported> {
        encode_request::encode(call, target, losses)
    }

    fn decode_response<'a>(&self, body: Json<'a>) -> Result<Reply<'a>, DecodeError> {
        decode_response::decode(body)
    }

    fn encode_response(&self, reply: &Reply<'_>, envelope: &Envelope) -> Vec<u8> {
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

    fn classify_error(&self, said: &ProviderError) -> ErrorClass {
        error::classify_error(said)
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

/// How long an error of Google's asks to be left alone, if it says so.
#[must_use]
pub fn retry_delay(body: &[u8]) -> Option<Duration> {
    error::retry_delay(body)
}

#[cfg(test)]
mod tests {
    use super::*;

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
