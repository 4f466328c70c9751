//! What the outcome of an attempt says about the health of the endpoint.

use domain::AttemptOutcome;

/// What an outcome says about the endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndpointHealth {
    /// The endpoint did its part.
    Healthy,
    /// The endpoint failed.
    Failing,
    /// Nothing: the outcome was due to the credential, to the prompt or to the client.
    Unknown,
}

impl EndpointHealth {
    /// What an outcome says.
    #[must_use]
    pub const fn of(outcome: AttemptOutcome) -> Self {
        use AttemptOutcome as O;
        match outcome {
            O::Ok | O::Rejected => Self::Healthy,
            O::Connect | O::Tls | O::Timeout | O::ServerError | O::StreamError | O::Cut | O::Protocol => {
                Self::Failing
            }
            O::RateLimited
            | O::BadCredential
            | O::ClientFault
            | O::ContentFilter
            | O::ContextTooLong
            | O::Cancelled
            | O::NotSent
            | O::Orphaned => Self::Unknown,
        }
    }

    /// What the outcome of a half-open trial says. A refusal is an answer, and a trial only finds out whether the
    /// endpoint answers.
    #[must_use]
    pub const fn of_trial(outcome: AttemptOutcome) -> Self {
        use AttemptOutcome as O;
        match outcome {
            O::RateLimited | O::BadCredential | O::ClientFault | O::ContentFilter | O::ContextTooLong => {
                Self::Healthy
            }
            _ => Self::of(outcome),
        }
    }
}
