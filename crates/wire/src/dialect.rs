//! What a dialect is: reading and writing calls, answers, streams and errors in one provider family's words.

use bytes::Bytes;
use domain::ErrorKind;

use crate::{
    canonical::{Call, Encoded, Event, Events, LossReport, Malformed, Reply, TargetFacts, Unsupported},
    json::{Json, JsonError},
    openai::error::ProviderError,
    scan::{RequestFacts, ScanError},
    splice::Edits,
};

/// The dialects, by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Dialect {
    /// OpenAI Chat Completions, and everybody who copied it.
    OpenAiChat,
    /// OpenAI Responses.
    OpenAiResponses,
    /// Anthropic Messages.
    Anthropic,
    /// Google's generateContent.
    Gemini,
    /// Cohere Chat, version 2.
    Cohere,
    /// Amazon Bedrock Converse.
    Bedrock,
}

impl Dialect {
    /// Every dialect.
    pub const ALL: [Self; 6] =
        [Self::OpenAiChat, Self::OpenAiResponses, Self::Anthropic, Self::Gemini, Self::Cohere, Self::Bedrock];

    /// The stable name in usage records and metric labels.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::OpenAiChat => "chat",
            Self::OpenAiResponses => "responses",
            Self::Anthropic => "messages",
            Self::Gemini => "gemini",
            Self::Cohere => "cohere",
            Self::Bedrock => "converse",
        }
    }

    /// Reads the stable name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|dialect| dialect.name() == name)
    }

    /// Its reader and writer; `None`: this version has none yet.
    #[must_use]
    pub fn codec(self) -> Option<&'static dyn DialectCodec> {
        match self {
            Self::OpenAiChat => Some(&crate::openai::chat::Chat),
            Self::OpenAiResponses => Some(&crate::responses::Responses),
            Self::Anthropic => Some(&crate::anthropic::Anthropic),
            Self::Bedrock => Some(&crate::bedrock::Bedrock),
            Self::Gemini => Some(&crate::gemini::Gemini),
            Self::Cohere => Some(&crate::cohere::Cohere),
        }
    }

    /// What people call it.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::OpenAiChat => "OpenAI Chat Completions",
            Self::OpenAiResponses => "OpenAI Responses",
            Self::Anthropic => "Anthropic Messages",
            Self::Gemini => "Gemini generateContent",
            Self::Cohere => "Cohere Chat v2",
            Self::Bedrock => "Bedrock Converse",
        }
    }
}

/// What the request line says, in dialects that put it there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PathParamsRef<'a> {
    /// The model, percent-decoded; `None`: it is in the body.
    pub model: Option<&'a str>,
    /// Whether a stream is asked for; `None`: the body says it.
    pub stream: Option<bool>,
}

/// One dialect. Pure: everything is a function of bytes.
pub trait DialectCodec: Send + Sync {
    /// Which one.
    fn name(&self) -> Dialect;

    /// One pass over a client's body: proves that it is JSON and finds what routing, metering and the verbatim
    /// path need.
    ///
    /// # Errors
    /// See [`crate::scan()`].
    fn scan(&self, path: PathParamsRef<'_>, body: &[u8]) -> Result<RequestFacts, ScanError>;

    /// A client's body for a provider of the same dialect: its bytes, with the splices that are needed.
    fn verbatim(&self, body: &Bytes, facts: &RequestFacts, edits: &Edits<'_>) -> Bytes;

    /// A client's body in which every member stands in a form that [`Self::decode_call`] can borrow as it is; nearly
    /// always the body itself.
    fn prepare(&self, body: &Bytes) -> Bytes {
        body.clone()
    }

    /// Reads a client's call, prepared.
    ///
    /// # Errors
    /// It is no call of this dialect, by field.
    fn decode_call<'a>(
        &self,
        path: PathParamsRef<'a>,
        body: Json<'a>,
        seal: &dyn SignatureMac,
    ) -> Result<Call<'a>, Malformed>;

    /// Writes a call for a provider.
    ///
    /// # Errors
    /// A field that this dialect, or this provider, cannot express.
    fn encode_call(
        &self,
        call: &Call<'_>,
        target: &TargetFacts<'_>,
        losses: LossReport,
    ) -> Result<Encoded, Unsupported>;

    /// Reads a provider's plain answer.
    ///
    /// # Errors
    /// It is no answer, or an error in the clothes of one.
    fn decode_reply<'a>(&self, body: Json<'a>) -> Result<Reply<'a>, DecodeError>;

