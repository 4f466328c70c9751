//! OpenAI Chat Completions and everybody who copied it: translated calls, answers and streams.
//!
//! A chat client's call to a chat provider never comes here: its bytes pass, see [`crate::splice()`] and
//! [`super::stream`].

mod call_in;
mod call_out;
mod details;
mod finish;
mod messages_in;
mod reply_in;
mod reply_out;
mod stream_in;
mod stream_out;

use bytes::Bytes;

pub(crate) use self::{
    call_in::{effort, metadata, mode, schema},
    finish::{FILTERED, write as finish_reason},
    reply_in::{text, tier, token_list},
    reply_out::logprobs,
};
use super::{
    error::ProviderError,
    fault,
    render::{error_body, error_event},
};
use crate::{
    Api,
    canon::{Call, Encoded, Losses, Malformed, Reply, TargetFacts, Unsupported},
    dialect::{
        Dialect, DialectName, Envelope, ErrorAnswer, ErrorClass, ErrorOut, InPath, NoReply, Seal,
        StreamDecoder, StreamEncoder,
    },
    json::Json,
    scan::{RequestFacts, ScanError, scan},
    splice::{Edits, splice},
};

/// The dialect.
#[derive(Clone, Copy, Debug)]
pub struct Chat;

impl Dialect for Chat {
    fn name(&self) -> DialectName {
        DialectName::OpenAiChat
    }

    fn scan(&self, _: InPath<'_>, body: &[u8]) -> Result<RequestFacts, ScanError> {
        scan(Api::Chat, body)
    }

    fn verbatim(&self, body: &Bytes, facts: &RequestFacts, edits: &Edits<'_>) -> Bytes {
        splice(body, facts, edits)
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
        error_event(error.message, error.kind, error.code, error.param, error.extra)
    }
}
