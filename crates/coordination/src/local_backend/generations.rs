//! A table of bounded size that forgets whom it has not seen for longest, in constant time.

use std::collections::HashMap;

use crate::counter_key::CounterKey;

/// Two generations: a key that is seen moves to the young one; when that is full, the old one is forgotten.
///
/// So a subject is forgotten only after `capacity / 2` others were seen since. Subjects are client input:
/// refusing new ones instead would let one client shut out all the others.
#[derive(Debug)]
pub(super) struct Generations<T> {
    young: HashMap<CounterKey, T>,
    old: HashMap<CounterKey, T>,
    capacity: usize,
}

impl<T: Default> Generations<T> {
    pub(super) fn new(capacity: usize) -> Self {
        Self { young: HashMap::new(), old: HashMap::new(), capacity }
    }

    /// What is known about the subject.
    pub(super) fn at(&mut self, key: &CounterKey) -> &mut T {
        if !self.young.contains_key(key) && self.young.len() >= self.capacity / 2 {
            self.old = std::mem::take(&mut self.young);
        }
        let old = &mut self.old;
        self.young.entry(*key).or_insert_with(|| old.remove(key).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use domain::ResourceId;

    use super::*;
    use crate::counter_key::KeyedClaim;
    use crate::{Claim, OnOutage, Rule, Unit};

    #[test]
    fn it_is_bounded_and_forgets_only_whom_it_has_not_seen_for_long() {
        let id = ResourceId::new();
        let rule = Rule::Gcra { per_second: 1, burst: 1 };
        let key = |subject: u32| {
            let subject = subject.to_string();
            let (unit, on_outage) = (Unit::Requests, OnOutage::Open);
            let claim = Claim { limit: id, subject, tenant: id, rule, unit, cost: 1, on_outage };
            KeyedClaim::new(&claim, &rule).key
        };
        let mut table = Generations::<u32>::new(100);
        *table.at(&key(0)) = 7;
        for other in 1..1_000 {
            *table.at(&key(other)) = 1;
            if other % 49 == 0 {
                assert_eq!(*table.at(&key(0)), 7, "forgotten after {other}");
            }
            assert!(table.young.len() + table.old.len() <= 100);
        }
        assert_eq!(*table.at(&key(1)), 0);
        assert_eq!(*table.at(&key(999)), 1);
    }
}
