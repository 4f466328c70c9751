//! Amazon Bedrock Converse and ConverseStream.

mod call_in;
mod call_out;
mod content;
mod error;
mod frame;
mod media;
mod reply_in;
mod reply_out;
mod scan;
mod stream_in;
mod stream_out;
mod usage;

use bytes::Bytes;
use domain::ErrorKind;

use crate::{
    canon::{Call, Encoded, Losses, Malformed, Reply, TargetFacts, Unsupported},
    dialect::{
        Dialect, DialectName, Envelope, ErrorAnswer, ErrorClass, ErrorOut, InPath, NoReply, Seal,
        StreamDecoder, StreamEncoder,
    },
    json::Json,
    openai::error::ProviderError,
    scan::{RequestFacts, ScanError},
    splice::Edits,
};

/// What Bedrock's clients call an error, for the header `x-amzn-ErrorType`.
#[must_use]
pub const fn error_type(kind: ErrorKind) -> &'static str {
    error::exception(kind)
}

/// The dialect.
#[derive(Clone, Copy, Debug)]
pub struct Bedrock;

impl Dialect for Bedrock {
    fn name(&self) -> DialectName {
        DialectName::Bedrock
    }

    fn scan(&self, path: InPath<'_>, body: &[u8]) -> Result<RequestFacts, ScanError> {
        scan::scan(path, body)
    }

    fn verbatim(&self, body: &Bytes, facts: &RequestFacts, edits: &Edits<'_>) -> Bytes {
        match (facts.max_output, edits.output_limit) {
            (None, Some(limit)) => scan::with_limit(body, facts, limit),
            _ => body.clone(),
        }
    }

    fn prepare(&self, body: &Bytes) -> Bytes {
        call_in::prepare(body)
    }

    fn decode_call<'a>(
        &self,
        path: InPath<'a>,
        body: Json<'a>,
        seal: &dyn Seal,
    ) -> Result<Call<'a>, Malformed> {
        call_in::decode_call(path, body, seal)
    }

    fn encode_call(
        &self,
        call: &Call<'_>,
        target: &TargetFacts<'_>,
        losses: Losses,
    ) -> Result<Encoded, Unsupported> {
        call_out::encode(call, target, losses)
    }

    fn decode_reply<'a>(&self, body: Json<'a>) -> Result<Reply<'a>, NoReply> {
        reply_in::decode(body)
    }

    fn encode_reply(&self, reply: &Reply<'_>, envelope: &Envelope) -> Vec<u8> {
        reply_out::encode(reply, envelope)
    }

    fn stream_decoder(&self) -> Box<dyn StreamDecoder> {
        Box::<stream_in::Decoder>::default()
    }

    fn stream_encoder(&self, envelope: Envelope) -> Box<dyn StreamEncoder> {
        Box::new(stream_out::Encoder::new(envelope))
    }

    fn decode_error(&self, answer: &ErrorAnswer<'_>) -> (ErrorClass, Option<ProviderError>) {
        error::decode(answer)
    }

    fn class_of(&self, said: &ProviderError) -> ErrorClass {
        error::classify(0, said.kind.as_deref(), &said.message)
    }

    fn encode_error(&self, error: &ErrorOut<'_>) -> Vec<u8> {
        error::encode(error)
    }

    fn encode_error_event(&self, error: &ErrorOut<'_>) -> Vec<u8> {
        error::encode_event(error)
    }
}
