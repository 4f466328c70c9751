//! The circuit breaker: in service, ejected, half-open. Each transition is one swap of a packed word.

pub(super) mod epoch;
pub(super) mod packed;

use std::{
    sync::atomic::{
        AtomicU16, AtomicU64,
        Ordering::{AcqRel, Acquire, Relaxed, Release},
    },
    time::Duration,
};

use self::packed::{MAX_TIMES, PackedState, Phase, no_earlier, no_later};
use super::shared::{HealthRecord, HealthRecordKind};
use crate::time::{DAY, Micros, duration};

/// A target went out of service or came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transition {
    /// It is not used for a while.
    Ejected {
        /// For how long.
        lasts: Duration,
        /// Ejections in a row, this one included.
        times: u32,
        /// Nothing had succeeded in the window.
        dead: bool,
    },
    /// It is used again, little at first.
    Recovered,
}

/// How long ejections last.
#[derive(Clone, Copy, Debug)]
pub(super) struct BackOff {
    /// The first one.
    pub(super) first: Micros,
    /// The longest.
    pub(super) max: Micros,
    /// Time in service that makes up for one ejection.
    pub(super) forgiven_in: Micros,
}

impl BackOff {
    /// Twice as long each time, and each replica's a little different so that they do not return together.
    fn lasts(self, times: u8, draw: u64) -> Micros {
        let doubled = u128::from(self.first) << times.saturating_sub(1).min(MAX_TIMES);
        // The longest leaves room for the difference: else all replicas would be at the limit exactly.
        let base = doubled.min(u128::from(self.max) * 5 / 6);
        let parts = 800_000 + u128::from(draw % 400_001);
        u64::try_from(base * parts / 1_000_000).unwrap_or(self.max).min(self.max)
    }
}

/// The state and when it changes.
#[derive(Debug, Default)]
pub(super) struct Breaker {
    word: AtomicU64,
    /// µs that the warm-up after a recovery takes.
    warm_up: AtomicU64,
    /// When it was last ejected.
    out_since: AtomicU64,
    /// The ejection that was decided here, as long as it is out; what others decided is not told on, or its end
    /// would move with each telling.
    own: AtomicU64,
    /// The number of the last ejection that came while the one before was not forgiven; 0: none did.
    relapse: AtomicU16,
}

impl Breaker {
    pub(super) fn load(&self) -> PackedState {
        PackedState::unpack(self.word.load(Acquire))
    }

    /// When it was last ejected.
    pub(super) fn out_since(&self) -> Micros {
        self.out_since.load(Relaxed)
    }

    /// Whether it failed in use again soon after it had come back.
    pub(super) fn is_relapse(&self, word: PackedState) -> bool {
        word.epoch != 0 && self.relapse.load(Acquire) == word.epoch
    }

    fn note_relapse(&self, before: PackedState, after: PackedState) {
        if before.is_closed() && before.epoch != 0 && after.times > 1 {
            self.relapse.store(after.epoch, Release);
        }
    }

    /// Swaps to what `next` makes of it; what it was and what it is, or `None` where `next` says so.
    fn swap(&self, next: impl Fn(PackedState) -> Option<PackedState>) -> Option<(PackedState, PackedState)> {
        let step = |bits| next(PackedState::unpack(bits)).map(PackedState::pack);
        let before = PackedState::unpack(self.word.fetch_update(AcqRel, Acquire, step).ok()?);
        next(before).map(|after| (before, after))
    }

    /// Ejects from the state `seen`; `None` where somebody was faster.
    pub(super) fn eject(
        &self,
        seen: PackedState,
        dead: bool,
        back_off: BackOff,
        now: Micros,
        draw: u64,
    ) -> Option<Transition> {
        let healthy = if seen.is_closed() { now.saturating_sub(seen.at()) } else { 0 };
        let forgiven = u8::try_from(healthy / back_off.forgiven_in.max(1)).unwrap_or(u8::MAX);
        let times = seen.times.saturating_sub(forgiven).saturating_add(1).min(MAX_TIMES);
        let lasts = back_off.lasts(times, draw);
        let epoch = seen.next_epoch();
        let ejected = PackedState {
            phase: Phase::Ejected,
            at: no_earlier(now.saturating_add(lasts)),
            epoch,
            times,
            dead,
        };
        self.out_since.store(now, Relaxed);
        self.word.compare_exchange(seen.pack(), ejected.pack(), AcqRel, Acquire).ok()?;
        self.own.store(ejected.pack(), Release);
        self.note_relapse(seen, ejected);
        Some(Transition::Ejected { lasts: duration(lasts), times: times.into(), dead })
    }

    /// Lets one trial be taken within `lasts`; false where none is wanted.
    pub(super) fn permit(&self, lasts: Micros, now: Micros) -> bool {
        let permitted = |word: PackedState| PackedState {
            phase: Phase::Permitted,
            at: no_earlier(now.saturating_add(lasts)),
            ..word
        };
        self.swap(|word| word.wants_trial(now).then(|| permitted(word))).is_some()
    }

