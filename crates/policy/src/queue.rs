//! A bounded wait queue: higher priorities first, fair among tenants, by arrival within one of them.

mod pace;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};

use domain::{Priority, ResourceId};

use self::pace::ServiceRate;
use crate::time::Micros;

/// A request that wants to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WaitRequest {
    /// Tenants of one priority take turns.
    pub tenant: ResourceId,
    /// Higher ones go first, whatever came before.
    pub priority: Priority,
    /// When a place is of no use any more.
    pub deadline: Micros,
}

/// Finds a waiter that wants to leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket {
    tenant: ResourceId,
    priority: Priority,
    number: u64,
}

/// Why a request cannot wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EnqueueError {
    /// There is no room, and no waiter that would have to make some.
    Full,
    /// Its deadline is past, or will be before its turn, as fast as places have come lately.
    TooLate,
}

/// Waiters, each with a value by which it is told.
#[derive(Debug)]
pub struct Queue<T> {
    /// By priority: tenants in the order of their turns, each with its waiters by arrival; nothing is kept empty.
    classes: BTreeMap<Priority, VecDeque<Line<T>>>,
    len: usize,
    arrivals: u64,
    /// No deadline is before this.
    earliest: Micros,
    pace: ServiceRate,
}

#[derive(Debug)]
struct Line<T> {
    tenant: ResourceId,
    waiters: VecDeque<Waiter<T>>,
}

#[derive(Debug)]
struct Waiter<T> {
    number: u64,
    deadline: Micros,
    value: T,
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        let (classes, pace) = (BTreeMap::new(), ServiceRate::default());
        Self { classes, len: 0, arrivals: 0, earliest: Micros::MAX, pace }
    }
}

impl<T> Queue<T> {
    /// How many wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Enqueues a request if fewer than `length` others wait; also returns the waiter that had to make room: the newest
    /// waiter of the lowest priority below the arrival's, or else of the tenant that has the most of its own
    /// priority, if that are more than the arrival's tenant will have.
    ///
    /// # Errors
    /// When it cannot wait, or not with success.
    pub fn push(
        &mut self,
        who: WaitRequest,
        value: T,
        length: usize,
        now: Micros,
    ) -> Result<(Ticket, Option<T>), EnqueueError> {
        let WaitRequest { tenant, priority, deadline } = who;
        self.drop_expired(now);
        let left = deadline.checked_sub(now).filter(|left| *left > 0).ok_or(EnqueueError::TooLate)?;
        if self.pace.is_too_slow(self.ahead(&who), left) {
            return Err(EnqueueError::TooLate);
        }
        let displaced = match self.len {
            len if len < length => None,
            _ if length == 0 => return Err(EnqueueError::Full),
            _ => Some(self.displace(&who).ok_or(EnqueueError::Full)?),
        };
        if self.is_empty() {
            self.pace = ServiceRate::since(now);
        }
        self.arrivals += 1;
        let waiter = Waiter { number: self.arrivals, deadline, value };
        let ticket = Ticket { tenant, priority, number: self.arrivals };
        let class = self.classes.entry(priority).or_default();
        match class.iter_mut().find(|line| line.tenant == tenant) {
            Some(line) => line.waiters.push_back(waiter),
            None => class.push_back(Line { tenant, waiters: VecDeque::from([waiter]) }),
        }
        self.len += 1;
        self.earliest = self.earliest.min(deadline);
        Ok((ticket, displaced))
    }

