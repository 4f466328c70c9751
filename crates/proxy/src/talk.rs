//! How client and provider understand each other: the same words, which pass as bytes, or a translation.

mod logprobs;

use std::sync::Arc;

use bytes::Bytes;
use domain::{ErrorKind, RequestId, Usage};
use policy::{PlannedTarget, Target};
use secrets::Keyring;
use wire::{
    Addressing, Api, ChatTap, Dialect, Edits, StreamPipe,
    canonical::{Call, LossReport, SignatureMac, TargetFacts, Unsupported},
    codec::{DialectCodec, Envelope},
    embed::EmbedCall,
    error::{DecodeError, ErrorClass},
    json::Json,
    scan::PathParamsRef,
    tap::{Translation, Verbatim},
};

use self::logprobs::Hiding;
use crate::{pipeline::LlmRequest, reply::GatewayError};

/// How the answer of one attempt becomes the client's.
pub(crate) enum ResponseCodec {
    /// OpenAI's own words at both ends: chat, whose streams get one edit, or embeddings.
    OpenAi,
    /// Another dialect at both ends: bytes pass as they are.
    Same(&'static dyn DialectCodec),
    /// The same dialect, and an answer that is none of a model (counts of tokens): passed on as it is.
    AsIs(&'static dyn DialectCodec),
    /// Two dialects.
    Translated(Box<Translated>),
    /// Embeddings of a provider with words of its own; how the vectors go back.
    Embeddings {
        /// The provider's dialect.
        from: Dialect,
        /// The model to name in the answer.
        model: String,
        /// Whether the client wants them packed.
        base64: bool,
    },
}

/// Two dialects, and what the client's needs to have said around an answer.
pub(crate) struct Translated {
    provider: &'static dyn DialectCodec,
    client: &'static dyn DialectCodec,
    envelope: Envelope,
    /// The gateway asked for log-probabilities, the client did not.
    hide_logprobs: bool,
}

/// A request in the provider's words.
pub(crate) struct EncodedRequest {
    pub(crate) body: Bytes,
    pub(crate) talk: ResponseCodec,
    /// What was lost on the way, in the client's words; only in lenient mode, and hints.
    pub(crate) dropped: Vec<String>,
    /// Anthropic's version of what the gateway wrote itself.
    pub(crate) version: Option<&'static str>,
}

/// Why a request cannot be said to a target.
pub(crate) enum EncodeError {
    /// The target cannot express a field; another one may.
    Field(Unsupported),
    /// The request is wrong, whoever hears it.
    GatewayError(GatewayError),
}

/// Says the request in the words of a target.
pub(crate) fn speak(
    ask: &LlmRequest,
    planned: &PlannedTarget,
    to: Dialect,
    keyring: &Arc<Keyring>,
    request: RequestId,
) -> Result<EncodedRequest, EncodeError> {
    let from = ask.api.dialect();
    let target = &planned.target;
    let edits = Edits { model: &target.upstream, want_usage: ask.facts.stream, output_limit: None };
    if ask.api == Api::Embeddings && to != from {
        return embed(ask, target, to);
    }
    if !ask.api.generates() && to != from {
        return Err(not_at(ask, target, to));
    }
    if from == to {
        if logprobs::wanted(ask, planned, to)
            && let Some(spoken) = with_logprobs(ask, target, to, keyring, request)
        {
            return Ok(spoken);
        }
        let same = |dialect: &'static dyn DialectCodec| {
            let body = dialect.verbatim(&ask.body, &ask.facts, &edits);
            let talk =
                if ask.api.generates() { ResponseCodec::Same(dialect) } else { ResponseCodec::AsIs(dialect) };
            EncodedRequest { body, talk, dropped: Vec::new(), version: None }
        };
        return match from {
            Dialect::OpenAiChat => {
                let body = match ask.api.is_upload() {
                    true => Bytes::from(wire::multipart::with_model(&ask.body, &ask.facts, &target.upstream)),
                    false => wire::splice(&ask.body, &ask.facts, &edits),
                };
                Ok(EncodedRequest { body, talk: ResponseCodec::OpenAi, dropped: Vec::new(), version: None })
            }
            _ => Ok(same(wire::codec(from))),
        };
    }
    translate(ask, planned, (wire::codec(from), wire::codec(to)), keyring, request)
}

fn translate(
    ask: &LlmRequest,
    planned: &PlannedTarget,
    (client, provider): (&'static dyn DialectCodec, &'static dyn DialectCodec),
    keyring: &Arc<Keyring>,
    request: RequestId,
) -> Result<EncodedRequest, EncodeError> {
    let target = &planned.target;
    let seal: Arc<dyn SignatureMac> = Arc::new(PepperMac(Arc::clone(keyring)));
    let prepared = client.prepare(&ask.body);
    let body = Json::parse(&prepared).map_err(|error| wrong(error.to_string(), ""))?;
    let mut call = client
        .decode_request(ask.in_path.borrowed(), body, &*seal)
        .map_err(|malformed| wrong(malformed.to_string(), &malformed.field))?;
    let facts = TargetFacts {
        model: &target.upstream,
        max_output: target.spec.max_output,
        sampling: target.spec.capabilities.sampling_fields.into(),
        quirks: &target.endpoint.row.quirks,
    };
    let losses = LossReport::new(client.name(), provider.name(), ask.options.lenient);
    let envelope = envelope(ask, target, (client, &call), seal, request);
    let hide_logprobs = !call.sampling.logprobs && logprobs::wanted(ask, planned, provider.name());
    call.sampling.logprobs |= hide_logprobs;
    let encoded = provider.encode_request(&call, &facts, losses).map_err(EncodeError::Field)?;
    let talk = ResponseCodec::Translated(Box::new(Translated { provider, client, envelope, hide_logprobs }));
    let version = provider.api_version(&call, &facts);
    Ok(EncodedRequest { body: Bytes::from(encoded.body), talk, dropped: encoded.dropped, version })
}

/// The request in the client's own words, with a wish for log-probabilities; the answer goes through the common form,
/// which leaves them out again. `None`: the client wants them itself, or they cannot be asked for.
fn with_logprobs(
    ask: &LlmRequest,
    target: &Target,
    dialect: Dialect,
    keyring: &Arc<Keyring>,
    request: RequestId,
) -> Option<EncodedRequest> {
    let codec = wire::codec(dialect);
    let seal: Arc<dyn SignatureMac> = Arc::new(PepperMac(Arc::clone(keyring)));
    let prepared = codec.prepare(&ask.body);
    let call = codec.decode_request(ask.in_path.borrowed(), Json::parse(&prepared).ok()?, &*seal).ok()?;
    if call.sampling.logprobs {
        return None;
    }
    let edits = Edits { model: &target.upstream, want_usage: ask.facts.stream, output_limit: None };
    let body = wire::ask_logprobs(dialect, &codec.verbatim(&ask.body, &ask.facts, &edits))?;
    let envelope = envelope(ask, target, (codec, &call), seal, request);
    let translated = Translated { provider: codec, client: codec, envelope, hide_logprobs: true };
    let talk = ResponseCodec::Translated(Box::new(translated));
    Some(EncodedRequest { body, talk, dropped: Vec::new(), version: None })
}

/// What the client's dialect needs to have said around an answer.
fn envelope(
    ask: &LlmRequest,
    target: &Target,
    (client, call): (&dyn DialectCodec, &Call<'_>),
    seal: Arc<dyn SignatureMac>,
    request: RequestId,
) -> Envelope {
    Envelope {
        request: request.0.simple().to_string(),
        model: target.upstream.clone(),
        created: u64::try_from(domain::Timestamp::now().micros() / 1_000_000).unwrap_or_default(),
        stream_usage: call.stream_usage,
        input_estimate: ask.input_estimate(),
        echo: Bytes::from(client.echo(call)),
        seal,
    }
}

fn embed(ask: &LlmRequest, target: &Target, to: Dialect) -> Result<EncodedRequest, EncodeError> {
    if target.endpoint.row.addressing == Addressing::Vertex {
        // Its embeddings have yet another form, behind other paths.
        return Err(not_at(ask, target, to));
    }
    let body = Json::parse(&ask.body).map_err(|error| wrong(error.to_string(), ""))?;
    let call = EmbedCall::decode(body).map_err(|malformed| wrong(malformed.to_string(), &malformed.field))?;
    let losses = LossReport::new(ask.api.dialect(), to, ask.options.lenient);
    let encoded = call.encode(to, &target.upstream, losses).map_err(EncodeError::Field)?;
    let talk = ResponseCodec::Embeddings { from: to, model: target.upstream.clone(), base64: call.base64 };
    Ok(EncodedRequest { body: Bytes::from(encoded.body), talk, dropped: encoded.dropped, version: None })
}

/// The operation is not there at this provider.
fn not_at(ask: &LlmRequest, target: &Target, to: Dialect) -> EncodeError {
    let target = format!("{} at {}", to.title(), target.model.provider);
    EncodeError::Field(Unsupported { field: ask.api.name().to_owned(), target })
}

/// The request is at fault.
fn wrong(text: String, field: &str) -> EncodeError {
    let field = Some(field).filter(|field| !field.is_empty());
    EncodeError::GatewayError(GatewayError::new(ErrorKind::InvalidRequest, text).param(field))
}

/// A plain answer in the client's words, with what it said of its usage.
pub(crate) struct DecodedResponse {
    pub(crate) body: Bytes,
    pub(crate) usage: Option<Usage>,
    /// A filter refused the prompt.
    pub(crate) blocked: bool,
}

impl ResponseCodec {
    /// The tap of the answer's stream.
    pub(crate) fn tap(&self, ask: &LlmRequest) -> StreamPipe {
        match self {
            // Embeddings are never streamed; were they, they would be in OpenAI's words.
            Self::OpenAi | Self::Embeddings { .. } => {
                StreamPipe::Chat(ChatTap::new(!ask.facts.include_usage))
            }
            Self::Same(dialect) | Self::AsIs(dialect) => {
                StreamPipe::Verbatim(Verbatim::new(dialect.stream_decoder()))
            }
            Self::Translated(talk) => {
                let decoder = talk.provider.stream_decoder();
                let decoder = if talk.hide_logprobs { Box::new(Hiding(decoder)) } else { decoder };
                StreamPipe::Translation(Translation::new(
                    decoder,
                    talk.client.stream_encoder(talk.envelope.clone()),
                ))
            }
        }
    }

    /// Reads a whole plain answer; `None`: in OpenAI's own words, which the caller reads without a document.
    pub(crate) fn hear(&self, body: &Bytes) -> Option<Result<DecodedResponse, DecodeError>> {
        let dialect = match self {
            Self::OpenAi => return None,
            Self::AsIs(_) => {
                return Some(Ok(DecodedResponse { body: body.clone(), usage: None, blocked: false }));
            }
            Self::Same(dialect) => *dialect,
            Self::Translated(talk) => talk.provider,
            Self::Embeddings { from, model, base64 } => {
                let read = Json::parse(body).map_err(DecodeError::from);
                let read = read.and_then(|json| wire::embed::translate(*from, json, model, *base64));
                return Some(read.map(|(body, usage)| DecodedResponse {
                    body: Bytes::from(body),
                    usage,
                    blocked: false,
                }));
            }
        };
        let read =
            Json::parse(body).map_err(DecodeError::from).and_then(|json| dialect.decode_response(json));
        Some(read.map(|mut reply| {
            if matches!(self, Self::Translated(talk) if talk.hide_logprobs) {
                reply.choices.iter_mut().for_each(|choice| choice.logprobs.clear());
            }
            let body = match self {
                Self::Translated(talk) => Bytes::from(talk.client.encode_response(&reply, &talk.envelope)),
                _ => body.clone(),
            };
            DecodedResponse { body, usage: reply.usage, blocked: reply.blocked() }
        }))
    }

    /// Whether the answer must be whole before any of it can go to the client.
    pub(crate) const fn needs_whole(&self) -> bool {
        matches!(self, Self::Translated(_) | Self::Embeddings { .. })
    }

    /// The dialect in which the provider says what went wrong.
    pub(crate) fn provider(&self) -> &'static dyn DialectCodec {
        match self {
            Self::OpenAi => wire::codec(Dialect::OpenAiChat),
            Self::Same(dialect) | Self::AsIs(dialect) => *dialect,
            Self::Translated(talk) => talk.provider,
            Self::Embeddings { from, .. } => wire::codec(*from),
        }
    }
}

/// Whose fault a class of error is.
pub(crate) const fn outcome(class: ErrorClass) -> domain::AttemptOutcome {
    use domain::AttemptOutcome as O;
    match class {
        ErrorClass::BadCredential | ErrorClass::NoCredit => O::BadCredential,
        ErrorClass::RateLimited => O::RateLimited,
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

/// What the request line said, kept for the attempts.
#[derive(Clone, Debug, Default)]
pub(crate) struct PathParams {
    pub(crate) model: Option<String>,
    pub(crate) stream: Option<bool>,
    /// Gemini's version.
    pub(crate) version: Option<&'static str>,
}

impl PathParams {
    pub(crate) fn borrowed(&self) -> PathParamsRef<'_> {
        PathParamsRef { model: self.model.as_deref(), stream: self.stream }
    }
}

/// Tags what is carried through clients with the fleet's pepper: every proxy can read what another one carried.
pub(crate) struct PepperMac(pub(crate) Arc<Keyring>);

impl SignatureMac for PepperMac {
    fn tag(&self, bytes: &[u8]) -> [u8; 16] {
        // What is covered is ASCII; the prefix keeps it apart from the digests of keys.
        let digest = self.0.digest(&format!("carried seal\n{}", String::from_utf8_lossy(bytes)));
        let mut tag = [0; 16];
        tag.copy_from_slice(&digest.0[..16]);
        tag
    }
}
