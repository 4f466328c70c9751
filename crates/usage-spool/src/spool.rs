//! One process's spool: opening the folder, writing to it, and what the metrics ask about it.

use std::{
    fs::{self, DirBuilder},
    os::unix::fs::DirBuilderExt,
    path::Path,
    sync::{Arc, Mutex, OnceLock, PoisonError, atomic::Ordering},
    time::Duration,
};

use budget::Folder;
use bytes::Bytes;
use domain::{IncarnationId, Intent, RequestId, ResourceId, Timestamp, UsageEvent};
use uuid::Uuid;

use crate::{
    acked::Acked,
    authority::{Authority, BudgetJournal, Cost, Known},
    backlog::Backlog,
    error::SpoolError,
    folder_lock::FolderLock,
    frame::Kind,
    limits::SpoolLimits,
    log::{Log, Start},
    quarantine::Quarantine,
    recovery::{self, Recovery},
    segment::sync_dir,
    shared::{Listener, Shared},
    syncer::Syncer,
    tail::{Tail, TailStart},
};

/// One process's spool; cheap to clone. The folder's lock is released with the last clone and the
/// [`Reporter`](crate::Reporter).
#[derive(Clone)]
pub struct Spool {
    pub(crate) shared: Arc<Shared>,
    recovery: Arc<Recovery>,
    held: Arc<Held>,
    /// Until the reporter takes it.
    tail: Arc<Mutex<Option<Tail>>>,
    _syncer: Arc<Syncer>,
}

/// What earlier processes drew under budgets.
struct Held {
    known: Known,
    /// Costs that are not in its sums.
    later: Vec<Cost>,
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
        let lock = FolderLock::acquire(dir)?;
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
        let progress = dir.join("authority");
        let authority = Authority::open(dir, boot).map_err(SpoolError::io("open the file", &progress))?;
        let known = authority.known();
        let listener = OnceLock::new();
        let shared = Arc::new(Shared { log, backlog: Backlog::default(), authority, listener });
        shared.backlog.found(found.recovery.events);
        let orphans = found.orphans(Timestamp::now().micros());
        let later = found.later_costs(known.summed, &orphans);
        for orphan in &orphans {
            shared.event(orphan)?;
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
            held: Arc::new(Held { known, later }),
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

    /// How long the oldest of them has waited since its request ended; nothing where no event waits.
    #[must_use]
    pub fn oldest_pending(&self) -> Option<Duration> {
        self.shared.backlog.age(Timestamp::now().micros())
    }

    /// Bytes on disk.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.shared.log.bytes.load(Ordering::Relaxed)
    }

    /// The folder's id under budgets: it stays the same until the folder is closed, or the machine starts anew.
    #[must_use]
    pub fn holder(&self) -> IncarnationId {
        self.shared.authority.holder()
    }

    /// Ids that the folder had before, after the machine started anew or the folder was closed, and that the ledger has not
    /// closed yet; with how many of their costs it has not acknowledged.
    #[must_use]
    pub fn left_holders(&self) -> Vec<(IncarnationId, usize)> {
        let unreported = |holder| self.held.later.iter().filter(|cost| cost.draw.holder == holder).count();
        self.shared.authority.left().into_iter().map(|holder| (holder, unreported(holder))).collect()
    }

    /// The ledger has closed one of them.
    ///
    /// # Errors
    /// [`SpoolError::Io`]; then it is closed once more after the next start.
    pub fn forget_holder(&self, holder: IncarnationId) -> Result<(), SpoolError> {
        let forgotten = self.shared.authority.forget(holder);
        forgotten.map_err(SpoolError::io("write to the file", std::path::Path::new("authority")))
    }

    /// The topmost tenants under whose budgets earlier processes drew.
    #[must_use]
    pub fn budget_roots(&self) -> Vec<ResourceId> {
        self.held.known.roots(&self.held.later)
    }

    /// What earlier processes drew under a topmost tenant's budgets, and where its holder of authority writes.
    #[must_use]
    pub fn budget_folder(&self, root: ResourceId) -> (Folder, BudgetJournal) {
        let journal = BudgetJournal::new(self.shared.authority.clone(), root);
        (self.held.known.folder(root, &self.held.later), journal)
    }

    /// Tells this one, and only the first that is given, of costs that the ledger acknowledges.
    pub fn on_acknowledged(&self, listener: Box<dyn Listener>) {
        // A second one would be a fault of composition; the first one stays.
        let _ = self.shared.listener.set(listener);
    }

    /// What earlier processes had left.
    #[must_use]
    pub fn recovery(&self) -> &Recovery {
        &self.recovery
    }

    /// The reading end; only the first caller gets it.
    pub(crate) fn take_tail(&self) -> Option<Tail> {
        self.tail.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Removes segments that were not created completely; they hold no records.
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
