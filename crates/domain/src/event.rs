//! What is recorded of a request: the intent before it is sent and the usage event after it ended.

use serde::{Deserialize, Serialize};

use crate::{Draw, IncarnationId, Money, RequestId, ResourceId, Timestamp, Usage};

/// The tenant, key and labels that a request is attributed to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attribution {
    /// The tenant.
    pub tenant: ResourceId,
    /// The key it signed in with.
    pub key: ResourceId,
    /// The end user, where the client or the key named one.
    pub user: Option<String>,
    /// The feature of the application, likewise.
    pub feature: Option<String>,
    /// Free tags of the client, `k=v`.
    pub tags: Vec<(String, String)>,
}

impl Attribution {
    /// Longest user, feature, session, or tag with its value, in bytes, as clients say them in headers.
    pub const MAX_NAME: usize = 256;
    /// Most tags.
    pub const MAX_TAGS: usize = 16;
}

/// Written before the first byte of an attempt goes upstream.
///
/// A proxy that dies afterwards leaves it behind without an event; its successor books the reservation
/// as an estimate, because it cannot be known whether the provider billed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intent {
    /// The request.
    pub request: RequestId,
    /// Which attempt of it, from 1.
    pub attempt: u32,
    /// When.
    pub at: Timestamp,
    /// The tenant, key and labels it is attributed to.
    pub attribution: Attribution,
    /// The client API, `chat`, `embeddings`.
    pub api: String,
    /// Whether the client asked for a stream.
    pub stream: bool,
    /// The route the client named.
    pub route: String,
    /// The provider resource's name.
    pub provider: String,
    /// The model at the provider.
    pub model: String,
    /// The price it will be charged by, if the model has one.
    pub price: Option<ResourceId>,
    /// An upper bound of the cost (zero while unpriced).
    pub reserve: Money,
    /// An upper bound of the tokens behind it.
    pub bound: Usage,
    /// Where it is drawn from, under budgets.
    pub draw: Option<Draw>,
}

/// How one attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttemptOutcome {
    /// The provider answered, whole.
    Ok,
    /// No connection.
    Connect,
    /// The TLS handshake failed.
    Tls,
    /// No first byte, or silence between two chunks, for too long.
    Timeout,
    /// HTTP 429.
    RateLimited,
    /// HTTP 5xx.
    ServerError,
    /// HTTP 401, 402 or 403: the credential's fault.
    BadCredential,
    /// HTTP 4xx that blames the request.
    ClientFault,
    /// The provider's content filter refused the request.
    ContentFilter,
    /// The input does not fit into the model's context.
    ContextTooLong,
    /// Answered, whole; a cascade's condition did not accept it.
    Rejected,
    /// An error event inside a 200 stream.
    StreamError,
    /// The answer ended early.
    Cut,
    /// The answer was no valid HTTP or no valid body.
    Protocol,
    /// The client hung up.
    Cancelled,
    /// The gateway gave up before sending.
    NotSent,
    /// The proxy died after the intent was written.
    Orphaned,
}

impl AttemptOutcome {
    /// Every outcome.
    pub const ALL: [Self; 17] = [
        Self::Ok,
        Self::Connect,
        Self::Tls,
        Self::Timeout,
        Self::RateLimited,
        Self::ServerError,
        Self::BadCredential,
        Self::ClientFault,
        Self::ContentFilter,
        Self::ContextTooLong,
        Self::Rejected,
        Self::StreamError,
        Self::Cut,
        Self::Protocol,
        Self::Cancelled,
        Self::NotSent,
        Self::Orphaned,
    ];

    /// The stable name in records, metrics and headers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Timeout => "timeout",
            Self::RateLimited => "rate_limited",
            Self::ServerError => "server_error",
            Self::BadCredential => "bad_credential",
            Self::ClientFault => "client_fault",
            Self::ContentFilter => "content_filter",
            Self::ContextTooLong => "context_too_long",
            Self::Rejected => "rejected",
            Self::StreamError => "stream_error",
            Self::Cut => "cut",
            Self::Protocol => "protocol",
            Self::Cancelled => "cancelled",
            Self::NotSent => "not_sent",
            Self::Orphaned => "orphaned",
        }
    }

    /// Reads the stable name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.as_str() == name)
    }
}

/// One attempt at one target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// From 1.
    pub number: u32,
    /// The provider resource's name.
    pub provider: String,
    /// The model at the provider.
    pub model: String,
    /// How it ended.
    pub outcome: AttemptOutcome,
    /// The provider's HTTP status, 0 if none arrived.
    pub status: u32,
    /// When it started.
    pub at: Timestamp,
    /// How long it ran, in microseconds.
    pub duration_us: u64,
    /// Tokens, as reported or estimated.
    pub usage: Usage,
    /// What it cost; zero while unpriced.
    pub cost: Money,
    /// The price it was charged by; absent if the model is unpriced or there is nothing to charge.
    pub price: Option<ResourceId>,
    /// True where the provider did not report the usage.
    pub estimated: bool,
    /// Why this target was chosen, for people; absent in events of versions that did not record it.
    pub reason: Option<String>,
    /// Where its cost is drawn from, under budgets.
    pub draw: Option<Draw>,
}

