//! How a request and its response pass between the dialects of client and provider: as bytes, or translated.

mod logprobs;
mod seal;
mod tools;

use std::sync::Arc;

use bytes::Bytes;
use domain::{ErrorKind, RequestId, Usage};
use policy::{PlannedTarget, Target};
use wire::{
    Addressing, Api, ChatTap, Dialect, Edits, StreamPipe,
    canonical::{
        Call, LossReport, LostParts, SignatureMac, TargetFacts, ToolTable, Unsupported, fit_call,
        signed_id::may_carry,
    },
    codec::{DialectCodec, Envelope},
    embed::EmbedCall,
    error::{DecodeError, ErrorClass},
    json::{Json, lone_surrogate},
    tap::{Translation, Verbatim},
};

pub(crate) use self::seal::TenantMac;
use self::{logprobs::Hiding, tools::Renaming};
use crate::{error::GatewayError, request::LlmRequest};

/// How the response of one attempt becomes the client's.
pub(crate) enum ResponseCodec {
    /// OpenAI's dialect at both ends: chat, with one edit in its streams, or embeddings.
    ChatPassthrough,
    /// Another dialect at both ends: bytes pass as they are.
    Passthrough(&'static dyn DialectCodec),
    /// The same dialect, and a response that is not a model's (counts of tokens): passed on unread.
    Opaque(&'static dyn DialectCodec),
    /// Two dialects.
    Translate(Box<Translated>),
    /// Embeddings of a provider with a format of its own, and how the vectors go back.
    Embeddings {
        /// The provider's dialect.
        from: Dialect,
        /// The model to name in the response.
        model: String,
        /// Whether the client wants the vectors packed.
        base64: bool,
    },
}

/// The two dialects of a translation.
#[derive(Clone, Copy)]
struct DialectPair {
    client: &'static dyn DialectCodec,
    provider: &'static dyn DialectCodec,
}

/// A translation, and what the client's dialect wants around the response.
pub(crate) struct Translated {
    dialects: DialectPair,
    envelope: Envelope,
    /// The gateway asked for log-probabilities, the client did not.
    hide_logprobs: bool,
    /// The tools that the provider knows under other names.
    tools: Arc<ToolTable>,
}

/// A request in the provider's dialect.
pub(crate) struct EncodedRequest {
    pub(crate) body: Bytes,
    pub(crate) codec: ResponseCodec,
    /// Fields that the target cannot express, in the client's names; only hints, and what lenient mode lets go.
    pub(crate) dropped: Vec<String>,
    /// Anthropic's version for which the gateway wrote the request, where it did.
    pub(crate) version: Option<&'static str>,
}

/// Why a request cannot be encoded for a target.
pub(crate) enum EncodeError {
    /// The target cannot express a field; another one may.
    Field(Unsupported),
    /// The request is wrong for every target.
    GatewayError(GatewayError),
}

/// Where a request goes, and with what.
#[derive(Clone, Copy)]
pub(crate) struct Outbound<'a> {
    pub(crate) planned: &'a PlannedTarget,
    /// The output limit to send where the client set none, in tokens.
    pub(crate) limit: Option<u64>,
}

impl Outbound<'_> {
    /// What the target's dialect needs of a body in the client's own.
    fn edits(&self, request: &LlmRequest) -> Edits<'_> {
        let target = &self.planned.target;
        Edits {
            model: &target.upstream,
            want_usage: request.facts.stream,
            output_limit: self.limit,
            old_limit_name: target.endpoint.row.quirks.old_limit_name,
        }
    }
}

