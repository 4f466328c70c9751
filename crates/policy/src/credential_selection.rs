//! Which of a provider's credentials signs the next attempt: drawn by weight among those that may be used.

use std::{sync::Arc, time::Duration};

use domain::ResourceId;

use crate::{
    endpoint::Credential,
    health::{TargetState, Unavailable, UnavailableReason},
    routing::SkipReason,
    time::{Micros, Moment, TRIAL_TIMEOUT},
};

/// The credential for the next attempt.
#[derive(Debug)]
pub enum CredentialChoice {
    /// The endpoint needs none.
    NotNeeded,
    /// This one.
    Use(Arc<Credential>),
    /// None that was not tried may be used.
    NoneLeft,
}

/// What an attempt needs of a credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CredentialQuery {
    /// Tokens that the attempt may take of the credential's allowance.
    pub tokens: u64,
    /// Whether a credential that only seems to be exhausted will do as well ([`UnavailableReason::is_guess`]).
    pub allow_exhausted: bool,
}

/// The credentials of one target, with what is known of each at its model.
#[derive(Clone, Copy, Debug)]
pub struct TargetCredentials<'a> {
    /// The provider's credentials.
    pub credentials: &'a [Arc<Credential>],
    /// The target's state.
    pub target: &'a TargetState,
}

impl TargetCredentials<'_> {
    /// Whether a request of so many tokens may use a credential.
    ///
    /// # Errors
    /// Why not, and for how long.
    pub fn usable(&self, credential: &Credential, tokens: u64, now: Micros) -> Result<(), Unavailable> {
        self.target.usable(&credential.state, tokens, now)
    }

    /// Whether a refused credential may be tried again.
    fn is_due(&self, credential: &Credential, now: Micros) -> bool {
        let due = |unavailable: Unavailable| {
            unavailable.reason == UnavailableReason::Refused && unavailable.left.is_zero()
        };
        self.usable(credential, 0, now).is_err_and(due)
    }
}

/// Selects a credential that was not tried yet, by weight.
#[must_use]
pub fn select_credential(
    from: TargetCredentials<'_>,
    tried: &[ResourceId],
    query: CredentialQuery,
    moment: Moment,
) -> CredentialChoice {
    let credentials = from.credentials;
    if credentials.is_empty() {
        return CredentialChoice::NotNeeded;
    }
    let Moment { now, draw } = moment;
    let is_due = |credential: &Credential| !tried.contains(&credential.id) && from.is_due(credential, now);
    let trial = || {
        credentials
            .iter()
            .find(|credential| is_due(credential) && credential.state.take_trial(TRIAL_TIMEOUT, now))
    };
    // A refused credential is tried again by one request when its time is over. That comes first, while the request
    // still has other credentials to go on with, and only once, so that no request meets every refused one there is.
    if tried.is_empty()
        && let Some(credential) = trial()
    {
        return CredentialChoice::Use(Arc::clone(credential));
    }
    let may_use = |credential: &Credential| match from.usable(credential, query.tokens, now) {
        Ok(()) => true,
        Err(unavailable) => query.allow_exhausted && unavailable.reason.is_guess(),
    };
    let usable =
        || credentials.iter().filter(|credential| !tried.contains(&credential.id) && may_use(credential));
    let total: u64 = usable().map(|credential| u64::from(credential.weight)).sum();
    let mut left = draw.checked_rem(total).unwrap_or_default();
    let mut selected = None;
    // If a credential becomes unavailable between the two passes, the last of the others is taken.
    for credential in usable() {
        selected = Some(credential);
        let weight = u64::from(credential.weight);
        if left < weight {
            break;
        }
        left -= weight;
    }
    selected
        .or_else(trial)
        .map_or(CredentialChoice::NoneLeft, |credential| CredentialChoice::Use(Arc::clone(credential)))
}

/// Whether any key may be used.
///
/// # Errors
/// Why none may.
pub(crate) fn any(from: TargetCredentials<'_>, tokens: u64, now: Micros) -> Result<(), SkipReason> {
    let mut benched = None;
    for key in from.credentials {
        match from.usable(key, tokens, now) {
            Ok(()) => return Ok(()),
            Err(_) if from.is_due(key, now) => return Ok(()),
            Err(bench) => benched = benched.into_iter().chain([bench.left]).min(),
        }
    }
    let Some(left) = benched else { return Ok(()) };
    let (mut spent, mut perhaps) = (true, false);
    // Tenants hear of it: how many keys there are is theirs to know, what the operator calls them is not.
    let mut counts: Vec<(UnavailableReason, usize)> = Vec::new();
    for key in from.credentials {
        if let Err(bench) = from.usable(key, tokens, now) {
            spent &= !bench.reason.is_refusal();
            perhaps |= bench.reason.is_guess();
            match counts.iter_mut().find(|(reason, _)| *reason == bench.reason) {
                Some((_, count)) => *count += 1,
                None => counts.push((bench.reason, 1)),
            }
        }
    }
    let left = left.max(Duration::from_millis(1));
    let lines: Vec<String> =
        counts.iter().map(|(reason, count)| format!("{count} {}", reason.as_str())).collect();
    Err(SkipReason::NoUsableCredential { why: lines.join(", "), left, spent, perhaps })
}