    /// Writes a plain answer for a client.
    fn encode_reply(&self, reply: &Reply<'_>, envelope: &Envelope) -> Vec<u8>;

    /// What [`Self::encode_reply`] and the stream encoder repeat of the call in every answer (OpenAI Responses).
    fn echo(&self, call: &Call<'_>) -> Vec<u8> {
        let _ = call;
        Vec::new()
    }

    /// Reads a provider's stream.
    fn stream_decoder(&self) -> Box<dyn StreamDecoder>;

    /// Writes a stream for a client.
    fn stream_encoder(&self, envelope: Envelope) -> Box<dyn StreamEncoder>;

    /// Reads a provider's error answer.
    fn decode_error(&self, answer: &ErrorAnswer<'_>) -> (ErrorClass, Option<ProviderError>);

    /// Whose fault an error is that stood inside a stream: no status says it.
    fn class_of(&self, said: &ProviderError) -> ErrorClass {
        crate::openai::fault::class_of(0, said)
    }

    /// Writes an error body for a client.
    fn encode_error(&self, error: &ClientErrorBody<'_>) -> Vec<u8>;

    /// Writes an error into a stream that has begun: the last thing the client gets.
    fn encode_error_event(&self, error: &ClientErrorBody<'_>) -> Vec<u8>;
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

/// Authenticates what is carried through clients inside opaque ids, so that nobody can forge it.
pub trait SignatureMac: Send + Sync {
    /// A keyed digest of the bytes.
    fn tag(&self, bytes: &[u8]) -> [u8; 16];
}

/// What an answer has around it, whoever gave it.
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
    /// Input tokens to say at the start of a stream whose provider tells them only at the end.
    pub input_estimate: u64,
    /// What [`DialectCodec::echo`] wrote.
    pub echo: Bytes,
    /// For signatures inside ids.
    pub seal: std::sync::Arc<dyn SignatureMac>,
}

/// A provider's answer with an error status.
#[derive(Clone, Copy, Debug)]
pub struct ErrorAnswer<'a> {
    /// HTTP status; 0: the error stood inside a stream or an answer of status 200.
    pub status: u16,
    /// `x-amzn-ErrorType`, where there is one.
    pub error_type: Option<&'a str>,
    /// The body.
    pub body: &'a [u8],
}

/// Whose fault a provider's error is and what may help (DIALECTS §4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorClass {
    /// The request is at fault.
    BadRequest,
    /// The credential is not accepted.
    BadCredential,
    /// The credential has no money or quota left.
    NoCredit,
    /// No such model or path there.
    NotFound,
    /// The body is too large for this provider.
    TooLarge,
    /// The prompt does not fit into the model's context.
    ContextTooLong,
    /// The prompt was refused by a filter.
    ContentBlocked,
    /// Too many requests or tokens for now.
    RateLimited,
    /// The provider has no capacity for now.
    Overloaded,
    /// The provider failed.
    ServerError,
    /// The provider gave up waiting for itself.
    Timeout,
}

/// Why there is no answer in an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DecodeError {
    /// It is not what the dialect describes.
    Malformed(String),
    /// It is an error, whatever its status says.
    Error(ErrorClass, ProviderError),
}

impl From<JsonError> for DecodeError {
    fn from(error: JsonError) -> Self {
        Self::Malformed(error.to_string())
    }
}

/// An event that cannot be one of its dialect.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the provider sent an event that cannot be read: {0}")]
pub struct InvalidEvent(pub String);

impl From<JsonError> for InvalidEvent {
    fn from(error: JsonError) -> Self {
        Self(error.to_string())
    }
}

/// An error for a client.
#[derive(Clone, Copy, Debug)]
pub struct ClientErrorBody<'a> {
    /// The gateway's kind.
    pub kind: ErrorKind,
    /// The HTTP status it goes out with.
    pub status: u16,
    /// For people.
    pub message: &'a str,
    /// The gateway's stable code, or the provider's own where it blames the request.
    pub code: &'a str,
    /// The field at fault.
    pub param: Option<&'a str>,
    /// The gateway's request id.
    pub request: &'a str,
    /// What goes under `portcullis` (attempts, budget); a JSON object.
    pub extra: Option<&'a serde_json::Value>,
}
