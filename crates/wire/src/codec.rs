//! What a dialect can do: read and write calls, answers, streams and errors.

use std::sync::Arc;

use bytes::Bytes;
use domain::ErrorKind;

use crate::{
    api::Api,
    canonical::{
        Call, Encoded, Event, Events, LossReport, Malformed, Reply, SignatureMac, TargetFacts, Unsupported,
    },
    dialect::Dialect,
    error::{ClientErrorBody, DecodeError, ErrorAnswer, ErrorClass, InvalidEvent, ProviderError},
    facts::RequestFacts,
    json::Json,
    scan::{PathParamsRef, ScanError},
    splice::Edits,
};

/// One dialect. Pure: everything is a function of bytes.
pub trait DialectCodec: Send + Sync {
    /// Which one.
    fn name(&self) -> Dialect;

    /// How streams of the dialect are cut into events.
    fn framing(&self) -> Framing {
        Framing::Sse
    }

    /// Whether the request line names the model and says whether to stream, so that the body does not.
    fn has_model_in_path(&self) -> bool {
        false
    }

    /// The smallest output limit, in tokens, that providers of the dialect take.
    fn min_output(&self) -> u64 {
        1
    }

    /// The header in which a request names the version of the API, where the dialect has one.
    fn version_header(&self) -> Option<VersionHeader> {
        None
    }

    /// The version of the API for which [`Self::encode_request`] writes a call, where the dialect has versions.
    fn api_version(&self, call: &Call<'_>, target: &TargetFacts<'_>) -> Option<&'static str> {
        let _ = (call, target);
        None
    }

    /// A body as Google's Vertex takes it; `version` is what [`Self::version_header`] would say.
    fn vertex_body(&self, body: &Bytes, version: Option<&str>) -> Bytes {
        let _ = version;
        body.clone()
    }

    /// One pass over a client's body: proves that it is JSON and finds what routing, metering and the verbatim
    /// path need. `api` is one of those that this dialect serves.
    ///
    /// # Errors
    /// See [`crate::scan()`].
    fn scan(&self, api: Api, path: PathParamsRef<'_>, body: &[u8]) -> Result<RequestFacts, ScanError>;

    /// A client's body for a provider of the same dialect: its bytes, with the splices that are needed.
    fn verbatim(&self, body: &Bytes, facts: &RequestFacts, edits: &Edits<'_>) -> Bytes;

    /// A client's body in which every member stands in a form that [`Self::decode_request`] can borrow as it is; nearly
    /// always the body itself.
    fn prepare(&self, body: &Bytes) -> Bytes {
        body.clone()
    }

    /// Reads a client's call, prepared.
    ///
    /// # Errors
    /// It is no call of this dialect, by field.
    fn decode_request<'a>(
        &self,
        path: PathParamsRef<'a>,
        body: Json<'a>,
        seal: &dyn SignatureMac,
    ) -> Result<Call<'a>, Malformed>;

    /// Writes a call for a provider.
    ///
    /// # Errors
    /// A field that this dialect, or this provider, cannot express.
    fn encode_request(
        &self,
        call: &Call<'_>,
        target: &TargetFacts<'_>,
        losses: LossReport,
    ) -> Result<Encoded, Unsupported>;

    /// Reads a provider's plain answer.
    ///
    /// # Errors
    /// It is no answer, or an error in the clothes of one.
    fn decode_response<'a>(&self, body: Json<'a>) -> Result<Reply<'a>, DecodeError>;

    /// Writes a plain answer for a client.
    fn encode_response(&self, reply: &Reply<'_>, envelope: &Envelope) -> Vec<u8>;

    /// What [`Self::encode_response`] and the stream encoder repeat of the call in every answer (OpenAI Responses).
    fn echo(&self, call: &Call<'_>) -> Vec<u8> {
        let _ = call;
        Vec::new()
    }

    /// Reads a provider's stream.
    fn stream_decoder(&self) -> Box<dyn StreamDecoder>;

    /// Writes a stream for a client.
    fn stream_encoder(&self, envelope: Envelope) -> Box<dyn StreamEncoder>;

    /// The event that ends a stream, for a provider that left it out; empty where clients do not wait for one.
    fn terminal_event(&self) -> &'static [u8] {
        b""
    }

    /// Whether the dialect's clients pass over comments between the events of a stream.
    fn accepts_comments(&self) -> bool {
        self.framing().comments()
    }

    /// Reads a provider's error answer.
    fn decode_error(&self, answer: &ErrorAnswer<'_>) -> (ErrorClass, Option<ProviderError>);

    /// Classifies an error inside a stream, where there is no status.
    fn classify_error(&self, said: &ProviderError) -> ErrorClass;

    /// Writes an error body for a client.
    fn encode_error(&self, error: &ClientErrorBody<'_>) -> Vec<u8>;

    /// The header that clients read beside the body of an error, where the dialect has one.
    fn error_header(&self, kind: ErrorKind) -> Option<ErrorHeader> {
        let _ = kind;
        None
    }

    /// Writes an error into a stream that has begun: the last thing the client gets.
    fn encode_error_event(&self, error: &ClientErrorBody<'_>) -> Vec<u8>;
}

/// The header in which a request names the version of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VersionHeader {
    /// The header's name, in lower case.
    pub name: &'static str,
    /// The version of a request that names none and was not translated.
    pub default: &'static str,
}

/// A header beside the body of an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErrorHeader {
    /// The header's name, in lower case.
    pub name: &'static str,
    /// Its value.
    pub value: &'static str,
}

