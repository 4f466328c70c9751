//! What a request asks of the shared limits, and how it is refused.

use std::time::Duration;

use domain::ResourceId;

/// One limit that applies to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The limit's row.
    pub limit: ResourceId,
    /// What is counted separately: a user or key id, empty for the whole tenant. Stored only as a digest.
    pub subject: String,
    /// The topmost tenant above the one that has the limit, or that one itself; everything of a tree of tenants lies in
    /// one slot of a Redis cluster.
    pub tenant: ResourceId,
    /// How it is counted.
    pub rule: Rule,
    /// What is counted; requests and tokens of one limit are counted apart.
    pub unit: Unit,
    /// How many units this request takes, all at once: 1 for requests. [`Rule::Concurrency`] takes one slot whatever
    /// this says. More than the whole limit is never admitted ([`Denied::kind`]), with or without the store, but by
    /// [`Rule::DebtWindow`].
    pub cost: u64,
    /// What decides while the store is lost.
    pub on_outage: OnOutage,
}

/// What a limit counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unit {
    /// Requests.
    Requests,
    /// Tokens of input and output, by an estimate made before the request is sent.
    Tokens,
    /// Tokens of input, likewise.
    InputTokens,
    /// Tokens of output, likewise.
    OutputTokens,
}

impl Unit {
    /// The word for clients.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Tokens => "tokens",
            Self::InputTokens => "input_tokens",
            Self::OutputTokens => "output_tokens",
        }
    }
}

/// How a limit counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// At most `n` units in any interval of `period`. Exact for a burst; a unit comes back at most
    /// 1/64 of the period late (at most 1/20 is documented).
    SlidingWindow {
        /// How many.
        n: u64,
        /// In what time.
        period: Duration,
    },
    /// At most `n` units in any interval of `period`, for costs that are known only afterwards: a claim of any cost passes
    /// while there is room for a part of it, [`Coordinator::correct`](crate::Coordinator::correct) puts right what it
    /// was charged, and what was taken beyond `n` is carried: it takes room as it comes free, before anybody else.
    DebtWindow {
        /// How many.
        n: u64,
        /// In what time.
        period: Duration,
    },
    /// Units, smoothed (generic cell rate algorithm): `burst` at once, then `per_second`.
    Gcra {
        /// The rate.
        per_second: u64,
        /// How many at once after a rest; with 0 nothing passes.
        burst: u64,
    },
    /// Requests in flight: at most `n` at once.
    Concurrency {
        /// How many.
        n: u64,
        /// How long a slot outlives an owner that died with it.
        ttl: Duration,
    },
}

impl Claim {
    /// Why it is denied, in one word for the client.
    pub(crate) const fn kind(&self) -> &'static str {
        match (self.rule, self.unit) {
            (Rule::Concurrency { .. }, _) => "concurrent",
            (_, unit) => unit.as_str(),
        }
    }
}

/// What a limit does while the store is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnOutage {
    /// Refuses.
    Closed,
    /// Admits everything.
    Open,
    /// Admits a fixed amount on each replica.
    Bounded {
        /// In each period (a second for [`Rule::Gcra`]), or at once for [`Rule::Concurrency`].
        per_replica: u64,
    },
}

/// How full a limit is once a claim was charged to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Level {
    /// The limit.
    pub limit: ResourceId,
    /// `requests`, `tokens`, `input_tokens`, `output_tokens` or `concurrent`.
    pub kind: &'static str,
    /// How many units there are in all.
    pub most: u64,
    /// How many count now; more than all while there is debt.
    pub used: u64,
    /// In what time they are counted; no time for concurrency.
    pub window: Duration,
    /// When all of them are back if nothing else is charged; no time for concurrency.
    pub full_in: Duration,
}

impl Level {
    /// How many units are left.
    #[must_use]
    pub const fn left(&self) -> u64 {
        self.most.saturating_sub(self.used)
    }
}

/// A limit is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Denied {
    /// The limit.
    pub limit: ResourceId,
    /// How many units there are in all.
    pub most: u64,
    /// In what time they are counted; no time for concurrency.
    pub window: Duration,
    /// When trying again may succeed: one second for concurrency, whose end cannot be foreseen; the limit's period (a
    /// second for [`Rule::Gcra`]) for a cost beyond the whole limit, which cannot pass until the limit is raised.
    pub retry_after: Duration,
    /// `requests`, `tokens`, `input_tokens`, `output_tokens` or `concurrent`.
    pub kind: &'static str,
}

/// Why a request may not be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// A limit is reached.
    Denied(Denied),
    /// The store is lost and this limit stays closed without it.
    StoreUnavailable {
        /// The limit.
        limit: ResourceId,
    },
}

impl From<Denied> for Refusal {
    fn from(denied: Denied) -> Self {
        Self::Denied(denied)
    }
}