/// Encodes the request in the dialect of a target.
pub(crate) fn encode_request(
    request: &LlmRequest,
    outbound: Outbound<'_>,
    to: Dialect,
    seal: &Arc<dyn SignatureMac>,
    id: RequestId,
) -> Result<EncodedRequest, EncodeError> {
    let from = request.api.dialect();
    let Outbound { planned, .. } = outbound;
    let target = &planned.target;
    let edits = outbound.edits(request);
    if request.api == Api::Embeddings && to != from {
        return embed(request, target, to);
    }
    if !request.api.generates() && to != from {
        return Err(not_at(request, target, to));
    }
    if from == to {
        if logprobs::wanted(request, planned, to)
            && let Some(encoded) = with_logprobs(request, outbound, to, seal, id)
        {
            return Ok(encoded);
        }
        // A call and its result stand behind what they were called for: two messages are no history.
        if request.api.generates()
            && !matches!(request.facts.messages, 1 | 2)
            && may_carry(from, &request.body)
            && let Some(encoded) = without_seals(request, outbound, from, seal, id)
        {
            return Ok(encoded);
        }
        let same = |dialect: &'static dyn DialectCodec| {
            let body = dialect.verbatim(&request.body, &request.facts, &edits);
            let codec = if request.api.generates() {
                ResponseCodec::Passthrough(dialect)
            } else {
                ResponseCodec::Opaque(dialect)
            };
            EncodedRequest { body, codec, dropped: Vec::new(), version: None }
        };
        return match from {
            Dialect::OpenAiChat => {
                let body = match request.api.is_upload() {
                    true => Bytes::from(wire::multipart::with_model(
                        &request.body,
                        &request.facts,
                        &target.upstream,
                    )),
                    false => wire::splice(&request.body, &request.facts, &edits),
                };
                Ok(EncodedRequest {
                    body,
                    codec: ResponseCodec::ChatPassthrough,
                    dropped: Vec::new(),
                    version: None,
                })
            }
            _ => Ok(same(wire::codec(from))),
        };
    }
    let dialects = DialectPair { client: wire::codec(from), provider: wire::codec(to) };
    translate(request, outbound, dialects, seal, id)
}

/// The request in the client's own dialect without what the gateway had put into its history for another family: seals in
/// ids and thoughts. `None` where that cannot be told apart: then the bytes pass.
fn without_seals(
    request: &LlmRequest,
    outbound: Outbound<'_>,
    dialect: Dialect,
    seal: &Arc<dyn SignatureMac>,
    id: RequestId,
) -> Option<EncodedRequest> {
    let own = wire::codec(dialect);
    let encoded = translate(request, outbound, DialectPair { client: own, provider: own }, seal, id).ok()?;
    let codec = match (encoded.codec, dialect) {
        (codec @ ResponseCodec::Translate(_), _) if codec.renames_tools() => codec,
        (_, Dialect::OpenAiChat) => ResponseCodec::ChatPassthrough,
        _ => ResponseCodec::Passthrough(own),
    };
    // The version is the client's own.
    Some(EncodedRequest { codec, version: None, ..encoded })
}

fn translate(
    request: &LlmRequest,
    outbound: Outbound<'_>,
    dialects: DialectPair,
    seal: &Arc<dyn SignatureMac>,
    id: RequestId,
) -> Result<EncodedRequest, EncodeError> {
    let DialectPair { client, provider } = dialects;
    let Outbound { planned, limit } = outbound;
    let target = &planned.target;
    let prepared = client.prepare(&request.body);
    if let Some(at) = lone_surrogate(&prepared) {
        let half = String::from_utf8_lossy(&prepared[at..at + 6]);
        let text = format!("the body holds half of a surrogate pair, `{half}`, which is no character");
        return Err(wrong(text, ""));
    }
    let body = Json::parse(&prepared).map_err(|error| wrong(error.to_string(), ""))?;
    let mut call = client
        .decode_request(request.path.borrowed(), body, &**seal)
        .map_err(|malformed| wrong(malformed.to_string(), &malformed.field))?;
    call.max_output = call.max_output.or(limit.map(|limit| limit.max(provider.min_output())));
    let facts = TargetFacts {
        model: &target.upstream,
        max_output: target.spec.max_output,
        sampling: target.spec.capabilities.sampling_fields.into(),
        reasoning: target.spec.capabilities.reasoning.into(),
        quirks: &target.endpoint.row.quirks,
    };
    let mut losses = LossReport::new(client.name(), provider.name(), request.plan.strictness);
    let envelope = envelope(request, target, client, &call, Arc::clone(seal), id);
    let hide_logprobs = !call.sampling.logprobs && logprobs::wanted(request, planned, provider.name());
    call.sampling.logprobs |= hide_logprobs;
    if client.name() != provider.name() {
        fit_call(&mut call, provider.name(), &facts, &mut losses);
    }
    let tools = Arc::new(ToolTable::fit(&mut call, provider.name()));
    let encoded = provider.encode_request(&call, &facts, losses).map_err(EncodeError::Field)?;
    let codec = ResponseCodec::Translate(Box::new(Translated { dialects, envelope, hide_logprobs, tools }));
    let version = provider.api_version(&call, &facts);
    Ok(EncodedRequest { body: Bytes::from(encoded.body), codec, dropped: encoded.dropped, version })
}

