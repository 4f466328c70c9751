//! OpenAI Responses: items instead of messages, and a stream that repeats itself.

mod call_in;
mod call_out;
mod echo;
mod error;
mod finish;
mod items_in;
mod object;
mod reply_in;
mod reply_out;
mod scan;
mod stream_in;
mod stream_out;

use bytes::Bytes;

use crate::{
    canon::{Call, Encoded, Losses, Malformed, Reply, TargetFacts, Unsupported},
    dialect::{
        Dialect, DialectName, Envelope, ErrorAnswer, ErrorClass, ErrorOut, InPath, NoReply, Seal,
        StreamDecoder, StreamEncoder,
    },
    json::Json,
    openai::{error::ProviderError, fault, render::error_body},
    scan::{RequestFacts, ScanError},
    splice::{Edits, splice},
};

/// The dialect.
#[derive(Clone, Copy, Debug)]
pub struct Responses;

impl Dialect for Responses {
    fn name(&self) -> DialectName {
        DialectName::OpenAiResponses
    }

    fn scan(&self, _: InPath<'_>, body: &[u8]) -> Result<RequestFacts, ScanError> {
        scan::scan(body)
    }

    fn verbatim(&self, body: &Bytes, facts: &RequestFacts, edits: &Edits<'_>) -> Bytes {
        // Usage always comes, and the limit has another name than the splice knows.
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

    fn echo(&self, call: &Call<'_>) -> Vec<u8> {
        echo::write(call)
    }

    fn stream_decoder(&self) -> Box<dyn StreamDecoder> {
        Box::<stream_in::Decoder>::default()
    }

    fn stream_encoder(&self, envelope: Envelope) -> Box<dyn StreamEncoder> {
        Box::new(stream_out::Encoder::new(envelope))
    }

    fn decode_error(&self, answer: &ErrorAnswer<'_>) -> (ErrorClass, Option<ProviderError>) {
        fault::decode(answer)
    }

    fn encode_error(&self, error: &ErrorOut<'_>) -> Vec<u8> {
        error_body(error.message, error.kind, error.code, error.param, error.extra)
    }

    fn encode_error_event(&self, error: &ErrorOut<'_>) -> Vec<u8> {
        error::event(error)
    }
}
