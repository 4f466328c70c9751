//! What was seen of a target: outcomes, latency, repeats, and whether it may be used.

mod broken;
mod speed;

use std::{
    sync::{
        Arc,
        atomic::{
            AtomicBool, AtomicU32,
            Ordering::{AcqRel, Acquire, Relaxed, Release},
        },
    },
    time::Duration,
};

use domain::{HealthSpec, Share};

use super::{
    access::{AccessState, AccessTable},
    breaker::{BackOff, Breaker, Transition, packed::PackedState},
    budget::RetryBudget,
    concurrency::{Clock, ConcurrencyLimiter, ConcurrencyPermit, Handoff, QueueLimits, WaitGuard},
    credential::CredentialState,
    latency::{PeakEwma, Ttft},
    ring::{SlidingWindow, WindowCounts},
    shared::{HealthRecord, HealthRecordKind},
    unavailable::Unavailable,
};
use crate::{
    queue::{EnqueueError, WaitRequest},
    time::{Micros, Moment, duration, micros},
};

/// Failed probes in a row that eject: traffic moves before users fail, yet one lost packet does no harm.
const PROBES: u32 = 2;
/// What a view looks back at.
const VIEWED: Micros = 60_000_000;
/// The share of traffic that a warm-up begins with, in parts per million.
const FIRST_SHARE: u32 = 100_000;

/// When a target is ejected and how it comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutlierDetection {
    /// What is looked back at.
    pub window: Duration,
    /// This share of failures ejects,
    pub errors: Share,
    /// of at least so many requests.
    pub min_requests: u32,
    /// So many failures in a row eject; 0: no number of them does.
    pub consecutive: u32,
    /// How long the first ejection lasts; each one after twice as long.
    pub eject: Duration,
    /// The longest ejection.
    pub max_eject: Duration,
    /// How long the share of traffic takes to grow back.
    pub warm_up: Duration,
}

impl From<&HealthSpec> for OutlierDetection {
    fn from(spec: &HealthSpec) -> Self {
        let HealthSpec { window, errors, min_requests, consecutive, eject, max_eject, warm_up } = *spec;
        let (window, warm_up) = (window.std(), warm_up.std());
        let (eject, max_eject) = (eject.std(), max_eject.std());
        Self { window, errors, min_requests, consecutive, eject, max_eject, warm_up }
    }
}

/// How an attempt ended; only what is the endpoint's doing is told, not the key's and not the client's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Observation {
    /// Whether the endpoint did its part.
    pub ok: bool,
    /// When the attempt began: what began before an ejection or a recovery says nothing about what came after.
    pub began: Micros,
    /// Whether it was the attempt that [`TargetState::take_trial`] allowed.
    pub trial: bool,
}

/// How an active probe ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProbeObservation {
    /// Whether the endpoint answered as it should.
    pub ok: bool,
    /// The time to its first token, where there is such a thing.
    pub ttft: Option<Duration>,
    /// When the probe began: what began before an ejection does not end it.
    pub began: Micros,
}

/// Whether a target may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BreakerState {
    /// It takes its whole share of requests.
    Healthy,
    /// It recovered lately: by this share of the requests that would go to it.
    Warming {
        /// Rises from 10 % to all.
        share: Share,
    },
    /// Its ejection is over: only by the request that takes the one trial.
    HalfOpen,
    /// Not at all.
    Ejected {
        /// Time left.
        left: Duration,
        /// Nothing succeeded in the window it was ejected for: of no use even when all else is ejected.
        dead: bool,
    },
}

/// What is known of a target, for reports and metrics.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TargetView {
    /// Whether it may be used.
    pub admission: BreakerState,
    /// Ejections in a row; goes down again with time in service.
    pub times: u32,
    /// Requests under way.
    pub in_flight: u32,
    /// Outcomes in the window, failed probes included.
    pub requests: u64,
    /// Failures among them.
    pub failures: u64,
    /// Failures in a row.
    pub consecutive: u32,
    /// Failed probes in a row.
    pub failed_probes: u32,
    /// 95th percentile of the time to the first token in the last minute.
    pub ttft_p95: Option<Duration>,
    /// Recent time to the first token × (requests under way + 1), in seconds.
    pub load: f64,
}

