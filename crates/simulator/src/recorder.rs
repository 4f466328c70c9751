//! What the simulator was asked and how each request ended, in a bounded ring with counters to wait on.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use serde::Serialize;
use tokio::sync::Notify;
use tokio::time::Instant;

/// Most requests kept.
const MAX_ENTRIES: usize = 10_000;
/// Most bytes of bodies and headers kept; the newest request is kept whatever its size.
const MAX_BYTES: usize = 64 * 1024 * 1024;

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Outcome {
    InFlight,
    /// The script was carried out to its end, be that an answer, an error or a scripted cut.
    Served,
    /// The client hung up first.
    Cancelled,
}

/// How many requests came, and how they ended, since the last reset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Counts {
    pub(crate) received: u64,
    pub(crate) served: u64,
    pub(crate) cancelled: u64,
}

impl Counts {
    fn reached(self, goal: Counts) -> bool {
        self.received >= goal.received && self.served >= goal.served && self.cancelled >= goal.cancelled
    }
}

/// One recorded request. `headers` hold no credentials: [`Recorder::begin`] is given them without.
#[derive(Clone)]
pub(crate) struct Entry {
    pub(crate) n: u64,
    /// When it came, since the simulator's start or the last reset; `n`, `at` and `took` are the recorder's to set.
    pub(crate) at: Duration,
    /// How long it took, once it has ended.
    pub(crate) took: Option<Duration>,
    pub(crate) model: String,
    pub(crate) path: String,
    /// Without a key that was in it.
    pub(crate) query: String,
    pub(crate) headers: HeaderMap,
    pub(crate) key_digest: Option<[u8; 32]>,
    /// Whether it came with an AWS signature instead of a key.
    pub(crate) signed: bool,
    pub(crate) body: Bytes,
    pub(crate) body_digest: [u8; 32],
    pub(crate) outcome: Outcome,
}

impl Entry {
    fn size(&self) -> usize {
        let headers: usize = self.headers.iter().map(|(k, v)| k.as_str().len() + v.len()).sum();
        headers + self.body.len() + self.path.len() + self.query.len()
    }
}

struct Log {
    /// Counts resets, so that a request from before one does not count after it.
    epoch: u64,
    /// The last reset.
    since: Instant,
    counts: Counts,
    bytes: usize,
    entries: VecDeque<Entry>,
}

impl Log {
    fn new(epoch: u64) -> Self {
        let (counts, entries) = (Counts::default(), VecDeque::new());
        Self { epoch, since: Instant::now(), counts, bytes: 0, entries }
    }

    fn push(&mut self, entry: Entry) {
        self.bytes += entry.size();
        self.entries.push_back(entry);
        while self.entries.len() > MAX_ENTRIES || (self.bytes > MAX_BYTES && self.entries.len() > 1) {
            let Some(oldest) = self.entries.pop_front() else { break };
            self.bytes -= oldest.size();
        }
    }

    fn get_mut(&mut self, n: u64) -> Option<&mut Entry> {
        let first = self.entries.front()?.n;
        let index = usize::try_from(n.checked_sub(first)?).ok()?;
        self.entries.get_mut(index)
    }
}

/// The ring and its counters.
pub(crate) struct Recorder {
    log: Mutex<Log>,
    changed: Notify,
}

impl Default for Recorder {
    fn default() -> Self {
        Self { log: Mutex::new(Log::new(0)), changed: Notify::new() }
    }
}

impl Recorder {
    fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records a request that has been read whole; `entry.n`, its times and its outcome are set here.
    pub(crate) fn begin(self: &Arc<Self>, mut entry: Entry) -> InFlight {
        let mut log = self.log();
        log.counts.received += 1;
        entry.n = log.counts.received;
        (entry.at, entry.took) = (log.since.elapsed(), None);
        entry.outcome = Outcome::InFlight;
        let guard = InFlight { recorder: self.clone(), epoch: log.epoch, n: entry.n, ended: false };
        log.push(entry);
        drop(log);
        self.changed.notify_waiters();
        guard
    }

    fn end(&self, epoch: u64, n: u64, outcome: Outcome) {
        let mut log = self.log();
        if log.epoch != epoch {
            return;
        }
        match outcome {
            Outcome::Served => log.counts.served += 1,
            Outcome::Cancelled => log.counts.cancelled += 1,
            Outcome::InFlight => {}
        }
        let now = log.since.elapsed();
        if let Some(entry) = log.get_mut(n) {
            entry.outcome = outcome;
            entry.took = Some(now.saturating_sub(entry.at));
        }
        drop(log);
        self.changed.notify_waiters();
    }

    /// Counters and entries, oldest first.
    pub(crate) fn all(&self) -> (Counts, Vec<Entry>) {
        let log = self.log();
        (log.counts, log.entries.iter().cloned().collect())
    }

    /// The body of request `n`, while it is still in the ring.
    pub(crate) fn body(&self, n: u64) -> Option<Bytes> {
        self.log().get_mut(n).map(|entry| entry.body.clone())
    }