    /// Lets one trial be taken within `lasts` although the ejection is not over; false where it is not out.
    pub(super) fn permit_early(&self, lasts: Micros, now: Micros) -> bool {
        let permitted = |word: PackedState| PackedState {
            phase: Phase::Permitted,
            at: no_earlier(now.saturating_add(lasts)),
            ..word
        };
        self.swap(|word| word.is_waiting(now).then(|| permitted(word))).is_some()
    }

    /// Takes the trial that was permitted; one caller gets it.
    pub(super) fn take_trial(&self, lasts: Micros, now: Micros) -> bool {
        let trying = |word: PackedState| PackedState {
            phase: Phase::Trying,
            at: no_earlier(now.saturating_add(lasts)),
            ..word
        };
        let open = |word: PackedState| word.phase == Phase::Permitted && word.left(now) > 0;
        self.swap(|word| open(word).then(|| trying(word))).is_some()
    }

    /// A trial that was taken comes to nothing: the next may take it, within the time that it has.
    pub(super) fn return_trial(&self) {
        let permitted = |word: PackedState| PackedState { phase: Phase::Permitted, ..word };
        self.swap(|word| (word.phase == Phase::Trying).then(|| permitted(word)));
    }

    /// Back into service if it is out and `allowed`; one caller does it.
    pub(super) fn close(&self, allowed: impl Fn(PackedState) -> bool, warm_up: Micros, now: Micros) -> bool {
        // Before the word: who sees it in service again must find the length of the warm-up.
        self.warm_up.store(warm_up, Relaxed);
        let closed =
            |word: PackedState| PackedState { phase: Phase::Closed, at: no_later(now), dead: false, ..word };
        let won = self.swap(|word| (!word.is_closed() && allowed(word)).then(|| closed(word))).is_some();
        if won {
            self.own.store(0, Release);
        }
        won
    }

    /// Time left of the warm-up, and its whole length.
    pub(super) fn warm_up(&self, word: PackedState, now: Micros) -> (Micros, Micros) {
        let whole = self.warm_up.load(Relaxed);
        if word.epoch == 0 || !word.is_closed() {
            return (0, whole);
        }
        (word.at().saturating_add(whole).saturating_sub(now), whole)
    }

    /// What others should know, unless nothing ever happened or others know it first hand.
    pub(super) fn shared(&self, now: Micros) -> Option<HealthRecord> {
        let word = self.load();
        let told = |kind, left, warm_up| {
            let PackedState { epoch, times, dead, .. } = word;
            Some(HealthRecord { kind, epoch, left, warm_up, times, dead, rest: 0 })
        };
        if word.epoch == 0 {
            return None;
        }
        if word.is_closed() {
            let (left, whole) = self.warm_up(word, now);
            return told(HealthRecordKind::Recovered, left, whole);
        }
        let own = PackedState::unpack(self.own.load(Acquire));
        let first_hand = own.epoch == word.epoch || own.left(now) > 0;
        if first_hand { told(HealthRecordKind::Ejected, own.left(now), 0) } else { None }
    }

    /// Takes over what another replica knows. A later ejection counts for more than an earlier one, the
    /// recovery from an ejection for more than that ejection, and of two ends the later one.
    pub(super) fn adopt(&self, shared: &HealthRecord, now: Micros) -> Option<Transition> {
        let (left, whole) = (shared.left.min(DAY), shared.warm_up.min(DAY));
        if shared.kind == HealthRecordKind::Recovered && self.load().is_before_or_out(shared.epoch) {
            self.warm_up.store(whole, Relaxed);
        }
        let since = now.saturating_sub(whole.saturating_sub(left));
        let (before, after) = self.swap(|word| merged(word, shared, now.saturating_add(left), since))?;
        if after.is_closed() {
            self.own.store(0, Release);
            return (!before.is_closed()).then_some(Transition::Recovered);
        }
        self.note_relapse(before, after);
        if before.is_waiting(now) {
            return None;
        }
        self.out_since.store(now, Relaxed);
        let lasts = duration(after.left(now));
        Some(Transition::Ejected { lasts, times: after.times.into(), dead: after.dead })
    }
}

impl PackedState {
    /// Whether a recovery from this ejection is news.
    pub(super) fn is_before_or_out(self, epoch: u16) -> bool {
        self.is_before(epoch) || (!self.is_closed() && self.epoch == epoch)
    }
}

fn merged(mine: PackedState, theirs: &HealthRecord, until: Micros, since: Micros) -> Option<PackedState> {
    let news = mine.is_before(theirs.epoch);
    let HealthRecord { epoch, dead, .. } = *theirs;
    let times = theirs.times.min(MAX_TIMES);
    match (theirs.kind, mine.phase) {
        (HealthRecordKind::Recovered, _) if mine.is_before_or_out(epoch) => {
            Some(PackedState { phase: Phase::Closed, at: no_later(since), epoch, times, dead: false })
        }
        (HealthRecordKind::Ejected, Phase::Ejected) => {
            let later = PackedState {
                phase: Phase::Ejected,
                at: mine.at.max(no_earlier(until)),
                epoch: if news { epoch } else { mine.epoch },
                times: mine.times.max(times),
                dead: dead && (news || mine.dead),
            };
            (later != mine).then_some(later)
        }
        (HealthRecordKind::Ejected, _) if news => {
            Some(PackedState { phase: Phase::Ejected, at: no_earlier(until), epoch, times, dead })
        }
        _ => None,
    }
}
