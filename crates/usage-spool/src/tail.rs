//! The reporter's end of the spool: reads the segments in order, remembers what is acknowledged, deletes what is done.

use std::{
    collections::{HashSet, VecDeque},
    fs::File,
    sync::Arc,
};

use bytes::Bytes;
use prost::Message;
use proto::v1;

use crate::{
    acked::{Acked, Position},
    authority::Cost,
    batch::{Batch, Spooled},
    error::SpoolError,
    frame::{self, Gap, HEAD, Kind, MAX_PAYLOAD, Parsed},
    open_intents::OpenIntents,
    quarantine::Quarantine,
    recovery::Old,
    segment::{HEADER, Segment, read_full_at},
    shared::Shared,
};

/// Bytes read at once; a record always fits.
const CHUNK: usize = HEAD + MAX_PAYLOAD;
/// A segment that only waits for intents in flight hands them on once so many newer ones exist: one long stream must
/// not keep hours of segments on the disk.
const CARRY_AFTER: u64 = 4;
/// Events of one record of sums, which has to stay far below the largest record.
const SUMMED_AT_ONCE: usize = 100;

/// A segment that is being read or waits to be deleted.
enum Source {
    Old(Old),
    Live(Arc<Segment>),
}

impl Source {
    fn number(&self) -> u64 {
        match self {
            Self::Old(old) => old.number,
            Self::Live(segment) => segment.header.number,
        }
    }

    fn seed(&self) -> u32 {
        match self {
            Self::Old(old) => old.seed,
            Self::Live(segment) => segment.header.seed,
        }
    }

    fn is_finished(&self) -> bool {
        match self {
            Self::Old(_) => true,
            Self::Live(segment) => segment.is_finished(),
        }
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize, SpoolError> {
        match self {
            Self::Old(old) => File::open(&old.path)
                .and_then(|file| read_full_at(&file, buffer, offset))
                .map_err(SpoolError::io("read", &old.path)),
            Self::Live(segment) => {
                segment.read_at(buffer, offset).map_err(SpoolError::io("read", &segment.path))
            }
        }
    }
}

struct Item {
    source: Source,
    damaged: bool,
}

/// The one reader of a spool.
pub(crate) struct Tail {
    shared: Arc<Shared>,
    acked_file: Acked,
    quarantine: Quarantine,
    /// Oldest first; the last one is being read, or none yet.
    items: VecDeque<Item>,
    /// Segments of earlier processes not begun yet.
    old: VecDeque<Old>,
    read: Position,
    acked: Position,
    open: OpenIntents,
    batch: Arc<Vec<Spooled>>,
    chunk: Vec<u8>,
    clean_up_fails: bool,
    /// Requests of the batch that the ledger refuses for ever.
    refused: HashSet<Bytes>,
}

/// What [`Tail::new`] goes on from.
pub(crate) struct TailStart {
    pub(crate) acked_file: Acked,
    pub(crate) acked: Position,
    pub(crate) quarantine: Quarantine,
    pub(crate) old: Vec<Old>,
}

impl Tail {
    pub(crate) fn new(shared: Arc<Shared>, start: TailStart) -> Self {
        let (done, unread): (Vec<_>, Vec<_>) =
            start.old.into_iter().partition(|old| old.number < start.acked.segment);
        let items = done.into_iter().map(|old| Item { source: Source::Old(old), damaged: false }).collect();
        Self {
            shared,
            acked_file: start.acked_file,
            quarantine: start.quarantine,
            items,
            old: unread.into(),
            read: Position::default(),
            acked: start.acked,
            open: OpenIntents::default(),
            batch: Arc::default(),
            chunk: Vec::new(),
            clean_up_fails: false,
            refused: HashSet::new(),
        }
    }

    /// The next events in order, at most [`BATCH_EVENTS`]; the same ones until they are acknowledged. Empty: nothing
    /// waits at the moment.
    pub(crate) fn batch(&mut self) -> Result<Arc<Vec<Spooled>>, SpoolError> {
        if self.batch.is_empty() {
            let mut batch = Batch::default();
            let filled = self.fill(&mut batch);
            if let Some(oldest) = batch.oldest {
                self.shared.backlog.oldest(oldest);
            }
            // What was read is sent first; a failure behind it comes up again.
            if batch.events.is_empty() {
                filled?;
            }
            self.batch = Arc::new(batch.events);
        }
        Ok(Arc::clone(&self.batch))
    }

