//! Cohere's dialect: Chat, version 2.
//!
//! Field names after the official client's own types.

mod call_in;
mod call_out;
mod error;
mod finish;
mod logprobs;
mod reply_in;
mod reply_out;
mod scan;
mod stream_in;
mod stream_out;
mod usage;

use bytes::Bytes;

use crate::{
    canon::{Call, Encoded, Losses, Malformed, Reply, TargetFacts, Unsupported},
    dialect::{
        Dialect, DialectName, Envelope, ErrorAnswer, ErrorClass, ErrorOut, InPath, NoReply, Seal,
        StreamDecoder, StreamEncoder,
    },
    json::Json,
    openai::error::ProviderError,
    scan::{RequestFacts, ScanError},
    splice::{Edits, splice},
};

/// Cohere Chat v2.
#[derive(Clone, Copy, Debug)]
pub struct Cohere;

impl Dialect for Cohere {
    fn name(&self) -> DialectName {
        DialectName::Cohere
    }

    fn scan(&self, _path: InPath<'_>, body: &[u8]) -> Result<RequestFacts, ScanError> {
        scan::scan(body)
    }

    fn verbatim(&self, body: &Bytes, facts: &RequestFacts, edits: &Edits<'_>) -> Bytes {
        // Usage always comes, and an output limit has another name here.
        splice(body, facts, &Edits { model: edits.model, want_usage: false, output_limit: None })
    }

    fn decode_call<'a>(&self, _: InPath<'a>, body: Json<'a>, seal: &dyn Seal) -> Result<Call<'a>, Malformed> {
        call_in::decode(body, seal)
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
        Box::new(stream_in::Decoder::default())
    }

    fn stream_encoder(&self, envelope: Envelope) -> Box<dyn StreamEncoder> {
        Box::new(stream_out::Encoder::new(envelope))
    }

    fn decode_error(&self, answer: &ErrorAnswer<'_>) -> (ErrorClass, Option<ProviderError>) {
        error::decode(answer)
    }

    fn class_of(&self, said: &ProviderError) -> ErrorClass {
        error::class(0, &said.message.to_ascii_lowercase())
    }

    fn encode_error(&self, error: &ErrorOut<'_>) -> Vec<u8> {
        error::encode(error)
    }

    fn encode_error_event(&self, error: &ErrorOut<'_>) -> Vec<u8> {
        error::encode_event(error)
    }
}
