//! What a client connection is busy with, and since when it is not.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::time::Instant;

/// The running requests of one connection, as its task has to see them: nothing polls the body of a client that
/// does not read, so no body can end itself.
pub(crate) struct ConnectionActivity {
    state: Mutex<State>,
    /// Whether output waits for the client to read.
    writing: AtomicBool,
}

struct State {
    /// The running requests by number, each with the end of its answer once it has one.
    running: Vec<(u64, Option<Instant>)>,
    begun: u64,
    idle_since: Instant,
}

/// One request of a connection; dropped when its last byte was handed over.
pub(crate) struct ActiveRequestGuard {
    activity: Arc<ConnectionActivity>,
    number: u64,
}

impl ConnectionActivity {
    pub(crate) fn new() -> Self {
        let state = State { running: Vec::new(), begun: 0, idle_since: Instant::now() };
        Self { state: Mutex::new(state), writing: AtomicBool::new(false) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A request begins.
    pub(crate) fn begin(self: &Arc<Self>) -> ActiveRequestGuard {
        let mut state = self.state();
        state.begun += 1;
        let number = state.begun;
        state.running.push((number, None));
        ActiveRequestGuard { activity: Arc::clone(self), number }
    }

    /// Whether any request came yet.
    pub(crate) fn has_begun(&self) -> bool {
        self.state().begun > 0
    }

    /// Output waits for the client, or does so no more.
    pub(crate) fn writes(&self, waiting: bool) {
        self.writing.store(waiting, Ordering::Relaxed);
    }

    /// Whether the connection should take no more requests: idle for so long, or with an answer overdue by
    /// `patience`.
    pub(crate) fn should_retire(&self, idle: Duration, patience: Duration) -> bool {
        let now = Instant::now();
        let state = self.state();
        if state.running.is_empty() {
            return now >= state.idle_since + idle && !self.writing.load(Ordering::Relaxed);
        }
        state.running.iter().any(|(_, end)| is_overdue(*end, now, patience))
    }

    /// Whether nothing of a retired connection is worth waiting for.
    pub(crate) fn is_over(&self, patience: Duration) -> bool {
        let now = Instant::now();
        let state = self.state();
        if state.running.is_empty() {
            return !self.writing.load(Ordering::Relaxed);
        }
        state.running.iter().all(|(_, end)| is_overdue(*end, now, patience))
    }
}

fn is_overdue(end: Option<Instant>, now: Instant, patience: Duration) -> bool {
    end.is_some_and(|end| now >= end + patience)
}

impl ActiveRequestGuard {
    /// Says when the answer's last byte is due.
    pub(crate) fn ends(&self, by: Instant) {
        let mut state = self.activity.state();
        if let Some((_, end)) = state.running.iter_mut().find(|(number, _)| *number == self.number) {
            *end = Some(by);
        }
    }
}

impl Drop for ActiveRequestGuard {
    fn drop(&mut self) {
        let mut state = self.activity.state();
        state.running.retain(|(number, _)| *number != self.number);
        state.idle_since = Instant::now();
    }
}
