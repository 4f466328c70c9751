//! Cohere's dialect: Chat, version 2.
//!
//! Field names after the official client's own types.

mod decode_request;
mod decode_response;
mod encode_request;
mod encode_response;
mod error;
mod finish;
mod logprobs;
mod scan;
mod stream_decoder;
mod stream_encoder;
mod usage;

use bytes::Bytes;

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

/// Cohere Chat v2.
#[derive(Clone, Copy, Debug)]
pub struct Cohere;

impl DialectCodec for Cohere {
    fn name(&self) -> Dialect {
        Dialect::Cohere
    }

    fn scan(&self, _: Api, _: PathParamsRef<'_>, body: &[u8]) -> Result<RequestFacts, ScanError> {
        scan::scan(body)
    }

    fn verbatim(&self, body: &Bytes, facts: &RequestFacts, edits: &Edits<'_>) -> Bytes {
        // Usage always comes.
        splice_with(body, facts, &Edits { want_usage: false, ..*edits }, LimitField::top("max_tokens"))
    }

    fn decode_request<'a>(
        &self,
        _: PathParamsRef<'a>,
        body: Json<'a>,
        seal: &dyn SignatureMac,
    ) -> Result<Call<'a>, Malformed> {
        decode_request::decode(body, seal)
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
        error::class(0, &said.message.to_ascii_lowercase())
    }

    fn encode_error(&self, error: &ClientErrorBody<'_>) -> Vec<u8> {
        error::encode(error)
    }

    fn encode_error_event(&self, error: &ClientErrorBody<'_>) -> Vec<u8> {
        error::encode_event(error)
    }
}
