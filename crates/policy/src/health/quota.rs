//! What a provider said is left of a credential's limit, less what was sent since.

use std::{
    sync::atomic::{
        AtomicU64,
        Ordering::{AcqRel, Acquire, Relaxed},
    },
    time::Duration,
};

use super::unavailable::{Unavailable, UnavailableReason};
use crate::time::{DAY, Micros, duration, micros};

/// How long a count is believed whose reset was not told: limits are per minute almost everywhere.
const MINUTE: Micros = 60_000_000;
/// One part in so many of the limit is left alone: other users of the credential, counts that differ.
const MARGIN: u64 = 50;

/// What a provider says of a credential's limits in a response's headers; what it does not say is absent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quota {
    /// Requests that are left.
    pub remaining_requests: Option<u64>,
    /// Requests per window.
    pub limit_requests: Option<u64>,
    /// Until all requests are back.
    pub reset_requests: Option<Duration>,
    /// Tokens that are left.
    pub remaining_tokens: Option<u64>,
    /// Tokens per window.
    pub limit_tokens: Option<u64>,
    /// Until all tokens are back.
    pub reset_tokens: Option<Duration>,
}

/// Both limits of a credential, in requests and in tokens.
#[derive(Debug, Default)]
pub(super) struct Allowances {
    requests: Allowance,
    tokens: Allowance,
}

/// Where one request stands among those that were sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Marks {
    requests: u64,
    tokens: u64,
}

impl Allowances {
    /// Whether there is room for a request of so many tokens.
    ///
    /// # Errors
    /// Which limit has none, and for how long.
    pub(super) fn usable(&self, need_tokens: u64, now: Micros) -> Result<(), Unavailable> {
        let spent = |reason, left| Err(Unavailable { reason, left: duration(left) });
        if let Some(left) = self.requests.wait(1, now) {
            return spent(UnavailableReason::RequestsSpent, left);
        }
        match self.tokens.wait(need_tokens, now) {
            Some(left) => spent(UnavailableReason::TokensSpent, left),
            None => Ok(()),
        }
    }

    /// Counts a request that is sent.
    pub(super) fn send(&self, tokens: u64) -> Marks {
        Marks { requests: self.requests.send(1), tokens: self.tokens.send(tokens) }
    }

    /// What the answer to the request with these marks said.
    pub(super) fn observe(&self, sent: Marks, quota: &Quota, now: Micros) {
        let requests = LimitReport {
            remaining: quota.remaining_requests,
            limit: quota.limit_requests,
            reset: quota.reset_requests,
        };
        self.requests.observe(requests, sent.requests, now);
        let tokens = LimitReport {
            remaining: quota.remaining_tokens,
            limit: quota.limit_tokens,
            reset: quota.reset_tokens,
        };
        self.tokens.observe(tokens, sent.tokens, now);
    }

    /// Requests that are left, where that is known.
    pub(super) fn remaining_requests(&self, now: Micros) -> Option<u64> {
        self.requests.remaining(now)
    }

    /// Tokens that are left, where that is known.
    pub(super) fn remaining_tokens(&self, now: Micros) -> Option<u64> {
        self.tokens.remaining(now)
    }
}

/// What a provider says of one limit.
#[derive(Clone, Copy, Debug)]
pub(super) struct LimitReport {
    /// What is left.
    pub(super) remaining: Option<u64>,
    /// The whole limit.
    pub(super) limit: Option<u64>,
    /// Until all of it is back.
    pub(super) reset: Option<Duration>,
}

/// One limit of a credential. Its numbers are not read and written together: a decision on the brink may use the limit
/// of one answer with the rest of another, and both are true within the margin.
#[derive(Debug, Default)]
pub(super) struct Allowance {
    /// Sent ever.
    sent: AtomicU64,
    /// `sent` when the request was sent whose answer is believed: a later request's answer knows more.
    mark: AtomicU64,
    /// What `sent` may rise to.
    ceiling: AtomicU64,
    /// Until when that holds; 0: nothing is known.
    until: AtomicU64,
    /// The whole limit; 0: unknown.
    limit: AtomicU64,
}

impl Allowance {
    /// Counts what is sent; what was sent up to here, the mark of this request.
    pub(super) fn send(&self, count: u64) -> u64 {
        self.sent.fetch_add(count, AcqRel).saturating_add(count)
    }

    /// What the answer to the request of that mark said. The provider counted when the request came, so only
    /// what was sent after it is to be taken off.
    pub(super) fn observe(&self, report: LimitReport, mark: u64, now: Micros) {
        let LimitReport { remaining, limit, reset } = report;
        if self.mark.fetch_max(mark, AcqRel) > mark {
            return;
        }
        if let Some(limit) = limit {
            self.limit.store(limit, Relaxed);
        }
        if let Some(remaining) = remaining {
            self.ceiling.store(mark.saturating_add(remaining), Relaxed);
            let reset = reset.map_or(MINUTE, micros).min(DAY);
            self.until.store(now.saturating_add(reset), Relaxed);
        }
    }

    /// What is left, if that is known and the window is not over.
    pub(super) fn remaining(&self, now: Micros) -> Option<u64> {
        let known = now < self.until.load(Relaxed);
        known.then(|| self.ceiling.load(Relaxed).saturating_sub(self.sent.load(Acquire)))
    }

    /// The time until so much can be sent without getting near the limit, unless that is now.
    pub(super) fn wait(&self, need: u64, now: Micros) -> Option<Micros> {
        let remaining = self.remaining(now)?;
        let limit = self.limit.load(Relaxed);
        let margin = (limit / MARGIN).max(1);
        // What is beyond the whole limit fits as well as it ever will when all of it is there.
        let need = if limit == 0 { need } else { need.min(limit.saturating_sub(margin)) };
        (remaining < need.saturating_add(margin)).then(|| self.until.load(Relaxed).saturating_sub(now))
    }
}
