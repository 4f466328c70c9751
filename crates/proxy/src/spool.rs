//! The usage spool: what a request will cost and did cost, on this proxy's own disk until the ledger has it.
//!
//! A record is one `write` into the page cache, so it survives the death of the process at any point; a background
//! thread brings records to the disk at most 50 ms later, so power loss costs no more than that. The [`Reporter`]
//! reads the same files and sends events until the ledger acknowledges them. A process that opens the folder of a dead
//! one books every intent without an event at its reservation.
//!
//! ```text
//! intent ──▶ send upstream ──▶ event ──▶ Reporter ──▶ ledger ──▶ acked ──▶ segment deleted
//!    └── not sent after all ─▶ void
//! ```

mod acked;
mod backlog;
mod batch;
mod error;
mod frame;
mod log;
mod open_intents;
mod quarantine;
mod recovery;
mod report;
mod segment;
mod tail;

use std::{
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use bytes::Bytes;
use domain::{IncarnationId, Intent, RequestId, Timestamp, UsageEvent};
use proto::v1;
use uuid::Uuid;

use self::{
    acked::Acked,
    backlog::Backlog,
    frame::Kind,
    log::{Log, Start},
    quarantine::Quarantine,
    segment::sync_dir,
    tail::{Tail, TailStart},
};
pub use self::{
    error::SpoolError,
    recovery::Recovery,
    report::{Reporter, Sink, SinkError, Undelivered},
};

/// Pause between two syncs; with the sync's own time it stays under the 50 ms that power loss may cost.
const SYNC_EVERY: Duration = Duration::from_millis(40);

/// How much disk the spool may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpoolLimits {
    /// All segments together, in bytes. Intents are refused from 7/8 of it on; the rest is for the events of requests
    /// that were admitted before, and those are always taken.
    pub max_bytes: u64,
    /// One segment, in bytes, give or take what is written within a few syncs.
    pub segment_bytes: u64,
}

impl Default for SpoolLimits {
    fn default() -> Self {
        Self { max_bytes: 1 << 30, segment_bytes: 8 << 20 }
    }
}

/// What the writing and the reading end share.
struct Shared {
    log: Log,
    backlog: Backlog,
}

/// One process's spool; cheap to clone. The folder's lock is released with the last clone and the
/// reporter.
#[derive(Clone)]
pub struct Spool {
    shared: Arc<Shared>,
    recovery: Arc<Recovery>,
    /// Until the reporter takes it.
    tail: Arc<Mutex<Option<Tail>>>,
    _syncer: Arc<Syncer>,
}

