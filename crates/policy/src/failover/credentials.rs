//! The credentials of one target: which one signs the next attempt, and what a failure means for the one that signed.

use std::{sync::Arc, time::Duration};

use domain::{AttemptOutcome, ResourceId};

use super::{Blame, Failure};
use crate::{
    credential_selection::{CredentialChoice, CredentialQuery, TargetCredentials, select_credential},
    endpoint::Credential,
    health::{CredentialRefusal, TargetState},
    routing::SkipReason,
    time::{Micros, Moment},
};

/// Shortest cool-down of a credential where the provider names a time, even if that time is zero.
const SHORTEST_COOL_DOWN: Duration = Duration::from_millis(1);
/// When to ask again where no credential's own limit says when.
const DEFAULT_WAIT: Duration = Duration::from_secs(1);

/// What a failure did to the credential that signed the attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CredentialChange {
    /// The provider named a time: the credential is not used before that.
    CooledDown,
    /// The provider named no time: others come first for a moment.
    Throttled,
    /// The provider refused the credential.
    Refused {
        /// Whether it had been in use until now, which is worth an alert; otherwise its trial failed.
        first: bool,
    },
    /// The provider refused the credential this model; other models are not concerned.
    ModelRefused {
        /// Whether that is news.
        first: bool,
    },
}

/// Selects the credentials of one target, one after the other.
#[derive(Debug, Default)]
pub struct CredentialSelector {
    /// Tokens that an attempt may take of a credential's allowance.
    tokens: u64,
    tried: Vec<ResourceId>,
    /// The one that was selected last.
    current: Option<Arc<Credential>>,
    /// The shortest wait for a credential that was at its own limits.
    limited: Option<Duration>,
}

impl CredentialSelector {
    /// Nothing tried yet; an attempt may take so many tokens of a credential's allowance.
    #[must_use]
    pub const fn new(tokens: u64) -> Self {
        Self { tokens, tried: Vec::new(), current: None, limited: None }
    }

    /// Goes on to another target.
    pub(super) fn reset(&mut self) {
        self.tried.clear();
        self.current = None;
        self.limited = None;
    }

    /// The next credential. As a `last_resort`, where there is no other target, one that only seems to be exhausted
    /// will do if there is no better one.
    pub fn select(
        &mut self,
        credentials: TargetCredentials<'_>,
        last_resort: bool,
        moment: Moment,
    ) -> CredentialChoice {
        let select = |allow_exhausted| {
            let query = CredentialQuery { tokens: self.tokens, allow_exhausted };
            select_credential(credentials, &self.tried, query, moment)
        };
        let choice = match select(false) {
            CredentialChoice::NoneLeft if last_resort => select(true),
            choice => choice,
        };
        if let CredentialChoice::Use(credential) = &choice {
            self.current = Some(Arc::clone(credential));
        }
        choice
    }

    /// The selected credential is at the limits that the operator set for it, for so long.
    pub fn limited(&mut self, retry_after: Duration) {
        self.tried.extend(self.current.take().map(|credential| credential.id));
        self.limited = self.limited.into_iter().chain([retry_after]).min();
    }

    /// Why no credential is left.
    #[must_use]
    pub fn none_left(&self) -> SkipReason {
        SkipReason::NoUsableCredential {
            why: "every key is at its limits".to_owned(),
            left: self.limited.unwrap_or(DEFAULT_WAIT),
            spent: true,
            perhaps: false,
        }
    }

    /// Gives up the selected credential for this target; whether one is left that was not tried and may be used.
    pub(super) fn has_more(&mut self, from: TargetCredentials<'_>, now: Micros) -> bool {
        self.tried.extend(self.current.take().map(|credential| credential.id));
        from.credentials.iter().any(|credential| {
            !self.tried.contains(&credential.id) && from.usable(credential, self.tokens, now).is_ok()
        })
    }

    /// Forgets which credentials were tried: by the time of the repeat they may serve again.
    pub(super) fn start_over(&mut self) {
        self.tried.clear();
    }

    /// Applies a failure to the credential that signed the attempt: to all of it, or at this target alone.
    pub fn on_failure(
        &mut self,
        failure: &Failure,
        target: &TargetState,
        moment: Moment,
    ) -> Option<(Arc<Credential>, CredentialChange)> {
        let credential = self.current.clone()?;
        let Moment { now, draw } = moment;
        let at_model = || target.access(&credential.state);
        let is_model = failure.blame == Blame::Model;
        let change = match (failure.outcome, failure.retry_after) {
            (AttemptOutcome::RateLimited, Some(lasts)) if is_model => {
                at_model().cool_down(lasts.max(SHORTEST_COOL_DOWN), now);
                CredentialChange::CooledDown
            }
            (AttemptOutcome::RateLimited, None) if is_model => {
                at_model().throttle(now);
                CredentialChange::Throttled
            }
            (AttemptOutcome::BadCredential, _) if is_model => {
                CredentialChange::ModelRefused { first: at_model().refuse(now) }
            }
            (AttemptOutcome::RateLimited, Some(lasts)) => {
                credential.state.cool_down(lasts.max(SHORTEST_COOL_DOWN), now);
                CredentialChange::CooledDown
            }
            (AttemptOutcome::RateLimited, None) => {
                credential.state.throttle(now);
                CredentialChange::Throttled
            }
            (AttemptOutcome::BadCredential, _) => match credential.state.refuse(now, draw) {
                CredentialRefusal::First => CredentialChange::Refused { first: true },
                CredentialRefusal::TrialFailed => CredentialChange::Refused { first: false },
                CredentialRefusal::Already => return None,
            },
            _ => return None,
        };
        self.tried.push(credential.id);
        Some((credential, change))
    }
}
