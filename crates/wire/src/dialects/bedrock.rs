//! Amazon Bedrock Converse and ConverseStream.

mod content;
mod decode_request;
mod decode_response;
mod encode_request;
mod encode_response;
mod error;
mod frame;
mod media;
mod scan;
mod stream_decoder;
mod stream_encoder;
mod usage;

use bytes::Bytes;
use domain::ErrorKind;

use crate::{
    api::Api,
    canonical::{Call, Encoded, LossReport, Malformed, Reply, SignatureMac, TargetFacts, Unsupported},
    codec::{DialectCodec, Envelope, ErrorHeader, Framing, StreamDecoder, StreamEncoder},
    dialect::Dialect,
    error::{ClientErrorBody, DecodeError, ErrorAnswer, ErrorClass, ProviderError},
    facts::RequestFacts,
    json::Json,
    scan::{PathParamsRef, ScanError},
    splice::{Edits, LimitField, splice_with},
};

/// Where a request says how much may be generated.
const LIMIT: LimitField = LimitField { object: Some("inferenceConfig"), name: "maxTokens" };

/// The dialect.
#[derive(Clone, Copy, Debug)]
pub struct Bedrock;

impl DialectCodec for Bedrock {
    fn name(&self) -> Dialect {
        Dialect::Bedrock
    }

    fn framing(&self) -> Framing {
        Framing::AwsEventStream
    }

    fn has_model_in_path(&self) -> bool {
        true
    }

    /// boto3 takes the exception's name from here.
    fn error_header(&self, kind: ErrorKind) -> Option<ErrorHeader> {
        Some(ErrorHeader { name: "x-amzn-errortype", value: error::exception(kind) })
    }

    fn scan(&self, _: Api, path: PathParamsRef<'_>, body: &[u8]) -> Result<RequestFacts, ScanError> {
        scan::scan(path, body)
    }

    fn verbatim(&self, body: &Bytes, facts: &RequestFacts, edits: &Edits<'_>) -> Bytes {
        // The model is the path's.
        splice_with(body, facts, &Edits { model: &facts.model, want_usage: false, ..*edits }, LIMIT)
    }

    fn prepare(&self, body: &Bytes) -> Bytes {
        decode_request::prepare(body)
    }

    fn decode_request<'a>(
        &self,
        path: PathParamsRef<'a>,
        body: Json<'a>,
        seal: &dyn SignatureMac,
    ) -> Result<Call<'a>, Malformed> {
        decode_request::decode_request(path, body, seal)
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
        Box::<stream_decoder::Decoder>::default()
    }

    fn stream_encoder(&self, envelope: Envelope) -> Box<dyn StreamEncoder> {
        Box::new(stream_encoder::Encoder::new(envelope))
    }

    fn decode_error(&self, answer: &ErrorAnswer<'_>) -> (ErrorClass, Option<ProviderError>) {
        error::decode(answer)
    }

    fn classify_error(&self, said: &ProviderError) -> ErrorClass {
        error::classify(0, said.kind.as_deref(), &said.message)
    }

    fn encode_error(&self, error: &ClientErrorBody<'_>) -> Vec<u8> {
        error::encode(error)
    }

    fn encode_error_event(&self, error: &ClientErrorBody<'_>) -> Vec<u8> {
        error::encode_event(error)
    }
}