/// The request in the client's own dialect, with log-probabilities asked for; the response goes through the canonical
/// form, which leaves them out again. Nothing where the client wants them itself, or where they cannot be asked for.
fn with_logprobs(
    request: &LlmRequest,
    outbound: Outbound<'_>,
    dialect: Dialect,
    seal: &Arc<dyn SignatureMac>,
    id: RequestId,
) -> Option<EncodedRequest> {
    let codec = wire::codec(dialect);
    let prepared = codec.prepare(&request.body);
    let call = codec.decode_request(request.path.borrowed(), Json::parse(&prepared).ok()?, &**seal).ok()?;
    if call.sampling.logprobs {
        return None;
    }
    let (target, edits) = (&outbound.planned.target, outbound.edits(request));
    let body = wire::ask_logprobs(dialect, &codec.verbatim(&request.body, &request.facts, &edits))?;
    let envelope = envelope(request, target, codec, &call, Arc::clone(seal), id);
    let dialects = DialectPair { client: codec, provider: codec };
    let translated = Translated { dialects, envelope, hide_logprobs: true, tools: Arc::default() };
    let codec = ResponseCodec::Translate(Box::new(translated));
    Some(EncodedRequest { body, codec, dropped: Vec::new(), version: None })
}

/// What the client's dialect wants around a response.
fn envelope(
    request: &LlmRequest,
    target: &Target,
    client: &dyn DialectCodec,
    call: &Call<'_>,
    seal: Arc<dyn SignatureMac>,
    id: RequestId,
) -> Envelope {
    Envelope {
        request: id.0.simple().to_string(),
        model: target.upstream.clone(),
        created: u64::try_from(domain::Timestamp::now().micros() / 1_000_000).unwrap_or_default(),
        stream_usage: call.stream_usage,
        input_estimate: request.input_estimate(),
        echo: Bytes::from(client.echo(call)),
        seal,
    }
}

fn embed(request: &LlmRequest, target: &Target, to: Dialect) -> Result<EncodedRequest, EncodeError> {
    if target.endpoint.row.addressing == Addressing::Vertex {
        // Its embeddings have yet another form, behind other paths.
        return Err(not_at(request, target, to));
    }
    let body = Json::parse(&request.body).map_err(|error| wrong(error.to_string(), ""))?;
    let call = EmbedCall::decode(body).map_err(|malformed| wrong(malformed.to_string(), &malformed.field))?;
    let losses = LossReport::new(request.api.dialect(), to, request.plan.strictness);
    let encoded = call.encode(to, &target.upstream, losses).map_err(EncodeError::Field)?;
    let codec = ResponseCodec::Embeddings { from: to, model: target.upstream.clone(), base64: call.base64 };
    Ok(EncodedRequest { body: Bytes::from(encoded.body), codec, dropped: encoded.dropped, version: None })
}

/// The provider does not offer the operation.
fn not_at(request: &LlmRequest, target: &Target, to: Dialect) -> EncodeError {
    let target = format!("{} at {}", to.title(), target.model.provider);
    EncodeError::Field(Unsupported { field: request.api.name().to_owned(), target })
}

/// The request is at fault.
fn wrong(text: String, field: &str) -> EncodeError {
    let field = Some(field).filter(|field| !field.is_empty());
    EncodeError::GatewayError(GatewayError::new(ErrorKind::InvalidRequest, text).param(field))
}

/// A buffered response in the client's dialect, with the usage that it reports.
pub(crate) struct DecodedResponse {
    pub(crate) body: Bytes,
    pub(crate) usage: Option<Usage>,
    /// A filter refused the prompt.
    pub(crate) blocked: bool,
    /// What the client's dialect has no place for.
    pub(crate) lost: LostParts,
}

impl ResponseCodec {
    /// Whether names of tools have to be brought back.
    fn renames_tools(&self) -> bool {
        matches!(self, Self::Translate(translated) if !translated.tools.is_empty())
    }

