//! Errors: reading a provider's, writing the gateway's.

use domain::ErrorKind;

use super::{decode_response::text, frame};
use crate::{
    error::{ClientErrorBody, ErrorAnswer, ErrorClass, MAX_MESSAGE, ProviderError},
    error_phrases,
    json::{
        Json,
        out::{self, ObjectOut},
    },
};

/// Reads an error answer (docs/spec/errors.md#classes): its type stands in a header, sometimes in the body.
pub(super) fn decode(answer: &ErrorAnswer<'_>) -> (ErrorClass, Option<ProviderError>) {
    let fields = Json::parse(answer.body).ok().and_then(|body| body.object().ok().flatten());
    let member = |key: &str| fields.as_ref().and_then(|fields| text(fields, key));
    let kind = answer.error_type.map(Into::into).or_else(|| member("__type")).or_else(|| member("code"));
    let kind = kind.map(|kind| exception_name(&kind).to_owned());
    let message = member("message").or_else(|| member("Message")).map(|message| {
        let mut message = message.into_owned();
        message.truncate(message.floor_char_boundary(MAX_MESSAGE));
        message
    });
    let class = classify(answer.status, kind.as_deref(), message.as_deref().unwrap_or_default());
    let error = match (message, kind) {
        (None, None) => None,
        (message, kind) => {
            let message = message.or_else(|| kind.clone()).unwrap_or_default();
            Some(ProviderError { message, kind, code: None, param: None })
        }
    };
    (class, error)
}

/// The name without the namespace in front of it and the address behind it.
fn exception_name(kind: &str) -> &str {
    let kind = kind.split(':').next().unwrap_or_default();
    kind.rsplit('#').next().unwrap_or_default()
}

/// Classifies an error; status 0: it was inside a stream.
pub(super) fn classify(status: u16, kind: Option<&str>, message: &str) -> ErrorClass {
    // Streams write the same names with a small first letter.
    let kind = kind.map(|kind| {
        let mut kind = kind.to_owned();
        kind.get_mut(..1).map(str::make_ascii_uppercase);
        kind
    });
    match kind.as_deref() {
        Some("ValidationException") if let Some(class) = error_phrases::class(status, message) => class,
        Some("ValidationException" | "ConflictException") => ErrorClass::BadRequest,
        Some(
            "UnrecognizedClientException"
            | "InvalidSignatureException"
            | "ExpiredTokenException"
            | "IncompleteSignatureException"
            | "MissingAuthenticationTokenException",
        ) => ErrorClass::BadCredential,
        // Models are granted one by one; what is wrong with a key has names of its own.
        Some("AccessDeniedException") => ErrorClass::ModelForbidden,
        Some("ServiceQuotaExceededException") => ErrorClass::NoCredit,
        Some("ResourceNotFoundException") => ErrorClass::NotFound,
        Some("ThrottlingException") => ErrorClass::RateLimited,
        Some("ServiceUnavailableException" | "ModelNotReadyException") => ErrorClass::Overloaded,
        Some("InternalServerException" | "ModelErrorException" | "ModelStreamErrorException") => {
            ErrorClass::ServerError
        }
        Some("ModelTimeoutException") => ErrorClass::Timeout,
        _ if status == 424 => ErrorClass::ServerError,
        _ => ErrorClass::of_status(status),
    }
}

/// What Bedrock's clients call an error: for the header `x-amzn-ErrorType` beside [`encode`]'s body.
pub(super) const fn exception(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::InvalidRequest | ErrorKind::UnsupportedByTarget | ErrorKind::RequestTooLarge => {
            "ValidationException"
        }
        ErrorKind::RouteNotFound => "ResourceNotFoundException",
        ErrorKind::InvalidKey => "UnrecognizedClientException",
        ErrorKind::Forbidden => "AccessDeniedException",
        ErrorKind::RateLimited => "ThrottlingException",
        ErrorKind::BudgetExceeded => "ServiceQuotaExceededException",
        ErrorKind::UpstreamTimeout => "ModelTimeoutException",
        ErrorKind::Overloaded | ErrorKind::StoreUnavailable => "ServiceUnavailableException",
        ErrorKind::AllTargetsFailed | ErrorKind::CacheMiss | ErrorKind::Internal => "InternalServerException",
    }
}

/// Writes an error body.
pub(super) fn encode(error: &ClientErrorBody<'_>) -> Vec<u8> {
    let mut body = Vec::with_capacity(256);
    out::object(&mut body, |o| {
        o.text("__type", exception(error.kind));
        members(error, o);
    });
    body
}

/// Writes an error into a stream: one of the exceptions that a stream may end with.
pub(super) fn encode_event(error: &ClientErrorBody<'_>) -> Vec<u8> {
    let kind = match error.kind {
        ErrorKind::InvalidRequest | ErrorKind::UnsupportedByTarget | ErrorKind::RequestTooLarge => {
            "validationException"
        }
        ErrorKind::RateLimited | ErrorKind::BudgetExceeded => "throttlingException",
        ErrorKind::Overloaded | ErrorKind::StoreUnavailable => "serviceUnavailableException",
        ErrorKind::UpstreamTimeout => "modelStreamErrorException",
        _ => "internalServerException",
    };
    let mut event = Vec::with_capacity(256);
    frame::exception(&mut event, kind, |o| members(error, o));
    event
}

fn members(error: &ClientErrorBody<'_>, o: &mut ObjectOut<'_>) {
    o.text("message", error.message);
    o.text("code", error.code);
    o.text_if("param", error.param);
    o.text("requestId", error.request);
    let extra = error.extra.map(ToString::to_string);
    o.raw_if("portcullis", extra.as_ref().and_then(|extra| Json::parse(extra.as_bytes()).ok()));
}
