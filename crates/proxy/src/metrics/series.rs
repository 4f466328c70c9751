//! What series are told apart by, and what is counted of one target.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use domain::{Attempt, AttemptOutcome, Usage};
use runtime::metrics::{Histogram, Name, OTHER, SeriesKey};

use super::table;
use crate::context::QueueRejection;

/// What a kind of token is called, and how many of them were used.
type TokenKind = (&'static str, fn(&Usage) -> u64);

/// Disjoint, so that they sum up to all tokens.
const TOKENS: [TokenKind; 5] = [
    ("input", |usage| usage.input().saturating_sub(usage.cache_read).saturating_sub(usage.cache_written())),
    ("cached_input", |usage| usage.cache_read),
    ("cache_write", |usage| usage.cache_written()),
    ("output", |usage| usage.output().saturating_sub(usage.reasoning)),
    ("reasoning", |usage| usage.reasoning),
];

/// A provider's model; both empty for requests that had no attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Target {
    pub(super) provider: Name,
    pub(super) model: Name,
}

/// A request's labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Request {
    pub(super) route: Name,
    /// Of the last attempt.
    pub(super) target: Target,
    pub(super) api: &'static str,
    pub(super) outcome: &'static str,
    pub(super) fallback: &'static str,
    pub(super) cache: &'static str,
}

/// Who used a provider's model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct CostLabels {
    pub(super) target: Target,
    pub(super) tenant: Name,
}

impl SeriesKey for Target {
    fn overflow(self) -> Self {
        Self { provider: OTHER, model: OTHER }
    }
}

impl SeriesKey for Request {
    fn overflow(self) -> Self {
        Self { route: OTHER, target: self.target.overflow(), ..self }
    }
}

impl SeriesKey for CostLabels {
    fn overflow(self) -> Self {
        Self { target: self.target.overflow(), tenant: OTHER }
    }
}

/// What is counted of one target.
pub(super) struct TargetMetrics {
    attempts: [AtomicU64; AttemptOutcome::ALL.len()],
    tokens: [AtomicU64; TOKENS.len()],
    queue_rejections: [AtomicU64; QueueRejection::ALL.len()],
    unpriced: AtomicU64,
    retiring_attempts: AtomicU64,
    pub(super) duration: Histogram,
    pub(super) first_token: Histogram,
}

impl TargetMetrics {
    pub(super) fn new() -> Self {
        Self {
            attempts: Default::default(),
            tokens: Default::default(),
            queue_rejections: Default::default(),
            unpriced: AtomicU64::new(0),
            retiring_attempts: AtomicU64::new(0),
            duration: table::REQUEST_DURATION.histogram(),
            first_token: table::FIRST_TOKEN.histogram(),
        }
    }

    /// One more attempt.
    pub(super) fn count(&self, attempt: &Attempt) {
        let counts = AttemptOutcome::ALL.iter().zip(&self.attempts);
        for (_, count) in counts.filter(|(outcome, _)| **outcome == attempt.outcome) {
            add(count, 1);
        }
        for ((_, tokens), count) in TOKENS.iter().zip(&self.tokens) {
            match tokens(&attempt.usage) {
                0 => {}
                tokens => add(count, tokens),
            }
        }
        if attempt.price.is_none() && !attempt.usage.is_nothing() {
            add(&self.unpriced, 1);
        }
    }

    /// One of them went to a model that its provider takes out of service.
    pub(super) fn count_retiring_attempt(&self) {
        add(&self.retiring_attempts, 1);
    }

    /// Attempts at a model that its provider takes out of service.
    pub(super) fn retiring_attempts(&self) -> u64 {
        self.retiring_attempts.load(Ordering::Relaxed)
    }

    /// A request got no place here.
    pub(super) fn count_queue_rejection(&self, why: QueueRejection) {
        let counts = QueueRejection::ALL.iter().zip(&self.queue_rejections);
        for (_, count) in counts.filter(|(known, _)| **known == why) {
            add(count, 1);
        }
    }

    /// A request that made its last attempt here.
    pub(super) fn time(&self, duration: Duration, first_token: Option<Duration>) {
        self.duration.observe(duration);
        if let Some(first_token) = first_token {
            self.first_token.observe(first_token);
        }
    }

    /// Attempts by outcome, where there were any.
    pub(super) fn attempts(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let counts = self.attempts.iter().map(|count| count.load(Ordering::Relaxed));
        let outcomes = AttemptOutcome::ALL.iter().map(|outcome| outcome.as_str());
        outcomes.zip(counts).filter(|(_, count)| *count > 0)
    }

    /// Requests that got no place by reason, where there were any.
    pub(super) fn rejections(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let counts = self.queue_rejections.iter().map(|count| count.load(Ordering::Relaxed));
        let reasons = QueueRejection::ALL.iter().map(|why| why.as_str());
        reasons.zip(counts).filter(|(_, count)| *count > 0)
    }

    /// Tokens by kind, where there were any.
    pub(super) fn tokens(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let counts = self.tokens.iter().map(|count| count.load(Ordering::Relaxed));
        TOKENS.iter().map(|(kind, _)| *kind).zip(counts).filter(|(_, count)| *count > 0)
    }

    /// Attempts that used something without a known price.
    pub(super) fn unpriced(&self) -> u64 {
        self.unpriced.load(Ordering::Relaxed)
    }
}

/// Adds to a count that is only ever read by scrapes, so no other memory has to be in order with it.
pub(super) fn add(count: &AtomicU64, more: u64) {
    count.fetch_add(more, Ordering::Relaxed);
}
