//! The queue as one list that is searched and sorted anew for every question.

use std::{cmp::Reverse, collections::BTreeMap};

use super::*;

/// One that waits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Item {
    pub(super) who: WaitRequest,
    pub(super) id: usize,
    pub(super) limit: u8,
}

/// Items in the order of their arrival, and since when each tenant waits for its turn.
#[derive(Default)]
pub(super) struct Model {
    items: Vec<Item>,
    turns: BTreeMap<(Priority, ResourceId), u64>,
    turn: u64,
    last: Micros,
    /// Times between places since the queue was last empty.
    gaps: Vec<Micros>,
}

impl Model {
    pub(super) fn len(&self) -> usize {
        self.items.len()
    }

    fn settle(&mut self, now: Micros) {
        self.items.retain(|item| item.who.deadline > now);
        self.forget();
    }

    fn forget(&mut self) {
        let items = &self.items;
        let there = |(priority, tenant): &(_, _)| {
            items.iter().any(|i| (i.who.priority, i.who.tenant) == (*priority, *tenant))
        };
        self.turns.retain(|key, _| there(key));
    }

    fn of(&self, who: &WaitRequest, tenant: ResourceId) -> usize {
        self.items
            .iter()
            .filter(|item| item.who.priority == who.priority && item.who.tenant == tenant)
            .count()
    }

    /// Checks what the queue said, and does the same.
    pub(super) fn push(
        &mut self,
        item: Item,
        length: usize,
        now: Micros,
        told: Result<Option<usize>, EnqueueError>,
    ) {
        let who = item.who;
        self.settle(now);
        let ahead = self.ahead(&who);
        let takes = |gap: Option<&Micros>| gap.map_or(0, |gap| gap * ahead / 2);
        let left = who.deadline.saturating_sub(now);
        if told == Err(EnqueueError::TooLate) {
            assert!(left == 0 || takes(self.gaps.iter().max()) > left, "{who:?} would have been served");
            return;
        }
        assert!(left > 0 && takes(self.gaps.iter().min()) <= left, "{who:?} cannot be served");
        let displaced = (self.items.len() >= length).then(|| self.displaced(&who).filter(|_| length > 0));
        assert_eq!(told, displaced.map_or(Ok(None), |out| out.map(Some).ok_or(EnqueueError::Full)));
        if told.is_err() {
            return;
        }
        self.items.retain(|item| Some(Some(item.id)) != displaced);
        self.forget();
        if self.items.is_empty() {
            self.gaps.clear();
            self.last = now;
        }
        self.turn += 1;
        self.turns.entry((who.priority, who.tenant)).or_insert(self.turn);
        self.items.push(item);
    }

    fn ahead(&self, who: &WaitRequest) -> u64 {
        let higher = self.items.iter().filter(|item| item.who.priority > who.priority).count();
        let own = self.of(who, who.tenant);
        let tenants = self.turns.keys().filter(|(priority, _)| *priority == who.priority);
        (higher + tenants.map(|(_, tenant)| self.of(who, *tenant).min(own)).sum::<usize>()) as u64
    }

    fn displaced(&self, who: &WaitRequest) -> Option<usize> {
        let lowest = self.items.iter().map(|item| item.who.priority).min()?;
        let mut lowest_ones = self.items.iter().filter(|item| item.who.priority == lowest);
        if lowest < who.priority {
            return lowest_ones.next_back().map(|item| item.id);
        }
        let own = self.of(who, who.tenant);
        let mine = lowest_ones.filter(|_| lowest == who.priority);
        let newest = mine.max_by_key(|item| (self.of(who, item.who.tenant), item.id))?;
        (self.of(who, newest.who.tenant) > own + 1).then_some(newest.id)
    }

    pub(super) fn take(&mut self, now: Micros, free: u8) -> Option<usize> {
        self.settle(now);
        let fits = self.items.iter().filter(|item| item.limit <= free);
        let turn = |item: &Item| self.turns.get(&(item.who.priority, item.who.tenant)).copied();
        let next = *fits.min_by_key(|item| (Reverse(item.who.priority), turn(item), item.id))?;
        self.remove(next.id);
        self.turn += 1;
        self.turns.entry((next.who.priority, next.who.tenant)).and_modify(|turn| *turn = self.turn);
        self.gaps.push(now - self.last);
        self.last = now;
        Some(next.id)
    }

    pub(super) fn remove(&mut self, id: usize) -> bool {
        let before = self.items.len();
        self.items.retain(|item| item.id != id);
        self.forget();
        self.items.len() < before
    }
}
