//! The targets that routes of the current snapshot name, each once, by their endpoint.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use domain::{ResourceId, Timestamp};
use policy::{
    Credential, Snapshot, Target,
    health::{Micros, TargetKey, Unavailable},
};

/// Most targets that are looked after by themselves.
const MOST: usize = 8_192;

/// The targets of one snapshot.
#[derive(Default)]
pub(crate) struct ConfiguredTargets {
    /// What it was made from.
    pub(crate) snapshot: Option<Arc<Snapshot>>,
    /// When the next model is replaced by its successor, if any will be.
    until: Option<Timestamp>,
    targets: HashMap<ResourceId, Vec<Arc<Target>>>,
}

impl ConfiguredTargets {
    /// Follows the current snapshot; returns whether anything had to be made anew, because there is another snapshot or
    /// a model was replaced by its successor.
    pub(crate) fn follow(&mut self, snapshot: Option<Arc<Snapshot>>) -> bool {
        let now = Timestamp::now();
        let same = match (&self.snapshot, &snapshot) {
            (Some(own), Some(current)) => Arc::ptr_eq(own, current),
            (own, current) => own.is_none() && current.is_none(),
        };
        if same && self.until.is_none_or(|until| now < until) {
            return false;
        }
        let named =
            || snapshot.iter().flat_map(|snapshot| snapshot.routes()).flat_map(|route| route.targets());
        let targets = targets(named(), now);
        let until = named().filter_map(|named| replaced(named, now)).min();
        *self = Self { snapshot, until, targets };
        true
    }

    /// Every target.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Arc<Target>> {
        self.targets.values().flatten()
    }

    /// The targets at an endpoint, or the one with this name.
    pub(crate) fn at<'a>(
        &'a self,
        endpoint: ResourceId,
        upstream: Option<&'a str>,
    ) -> impl Iterator<Item = &'a Arc<Target>> {
        let wanted = move |target: &&Arc<Target>| upstream.is_none_or(|name| name == target.upstream);
        self.targets.get(&endpoint).into_iter().flatten().filter(wanted)
    }
}

fn targets<'a>(
    named: impl Iterator<Item = &'a Arc<Target>>,
    now: Timestamp,
) -> HashMap<ResourceId, Vec<Arc<Target>>> {
    let mut known = HashSet::new();
    let mut targets: HashMap<_, Vec<_>> = HashMap::new();
    for named in named {
        let target = named.replacement(now).unwrap_or(named);
        let key = TargetKey { endpoint: target.endpoint.id, upstream: target.upstream.clone() };
        if known.len() < MOST && known.insert(key) {
            targets.entry(target.endpoint.id).or_default().push(Arc::clone(target));
        }
    }
    targets
}

/// When another model will replace the one that serves now, if one will.
fn replaced(named: &Target, now: Timestamp) -> Option<Timestamp> {
    let serves = named.replacement(now).map_or(named, AsRef::as_ref);
    serves.successor.as_ref().and(serves.spec.deprecation).filter(|end| *end > now)
}

/// Whether requests to a target can be signed at this moment: it needs no credential, or one is usable for its model, or
/// would be tried as a guess (`throttled`, `requests_spent`, `tokens_spent`).
pub(crate) fn has_usable_credential(target: &Target, now: Micros) -> bool {
    let credentials = target.credentials();
    let may = |credential: &Arc<Credential>| match credentials.usable(credential, 0, now) {
        Ok(()) => true,
        Err(Unavailable { reason, .. }) => reason.is_guess() && !reason.is_refusal(),
    };
    credentials.credentials.is_empty() || credentials.credentials.iter().any(may)
}
