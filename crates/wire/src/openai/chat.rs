//! OpenAI Chat Completions and everybody who copied it: translated calls, answers and streams.
//!
//! A chat client's call to a chat provider never comes here: its bytes pass, see [`crate::splice()`] and
//! [`super::stream`].

mod decode_request;
mod decode_response;
mod details;
mod encode_request;
mod encode_response;
mod finish;
mod messages_in;
mod stream_decoder;
mod stream_encoder;

use bytes::Bytes;

pub(crate) use self::{
    decode_request::{effort, metadata, mode, schema},
    decode_response::{text, tier, token_list},
    encode_response::logprobs,
    finish::{FILTERED, write as finish_reason},
};
use super::{
    error::ProviderError,
    fault,
    render::{error_body, error_event},
};
use crate::{
    Api,
    canonical::{Call, Encoded, LossReport, Malformed, Reply, TargetFacts, Unsupported},
    dialect::{
        ClientErrorBody, DecodeError, Dialect, DialectCodec, Envelope, ErrorAnswer, ErrorClass,
        PathParamsRef, SignatureMac, StreamDecoder, StreamEncoder,
    },
    json::Json,
    scan::{RequestFacts, ScanError, scan},
    splice::{Edits, splice},
};

/// The dialect.
#[derive(Clone, Copy, Debug)]
pub struct Chat;

impl DialectCodec for Chat {
    fn name(&self) -> Dialect {
        Dialect::OpenAiChat
    }

    fn scan(&self, _: PathParamsRef<'_>, body: &[u8]) -> Result<RequestFacts, ScanError> {
        scan(Api::Chat, body)
    }

    fn verbatim(&self, body: &Bytes, facts: &RequestFacts, edits: &Edits<'_>) -> Bytes {
        splice(body, facts, edits)
    }

    fn decode_call<'a>(
        &self,
        _: PathParamsRef<'a>,
        body: Json<'a>,
        seal: &dyn SignatureMac,
    ) -> Result<Call<'a>, Malformed> {
        decode_request::decode(body, seal)
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
        Box::<stream_decoder::Decoder>::default()
    }

    fn stream_encoder(&self, envelope: Envelope) -> Box<dyn StreamEncoder> {
        Box::new(stream_encoder::Encoder::new(envelope))
    }

    fn decode_error(&self, answer: &ErrorAnswer<'_>) -> (ErrorClass, Option<ProviderError>) {
        fault::decode(answer)
    }

    fn encode_error(&self, error: &ClientErrorBody<'_>) -> Vec<u8> {
        error_body(error.message, error.kind, error.code, error.param, error.extra)
    }

    fn encode_error_event(&self, error: &ClientErrorBody<'_>) -> Vec<u8> {
        error_event(error.message, error.kind, error.code, error.param, error.extra)
    }
}
