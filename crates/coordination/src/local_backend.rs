//! Limits of one process: the rules of the Redis scripts over tables behind one short lock.

mod debt_window;
mod gcra;
mod generations;
mod sliding_window;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use debt_window::DebtWindow;
use gcra::Gcra;
use generations::Generations;
use sliding_window::SlidingWindow;

use crate::charge::{Change, Charge, Charged, Correction, DebtWindowRef};
use crate::counter_key::{Algorithm, CounterKey, KeyedClaim, SLOT_WAIT, exceeds_limit};
use crate::{Clock, Denied};

/// Most subjects of which a ring is remembered, and as many again for GCRA and for windows with debt: about 80 MB if all
/// are used.
const MAX_SUBJECTS: usize = 65_536;

/// Limits of one process.
#[derive(Debug)]
pub(crate) struct LocalBackend {
    clock: Clock,
    tables: Mutex<Tables>,
}

#[derive(Debug)]
struct Tables {
    rings: Generations<SlidingWindow>,
    debt_windows: Generations<DebtWindow>,
    gcra: Generations<Gcra>,
    /// Only where somebody holds one, so it is bounded by the requests in flight and never evicted.
    slots: HashMap<CounterKey, u64>,
}

impl LocalBackend {
    pub(crate) fn new(clock: Clock) -> Self {
        Self::with_capacity(clock, MAX_SUBJECTS)
    }

    fn with_capacity(clock: Clock, subjects: usize) -> Self {
        let tables = Tables {
            rings: Generations::new(subjects),
            debt_windows: Generations::new(subjects),
            gcra: Generations::new(subjects),
            slots: HashMap::new(),
        };
        Self { clock, tables: Mutex::new(tables) }
    }

    /// Charges every claim or none.
    pub(crate) fn acquire(
        self: &Arc<Self>,
        claims: &[KeyedClaim<'_>],
    ) -> Result<(SlotLeases, Charged), Denied> {
        if let Some(denied) = exceeds_limit(claims) {
            return Err(denied);
        }
        let mut tables = self.lock();
        // Read under the lock, so that charges are made in the order of their times.
        let now = self.clock.micros();
        let waits = claims.iter().filter_map(|keyed| Some((tables.wait(keyed, now)?, keyed)));
        if let Some((wait, keyed)) = waits.max_by_key(|(wait, _)| *wait) {
            return Err(keyed.denied(wait));
        }
        let (mut held, mut charged) = (Vec::new(), Charged::default());
        for keyed in claims {
            charged.levels.push(keyed.level(tables.charge(keyed, now)));
            charged.charges.extend(Charge::of(keyed, now));
            if matches!(keyed.algorithm, Algorithm::Concurrency { .. }) {
                held.push(keyed.key);
            }
        }
        drop(tables);
        Ok((SlotLeases { memory: self.clone(), held }, charged))
    }

    /// Puts a charge right.
    pub(crate) fn correct(&self, correction: &Correction) {
        let Correction { window: DebtWindowRef { key, n, width }, slot, change } = *correction;
        let mut tables = self.lock();
        let now = self.clock.micros();
        let window = tables.debt_windows.at(&key);
        match change {
            Change::More(more) => window.charge(now, width, n, more),
            Change::Less(amount) => window.refund(now, width, n, debt_window::Charged { slot, amount }),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tables {
    /// Microseconds until the claim may pass; `None` when it may now.
    fn wait(&mut self, keyed: &KeyedClaim<'_>, now: u64) -> Option<u64> {
        match keyed.algorithm {
            Algorithm::SlidingWindow { n, width } => {
                self.rings.at(&keyed.key).wait(now, width, n, keyed.cost)
            }
            Algorithm::DebtWindow { n, width } => {
                let window = self.debt_windows.at(&keyed.key);
                window.wait(now, width, n).filter(|_| keyed.cost > 0)
            }
            Algorithm::Gcra { rate, burst } => self.gcra.at(&keyed.key).wait(now, rate, burst, keyed.cost),
            Algorithm::Concurrency { n, .. } => {
                (self.slots.get(&keyed.key).copied().unwrap_or(0) >= n).then_some(SLOT_WAIT)
            }
        }
    }

    /// Takes what [`Self::wait`] found free; gives how many units the limit counts then.
    fn charge(&mut self, keyed: &KeyedClaim<'_>, now: u64) -> u64 {
        match keyed.algorithm {
            Algorithm::SlidingWindow { width, .. } => {
                let ring = self.rings.at(&keyed.key);
                ring.charge(now, width, keyed.cost);
                ring.used()
            }
            Algorithm::DebtWindow { n, width } => {
                let window = self.debt_windows.at(&keyed.key);
                window.charge(now, width, n, keyed.cost);
                window.used()
            }
            Algorithm::Gcra { rate, .. } => {
                let bucket = self.gcra.at(&keyed.key);
                bucket.charge(now, rate, keyed.cost);
                bucket.used(now, rate)
            }
            Algorithm::Concurrency { .. } => {
                let held = self.slots.entry(keyed.key).or_default();
                *held += 1;
                *held
            }
        }
    }
}

/// Slots held in memory until dropped. They need no expiry: the counter dies with their owner.
#[derive(Debug)]
pub(crate) struct SlotLeases {
    memory: Arc<LocalBackend>,
    held: Vec<CounterKey>,
}

impl Drop for SlotLeases {
    fn drop(&mut self) {
        if self.held.is_empty() {
            return;
        }
        let mut tables = self.memory.lock();
        for key in &self.held {
            if let Some(count) = tables.slots.get_mut(key) {
                *count -= 1;
                if *count == 0 {
                    tables.slots.remove(key);
                }
            }
        }
    }
}
