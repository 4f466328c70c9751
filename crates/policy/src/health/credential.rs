//! The health of a provider's credential: cool-downs, refusals, and what its limits have left.

use std::{
    sync::atomic::{
        AtomicU64,
        Ordering::{AcqRel, Acquire},
    },
    time::Duration,
};

use super::{
    breaker::{BackOff, Breaker, packed::Phase},
    concurrency::{ConcurrencyLimiter, ConcurrencyPermit},
    quota::{Allowances, Marks, Quota},
    shared::{HealthRecord, HealthRecordKind},
    unavailable::{Unavailable, UnavailableReason},
};
use crate::time::{DAY, Micros, duration, micros};

/// A refused credential is tried again after 5 min, then after twice as long each time, at most 6 h.
/// One that was accepted again is as good as any.
const REFUSED: BackOff = BackOff { first: 300_000_000, max: 21_600_000_000, forgiven_in: 1 };

/// How long a credential is spared after a 429 that names no time, in microseconds: long enough for a count per second.
pub(super) const SPARED: u64 = 1_000_000;

/// What a refusal by the provider changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CredentialRefusal {
    /// The credential had been in use until now, which is worth an alert.
    First,
    /// The trial of a refused credential failed.
    TrialFailed,
    /// Nothing: it was refused already.
    Already,
}

/// A request that was sent with a credential; it is under way until this is dropped.
#[derive(Debug)]
#[must_use = "the request counts only as long as this is held"]
pub struct Sent {
    _in_flight: ConcurrencyPermit,
    marks: Marks,
}

/// What is known of a credential, for reports and metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CredentialView {
    /// Why a request of no tokens could not use it.
    pub benched: Option<Unavailable>,
    /// Refusals in a row; each took it out of use.
    pub times: u32,
    /// Requests under way.
    pub in_flight: u32,
    /// Requests left by the provider's last count, less what was sent since.
    pub remaining_requests: Option<u64>,
    /// Tokens likewise.
    pub remaining_tokens: Option<u64>,
}

impl CredentialView {
    /// The word for it: `usable`, or why not.
    #[must_use]
    pub fn state(&self) -> &'static str {
        self.benched.map_or("usable", |benched| benched.reason.as_str())
    }
}

/// The state of one credential in one process: atomics, so that requests never wait for each other.
#[derive(Debug, Default)]
pub struct CredentialState {
    breaker: Breaker,
    rest: AtomicU64,
    /// The part of `rest` that was decided here; what others decided is not told on.
    own_rest: AtomicU64,
    /// Until when it is spared after a 429 without a time.
    spared: AtomicU64,
    allowances: Allowances,
    in_flight: ConcurrencyLimiter,
}

impl CredentialState {
    /// Whether a request of so many tokens may use it.
    ///
    /// # Errors
    /// Why not, and for how long.
    pub fn usable(&self, need_tokens: u64, now: Micros) -> Result<(), Unavailable> {
        let benched = |reason, left| Err(Unavailable { reason, left: duration(left) });
        let word = self.breaker.load();
        if !word.is_closed() {
            return benched(UnavailableReason::Refused, word.left(now));
        }
        match self.rest.load(Acquire).saturating_sub(now) {
            0 => {}
            left => return benched(UnavailableReason::Resting, left),
        }
        match self.spared.load(Acquire).saturating_sub(now) {
            0 => {}
            left => return benched(UnavailableReason::Throttled, left),
        }
        self.allowances.usable(need_tokens, now)
    }

    /// Takes the one trial of a refused credential whose time is over; another one after `lasts` without an outcome.
    pub fn take_trial(&self, lasts: Duration, now: Micros) -> bool {
        self.breaker.permit(micros(lasts), now);
        self.breaker.take_trial(micros(lasts), now)
    }

    /// A request of so many tokens, at most, is sent with it.
    pub fn begin(&self, tokens: u64) -> Sent {
        self.sent(self.in_flight.begin(), tokens)
    }

    /// The same unless `limit` requests are under way.
    pub fn try_begin(&self, tokens: u64, limit: u32) -> Option<Sent> {
        self.in_flight.try_begin(limit).map(|in_flight| self.sent(in_flight, tokens))
    }

    fn sent(&self, in_flight: ConcurrencyPermit, tokens: u64) -> Sent {
        Sent { _in_flight: in_flight, marks: self.allowances.send(tokens) }
    }

    /// Requests under way.
    #[must_use]
    pub fn in_flight(&self) -> u32 {
        self.in_flight.count()
    }

    /// The provider said 429: the credential is not used before `lasts` is over, at most a day; a longer cool-down stays.
    pub fn cool_down(&self, lasts: Duration, now: Micros) {
        let until = now.saturating_add(micros(lasts).min(DAY));
        self.own_rest.fetch_max(until, AcqRel);
        self.rest.fetch_max(until, AcqRel);
    }

    /// The provider said 429 and named no time: for a second other credentials come first.
    pub fn throttle(&self, now: Micros) {
        self.spared.fetch_max(now.saturating_add(SPARED), AcqRel);
    }

    /// The provider refused it.
    pub fn refuse(&self, now: Micros, draw: u64) -> CredentialRefusal {
        let word = self.breaker.load();
        if word.is_waiting(now) {
            return CredentialRefusal::Already;
        }
        match self.breaker.eject(word, true, REFUSED, now, draw) {
            None => CredentialRefusal::Already,
            Some(_) if word.is_closed() => CredentialRefusal::First,
            Some(_) => CredentialRefusal::TrialFailed,
        }
    }

    /// The provider accepted it: true if that ended its time as a refused one. What was sent before it was
    /// refused and is answered while it waits ends nothing.
    pub fn succeeded(&self, now: Micros) -> bool {
        let word = self.breaker.load();
        word.phase == Phase::Trying && self.breaker.close(|word| word.phase == Phase::Trying, 0, now)
    }

    /// What the answer to that request said of the limits.
    pub fn observe(&self, sent: &Sent, quota: &Quota, now: Micros) {
        self.allowances.observe(sent.marks, quota, now);
    }

    /// Takes over what another replica knows: never shortens anything, and doing it twice changes nothing.
    /// True if that took it out of use.
    pub fn adopt(&self, shared: &HealthRecord, now: Micros) -> bool {
        self.rest.fetch_max(now.saturating_add(shared.rest.min(DAY)), AcqRel);
        let was_closed = self.breaker.load().is_closed();
        self.breaker.adopt(shared, now).is_some() && was_closed
    }

    /// What the other replicas should know, if anything.
    #[must_use]
    pub fn shared(&self, now: Micros) -> Option<HealthRecord> {
        let rest = self.own_rest.load(Acquire).saturating_sub(now);
        let nothing = HealthRecord {
            kind: HealthRecordKind::Recovered,
            epoch: 0,
            left: 0,
            warm_up: 0,
            times: 0,
            dead: false,
            rest: 0,
        };
        let told = self.breaker.shared(now).or((rest > 0).then_some(nothing));
        told.map(|shared| HealthRecord { rest, ..shared })
    }

    /// All of it as numbers.
    #[must_use]
    pub fn view(&self, now: Micros) -> CredentialView {
        CredentialView {
            benched: self.usable(0, now).err(),
            times: self.breaker.load().times.into(),
            in_flight: self.in_flight(),
            remaining_requests: self.allowances.remaining_requests(now),
            remaining_tokens: self.allowances.remaining_tokens(now),
        }
    }
}