/// The state of one target in one process: atomics, so that requests never wait for each other.
#[derive(Debug, Default)]
pub struct TargetState {
    breaker: Breaker,
    counts: SlidingWindow,
    consecutive: AtomicU32,
    /// Answers in a row that broke off after their first content.
    broken: AtomicU32,
    failed_probes: AtomicU32,
    repeats: RetryBudget,
    ttft: Ttft,
    peak: PeakEwma,
    in_flight: ConcurrencyLimiter,
    access: AccessTable,
    /// A request without another target waits for it.
    early: AtomicBool,
}

impl TargetState {
    /// Whether a request of so many tokens may use this credential here: by its own state, and by what is known of it
    /// at this model.
    ///
    /// # Errors
    /// Why not, and for how long.
    pub fn usable(
        &self,
        credential: &Arc<CredentialState>,
        need_tokens: u64,
        now: Micros,
    ) -> Result<(), Unavailable> {
        credential.usable(need_tokens, now)?;
        self.access.with(credential, |access| access.usable(need_tokens, now)).unwrap_or(Ok(()))
    }

    /// What is known of a credential at this model, to add to it.
    pub fn access(&self, credential: &Arc<CredentialState>) -> Arc<AccessState> {
        self.access.entry(credential)
    }

    /// The provider answered a request that this credential had signed: true if it had refused it the model before.
    pub fn accepted(&self, credential: &Arc<CredentialState>) -> bool {
        self.access.with(credential, AccessState::succeeded).unwrap_or_default()
    }

    /// Whether it may be used.
    #[must_use]
    pub fn admission(&self, now: Micros) -> BreakerState {
        let word = self.breaker.load();
        if word.is_waiting(now) {
            return BreakerState::Ejected { left: duration(word.left(now)), dead: word.dead };
        }
        if !word.is_closed() {
            return BreakerState::HalfOpen;
        }
        match self.breaker.warm_up(word, now) {
            (0, _) => BreakerState::Healthy,
            (left, whole) => BreakerState::Warming { share: warming(left, whole) },
        }
    }

    /// Whether it is out of use because nothing succeeded, rather than too little.
    #[must_use]
    pub fn is_dead(&self) -> bool {
        let word = self.breaker.load();
        !word.is_closed() && word.dead
    }

    /// Whether its ejection is over, or over early for a request without another target, and no trial is permitted: time to
    /// ask for the replicas' shared lease.
    #[must_use]
    pub fn wants_trial(&self, now: Micros) -> bool {
        let word = self.breaker.load();
        word.wants_trial(now) || (word.is_waiting(now) && self.early.load(Acquire))
    }

    /// Gives leave for one trial, to be taken within `lasts` (of the shared lease); false where none is wanted.
    pub fn permit_trial(&self, lasts: Duration, now: Micros) -> bool {
        let lasts = micros(lasts);
        self.breaker.permit(lasts, now)
            || (self.early.swap(false, AcqRel) && self.breaker.permit_early(lasts, now))
    }

    /// Whether a trial may be taken, by the first request that asks.
    #[must_use]
    pub fn trial_waits(&self, now: Micros) -> bool {
        self.breaker.load().is_permitted(now)
    }

    /// Takes the trial: one caller per permit gets it, and has to record its outcome as that of a trial. Where
    /// none is told within `lasts`, another permit may be given.
    pub fn take_trial(&self, lasts: Duration, now: Micros) -> bool {
        self.breaker.take_trial(micros(lasts), now)
    }

    /// A request that has no other target wants this one back: a trial is due once it was out for as long as a first
    /// ejection lasts, however often it failed. Returns the time until then.
    pub fn wants_early_trial(&self, rules: &OutlierDetection, now: Micros) -> Duration {
        let due = self.breaker.out_since().saturating_add(micros(rules.eject));
        if due <= now && !self.early.load(Relaxed) {
            self.early.store(true, Release);
        }
        duration(due.saturating_sub(now))
    }

