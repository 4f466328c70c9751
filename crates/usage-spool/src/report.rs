//! Sends what the spool holds to the ledger, until it is acknowledged.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    batch::{BATCH_EVENTS, Spooled},
    error::SpoolError,
    spool::Spool,
    tail::Tail,
};

/// After the first event of a quiet spool, wait so long for others to share the batch.
const LINGER: Duration = Duration::from_millis(50);
/// How long the ledger may take for one batch.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);
const FIRST_RETRY: Duration = Duration::from_millis(100);
const LAST_RETRY: Duration = Duration::from_secs(5);
/// A spool without events for so long turns to a fresh segment, so that the old one can be deleted.
const IDLE: Duration = Duration::from_secs(60);

/// Why a batch was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SinkError {
    /// The ledger cannot be reached, or cannot commit now: the same batch is sent again.
    #[error("the ledger is not available: {0}")]
    Unavailable(String),
    /// The ledger refuses the content: the events at fault are found and set aside.
    #[error("the ledger refuses the batch: {0}")]
    Malformed(String),
}

/// Takes usage events for good: the answer comes after the commit. The same event may come again.
pub trait Sink: Send + Sync + 'static {
    /// Commits a batch, each event the protobuf of a [`UsageEvent`](proto::v1::UsageEvent): all of it, or none that is not sent again.
    fn report(&self, events: Vec<Bytes>) -> impl Future<Output = Result<(), SinkError>> + Send;
}

/// The deadline of a drain came first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the ledger has not acknowledged {events} usage events; they stay in the spool for the next start")]
pub struct Undelivered {
    /// How many.
    pub events: u64,
}

/// A spool's reading end and its connection to the ledger.
pub struct Reporter<S> {
    spool: Spool,
    tail: Arc<Mutex<Tail>>,
    sink: S,
}

impl<S: Sink> Reporter<S> {
    /// For a spool that has no reporter yet.
    ///
    /// # Errors
    /// [`SpoolError::SecondReporter`].
    pub fn new(spool: Spool, sink: S) -> Result<Self, SpoolError> {
        let tail = spool.take_tail().ok_or(SpoolError::SecondReporter)?;
        Ok(Self { spool, tail: Arc::new(Mutex::new(tail)), sink })
    }

    /// Reports until `shutdown` is cancelled. May be stopped or dropped at any await: what was not acknowledged is sent again.
    pub async fn run(&self, shutdown: &CancellationToken) {
        shutdown.run_until_cancelled(self.report_for_ever()).await;
    }

    /// Reports everything the spool holds, then brings the rest to the disk; after [`Reporter::run`].
    ///
    /// # Errors
    /// [`Undelivered`] when the deadline came first.
    pub async fn drain(&self, deadline: Instant) -> Result<(), Undelivered> {
        let drained = timeout_at(deadline, self.report_rest()).await;
        let spool = self.spool.clone();
        if let Ok(Err(error)) = tokio::task::spawn_blocking(move || spool.flush()).await {
            tracing::error!(%error, "spool: the last sync failed");
        }
        drained.map_err(|_| Undelivered { events: self.spool.pending_events() })
    }

    async fn report_for_ever(&self) {
        loop {
            self.report_all().await;
            let appended = self.spool.shared.log.appended.notified();
            // An event behind a segment that some writer had not let go of yet is not announced again.
            let patience = if self.spool.pending_events() == 0 { IDLE } else { LINGER };
            if timeout(patience, appended).await.is_err() {
                self.on_tail(Tail::retire_idle).await;
            } else if self.spool.pending_events() < BATCH_EVENTS as u64 {
                sleep(LINGER).await;
            }
        }
    }

    /// Until every event that was written is acknowledged, also one that a writer is just about to finish writing.
    async fn report_rest(&self) {
        self.report_all().await;
        while self.spool.pending_events() > 0 {
            sleep(LINGER).await;
            self.report_all().await;
        }
    }

    /// Until there is nothing to read.
    async fn report_all(&self) {
        loop {
            let Some(batch) = self.on_tail(Tail::batch).await else { continue };
            self.deliver(&batch).await;
            let last = batch.is_empty();
            self.on_tail(move |tail| {
                tail.ack(&batch);
                Ok(())
            })
            .await;
            if last {
                return;
            }
        }
    }

    /// File work off the async threads. A failure is logged and waited out: the caller goes on, and tries again.
    async fn on_tail<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Tail) -> Result<T, SpoolError> + Send + 'static,
    ) -> Option<T> {
        let tail = Arc::clone(&self.tail);
        let work = move || work(&mut tail.lock().unwrap_or_else(PoisonError::into_inner));
        match tokio::task::spawn_blocking(work).await {
            Ok(Ok(value)) => return Some(value),
            Ok(Err(error)) => tracing::error!(%error, "spool: reading back failed; trying again"),
            Err(error) => tracing::error!(%error, "spool: reading back was aborted"),
        }
        sleep(LAST_RETRY).await;
        None
    }

    /// Until every event of the batch is with the ledger or in quarantine.
    async fn deliver(&self, batch: &[Spooled]) {
        let mut parts = vec![batch];
        let mut retry = FIRST_RETRY;
        while let Some(part) = parts.pop() {
            match self.send(part).await {
                Ok(()) => retry = FIRST_RETRY,
                Err(SinkError::Malformed(reason)) => match part {
                    [event] => {
                        if !self.quarantine(event, reason).await {
                            parts.push(part);
                        }
                    }
                    _ => {
                        let (first, second) = part.split_at(part.len() / 2);
                        parts.extend([second, first]);
                    }
                },
                Err(error @ SinkError::Unavailable(_)) => {
                    if retry == FIRST_RETRY {
                        tracing::warn!(%error, events = self.spool.pending_events(), "spool: reporting fails; trying again");
                    }
                    sleep(jittered(retry)).await;
                    retry = (retry * 2).min(LAST_RETRY);
                    parts.push(part);
                }
            }
        }
    }

    async fn send(&self, part: &[Spooled]) -> Result<(), SinkError> {
        if part.is_empty() {
            return Ok(());
        }
        let events = part.iter().map(|event| event.bytes.clone()).collect();
        let answer = timeout(ANSWER_WITHIN, self.sink.report(events)).await;
        let answer = answer
            .unwrap_or_else(|_| Err(SinkError::Unavailable(format!("no answer within {ANSWER_WITHIN:?}"))));
        // A ledger that cannot read a report cannot say that this is its trouble.
        if answer.is_err()
            && let Some(error) = part.iter().find_map(Spooled::fault)
        {
            return Err(SinkError::Malformed(error.to_string()));
        }
        answer
    }

    async fn quarantine(&self, event: &Spooled, reason: String) -> bool {
        let event = event.clone();
        self.on_tail(move |tail| tail.quarantine(&event, &reason)).await.is_some()
    }
}

/// Between half of the delay and all of it, so that proxies do not come back in step.
fn jittered(delay: Duration) -> Duration {
    // The last bytes of a version 7 UUID are random.
    let [.., one, two] = *Uuid::now_v7().as_bytes();
    let share = u32::from(u16::from_be_bytes([one, two]));
    delay / 2 + delay / 2 * share / u32::from(u16::MAX)
}
