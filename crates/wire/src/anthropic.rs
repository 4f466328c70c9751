//! Anthropic Messages, in both versions of its API.

mod call_in;
mod call_out;
mod content;
mod error;
mod reply_in;
mod reply_out;
mod scan;
mod stream_in;
mod stream_out;
mod usage;
mod vertex;

use bytes::Bytes;

pub use self::vertex::vertex_body;
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

/// What Bedrock's Claude shares with Anthropic's.
pub(crate) mod shared {
    pub(crate) use super::{
        call_in::thinking,
        call_out::{
            Thinking, arguments, display, effort_name, none_of, object, one_of, plan, write_thinking,
        },
        content::Content,
        error::by_status,
        reply_out::{call_id, sealed},
    };
}

/// The version of the API since October 2026: it refuses sampling fields.
pub const API_VERSION: &str = "2026-10-21";
/// The version before it, which older models' sampling fields need.
pub const API_VERSION_WITH_SAMPLING: &str = "2023-06-01";

/// What the gateway writes into `anthropic-version` when it translates; a client of this dialect has said its own
/// (DIALECTS §1.6).
#[must_use]
pub fn api_version(target: &TargetFacts<'_>, call: &Call<'_>) -> &'static str {
    let sampling = &call.sampling;
    let fields = [sampling.temperature, sampling.top_p, sampling.top_k];
    if target.sampling == Some(true) && fields.iter().any(Option::is_some) {
        API_VERSION_WITH_SAMPLING
    } else {
        API_VERSION
    }
}

/// The dialect.
#[derive(Clone, Copy, Debug)]
pub struct Anthropic;

impl Dialect for Anthropic {
    fn name(&self) -> DialectName {
        DialectName::Anthropic
    }

    fn scan(&self, _: InPath<'_>, body: &[u8]) -> Result<RequestFacts, ScanError> {
        scan::scan(body)
    }

    fn verbatim(&self, body: &Bytes, facts: &RequestFacts, edits: &Edits<'_>) -> Bytes {
        // The limit is a required field, usage always comes, and `count_tokens` takes neither.
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

    /// The stop sequence, where there is exactly one: an answer that ends with one names it.
    fn echo(&self, call: &Call<'_>) -> Vec<u8> {
        match &call.sampling.stop[..] {
            [only] => only.as_bytes().to_vec(),
            _ => Vec::new(),
        }
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
        error::classify(0, Some(said))
    }

    fn encode_error(&self, error: &ErrorOut<'_>) -> Vec<u8> {
        error::encode(error)
    }

    fn encode_error_event(&self, error: &ErrorOut<'_>) -> Vec<u8> {
        error::encode_event(error)
    }
}
