//! OpenAI Responses: items instead of messages, and a stream that repeats itself.

mod decode_request;
mod decode_response;
mod echo;
mod encode_request;
mod encode_response;
mod error;
mod fields;
mod finish;
mod items_in;
mod object;
mod scan;
mod stream_decoder;
mod stream_encoder;

use bytes::Bytes;

use crate::{
    api::Api,
    canonical::{Call, Encoded, LossReport, Malformed, Reply, SignatureMac, TargetFacts, Unsupported},
    codec::{DialectCodec, Envelope, StreamDecoder, StreamEncoder},
    dialect::Dialect,
    error::{ClientErrorBody, DecodeError, ErrorAnswer, ErrorClass, ProviderError},
    facts::RequestFacts,
    json::Json,
    openai::{error as openai_error, render::error_body},
    scan::{PathParamsRef, ScanError},
    splice::{Edits, LimitField, splice_with},
};

/// The dialect.
#[derive(Clone, Copy, Debug)]
pub struct OpenAiResponses;

impl DialectCodec for OpenAiResponses {
    fn name(&self) -> Dialect {
        Dialect::OpenAiResponses
    }

    fn min_output(&self) -> u64 {
        16
    }

    fn scan(&self, _: Api, _: PathParamsRef<'_>, body: &[u8]) -> Result<RequestFacts, ScanError> {
        scan::scan(body)
    }

    fn verbatim(&self, body: &Bytes, facts: &RequestFacts, edits: &Edits<'_>) -> Bytes {
        // Usage always comes.
        splice_with(body, facts, &Edits { want_usage: false, ..*edits }, LimitField::top("max_output_tokens"))
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

    fn echo(&self, call: &Call<'_>) -> Vec<u8> {
        echo::write(call)
    }

    fn stream_decoder(&self) -> Box<dyn StreamDecoder> {
        Box::<stream_decoder::Decoder>::default()
    }

    fn stream_encoder(&self, envelope: Envelope) -> Box<dyn StreamEncoder> {
        Box::new(stream_encoder::Encoder::new(envelope))
    }

    fn decode_error(&self, answer: &ErrorAnswer<'_>) -> (ErrorClass, Option<ProviderError>) {
        openai_error::decode(answer)
    }

    fn classify_error(&self, said: &ProviderError) -> ErrorClass {
        openai_error::classify(0, said)
    }

    fn encode_error(&self, error: &ClientErrorBody<'_>) -> Vec<u8> {
        error_body(error.message, error.kind, error.code, error.param, error.extra)
    }

    fn encode_error_event(&self, error: &ClientErrorBody<'_>) -> Vec<u8> {
        error::event(error)
    }
}
