//! What is known of a credential at one model: providers grant models one by one, and many count limits per model.

use std::{
    sync::{
        Arc, Weak,
        atomic::{
            AtomicU32, AtomicU64,
            Ordering::{AcqRel, Acquire, Relaxed, Release},
        },
    },
    time::Duration,
};

use arc_swap::ArcSwap;

use super::{
    credential::{CredentialState, SPARED},
    quota::{Allowances, Marks, Quota},
    unavailable::{Unavailable, UnavailableReason},
};
use crate::time::{DAY, Micros, duration, micros};

/// A model that is refused to a credential is left alone for a minute, then twice as long each time, up to an hour.
const FIRST_REFUSAL: Micros = 60_000_000;
const LONGEST_REFUSAL: Micros = 3_600_000_000;
/// Refusals in a row that lengthen the time.
const MOST_DOUBLINGS: u32 = 6;
/// Most credentials that one model keeps a state of; a provider with more has the rest judged by their own state.
const MOST: usize = 1_024;

/// The state of one credential at one model, in one process: atomics, so that requests never wait for each other.
#[derive(Debug, Default)]
pub struct AccessState {
    /// Until when the model is refused to it.
    refused: AtomicU64,
    /// Refusals in a row.
    refusals: AtomicU32,
    /// Until when the provider wants no request for the model.
    rest: AtomicU64,
    /// Until when others come first, after a 429 without a time.
    spared: AtomicU64,
    allowances: Allowances,
}

impl AccessState {
    /// Whether a request of so many tokens may use the credential for the model.
    ///
    /// # Errors
    /// Why not, and for how long.
    pub fn usable(&self, need_tokens: u64, now: Micros) -> Result<(), Unavailable> {
        use UnavailableReason as R;
        let times = [
            (R::ModelRefused, &self.refused),
            (R::ModelResting, &self.rest),
            (R::ModelThrottled, &self.spared),
        ];
        for (reason, until) in times {
            let left = until.load(Acquire).saturating_sub(now);
            if left > 0 {
                return Err(Unavailable { reason, left: duration(left) });
            }
        }
        self.allowances.usable(need_tokens, now)
    }

    /// The provider refused the model to the credential; true if that was news.
    pub fn refuse(&self, now: Micros) -> bool {
        if self.refused.load(Acquire) > now {
            return false;
        }
        let times = self.refusals.fetch_add(1, AcqRel).min(MOST_DOUBLINGS);
        let lasts = (FIRST_REFUSAL << times).min(LONGEST_REFUSAL);
        self.refused.fetch_max(now.saturating_add(lasts), AcqRel);
        times == 0
    }

    /// The provider said 429 for the model, and until when.
    pub fn cool_down(&self, lasts: Duration, now: Micros) {
        self.rest.fetch_max(now.saturating_add(micros(lasts).min(DAY)), AcqRel);
    }

    /// The provider said 429 for the model, and named no time.
    pub fn throttle(&self, now: Micros) {
        self.spared.fetch_max(now.saturating_add(SPARED), AcqRel);
    }

    /// The provider answered: true if the model had been refused before.
    pub fn succeeded(&self) -> bool {
        // Read first: nearly always there is nothing to take back.
        let refused = self.refusals.load(Relaxed) != 0;
        if refused {
            self.refusals.store(0, Release);
            self.refused.store(0, Release);
        }
        refused
    }

    /// A request of so many tokens is sent.
    pub fn begin(&self, tokens: u64) -> Marks {
        self.allowances.send(tokens)
    }

    /// What the answer to that request said of the limits of the model.
    pub fn observe(&self, sent: Marks, quota: &Quota, now: Micros) {
        self.allowances.observe(sent, quota, now);
    }
}

/// The states of the credentials at one model. It only grows, but for credentials that are gone.
#[derive(Debug, Default)]
pub(super) struct AccessTable(ArcSwap<Vec<Access>>);

#[derive(Clone, Debug)]
struct Access {
    credential: Weak<CredentialState>,
    state: Arc<AccessState>,
}

impl AccessTable {
    /// Looks a state up without keeping it.
    pub(super) fn with<T>(
        &self,
        credential: &Arc<CredentialState>,
        read: impl FnOnce(&AccessState) -> T,
    ) -> Option<T> {
        let table = self.0.load();
        find(&table, credential).map(|access| read(&access.state))
    }

    /// The state, made if there is none.
    pub(super) fn entry(&self, credential: &Arc<CredentialState>) -> Arc<AccessState> {
        if let Some(known) = find(&self.0.load(), credential) {
            return Arc::clone(&known.state);
        }
        let new = Access { credential: Arc::downgrade(credential), state: Arc::default() };
        let mut entry = Arc::clone(&new.state);
        self.0.rcu(|table| {
            if let Some(known) = find(table, credential) {
                entry = Arc::clone(&known.state);
                return Vec::clone(table);
            }
            entry = Arc::clone(&new.state);
            let alive = table.iter().filter(|access| access.credential.strong_count() > 0);
            alive.take(MOST - 1).cloned().chain([new.clone()]).collect()
        });
        entry
    }
}

/// By identity: another revision of a credential has another state, and may be another key.
fn find<'a>(table: &'a [Access], credential: &Arc<CredentialState>) -> Option<&'a Access> {
    table.iter().find(|access| access.credential.as_ptr() == Arc::as_ptr(credential))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Micros = 1_000_000;

    #[test]
    fn a_refusal_lasts_longer_each_time_and_a_success_ends_it() {
        let access = AccessState::default();
        assert!(access.refuse(0));
        assert!(!access.refuse(SECOND), "it is refused already");
        let left = |now| access.usable(0, now).err().map(|unavailable| unavailable.left.as_secs());
        assert_eq!(left(0), Some(60));
        assert_eq!(left(60 * SECOND), None);
        assert!(!access.refuse(60 * SECOND), "not the first one");
        assert_eq!(left(60 * SECOND), Some(120));
        let mut now = 180 * SECOND;
        for _ in 0..9 {
            access.refuse(now);
            now += left(now).unwrap() * SECOND;
        }
        access.refuse(now);
        assert_eq!(left(now), Some(3_600));
        assert!(access.succeeded());
        assert_eq!(left(now), None);
        assert!(!access.succeeded());
    }

    #[test]
    fn each_credential_has_its_own_state_and_those_that_are_gone_make_room() {
        let table = AccessTable::default();
        let (one, other) = (Arc::new(CredentialState::default()), Arc::new(CredentialState::default()));
        table.entry(&one).refuse(0);
        let refused =
            |credential: &Arc<CredentialState>| table.with(credential, |access| access.usable(0, 0).is_err());
        assert_eq!(refused(&one), Some(true));
        assert_eq!(refused(&other), None);
        assert!(Arc::ptr_eq(&table.entry(&one), &table.entry(&one)));
        drop(one);
        table.entry(&other);
        assert_eq!(table.0.load().len(), 1);
    }
}