/// How the request as a whole ended, seen from the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RequestOutcome {
    /// Answered, whole.
    Ok,
    /// Ended in an error the client was told.
    Error,
    /// The client hung up.
    Cancelled,
    /// The stream failed after content was relayed, or the proxy's drain time was over before the answer's end.
    Cut,
    /// The proxy died.
    Orphaned,
}

impl RequestOutcome {
    /// Every outcome.
    pub const ALL: [Self; 5] = [Self::Ok, Self::Error, Self::Cancelled, Self::Cut, Self::Orphaned];

    /// The stable name in records.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Error => "error",
            Self::Cancelled => "cancelled",
            Self::Cut => "cut",
            Self::Orphaned => "orphaned",
        }
    }

    /// Reads the stable name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.as_str() == name)
    }
}

/// Whether a cache answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CacheHit {
    /// No cache applies.
    #[default]
    Off,
    /// A cache was asked and had nothing.
    None,
    /// The very same request.
    Exact,
    /// A request of the same meaning.
    Semantic,
}

impl CacheHit {
    /// The stable name in records and headers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::None => "none",
            Self::Exact => "exact",
            Self::Semantic => "semantic",
        }
    }

    /// Reads the stable name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Off, Self::None, Self::Exact, Self::Semantic].into_iter().find(|hit| hit.as_str() == name)
    }
}

/// One finished request, all its attempts included: what the ledger stores exactly once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageEvent {
    /// The request; its id names the day.
    pub request: RequestId,
    /// The proxy process that served it.
    pub incarnation: IncarnationId,
    /// When it ended.
    pub at: Timestamp,
    /// The tenant, key and labels it is attributed to.
    pub attribution: Attribution,
    /// The client API, `chat`, `embeddings`.
    pub api: String,
    /// Whether the client asked for a stream.
    pub stream: bool,
    /// The route the client named.
    pub route: String,
    /// The rule that chose the pool, if one matched.
    pub rule: Option<String>,
    /// The pool that served it; absent in events of versions that did not record it.
    pub pool: Option<String>,
    /// How it ended.
    pub outcome: RequestOutcome,
    /// HTTP status the client saw.
    pub status: u32,
    /// Whether a cache answered.
    pub cache: CacheHit,
    /// The whole request, in microseconds.
    pub duration_us: u64,
    /// The gateway's own share of it, in microseconds.
    pub overhead_us: u64,
    /// From accepting the request to the first content, in microseconds, if there was any.
    pub ttft_us: Option<u64>,
    /// In order; never empty: a request that was refused before any attempt is no usage.
    pub attempts: Vec<Attempt>,
}

impl Attempt {
    /// Whether its cost is known: usage without a price has an unknown cost.
    #[must_use]
    pub fn is_priced(&self) -> bool {
        self.price.is_some() || self.usage.is_nothing()
    }
}

impl UsageEvent {
    /// The cost of all attempts, if all of it is known.
    #[must_use]
    pub fn cost(&self) -> Option<Money> {
        let cost = self.attempts.iter().fold(Money::ZERO, |sum, attempt| sum.plus(attempt.cost));
        self.attempts.iter().all(Attempt::is_priced).then_some(cost)
    }

    /// Why the first attempt's answer is not the one that was wanted; absent if it is.
    #[must_use]
    pub fn fallback(&self) -> Option<AttemptOutcome> {
        use AttemptOutcome as O;
        let first = self.attempts.first().map(|first| first.outcome);
        let blocked = |outcome| self.outcome == RequestOutcome::Ok && outcome == O::ContentFilter;
        first.filter(|&outcome| self.attempts.len() > 1 || outcome == O::Rejected || blocked(outcome))
    }

    /// The attempt that the client got its answer from; where it got none, the last one.
    ///
    /// That is the last one as well, unless it failed and an answer was taken after all that a cascade had not accepted,
    /// or else one in which a content filter had refused the prompt.
    #[must_use]
    pub fn answering(&self) -> Option<&Attempt> {
        let last = self.attempts.last()?;
        let other = self.outcome == RequestOutcome::Ok && last.outcome != AttemptOutcome::Ok;
        let latest = |kept: fn(&Attempt) -> bool| self.attempts.iter().rev().find(|attempt| kept(attempt));
        let rejected = latest(|attempt| attempt.outcome == AttemptOutcome::Rejected);
        // Only what came with a success is an answer.
        let blocked = latest(|attempt| {
            attempt.outcome == AttemptOutcome::ContentFilter && (200..300).contains(&attempt.status)
        });
        Some(rejected.or(blocked).filter(|_| other).unwrap_or(last))
    }
}
