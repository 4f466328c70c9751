//! The closed list of errors a client can see: stable code, HTTP status, whether a retry can help.

use serde::{Deserialize, Serialize};

/// Why the gateway did not serve a request; the code and the status are part of the public contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// The request is malformed or the provider refused it as the client's own fault.
    InvalidRequest,
    /// No key, an unknown one, or one that has expired.
    InvalidKey,
    /// The key may not do this.
    Forbidden,
    /// No such route, model or path.
    RouteNotFound,
    /// The target cannot express a field of the request.
    UnsupportedByTarget,
    /// The body exceeds the limit.
    RequestTooLarge,
    /// A rate limit was reached.
    RateLimited,
    /// A budget is used up.
    BudgetExceeded,
    /// Every target was tried and failed.
    AllTargetsFailed,
    /// The providers did not answer in time.
    UpstreamTimeout,
    /// The gateway has no room for the request now.
    Overloaded,
    /// What the gateway needs to decide is away.
    StoreUnavailable,
    /// The client asked for a cached answer only, and there is none.
    CacheMiss,
    /// A fault of the gateway's own.
    Internal,
}

impl ErrorKind {
    /// The stable machine-readable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        self.row().0
    }

    /// The HTTP status.
    #[must_use]
    pub const fn status(self) -> u16 {
        self.row().1
    }

    const fn row(self) -> (&'static str, u16) {
        match self {
            Self::InvalidRequest => ("invalid_request", 400),
            Self::InvalidKey => ("invalid_key", 401),
            Self::Forbidden => ("forbidden", 403),
            Self::RouteNotFound => ("route_not_found", 404),
            Self::UnsupportedByTarget => ("unsupported_by_target", 400),
            Self::RequestTooLarge => ("request_too_large", 413),
            Self::RateLimited => ("rate_limited", 429),
            Self::BudgetExceeded => ("budget_exceeded", 429),
            Self::AllTargetsFailed => ("all_targets_failed", 502),
            Self::UpstreamTimeout => ("upstream_timeout", 504),
            Self::Overloaded => ("overloaded", 503),
            Self::StoreUnavailable => ("store_unavailable", 503),
            Self::CacheMiss => ("cache_miss", 504),
            Self::Internal => ("internal", 500),
        }
    }
}