    /// Forgets all requests and starts counting at 1 again.
    pub(crate) fn reset(&self) {
        let mut log = self.log();
        *log = Log::new(log.epoch + 1);
        drop(log);
        self.changed.notify_waiters();
    }

    /// Waits until every counter has reached its goal; false when `timeout` passed first.
    pub(crate) async fn wait(&self, goal: Counts, timeout: Duration) -> (bool, Counts) {
        let deadline = tokio::time::Instant::now() + timeout;
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            // Armed before looking, or a change between looking and waiting would be missed.
            changed.as_mut().enable();
            let counts = self.log().counts;
            if counts.reached(goal) {
                return (true, counts);
            }
            if tokio::time::timeout_at(deadline, changed).await.is_err() {
                return (false, self.log().counts);
            }
        }
    }
}

/// A request being answered. Dropped before [`InFlight::served`], it counts as hung up by the client.
pub(crate) struct InFlight {
    recorder: Arc<Recorder>,
    epoch: u64,
    /// The request's number, from 1.
    pub(crate) n: u64,
    ended: bool,
}

impl InFlight {
    /// Marks the script as carried out; further calls do nothing.
    pub(crate) fn served(&mut self) {
        if !std::mem::replace(&mut self.ended, true) {
            self.recorder.end(self.epoch, self.n, Outcome::Served);
        }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        if !self.ended {
            self.recorder.end(self.epoch, self.n, Outcome::Cancelled);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(body: Bytes) -> Entry {
        Entry {
            n: 0,
            at: Duration::ZERO,
            took: None,
            model: "m".into(),
            path: "/v1/chat/completions".into(),
            query: String::new(),
            headers: HeaderMap::new(),
            key_digest: None,
            signed: false,
            body,
            body_digest: [0; 32],
            outcome: Outcome::InFlight,
        }
    }

    #[test]
    fn the_ring_forgets_the_oldest_but_keeps_counting() {
        let recorder = Arc::new(Recorder::default());
        for _ in 0..MAX_ENTRIES + 5 {
            recorder.begin(entry(Bytes::from_static(b"x"))).served();
        }
        let (counts, entries) = recorder.all();
        assert_eq!(counts.served, MAX_ENTRIES as u64 + 5);
        assert_eq!(entries.len(), MAX_ENTRIES);
        assert_eq!(entries[0].n, 6);
        assert!(recorder.body(5).is_none());
        assert!(recorder.body(6).is_some());
    }

    #[test]
    fn bytes_are_bounded_and_the_newest_stays() {
        let recorder = Arc::new(Recorder::default());
        let big = Bytes::from(vec![0; MAX_BYTES / 2 + 1]);
        for _ in 0..3 {
            recorder.begin(entry(big.clone())).served();
        }
        let numbers: Vec<u64> = recorder.all().1.iter().map(|e| e.n).collect();
        assert_eq!(numbers, [3]);
    }

    #[tokio::test]
    async fn dropping_the_guard_counts_as_cancelled_and_a_reset_forgets_it() {
        let recorder = Arc::new(Recorder::default());
        drop(recorder.begin(entry(Bytes::new())));
        let goal = Counts { received: 1, served: 0, cancelled: 1 };
        assert_eq!(recorder.wait(goal, Duration::ZERO).await, (true, goal));
        let late = recorder.begin(entry(Bytes::new()));
        recorder.reset();
        drop(late);
        assert_eq!(recorder.all().0, Counts::default());
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_is_known_by_when_it_came_and_how_long_it_took() {
        let recorder = Arc::new(Recorder::default());
        let times = || recorder.all().1.iter().map(|entry| (entry.at, entry.took)).collect::<Vec<_>>();
        let ms = Duration::from_millis;
        tokio::time::advance(ms(30)).await;
        let mut request = recorder.begin(entry(Bytes::new()));
        assert_eq!(times(), [(ms(30), None)]);
        tokio::time::advance(ms(20)).await;
        request.served();
        assert_eq!(times(), [(ms(30), Some(ms(20)))]);
        recorder.reset();
        drop(recorder.begin(entry(Bytes::new())));
        assert_eq!(times(), [(ms(0), Some(ms(0)))]);
    }

    #[tokio::test(start_paused = true)]
    async fn waiting_ends_at_the_change_or_at_the_deadline() {
        let recorder = Arc::new(Recorder::default());
        let mut guard = recorder.begin(entry(Bytes::new()));
        let goal = Counts { served: 1, ..Counts::default() };
        assert!(!recorder.wait(goal, Duration::from_secs(1)).await.0);
        let waiter = tokio::spawn({
            let recorder = recorder.clone();
            async move { recorder.wait(goal, Duration::from_secs(3600)).await.0 }
        });
        tokio::task::yield_now().await;
        guard.served();
        assert!(waiter.await.unwrap());
    }
}
