//! Anthropic Messages, in both versions of its API.

mod content;
mod decode_request;
mod decode_response;
mod encode_request;
mod encode_response;
mod error;
mod scan;
mod stream_decoder;
mod stream_encoder;
mod usage;
mod version;
mod vertex;

use bytes::Bytes;

use self::version::{API_VERSION, API_VERSION_WITH_SAMPLING};
use crate::{
    api::Api,
    canonical::{Call, Encoded, LossReport, Malformed, Reply, SignatureMac, TargetFacts, Unsupported},
    codec::{DialectCodec, Envelope, StreamDecoder, StreamEncoder, VersionHeader},
    dialect::Dialect,
    error::{ClientErrorBody, DecodeError, ErrorAnswer, ErrorClass, ProviderError},
    facts::RequestFacts,
    json::Json,
    scan::{PathParamsRef, ScanError},
    splice::{Edits, splice},
};

/// The dialect.
#[derive(Clone, Copy, Debug)]
pub struct Anthropic;

impl DialectCodec for Anthropic {
    fn name(&self) -> Dialect {
        Dialect::Anthropic
    }

    fn version_header(&self) -> Option<VersionHeader> {
        Some(VersionHeader { name: "anthropic-version", default: API_VERSION })
    }

    fn api_version(&self, call: &Call<'_>, target: &TargetFacts<'_>) -> Option<&'static str> {
        Some(version::api_version(call, target))
    }

    fn vertex_body(&self, body: &Bytes, version: Option<&str>) -> Bytes {
        // Vertex knows these two, whatever else a client names.
        let older = version == Some(API_VERSION_WITH_SAMPLING);
        vertex::vertex_body(body, if older { API_VERSION_WITH_SAMPLING } else { API_VERSION })
    }

    fn scan(&self, _: Api, _: PathParamsRef<'_>, body: &[u8]) -> Result<RequestFacts, ScanError> {
        scan::scan(body)
    }

    fn verbatim(&self, body: &Bytes, facts: &RequestFacts, edits: &Edits<'_>) -> Bytes {
        // The limit is a required field, usage always comes, and `count_tokens` takes neither.
        splice(body, facts, &Edits { want_usage: false, output_limit: None, ..*edits })
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

    /// The stop sequence, where there is exactly one: an answer that ends with one names it.
    fn echo(&self, call: &Call<'_>) -> Vec<u8> {
        match &call.sampling.stop[..] {
            [only] => only.as_bytes().to_vec(),
            _ => Vec::new(),
        }
    }

    fn terminal_event(&self) -> &'static [u8] {
        b"event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"
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
        error::classify(0, Some(said))
    }

    fn encode_error(&self, error: &ClientErrorBody<'_>) -> Vec<u8> {
        error::encode(error)
    }

    fn encode_error_event(&self, error: &ClientErrorBody<'_>) -> Vec<u8> {
        error::encode_event(error)
    }
}
