//! The thread that brings records to the disk and rotates segments, beside the requests that write them.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use crate::shared::Shared;

/// Pause between two syncs; with the sync's own time it stays under the 50 ms that power loss may cost.
const SYNC_EVERY: Duration = Duration::from_millis(40);

/// The thread that syncs and rotates; ends with the last `Spool`.
pub(crate) struct Syncer {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Syncer {
    pub(crate) fn start(shared: Arc<Shared>) -> io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = thread::Builder::new().name("spool-sync".to_owned()).spawn(move || {
            shared.log.woken_by_appends(thread::current());
            // Appends made before the line above could not wake this thread.
            shared.log.keep_house();
            while !stopped.load(Ordering::Acquire) {
                thread::park();
                // Others write meanwhile: one sync for all of them.
                thread::park_timeout(SYNC_EVERY);
                shared.log.keep_house();
            }
        })?;
        Ok(Self { stop, thread: Some(thread) })
    }
}

impl Drop for Syncer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // It ends within one sync; joined so that the lock is free when the spool is gone.
            let _ = thread.join();
        }
    }
}
