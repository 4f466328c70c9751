//! Which of a provider's keys signs the next attempt: weighted by chance among those that may be used.

use std::{sync::Arc, time::Duration};

use domain::ResourceId;

use crate::{
    health::{Micros, Unavailable, UnavailableReason},
    routing::SkipReason,
    snapshot::Credential,
};

/// How long a trial may go without telling its end; then the next may be taken.
const TRIAL: Duration = Duration::from_secs(60);

/// The key for the next attempt.
#[derive(Debug)]
pub enum NextKey {
    /// The endpoint needs none.
    NotNeeded,
    /// This one.
    Use(Arc<Credential>),
    /// None that was not tried may be used.
    NoneLeft,
}

/// Chooses a key that was not tried yet; `tokens` is what the attempt is expected to take of its allowance. With
/// `desperate` one that might be served all the same will do as well ([`UnavailableReason::is_guess`]).
#[must_use]
pub fn next_key(
    credentials: &[Arc<Credential>],
    tried: &[ResourceId],
    (tokens, desperate): (u64, bool),
    now: Micros,
    draw: u64,
) -> NextKey {
    if credentials.is_empty() {
        return NextKey::NotNeeded;
    }
    let due = |key: &&Arc<Credential>| !tried.contains(&key.id) && is_due(key, now);
    let trial = || credentials.iter().find(|key| due(key) && key.state.take_trial(TRIAL, now));
    // A refused key is tried again by one request when its time is over; that one has other keys to go on with. They
    // come before another trial, or one request might meet every refused key there is.
    if tried.is_empty()
        && let Some(key) = trial()
    {
        return NextKey::Use(Arc::clone(key));
    }
    let may = |key: &Credential| match key.state.usable(tokens, now) {
        Ok(()) => true,
        Err(benched) => desperate && benched.reason.is_guess(),
    };
    let usable = || credentials.iter().filter(|key| !tried.contains(&key.id) && may(key));
    let total: u64 = usable().map(|key| u64::from(key.weight)).sum();
    let mut left = draw.checked_rem(total).unwrap_or_default();
    let mut chosen = None;
    // A key that is benched between the two looks leaves the last of the others.
    for key in usable() {
        chosen = Some(key);
        let weight = u64::from(key.weight);
        if left < weight {
            break;
        }
        left -= weight;
    }
    chosen.or_else(trial).map_or(NextKey::NoneLeft, |key| NextKey::Use(Arc::clone(key)))
}

/// Whether a refused key may be tried again.
fn is_due(key: &Credential, now: Micros) -> bool {
    let due = |benched: Unavailable| benched.reason == UnavailableReason::Refused && benched.left.is_zero();
    key.state.usable(0, now).is_err_and(due)
}

/// Whether any key may be used.
///
/// # Errors
/// Why none may.
pub(crate) fn any(credentials: &[Arc<Credential>], tokens: u64, now: Micros) -> Result<(), SkipReason> {
    let mut benched = None;
    for key in credentials {
        match key.state.usable(tokens, now) {
            Ok(()) => return Ok(()),
            Err(_) if is_due(key, now) => return Ok(()),
            Err(bench) => benched = benched.into_iter().chain([bench.left]).min(),
        }
    }
    let Some(left) = benched else { return Ok(()) };
    let (mut spent, mut perhaps) = (true, false);
    // Tenants hear of it: how many keys there are is theirs to know, what the operator calls them is not.
    let mut counts: Vec<(UnavailableReason, usize)> = Vec::new();
    for key in credentials {
        if let Err(bench) = key.state.usable(tokens, now) {
            spent &= bench.reason != UnavailableReason::Refused;
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