impl Spool {
    /// Takes the folder's lock, verifies what earlier processes left, and closes their open requests as orphans.
    ///
    /// # Errors
    /// [`SpoolError::Locked`], [`SpoolError::Damaged`] and [`SpoolError::Newer`] are for an operator to solve; nothing
    /// was changed. Otherwise [`SpoolError::Io`].
    pub fn open(dir: &Path, incarnation: IncarnationId, limits: SpoolLimits) -> Result<Self, SpoolError> {
        let mut folder = DirBuilder::new();
        folder.recursive(true).mode(0o700).create(dir).map_err(SpoolError::io("create the folder", dir))?;
        if let Some(parent) = dir.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            sync_dir(parent).map_err(SpoolError::io("sync the folder", parent))?;
        }
        let lock = lock(dir)?;
        let boot = boot_id();
        let progress = dir.join("acked");
        let (acked_file, acked) =
            Acked::open(&progress).map_err(SpoolError::io("open the progress file", &progress))?;
        let mut found = recovery::scan(dir, acked, boot)?;
        remove_unfinished(dir)?;
        let newest = found.segments.last().map_or(0, |segment| segment.number).max(acked.segment);
        let log = Log::start(Start {
            dir: dir.to_owned(),
            lock,
            limits,
            incarnation: incarnation.0,
            boot,
            next: newest + 1,
            bytes: found.bytes,
        })?;
        let shared = Arc::new(Shared { log, backlog: Backlog::default() });
        shared.backlog.found(found.recovery.events);
        for orphan in found.orphans(Timestamp::now().micros()) {
            shared.event(&orphan)?;
        }
        for (request, attempt) in &found.stale {
            shared.void(request.clone(), *attempt)?;
        }
        shared.log.sync()?;
        let quarantine = Quarantine::open(dir.join("quarantine"))?;
        announce(&found.recovery);
        let start = TailStart { acked_file, acked, quarantine, old: found.segments };
        let tail = Tail::new(Arc::clone(&shared), start);
        let syncer =
            Syncer::start(Arc::clone(&shared)).map_err(SpoolError::io("start the syncer of", dir))?;
        Ok(Self {
            shared,
            recovery: Arc::new(found.recovery),
            tail: Arc::new(Mutex::new(Some(tail))),
            _syncer: Arc::new(syncer),
        })
    }

    /// Writes the intent; only when this returned may the attempt be sent. One `write`, no lock: call it from the
    /// request's own task.
    ///
    /// # Errors
    /// [`SpoolError::Full`] or [`SpoolError::Io`]: the request must be refused (503).
    pub fn intent(&self, intent: &Intent) -> Result<(), SpoolError> {
        if self.is_full() {
            return Err(SpoolError::Full { bytes: self.bytes(), limit: self.shared.log.limits.max_bytes });
        }
        self.shared.log.append_message(Kind::Intent, &proto::intent_to(intent))?;
        Ok(())
    }

    /// Writes how a request ended; closes all its intents. Taken also when the spool is full.
    ///
    /// # Errors
    /// [`SpoolError::Io`]. The request then stays open, and the next process books it at its reservation.
    pub fn event(&self, event: &UsageEvent) -> Result<(), SpoolError> {
        self.shared.event(&proto::event_to(event))
    }

    /// Writes that an attempt was not sent after all: it costs nothing.
    ///
    /// # Errors
    /// [`SpoolError::Io`], as for [`Spool::event`].
    pub fn void(&self, request: RequestId, attempt: u32) -> Result<(), SpoolError> {
        self.shared.void(Bytes::copy_from_slice(request.0.as_bytes()), attempt)
    }

    /// Whether new requests must be refused until the ledger has taken some usage.
    #[must_use]
    pub fn is_full(&self) -> bool {
        let limit = self.shared.log.limits.max_bytes;
        self.bytes() >= limit - limit / 8
    }

    /// Brings everything written to the disk. Blocks for the disk; not for the request path.
    ///
    /// # Errors
    /// [`SpoolError::Io`].
    pub fn flush(&self) -> Result<(), SpoolError> {
        self.shared.log.sync()
    }

    /// Events the ledger has not acknowledged.
    #[must_use]
    pub fn pending_events(&self) -> u64 {
        self.shared.backlog.events()
    }

    /// How long the oldest of them has waited since its request ended; `None`: nothing waits.
    #[must_use]
    pub fn oldest_pending(&self) -> Option<Duration> {
        self.shared.backlog.age(Timestamp::now().micros())
    }

    /// Bytes on disk.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.shared.log.bytes.load(Ordering::Relaxed)
    }

    /// What earlier processes had left.
    #[must_use]
    pub fn recovery(&self) -> &Recovery {
        &self.recovery
    }

    fn take_tail(&self) -> Option<Tail> {
        self.tail.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Shared {
    fn event(&self, event: &v1::UsageEvent) -> Result<(), SpoolError> {
        self.backlog.writing(event.at_us);
        self.log.append_message(Kind::Event, event).inspect_err(|_| self.backlog.failed())?;
        self.log.appended.notify_one();
        Ok(())
    }

    fn void(&self, request: Bytes, attempt: u32) -> Result<(), SpoolError> {
        let void = v1::Intent { request, attempt, ..v1::Intent::default() };
        self.log.append_message(Kind::Void, &void)?;
        Ok(())
    }
}

/// The thread that syncs and rotates; ends with the last [`Spool`].
struct Syncer {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Syncer {
    fn start(shared: Arc<Shared>) -> std::io::Result<Self> {
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

fn lock(dir: &Path) -> Result<File, SpoolError> {
    let path = dir.join("lock");
    let mut options = OpenOptions::new();
    let file = options
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(SpoolError::io("open the lock file", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(SpoolError::Locked { dir: dir.to_owned() }),
        Err(TryLockError::Error(error)) => Err(SpoolError::io("lock", &path)(error)),
    }
}

/// Segments whose creation was cut short hold nothing.
fn remove_unfinished(dir: &Path) -> Result<(), SpoolError> {
    for entry in fs::read_dir(dir).map_err(SpoolError::io("list the folder", dir))? {
        let path = entry.map_err(SpoolError::io("list the folder", dir))?.path();
        if path.extension().is_some_and(|extension| extension == "tmp") {
            fs::remove_file(&path).map_err(SpoolError::io("remove", &path))?;
        }
    }
    Ok(())
}

/// The machine's boot; nil where the system does not tell, which counts as another boot every time.
fn boot_id() -> Uuid {
    let text = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    text.trim().parse().unwrap_or_default()
}

fn announce(recovery: &Recovery) {
    if !recovery.incarnations.is_empty() {
        tracing::info!(
            processes = recovery.incarnations.len(),
            events = recovery.events,
            orphans = recovery.orphans,
            torn = recovery.torn,
            rebooted = recovery.rebooted,
            "spool: took over what earlier processes left"
        );
    }
}