    /// Dequeues the first waiter for which `try_place` returns a permit. Waiters are offered in order; one that needs more
    /// capacity than is free does not block a later one that needs less.
    pub fn take<P>(&mut self, now: Micros, mut try_place: impl FnMut(&T) -> Option<P>) -> Option<(T, P)> {
        self.drop_expired(now);
        let lines = self.classes.iter().rev().flat_map(|(priority, class)| {
            class.iter().enumerate().map(move |(turn, line)| (*priority, turn, line))
        });
        let mut waiters = lines.flat_map(|(priority, turn, line)| {
            line.waiters.iter().enumerate().map(move |(index, waiter)| (priority, turn, index, waiter))
        });
        let (priority, turn, index, place) = waiters.find_map(|(priority, turn, index, waiter)| {
            try_place(&waiter.value).map(|place| (priority, turn, index, place))
        })?;
        let value = self.pick(priority, turn, index)?;
        // The tenant had its turn.
        if let Some(class) = self.classes.get_mut(&priority)
            && let Some(line) = class.remove(turn)
        {
            class.push_back(line);
        }
        self.tidy(priority);
        self.pace.place(now);
        Some((value, place))
    }

    /// Takes a waiter out, if it is still there.
    pub fn remove(&mut self, ticket: Ticket) -> Option<T> {
        let class = self.classes.get(&ticket.priority)?;
        let turn = class.iter().position(|line| line.tenant == ticket.tenant)?;
        let by_number = |waiter: &Waiter<T>| waiter.number.cmp(&ticket.number);
        let index = class.get(turn)?.waiters.binary_search_by(by_number).ok()?;
        let value = self.pick(ticket.priority, turn, index);
        self.tidy(ticket.priority);
        value
    }

    /// How many will at least be served before an arrival.
    fn ahead(&self, who: &WaitRequest) -> usize {
        let higher = self.classes.iter().filter(|(priority, _)| **priority > who.priority);
        let higher: usize = higher.flat_map(|(_, class)| class).map(|line| line.waiters.len()).sum();
        let Some(class) = self.classes.get(&who.priority) else { return higher };
        let of = |line: &Line<T>| line.waiters.len();
        let own = class.iter().find(|line| line.tenant == who.tenant).map_or(0, of);
        higher + class.iter().map(|line| of(line).min(own)).sum::<usize>()
    }

    /// Takes out the waiter that has to make room.
    fn displace(&mut self, who: &WaitRequest) -> Option<T> {
        let (&lowest, class) = self.classes.first_key_value()?;
        let lines = class.iter().enumerate();
        let newest = |line: &Line<T>| line.waiters.back().map(|waiter| waiter.number);
        let (turn, line) = if lowest < who.priority {
            lines.max_by_key(|(_, line)| newest(line))?
        } else if lowest == who.priority {
            let own = class.iter().find(|line| line.tenant == who.tenant);
            let own = own.map_or(0, |line| line.waiters.len());
            let longest = lines.max_by_key(|(_, line)| (line.waiters.len(), newest(line)))?;
            Some(longest).filter(|(_, line)| line.waiters.len() > own + 1)?
        } else {
            return None;
        };
        let last = line.waiters.len().checked_sub(1)?;
        let value = self.pick(lowest, turn, last);
        self.tidy(lowest);
        value
    }

    fn pick(&mut self, priority: Priority, turn: usize, index: usize) -> Option<T> {
        let line = self.classes.get_mut(&priority)?.get_mut(turn)?;
        let waiter = line.waiters.remove(index)?;
        self.len -= 1;
        Some(waiter.value)
    }

    fn drop_expired(&mut self, now: Micros) {
        if now < self.earliest {
            return;
        }
        for line in self.classes.values_mut().flatten() {
            line.waiters.retain(|waiter| waiter.deadline > now);
        }
        for priority in [Priority::Low, Priority::Normal, Priority::High] {
            self.tidy(priority);
        }
        let left = || self.classes.values().flatten().flat_map(|line| &line.waiters);
        (self.len, self.earliest) =
            (left().count(), left().map(|waiter| waiter.deadline).min().unwrap_or(Micros::MAX));
    }

    /// Forgets what has become empty.
    fn tidy(&mut self, priority: Priority) {
        let Some(class) = self.classes.get_mut(&priority) else { return };
        class.retain(|line| !line.waiters.is_empty());
        if class.is_empty() {
            self.classes.remove(&priority);
        }
    }
}
