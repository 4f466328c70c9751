//! A table of bounded size that forgets whom it has not seen for longest, in constant time.

use std::collections::HashMap;

use crate::place::Place;

/// Two generations: whoever is seen moves to the young one; when that is full, the old one is forgotten.
///
/// So a subject is forgotten only after `capacity / 2` others were seen since. Subjects are client input:
/// refusing new ones instead would let one client shut out all the others.
#[derive(Debug)]
pub(super) struct Generations<T> {
    young: HashMap<Place, T>,
    old: HashMap<Place, T>,
    capacity: usize,
}

impl<T: Default> Generations<T> {
    pub(super) fn new(capacity: usize) -> Self {
        Self { young: HashMap::new(), old: HashMap::new(), capacity }
    }

    /// What is known about the subject.
    pub(super) fn at(&mut self, place: &Place) -> &mut T {
        if !self.young.contains_key(place) && self.young.len() >= self.capacity / 2 {
            self.old = std::mem::take(&mut self.young);
        }
        let old = &mut self.old;
        self.young.entry(*place).or_insert_with(|| old.remove(place).unwrap_or_default())
    }
}