    fn fill(&mut self, batch: &mut Batch) -> Result<(), SpoolError> {
        self.shared.log.settle();
        while !batch.is_full() {
            let Some(item) = self.items.back() else {
                if self.next_segment() {
                    continue;
                } else {
                    break;
                };
            };
            // Asked before reading: once it is true, the end that is read is the end.
            let finished = item.source.is_finished();
            let mut chunk = std::mem::take(&mut self.chunk);
            chunk.resize(CHUNK, 0);
            let length = item.source.read_at(&mut chunk, self.read.offset);
            let used =
                length.and_then(|length| self.take(&chunk[..length], batch).map(|used| (used, length)));
            self.chunk = chunk;
            let (used, length) = used?;
            if used > 0 {
                continue;
            }
            let more = match (finished, length) {
                (true, 0) => self.next_segment(),
                (true, _) => self.skip_gap()?,
                (false, _) => self.leave_if_unreadable(length)?,
            };
            if !more {
                break;
            }
        }
        Ok(())
    }

    /// Takes the whole records at the start of `chunk`, as many as one batch holds; answers how many bytes they are.
    fn take(&mut self, chunk: &[u8], batch: &mut Batch) -> Result<usize, SpoolError> {
        let Some(item) = self.items.back() else { return Ok(0) };
        let (seed, live) = (item.source.seed(), matches!(item.source, Source::Live(_)));
        let mut used = 0;
        while !batch.is_full()
            && let Parsed::Record { kind, payload, size } = frame::parse(&chunk[used..], seed)
        {
            self.record(kind, payload, live, batch, size)?;
            used += size;
            self.read.offset += size as u64;
        }
        Ok(used)
    }

    fn record(
        &mut self,
        kind: Kind,
        payload: &[u8],
        live: bool,
        batch: &mut Batch,
        size: usize,
    ) -> Result<(), SpoolError> {
        let end = Position { offset: self.read.offset + size as u64, ..self.read };
        match kind {
            Kind::Event => match batch.push(payload, end) {
                Ok(request) => self.open.closed(&request),
                Err(error) => {
                    let place = [self.read.segment.to_be_bytes(), self.read.offset.to_be_bytes()].concat();
                    self.quarantine.keep(&place, payload, &error.to_string())?;
                    self.shared.backlog.acked(1);
                }
            },
            // What earlier processes left open was closed when the spool was opened.
            Kind::Intent if live => {
                if let Ok(intent) = v1::Intent::decode(payload) {
                    let Position { segment, offset } = self.read;
                    self.open.opened(intent.request, intent.attempt, segment, offset);
                }
            }
            Kind::Void if live => {
                if let Ok(void) = v1::Intent::decode(payload) {
                    self.open.voided(&void.request, void.attempt);
                }
            }
            Kind::Intent | Kind::Void | Kind::Synced | Kind::Authority => {}
        }
        Ok(())
    }

    /// Goes on to the next segment, if there is one.
    fn next_segment(&mut self) -> bool {
        let source = match self.old.pop_front() {
            Some(old) => Source::Old(old),
            None => match self.shared.log.after(self.read.segment) {
                Some(segment) => Source::Live(segment),
                None => return false,
            },
        };
        let start = Position { segment: source.number(), offset: HEADER as u64 };
        // An earlier process may have had some of it acknowledged.
        self.read = if start.segment == self.acked.segment { self.acked } else { start };
        self.items.push_back(Item { source, damaged: false });
        true
    }

    /// Skips what is no record in a segment that is no longer written to. Everything up to the next record, or to the end.
    fn skip_gap(&mut self) -> Result<bool, SpoolError> {
        let Some(item) = self.items.back_mut() else { return Ok(false) };
        let mut rest = Vec::new();
        loop {
            let filled = rest.len();
            rest.resize(filled + CHUNK, 0);
            let read = item.source.read_at(&mut rest[filled..], self.read.offset + filled as u64)?;
            rest.truncate(filled + read);
            if read < CHUNK {
                break;
            }
        }
        let skip = match frame::judge(&rest, item.source.seed()) {
            Gap::Tail => rest.len(),
            Gap::Torn(skip) => skip,
            Gap::Damage(skip) => {
                // A predecessor's segment was judged when the spool was opened.
                if let Source::Live(segment) = &item.source {
                    item.damaged = true;
                    self.shared.backlog.acked(u64::from(frame::was_event(&rest, segment.header.seed)));
                    tracing::error!(
                        file = %segment.path.display(), offset = self.read.offset,
                        "spool: a record changed after it was written; its usage is lost, reading on behind it"
                    );
                }
                skip
            }
        };
        self.read.offset += skip as u64;
        Ok(true)
    }

    /// Whether reading can go on behind the end of a segment that may still grow: never at once. But bytes there that
    /// are no beginning of a record will not become one, so the writers are sent to a fresh segment.
    fn leave_if_unreadable(&mut self, length: usize) -> Result<bool, SpoolError> {
        let Some(Item { source: Source::Live(segment), .. }) = self.items.back() else {
            return Ok(false);
        };
        if frame::parse(&self.chunk[..length], segment.header.seed) == Parsed::Bad {
            segment.mark_broken();
        }
        if segment.is_broken() {
            self.shared.log.rotate(segment.header.number)?;
        }
        Ok(false)
    }

