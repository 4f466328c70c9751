//! Corrections of estimates on their way to the store: queued without waiting, sent in batches, each at most once.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

use tokio::sync::mpsc;

use super::RedisBackend;
use super::link::{Failure, Link};
use crate::charge::{Change, Correction};

/// Most corrections waiting to be sent; of the rest the estimate stays.
const MAX_WAITING: usize = 16_384;

/// The queue of corrections.
pub(super) struct Corrections {
    queue: mpsc::Sender<Correction>,
    /// Taken by the one background task.
    waiting: Mutex<Option<mpsc::Receiver<Correction>>>,
    dropped: AtomicU64,
}

impl Corrections {
    pub(super) fn new() -> Self {
        let (queue, waiting) = mpsc::channel(MAX_WAITING);
        Self { queue, waiting: Mutex::new(Some(waiting)), dropped: AtomicU64::new(0) }
    }

    pub(super) fn push(&self, correction: Correction) {
        if self.queue.try_send(correction).is_err() {
            self.dropped.fetch_add(1, Relaxed);
        }
    }

    pub(super) fn take(&self) -> Option<mpsc::Receiver<Correction>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    pub(super) fn dropped(&self) -> u64 {
        self.dropped.load(Relaxed)
    }
}

impl RedisBackend {
    /// Sends corrections, one command for each tenant. What fails is not sent again: the store may have it.
    pub(super) async fn send_corrections(
        &self,
        link: &Link,
        batch: &mut Vec<Correction>,
    ) -> Result<(), Failure> {
        let mut by_slot: HashMap<_, Vec<Correction>> = HashMap::new();
        let mut unsent = batch.len();
        for correction in batch.drain(..) {
            by_slot.entry(correction.window.key.tenant()).or_default().push(correction);
        }
        for corrections in by_slot.into_values() {
            let sent = link.run::<u64>(|by| {
                let mut command = self.scripts.correct.call(by, corrections.len());
                for Correction { window, .. } in &corrections {
                    command.arg(window.key.to_string());
                }
                command.arg(&*self.now());
                for Correction { window, slot, change } in &corrections {
                    let more = match change {
                        Change::More(more) => more.to_string(),
                        Change::Less(less) => format!("-{less}"),
                    };
                    command.arg(window.n).arg(window.width).arg(slot).arg(more);
                }
                command
            });
            if let Err(failure) = sent.await {
                self.corrections.dropped.fetch_add(unsent as u64, Relaxed);
                return Err(failure);
            }
            unsent -= corrections.len();
        }
        Ok(())
    }
}
