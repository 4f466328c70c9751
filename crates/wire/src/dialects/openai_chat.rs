//! OpenAI Chat Completions and everybody who copied it: translated calls, answers and streams.
//!
//! A chat client's call to a chat provider never comes here: its bytes pass, see [`crate::splice()`] and
//! [`crate::tap::chat`].

mod decode_request;
mod decode_response;
mod details;
mod encode_request;
mod encode_response;
mod messages_in;
mod stream_decoder;
mod stream_encoder;

use std::sync::LazyLock;

use bytes::Bytes;
use memchr::memmem::Finder;

use crate::{
    api::Api,
    canonical::{Call, Encoded, LossReport, Malformed, Reply, SignatureMac, TargetFacts, Unsupported},
    codec::{DialectCodec, Envelope, StreamDecoder, StreamEncoder},
    dialect::Dialect,
    error::{
        ClientErrorBody, DecodeError, ErrorAnswer, ErrorClass, ProviderError, choices_error, error_member,
    },
    facts::RequestFacts,
    json::Json,
    openai::{
        error, finish,
        render::{error_body, error_event},
    },
    scan::{PathParamsRef, ScanError, scan},
    splice::{Edits, splice},
};

/// The dialect.
#[derive(Clone, Copy, Debug)]
pub struct OpenAiChat;

impl DialectCodec for OpenAiChat {
    fn name(&self) -> Dialect {
        Dialect::OpenAiChat
    }

    fn terminal_event(&self) -> &'static [u8] {
        b"data: [DONE]\n\n"
    }

    fn scan(&self, api: Api, _: PathParamsRef<'_>, body: &[u8]) -> Result<RequestFacts, ScanError> {
        scan(api, body)
    }

    fn verbatim(&self, body: &Bytes, facts: &RequestFacts, edits: &Edits<'_>) -> Bytes {
        splice(body, facts, edits)
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
        Box::<stream_decoder::Decoder>::default()
    }

    fn stream_encoder(&self, envelope: Envelope) -> Box<dyn StreamEncoder> {
        Box::new(stream_encoder::Encoder::new(envelope))
    }

    fn decode_error(&self, answer: &ErrorAnswer<'_>) -> (ErrorClass, Option<ProviderError>) {
        error::decode(answer)
    }

    fn classify_error(&self, said: &ProviderError) -> ErrorClass {
        error::classify(0, said)
    }

    fn encode_error(&self, error: &ClientErrorBody<'_>) -> Vec<u8> {
        error_body(error.message, error.kind, error.code, error.param, error.extra)
    }

    fn encode_error_event(&self, error: &ClientErrorBody<'_>) -> Vec<u8> {
        error_event(error.message, error.kind, error.code, error.param, error.extra)
    }
}

/// The error that a plain chat answer is, beside its choices or inside all of them.
///
/// Only a body that names an error is read for it.
#[must_use]
pub fn chat_error(body: &[u8]) -> Option<ProviderError> {
    // Made once: for a short body the search costs less than its preparation.
    static ERROR: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"error\""));
    static NO_RESOURCE: LazyLock<Finder<'static>> =
        LazyLock::new(|| Finder::new(b"\"insufficient_system_resource\""));
    // A quote within a text has a backslash in front of it.
    if ERROR.find(body).is_none() && NO_RESOURCE.find(body).is_none() {
        return None;
    }
    let answer: serde_json::Value = serde_json::from_slice(body).ok()?;
    answer.get("error").and_then(error_member).or_else(|| choices_error(&answer))
}

/// Whether a plain chat answer is none because a filter refused the prompt, see [`crate::canonical::Reply::blocked`].
///
/// Only a body that names a filter is read for it.
#[must_use]
pub fn chat_blocked(body: &[u8]) -> bool {
    finish::FILTERS.iter().any(|word| memchr::memmem::find(body, word).is_some())
        && Json::parse(body)
            .is_ok_and(|json| OpenAiChat.decode_response(json).is_ok_and(|reply| reply.blocked()))
}