    /// The ledger has this batch, and everything before it. A late ack of another batch than the current one (its
    /// caller was cancelled meanwhile) does nothing.
    pub(crate) fn ack(&mut self, batch: &Arc<Vec<Spooled>>) {
        if !Arc::ptr_eq(batch, &self.batch) {
            return;
        }
        let count = self.batch.len() as u64;
        self.batch = Arc::default();
        self.sum(batch);
        if self.read > self.acked {
            self.acked = self.read;
            if let Err(error) = self.acked_file.store(self.acked) {
                tracing::warn!(%error, "spool: cannot record progress; a restart would send events again");
            }
        }
        self.shared.backlog.acked(count);
        match self.clean_up() {
            Ok(()) => self.clean_up_fails = false,
            // Reporting goes on: it is what frees the disk. Once per outage.
            Err(error) if !self.clean_up_fails => {
                self.clean_up_fails = true;
                tracing::error!(%error, "spool: cannot delete what is reported; trying again");
            }
            Err(_) => {}
        }
    }

    /// Sums what the batch cost under budgets, before its segments can be deleted, and tells whoever holds authority.
    fn sum(&mut self, batch: &[Spooled]) {
        let refused = std::mem::take(&mut self.refused);
        let summed = self.shared.authority.known_sums();
        for events in batch.chunks(SUMMED_AT_ONCE) {
            let new = events.iter().filter(|event| event.end > summed);
            let costs: Vec<Cost> = new
                .flat_map(|event| {
                    let acknowledged = !refused.contains(&event.request);
                    event.costs.iter().map(move |cost| Cost { acknowledged, ..cost.clone() })
                })
                .collect();
            let (Some(last), false) = (events.last(), costs.is_empty()) else { continue };
            if let Err(error) = self.shared.authority.sum(last.end, &costs) {
                // The segments go all the same: until the ledger tells the folder's account anew, which it does with
                // the next epoch, a restart would have drawn less than it did.
                tracing::error!(%error, "spool: cannot write down what budgets spent");
            }
            self.shared.acknowledged(&costs);
        }
    }

    /// Deletes finished segments, strictly oldest first: what closes an intent stands in its segment or a later one.
    fn clean_up(&mut self) -> Result<(), SpoolError> {
        while let Some((request, attempt)) = self.open.stale() {
            let void = v1::Intent { request, attempt, ..v1::Intent::default() };
            self.shared.log.append_message(Kind::Void, &void)?;
            self.open.voided_stale();
        }
        while let Some(front) = self.items.front() {
            let (number, damaged) = (front.source.number(), front.damaged);
            if number >= self.acked.segment || number >= self.read.segment {
                break;
            }
            if self.open.pins(number) && !self.carry(number)? {
                break;
            }
            self.shared.log.remove(number, damaged)?;
            self.items.pop_front();
        }
        Ok(())
    }

    /// Copies the open intents of the oldest segment to the current one, if it has been waiting for them long enough.
    fn carry(&mut self, number: u64) -> Result<bool, SpoolError> {
        if self.shared.log.current() < number + CARRY_AFTER {
            return Ok(false);
        }
        let Some(front) = self.items.front() else { return Ok(false) };
        let mut record = vec![0; CHUNK];
        for (request, attempt, offset) in self.open.of_segment(number) {
            let length = front.source.read_at(&mut record, offset)?;
            let Parsed::Record { payload, .. } = frame::parse(&record[..length], front.source.seed()) else {
                return Ok(false);
            };
            let to = self.shared.log.append(Kind::Intent, |buffer| buffer.extend_from_slice(payload))?;
            self.open.carried(request, attempt, to);
        }
        Ok(!self.open.pins(number))
    }

    /// After a while without events: starts a fresh segment if all of the current one is acknowledged, so that it can
    /// be deleted.
    pub(crate) fn retire_idle(&mut self) -> Result<(), SpoolError> {
        let at_rest = self.batch.is_empty() && self.shared.backlog.events() == 0;
        let used = self.read.offset > HEADER as u64 && self.read.segment == self.shared.log.current();
        if at_rest && used && !self.open.pins(self.read.segment) {
            self.shared.log.rotate(self.read.segment)?;
        }
        Ok(())
    }

    /// Sets an event aside that the ledger refuses.
    pub(crate) fn quarantine(&mut self, event: &Spooled, reason: &str) -> Result<(), SpoolError> {
        self.quarantine.keep(&event.request, &event.bytes, reason)?;
        self.refused.insert(event.request.clone());
        Ok(())
    }
}