/// How a stream is cut into events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// Server-sent events.
    Sse,
    /// `application/vnd.amazon.eventstream`.
    AwsEventStream,
}

impl Framing {
    /// Whether a comment may stand between events; binary frames have none.
    #[must_use]
    pub const fn comments(self) -> bool {
        matches!(self, Self::Sse)
    }

    /// The media type of a stream that is cut so.
    #[must_use]
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Sse => "text/event-stream",
            Self::AwsEventStream => "application/vnd.amazon.eventstream",
        }
    }
}

/// Reads one provider's stream.
pub trait StreamDecoder: Send {
    /// How the stream is cut.
    fn framing(&self) -> Framing;

    /// Reads one whole event, framing included.
    ///
    /// # Errors
    /// What cannot be an event of the dialect; the stream is given up.
    fn event(&mut self, event: &[u8], sink: &mut Events<'_>) -> Result<(), InvalidEvent>;

    /// The body ended; whether the answer is whole without a terminal event (Gemini has none).
    fn is_complete(&self) -> bool {
        false
    }
}

/// Writes one client's stream. Its bytes are whole frames.
pub trait StreamEncoder: Send {
    /// How the client's stream is cut.
    fn framing(&self) -> Framing {
        Framing::Sse
    }

    /// Writes what an event makes necessary; [`Event::End`] is not given to it.
    fn event(&mut self, event: &Event<'_>, out: &mut Vec<u8>);

    /// The answer is whole: writes what is still owed to `out` and the dialect's terminal event to `terminal`,
    /// between which a comment may go.
    fn end(&mut self, out: &mut Vec<u8>, terminal: &mut Vec<u8>);
}

/// What an answer has around it, independent of the provider.
#[derive(Clone)]
pub struct Envelope {
    /// The gateway's request id without dashes; what ids are minted from.
    pub request: String,
    /// The model to name where the provider does not say one.
    pub model: String,
    /// Now, in Unix seconds.
    pub created: u64,
    /// Whether the client wants usage in the stream.
    pub stream_usage: bool,
    /// Input tokens to report at the start of a stream if the provider reports them only at the end.
    pub input_estimate: u64,
    /// What [`DialectCodec::echo`] wrote.
    pub echo: Bytes,
    /// For signatures inside ids.
    pub seal: Arc<dyn SignatureMac>,
}