    /// The pipe through which the response's stream passes.
    pub(crate) fn tap(&self, request: &LlmRequest) -> StreamPipe {
        match self {
            // Embeddings are never streamed; were they, they would be in OpenAI's dialect.
            Self::ChatPassthrough | Self::Embeddings { .. } => {
                StreamPipe::Chat(ChatTap::new(!request.facts.include_usage))
            }
            Self::Passthrough(dialect) | Self::Opaque(dialect) => {
                StreamPipe::Verbatim(Verbatim::new(*dialect))
            }
            Self::Translate(translated) => {
                let decoder = translated.dialects.provider.stream_decoder();
                let decoder = if translated.hide_logprobs { Box::new(Hiding(decoder)) } else { decoder };
                let decoder = match translated.tools.is_empty() {
                    true => decoder,
                    false => Box::new(Renaming { decoder, tools: Arc::clone(&translated.tools) }),
                };
                let client = translated.dialects.client;
                let encoder = client.stream_encoder(translated.envelope.clone());
                StreamPipe::Translation(Translation::new(decoder, encoder).naming_losses(client.name()))
            }
        }
    }

    /// Decodes a whole buffered response. Nothing for OpenAI's own dialect, which the caller reads without building a
    /// document.
    pub(crate) fn decode_response(&self, body: &Bytes) -> Option<Result<DecodedResponse, DecodeError>> {
        let dialect = match self {
            Self::ChatPassthrough => return None,
            Self::Opaque(_) => {
                return Some(Ok(DecodedResponse {
                    body: body.clone(),
                    usage: None,
                    blocked: false,
                    lost: LostParts::default(),
                }));
            }
            Self::Passthrough(dialect) => *dialect,
            Self::Translate(translated) => translated.dialects.provider,
            Self::Embeddings { from, model, base64 } => {
                let read = Json::parse(body).map_err(DecodeError::from);
                let read = read.and_then(|json| wire::embed::translate(*from, json, model, *base64));
                return Some(read.map(|(body, usage)| DecodedResponse {
                    body: Bytes::from(body),
                    usage,
                    blocked: false,
                    lost: LostParts::default(),
                }));
            }
        };
        let read =
            Json::parse(body).map_err(DecodeError::from).and_then(|json| dialect.decode_response(json));
        let read = read.and_then(|reply| match reply.failure() {
            // An answer that shows something although it failed is the client's own affair in its own dialect.
            Some(error) if matches!(self, Self::Translate(_)) || !reply.says_anything() => {
                Err(DecodeError::Error(dialect.classify_error(&error), error))
            }
            _ => Ok(reply),
        });
        Some(read.map(|mut reply| {
            if matches!(self, Self::Translate(translated) if translated.hide_logprobs) {
                reply.choices.iter_mut().for_each(|choice| choice.logprobs.clear());
            }
            let body = match self {
                Self::Translate(translated) => {
                    translated.tools.restore_reply(&mut reply);
                    Bytes::from(translated.dialects.client.encode_response(&reply, &translated.envelope))
                }
                _ => body.clone(),
            };
            let lost = match self {
                Self::Translate(translated) => LostParts::of_reply(&reply, translated.dialects.client.name()),
                _ => LostParts::default(),
            };
            DecodedResponse { body, usage: reply.usage, blocked: reply.blocked(), lost }
        }))
    }

    /// Whether the response must be whole before any of it can go to the client.
    pub(crate) const fn needs_whole(&self) -> bool {
        matches!(self, Self::Translate(_) | Self::Embeddings { .. })
    }

    /// The dialect of the provider, in which it writes its errors.
    pub(crate) fn provider(&self) -> &'static dyn DialectCodec {
        match self {
            Self::ChatPassthrough => wire::codec(Dialect::OpenAiChat),
            Self::Passthrough(dialect) | Self::Opaque(dialect) => *dialect,
            Self::Translate(translated) => translated.dialects.provider,
            Self::Embeddings { from, .. } => wire::codec(*from),
        }
    }
}

/// The outcome of an attempt that ended in this class of error.
pub(crate) const fn outcome(class: ErrorClass) -> domain::AttemptOutcome {
    use domain::AttemptOutcome as O;
    match class {
        ErrorClass::BadCredential | ErrorClass::NoCredit | ErrorClass::ModelForbidden => O::BadCredential,
        ErrorClass::RateLimited | ErrorClass::ModelRateLimited => O::RateLimited,
        ErrorClass::Overloaded | ErrorClass::ServerError => O::ServerError,
        ErrorClass::Timeout => O::Timeout,
        // The target is configured wrongly; another one may do.
        ErrorClass::NotFound => O::Protocol,
        // Providers bound bodies by bytes as well: another one may take it.
        ErrorClass::ContextTooLong | ErrorClass::TooLarge => O::ContextTooLong,
        ErrorClass::ContentBlocked => O::ContentFilter,
        ErrorClass::BadRequest => O::ClientFault,
    }
}
