//! The append-only log of segments: appending without a lock, rotation, grouped sync.

use std::{
    cell::RefCell,
    fs, io,
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::Thread,
};

use arc_swap::ArcSwap;
use prost::Message;
use tokio::sync::Notify;
use uuid::Uuid;

use crate::{
    error::SpoolError,
    folder_lock::FolderLock,
    frame::{self, Kind},
    limits::SpoolLimits,
    segment::{AppendError, HEADER, Segment, path_of, sync_dir},
};

/// How often an append looks for a segment that takes it. Two are enough for one writer; others may break the fresh
/// segment first where the system allows only tiny files.
const TRIES: usize = 16;
/// A thread's record buffer larger than this is given back.
const KEEP_BUFFER: usize = 64 << 10;

thread_local! {
    static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// The right to append to a segment. Kept apart from the segment, so that this `Arc` being unique means exactly: no
/// writer is left.
struct Writer {
    segment: Arc<Segment>,
}

struct Rotation {
    next: u64,
    /// Replaced, but perhaps still written to.
    retiring: Vec<Arc<Writer>>,
    /// Every segment of this process that was not deleted, oldest first.
    live: Vec<Arc<Segment>>,
}

/// The folder's segments as this process writes them; the exclusive lock lives as long as this.
pub(crate) struct Log {
    pub(crate) dir: PathBuf,
    pub(crate) limits: SpoolLimits,
    /// Bytes of all segments, those of earlier processes included.
    pub(crate) bytes: AtomicU64,
    /// Wakes the reporter: an event was appended.
    pub(crate) appended: Notify,
    incarnation: Uuid,
    boot: Uuid,
    current: ArcSwap<Writer>,
    rotation: Mutex<Rotation>,
    syncer: OnceLock<Thread>,
    sync_fails: AtomicBool,
    _lock: FolderLock,
}

/// What [`Log::start`] needs to know of the folder.
pub(crate) struct Start {
    pub(crate) dir: PathBuf,
    pub(crate) lock: FolderLock,
    pub(crate) limits: SpoolLimits,
    pub(crate) incarnation: Uuid,
    pub(crate) boot: Uuid,
    /// Number of the first segment to write; higher than any ever used, or old progress would count for it.
    pub(crate) next: u64,
    /// Bytes in the segments of earlier processes.
    pub(crate) bytes: u64,
}

impl Log {
    /// Creates the first segment of this process.
    pub(crate) fn start(start: Start) -> Result<Self, SpoolError> {
        let first = Segment::create(&start.dir, start.next, start.incarnation, start.boot)
            .map_err(SpoolError::io("create", &path_of(&start.dir, start.next)))?;
        let segment = Arc::new(first);
        let live = vec![Arc::clone(&segment)];
        Ok(Self {
            dir: start.dir,
            limits: start.limits,
            bytes: AtomicU64::new(start.bytes + HEADER as u64),
            appended: Notify::new(),
            incarnation: start.incarnation,
            boot: start.boot,
            current: ArcSwap::from_pointee(Writer { segment }),
            rotation: Mutex::new(Rotation { next: start.next + 1, retiring: Vec::new(), live }),
            syncer: OnceLock::new(),
            sync_fails: AtomicBool::new(false),
            _lock: start.lock,
        })
    }

    /// Appends one record and returns the number of its segment. When this returns, the record survives the death of the process.
    pub(crate) fn append(&self, kind: Kind, payload: impl FnOnce(&mut Vec<u8>)) -> Result<u64, SpoolError> {
        BUFFER.with_borrow_mut(|buffer| {
            frame::start(buffer);
            payload(buffer);
            let result = self.append_record(kind, buffer);
            buffer.clear();
            buffer.shrink_to(KEEP_BUFFER);
            result
        })
    }

    /// [`Log::append`] of a protobuf message.
    pub(crate) fn append_message(&self, kind: Kind, message: &impl Message) -> Result<u64, SpoolError> {
        // Encoding fails for want of room alone, which a `Vec` has.
        self.append(kind, |buffer| message.encode(buffer).unwrap_or_default())
    }

    fn append_record(&self, kind: Kind, buffer: &mut [u8]) -> Result<u64, SpoolError> {
        let bytes = buffer.len() - frame::HEAD;
        if bytes > frame::MAX_PAYLOAD {
            return Err(SpoolError::TooLarge { bytes, limit: frame::MAX_PAYLOAD });
        }
        for _ in 0..TRIES {
            let writer = self.current.load();
            let segment = &writer.segment;
            if segment.is_broken() {
                let number = segment.header.number;
                drop(writer);
                self.rotate(number)?;
                continue;
            }
            frame::seal(buffer, kind, segment.header.seed);
            match segment.append(buffer) {
                Ok(()) => {
                    self.bytes.fetch_add(buffer.len() as u64, Ordering::Relaxed);
                    self.touched(segment);
                    return Ok(segment.header.number);
                }
                Err(AppendError::Broken(written)) => {
                    self.bytes.fetch_add(written as u64, Ordering::Relaxed);
                }
                Err(AppendError::Io(error)) => return Err(SpoolError::io("append to", &segment.path)(error)),
            }
        }
        let refused = io::Error::new(io::ErrorKind::WriteZero, "writes stop early, also in fresh segments");
        Err(SpoolError::io("append to a segment of", &self.dir)(refused))
    }

    fn touched(&self, segment: &Segment) {
        if segment.mark_dirty()
            && let Some(syncer) = self.syncer.get()
        {
            syncer.unpark();
        }
    }

    fn rotation(&self) -> MutexGuard<'_, Rotation> {
        self.rotation.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Number of the segment that is written to.
    pub(crate) fn current(&self) -> u64 {
        self.current.load().segment.header.number
    }

    /// The first segment of this process behind `number`.
    pub(crate) fn after(&self, number: u64) -> Option<Arc<Segment>> {
        self.rotation().live.iter().find(|segment| segment.header.number > number).cloned()
    }

    /// Replaces the segment `from` by a fresh one as the one to write to, unless another thread already did.
    pub(crate) fn rotate(&self, from: u64) -> Result<(), SpoolError> {
        let mut rotation = self.rotation();
        if self.current() != from {
            return Ok(());
        }
        let number = rotation.next;
        let segment = Segment::create(&self.dir, number, self.incarnation, self.boot)
            .map_err(SpoolError::io("create", &path_of(&self.dir, number)))?;
        let segment = Arc::new(segment);
        rotation.next += 1;
        rotation.live.push(Arc::clone(&segment));
        self.bytes.fetch_add(HEADER as u64, Ordering::Relaxed);
        let replaced = self.current.swap(Arc::new(Writer { segment }));
        rotation.retiring.push(replaced);
        Ok(())
    }

    /// Marks the replaced segments finished that no writer holds any more.
    pub(crate) fn settle(&self) {
        self.rotation().retiring.retain_mut(|writer| match Arc::get_mut(writer) {
            Some(last) => {
                last.segment.mark_finished();
                false
            }
            None => true,
        });
    }

    /// Takes a segment out of the folder: deletes it, or sets it aside under `.damaged`.
    pub(crate) fn remove(&self, number: u64, damaged: bool) -> Result<(), SpoolError> {
        let path = path_of(&self.dir, number);
        let failed = || SpoolError::io("remove", &path);
        let length = fs::metadata(&path).map_err(failed())?.len();
        if damaged {
            let aside = path.with_extension("seg.damaged");
            fs::rename(&path, &aside).map_err(failed())?;
            tracing::error!(file = %aside.display(), "spool: a damaged segment was set aside after reading what can be read");
        } else {
            fs::remove_file(&path).map_err(failed())?;
        }
        sync_dir(&self.dir).map_err(failed())?;
        self.rotation().live.retain(|segment| segment.header.number != number);
        self.bytes.fetch_sub(length, Ordering::Relaxed);
        Ok(())
    }

    /// Brings everything appended before this call to the disk.
    pub(crate) fn sync(&self) -> Result<(), SpoolError> {
        let live = self.rotation().live.clone();
        let sync = |segment: &Arc<Segment>| segment.sync().map_err(SpoolError::io("sync", &segment.path));
        let results: Vec<_> = live.iter().map(sync).collect();
        results.into_iter().collect()
    }

    /// Lets appends wake the thread that calls [`Log::keep_house`].
    pub(crate) fn woken_by_appends(&self, syncer: Thread) {
        let _ = self.syncer.set(syncer);
    }

    /// What the background thread does while the log is dirty: note how far the last sync got, sync, rotate by size.
    pub(crate) fn keep_house(&self) {
        // All three whatever the others say: a full disk must not keep from syncing what is there.
        let steps = [self.note_synced(), self.sync(), self.rotate_large()];
        self.settle();
        match steps.into_iter().collect::<Result<(), _>>() {
            Ok(()) => self.sync_fails.store(false, Ordering::Relaxed),
            // Once per outage; it is tried again every time.
            Err(error) if !self.sync_fails.swap(true, Ordering::Relaxed) => {
                tracing::error!(%error, "spool: cannot bring usage records to the disk");
            }
            Err(_) => {}
        }
    }

    /// Power loss may leave holes, but only behind what was synced; the note lets recovery tell them from damage.
    fn note_synced(&self) -> Result<(), SpoolError> {
        let writer = self.current.load();
        let segment = &writer.segment;
        if !segment.is_dirty() || segment.is_broken() {
            return Ok(());
        }
        let mut note = Vec::with_capacity(frame::HEAD + 8);
        frame::start(&mut note);
        note.extend_from_slice(&segment.synced().to_le_bytes());
        frame::seal(&mut note, Kind::Synced, segment.header.seed);
        let written = match segment.append(&note) {
            Ok(()) => note.len(),
            Err(AppendError::Broken(written)) => written,
            Err(AppendError::Io(error)) => return Err(SpoolError::io("append to", &segment.path)(error)),
        };
        self.bytes.fetch_add(written as u64, Ordering::Relaxed);
        Ok(())
    }

    fn rotate_large(&self) -> Result<(), SpoolError> {
        let writer = self.current.load();
        let segment = &writer.segment;
        let length = segment.len().map_err(SpoolError::io("size", &segment.path))?;
        let number = segment.header.number;
        drop(writer);
        if length >= self.limits.segment_bytes { self.rotate(number) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use domain::IncarnationId;
    use proto::v1::UsageEvent;

    use super::*;
    use crate::spool::Spool;

    fn event(name: &'static str) -> UsageEvent {
        UsageEvent { request: Bytes::from_static(name.as_bytes()), at_us: 1, ..UsageEvent::default() }
    }

    #[test]
    fn a_segment_is_not_passed_while_a_writer_holds_it() {
        let dir = tempfile::tempdir().unwrap();
        let spool = Spool::open(dir.path(), IncarnationId::new(), SpoolLimits::default()).unwrap();
        let mut tail = spool.take_tail().unwrap();
        let log = &spool.shared.log;
        // A writer that the scheduler stopped between picking its segment and writing to it.
        let held = log.current.load();
        log.rotate(held.segment.header.number).unwrap();
        spool.shared.event(&event("behind")).unwrap();
        assert!(tail.batch().unwrap().is_empty());
        let mut record = Vec::new();
        frame::start(&mut record);
        event("late").encode(&mut record).unwrap();
        frame::seal(&mut record, Kind::Event, held.segment.header.seed);
        held.segment.append(&record).unwrap();
        drop(held);
        let requests: Vec<_> = tail.batch().unwrap().iter().map(|event| event.request.clone()).collect();
        assert_eq!(requests, ["late", "behind"]);
    }
}
