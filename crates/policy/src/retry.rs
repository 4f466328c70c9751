//! What follows a failed attempt: another key, another target, or the end.

use domain::AttemptOutcome;

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The same target with its next credential; the next target when none is left.
    NextKey,
    /// The next target.
    NextTarget,
    /// Nothing: the request or the client is the cause, or it succeeded.
    Stop,
}

/// Decides by whose fault the attempt failed; only asked while nothing was relayed to the client.
#[must_use]
pub const fn verdict(outcome: AttemptOutcome) -> Verdict {
    use AttemptOutcome as O;
    match outcome {
        O::RateLimited | O::BadCredential => Verdict::NextKey,
        O::Connect
        | O::Tls
        | O::Timeout
        | O::ServerError
        | O::StreamError
        | O::Cut
        | O::Protocol
        | O::NotSent => Verdict::NextTarget,
        O::ContentFilter | O::ContextTooLong => Verdict::NextTarget,
        O::Ok | O::ClientFault | O::Cancelled | O::Orphaned | O::Rejected => Verdict::Stop,
    }
}