    /// The trial that was taken will not be made, or says nothing: another request may.
    pub fn return_trial(&self) {
        self.breaker.return_trial();
    }

    /// A request begins; it counts until the guard is dropped.
    pub fn begin(&self) -> ConcurrencyPermit {
        self.in_flight.begin()
    }

    /// A request begins unless `limit` are under way or others wait for a place.
    pub fn try_begin(&self, limit: u32) -> Option<ConcurrencyPermit> {
        self.in_flight.try_begin(limit)
    }

    /// A request waits in line for a place, which is handed to `give`, perhaps before this returns. The first one
    /// that ever waits here brings the clock.
    ///
    /// # Errors
    /// When it cannot wait, or not with success.
    pub fn wait(
        &self,
        who: WaitRequest,
        bounds: QueueLimits,
        clock: impl FnOnce() -> Clock,
        give: Handoff,
    ) -> Result<WaitGuard, EnqueueError> {
        self.in_flight.wait(who, bounds, clock, give)
    }

    /// Requests that wait for a place.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.in_flight.waiting()
    }

    /// Requests under way.
    #[must_use]
    pub fn in_flight(&self) -> u32 {
        self.in_flight.count()
    }

    /// Counts an outcome and says what it changed; each change is told to one caller.
    ///
    /// While the target is out, only its trial changes anything.
    pub fn record(
        &self,
        seen: Observation,
        rules: &OutlierDetection,
        now: Micros,
        draw: u64,
    ) -> Option<Transition> {
        let word = self.breaker.load();
        if word.is_closed() {
            let stale = word.epoch != 0 && seen.began < word.at();
            return if stale { None } else { self.count(word, seen.ok, rules, Moment { now, draw }) };
        }
        self.counts.add(micros(rules.window), outcome(seen.ok), now);
        if !seen.trial || word.is_waiting(now) {
            return None;
        }
        if !seen.ok {
            return self.eject(word, rules, Moment { now, draw });
        }
        self.recover(rules, now, |held| held.epoch == word.epoch && !held.is_waiting(now))
    }

    /// What an active probe found. A failure counts like a failed request, the second in a row ejects whatever
    /// the counts say, and one in half-open ejects again; a success puts an ejected target back into service, but
    /// one that had failed in use again soon after it came back only when its time is over.
    pub fn probed(
        &self,
        probe: ProbeObservation,
        rules: &OutlierDetection,
        now: Micros,
        draw: u64,
    ) -> Option<Transition> {
        let word = self.breaker.load();
        if probe.ok {
            self.failed_probes.store(0, Relaxed);
            if let Some(ttft) = probe.ttft {
                self.ttft.observe(ttft, true, now);
            }
            // Of what fails in use probes may know nothing: then the time alone gets longer and longer.
            let in_vain = word.is_waiting(now) && self.breaker.is_relapse(word);
            let stale = word.is_closed() || in_vain || probe.began < self.breaker.out_since();
            return if stale { None } else { self.recover(rules, now, |held| held.epoch == word.epoch) };
        }
        let failed = self.failed_probes.fetch_add(1, Relaxed).saturating_add(1);
        if word.is_closed() {
            let counted = self.count(word, false, rules, Moment { now, draw });
            return if failed < PROBES {
                counted
            } else {
                counted.or_else(|| self.eject(word, rules, Moment { now, draw }))
            };
        }
        self.counts.add(micros(rules.window), outcome(false), now);
        if word.is_waiting(now) { None } else { self.eject(word, rules, Moment { now, draw }) }
    }

    /// Takes over what another replica knows: never shortens an ejection, and doing it twice changes nothing.
    pub fn adopt(&self, shared: &HealthRecord, now: Micros) -> Option<Transition> {
        let word = self.breaker.load();
        if shared.kind == HealthRecordKind::Recovered
            && !word.is_closed()
            && word.is_before_or_out(shared.epoch)
        {
            self.forget();
        }
        // Of what answers here another replica may not say that nothing succeeds: it may be cut off by itself.
        let tally = self.counts.tally(now);
        let dead = shared.dead && tally.total == tally.against;
        self.breaker.adopt(&HealthRecord { dead, ..*shared }, now)
    }

    /// What the other replicas should know, if anything.
    #[must_use]
    pub fn shared(&self, now: Micros) -> Option<HealthRecord> {
        self.breaker.shared(now)
    }

    /// A request's first attempt here.
    pub fn first(&self, now: Micros) {
        self.repeats.first(now);
    }

    /// Takes a repeat out of the budget: a share of the first attempts of the last 10 s, and 3 in any case.
    pub fn repeat(&self, now: Micros, budget: Share) -> bool {
        self.repeats.repeat(now, budget)
    }

    /// All of it as numbers.
    #[must_use]
    pub fn view(&self, now: Micros) -> TargetView {
        let tally = self.counts.tally(now);
        TargetView {
            admission: self.admission(now),
            times: self.breaker.load().times.into(),
            in_flight: self.in_flight(),
            requests: tally.total,
            failures: tally.against,
            consecutive: self.consecutive.load(Relaxed),
            failed_probes: self.failed_probes.load(Relaxed),
            ttft_p95: self.ttft_p95(now, VIEWED),
            load: self.load(now),
        }
    }

    /// Counts in service; ejects by the rules.
    fn count(
        &self,
        word: PackedState,
        ok: bool,
        rules: &OutlierDetection,
        moment: Moment,
    ) -> Option<Transition> {
        self.counts.add(micros(rules.window), outcome(ok), moment.now);
        if ok {
            // Read first: all requests succeed most of the time, and a read leaves the cache line shared.
            if self.consecutive.load(Relaxed) != 0 {
                self.consecutive.store(0, Relaxed);
            }
            return None;
        }
        let in_a_row = self.consecutive.fetch_add(1, AcqRel).saturating_add(1);
        let tally = self.counts.tally(moment.now);
        let enough = tally.total >= u64::from(rules.min_requests);
        let share = tally.against * 1_000_000 >= tally.total * u64::from(rules.errors.parts());
        let row = rules.consecutive != 0 && in_a_row >= rules.consecutive;
        if row || (enough && share) { self.eject(word, rules, moment) } else { None }
    }

    fn eject(&self, word: PackedState, rules: &OutlierDetection, moment: Moment) -> Option<Transition> {
        let Moment { now, draw } = moment;
        self.early.store(false, Release);
        let tally = self.counts.tally(now);
        let max = micros(rules.max_eject);
        let back_off = BackOff { first: micros(rules.eject), max, forgiven_in: max };
        // A recovery within the window was a success, though counts begin anew with it, and whichever request made the trial.
        let since = now.saturating_sub(word.at());
        let recovered = word.epoch != 0 && word.is_closed() && since < micros(rules.window);
        self.breaker.eject(word, tally.total == tally.against && !recovered, back_off, now, draw)
    }

    /// The caller saw it out of service.
    fn recover(
        &self,
        rules: &OutlierDetection,
        now: Micros,
        allowed: impl Fn(PackedState) -> bool,
    ) -> Option<Transition> {
        self.forget();
        self.breaker.close(allowed, micros(rules.warm_up), now).then_some(Transition::Recovered)
    }

    /// What led to an ejection must not lead to the next: forgotten before it is in service again.
    fn forget(&self) {
        self.counts.clear();
        self.consecutive.store(0, Relaxed);
        self.broken.store(0, Relaxed);
        self.failed_probes.store(0, Relaxed);
    }
}

const fn outcome(ok: bool) -> WindowCounts {
    WindowCounts { total: 1, against: if ok { 0 } else { 1 } }
}

/// From 10 % to all, in a straight line.
fn warming(left: Micros, whole: Micros) -> Share {
    let rest = u128::from(1_000_000 - FIRST_SHARE) * u128::from(left.min(whole)) / u128::from(whole.max(1));
    Share::ppm(1_000_000 - u32::try_from(rest).unwrap_or_default())
}
