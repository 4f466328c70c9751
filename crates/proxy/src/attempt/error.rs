//! Why an attempt failed.

use std::time::Duration;

use domain::AttemptOutcome;
use policy::failover::{Blame, Failure};
use wire::{ProviderError, ProviderRow, canonical::Unsupported, error::ErrorClass};

use super::response::KeptResponse;
use crate::{codec, error::GatewayError};

/// Longest that a list of attempts quotes of a provider's words, in bytes.
const MAX_WORDS: usize = 300;

/// Why an attempt failed. Details are for logs and in the gateway's own words, because a provider's may quote the prompt
/// or the credential.
pub(crate) enum AttemptError {
    /// The gateway itself cannot go on; this ends the request.
    Gateway(GatewayError),
    /// Nothing was sent: the target cannot express a field of the request.
    Unsupported(Box<Unsupported>),
    /// Nothing was sent: the credential could not sign.
    Unsigned { detail: String },
    /// The connection brought no response head.
    Transport { outcome: AttemptOutcome, detail: String },
    /// The response did not come in time, broke off, or is not what was asked for.
    Response { outcome: AttemptOutcome, detail: String },
    /// The provider answered with an error.
    Upstream(Box<UpstreamError>),
    /// The provider's response says that a filter blocked the prompt. For the client it is better than an error.
    Blocked(Box<KeptResponse>),
}

/// An error that a provider sent.
pub(crate) struct UpstreamError {
    pub(crate) outcome: AttemptOutcome,
    /// What the provider's words mean.
    pub(crate) class: ErrorClass,
    pub(crate) detail: String,
    /// The HTTP status; none if the error came inside a successful response.
    pub(crate) status: Option<u16>,
    /// The provider's own words, free of secrets.
    pub(crate) provider_error: Option<Box<ProviderError>>,
    /// How long the provider wants to be left alone.
    pub(crate) retry_after: Option<Duration>,
}

impl AttemptError {
    /// A response that is no answer.
    pub(super) fn response(outcome: AttemptOutcome, detail: impl Into<String>) -> Self {
        Self::Response { outcome, detail: detail.into() }
    }

    pub(super) fn protocol(detail: &'static str) -> Self {
        Self::response(AttemptOutcome::Protocol, detail)
    }

    /// An error inside a successful response. One that no other target or credential would avoid keeps its class.
    pub(super) fn inside_response(class: ErrorClass, provider_error: ProviderError) -> Self {
        use AttemptOutcome as O;
        let outcome = match codec::outcome(class) {
            known @ (O::ClientFault
            | O::BadCredential
            | O::RateLimited
            | O::ContentFilter
            | O::ContextTooLong) => known,
            _ => O::StreamError,
        };
        Self::Upstream(Box::new(UpstreamError {
            outcome,
            class,
            detail: "an error inside an answer of status 200".to_owned(),
            status: None,
            provider_error: Some(Box::new(provider_error)),
            retry_after: None,
        }))
    }

    /// How the attempt ended.
    pub(crate) const fn outcome(&self) -> AttemptOutcome {
        match self {
            Self::Gateway(_) | Self::Unsupported(_) | Self::Unsigned { .. } => AttemptOutcome::NotSent,
            Self::Transport { outcome, .. } | Self::Response { outcome, .. } => *outcome,
            Self::Upstream(error) => error.outcome,
            Self::Blocked(_) => AttemptOutcome::ContentFilter,
        }
    }

    /// Why, for logs.
    pub(crate) fn detail(&self) -> &str {
        match self {
            Self::Gateway(_) => "the gateway cannot go on",
            Self::Unsupported(_) => "the target cannot express the request",
            Self::Unsigned { detail } | Self::Transport { detail, .. } | Self::Response { detail, .. } => {
                detail
            }
            Self::Upstream(error) => &error.detail,
            Self::Blocked(_) => "a filter refused the prompt in an answer of status 200",
        }
    }

    /// The provider's HTTP status, where it answered with an error.
    pub(crate) fn status(&self) -> Option<u16> {
        match self {
            Self::Upstream(error) => error.status,
            _ => None,
        }
    }

    /// What the provider said, for the client: nothing where the fault is the credential's.
    pub(crate) fn words(&self) -> Option<String> {
        let Self::Upstream(error) = self else { return None };
        let shown = error.outcome != AttemptOutcome::BadCredential || error.status == Some(404);
        let said = error.provider_error.as_ref().filter(|_| shown)?;
        let end = said.message.floor_char_boundary(MAX_WORDS);
        Some(said.message[..end].to_owned())
    }

    /// What failover has to know of it; `row` is the provider's.
    pub(crate) fn failure(&self, row: &ProviderRow) -> Failure {
        let (retry_after, blame) = match self {
            Self::Upstream(error) => (error.retry_after, error.blame(row)),
            _ => (None, Blame::default()),
        };
        Failure {
            outcome: self.outcome(),
            retry_after,
            blame,
            before_head: matches!(self, Self::Transport { .. }),
            has_answer: matches!(self, Self::Blocked(_)),
        }
    }
}

impl UpstreamError {
    /// The smallest thing that explains the error.
    const fn blame(&self, row: &ProviderRow) -> Blame {
        match self.class {
            ErrorClass::ModelForbidden | ErrorClass::ModelRateLimited => Blame::Model,
            ErrorClass::RateLimited if row.limits_per_model => Blame::Model,
            // Free models answer where dear ones want money.
            ErrorClass::NoCredit if matches!(self.status, Some(402)) => Blame::Model,
            _ => Blame::Credential,
        }
    }
}

/// What a provider's status means. `None` for a success.
pub(crate) const fn classify_status(status: u16) -> Option<AttemptOutcome> {
    use AttemptOutcome as O;
    match status {
        200..=299 => None,
        401..=403 => Some(O::BadCredential),
        408 => Some(O::Timeout),
        429 => Some(O::RateLimited),
        // The target is configured wrongly, or redirects, which is never followed: another target may do.
        300..=399 | 404 | 405 | 410 => Some(O::Protocol),
        409 | 500..=599 => Some(O::ServerError),
        400..=499 => Some(O::ClientFault),
        _ => Some(O::Protocol),
    }
}
