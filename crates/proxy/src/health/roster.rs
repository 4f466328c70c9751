//! The targets that routes of the current snapshot name, each once, by their endpoint.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use domain::{ResourceId, Timestamp};
use policy::{Snapshot, Target, live::TargetKey};

use crate::gateway::Gateway;

/// Most targets that are looked after by themselves.
const MOST: usize = 8_192;

/// The targets of one snapshot.
#[derive(Default)]
pub(crate) struct Roster {
    /// What it was made from.
    pub(crate) snapshot: Option<Arc<Snapshot>>,
    targets: HashMap<ResourceId, Vec<Arc<Target>>>,
}

impl Roster {
    /// Whether it had to be made anew: there is another snapshot.
    pub(crate) fn follow(&mut self, gateway: &Gateway) -> bool {
        let snapshot = gateway.current();
        let same = match (&self.snapshot, &snapshot) {
            (Some(own), Some(current)) => Arc::ptr_eq(own, current),
            (own, current) => own.is_none() && current.is_none(),
        };
        if !same {
            let targets = snapshot.as_deref().map(targets).unwrap_or_default();
            *self = Self { snapshot, targets };
        }
        !same
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

fn targets(snapshot: &Snapshot) -> HashMap<ResourceId, Vec<Arc<Target>>> {
    let (now, mut known) = (Timestamp::now(), HashSet::new());
    let mut targets: HashMap<_, Vec<_>> = HashMap::new();
    for named in snapshot.routes().flat_map(|route| route.targets()) {
        let target = named.in_place(now).unwrap_or(named);
        let key = TargetKey { endpoint: target.endpoint.id, upstream: target.upstream.clone() };
        if known.len() < MOST && known.insert(key) {
            targets.entry(target.endpoint.id).or_default().push(Arc::clone(target));
        }
    }
    targets
}
