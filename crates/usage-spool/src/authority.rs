//! What a proxy's folder says of budgets: its id, every account that it named, epochs, and what was acknowledged.
//!
//! The file `authority` is a header and a list of records, each one `write`. Intents and events are in the segments;
//! what the ledger has acknowledged of them is summed here before their segment is deleted. A file of another boot of
//! the machine may lack its last records, so then, and after [`budget::Record::Closing`], the folder takes a new id.

mod record;

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use budget::{Drawn, Folder, Journal, JournalError, Record, Token};
use domain::{Account, BudgetRef, Draw, IncarnationId, Money, ResourceId, Window};
use uuid::Uuid;

use self::record::{Line, parse, sealed};
use crate::{acked::Position, segment::sync_dir};

const MAGIC: &[u8; 8] = b"PCAUTHO\n";
/// Magic, id, the machine's boot, number of the start; then the check.
const HEADER: usize = 8 + 16 + 16 + 8 + 4;
/// A file larger than this, and than twice what it has to hold, is written anew.
const COMPACT_AT: u64 = 4 << 20;

/// The file; cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Authority(Arc<Mutex<Open>>);

#[derive(Debug)]
struct Open {
    path: PathBuf,
    file: File,
    seed: u32,
    bytes: u64,
    /// Bytes after the file was last written anew.
    compact: u64,
    known: Known,
}

/// What the file says.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    pub(crate) holder: IncarnationId,
    /// The machine's boot.
    boot: Uuid,
    /// How often a process started on the id.
    starts: u64,
    closing: bool,
    /// Earlier ids of the folder that the ledger has not closed yet. Nobody starts on them again.
    left: Vec<IncarnationId>,
    /// Events before it are in the sums.
    pub(crate) summed: Position,
    roots: BTreeMap<ResourceId, KnownRoot>,
}

/// What the file says of one root tenant.
#[derive(Clone, Debug, Default)]
struct KnownRoot {
    epoch: u64,
    token: Option<Token>,
    accounts: BTreeMap<Account, Drawn>,
}

/// An event's cost, to be added to the sums of its accounts.
#[derive(Clone, Debug)]
pub(crate) struct Cost {
    pub(crate) draw: Draw,
    pub(crate) cost: Money,
    /// Not so if the ledger refused the event for ever: it was drawn, and will never be acknowledged.
    pub(crate) acknowledged: bool,
}

impl Authority {
    /// Reads the file, and writes it anew for the process that starts.
    pub(crate) fn open(dir: &Path, boot: Uuid) -> io::Result<Self> {
        let path = dir.join("authority");
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(error),
        };
        let mut known = match Known::read(&bytes) {
            Some(found) if found.may_go_on(boot) => found,
            Some(found) => Known { left: found.ids(), ..Known::new(boot) },
            None => Known::new(boot),
        };
        known.starts += 1;
        let (file, seed, bytes) = write_anew(&path, &known)?;
        Ok(Self(Arc::new(Mutex::new(Open { path, file, seed, bytes, compact: bytes, known }))))
    }

    fn with<T>(&self, act: impl FnOnce(&mut Open) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What it says now.
    pub(crate) fn known(&self) -> Known {
        self.with(|open| open.known.clone())
    }

    /// Events before this place are in the sums.
    pub(crate) fn known_sums(&self) -> Position {
        self.with(|open| open.known.summed)
    }

    /// The folder's id.
    pub(crate) fn holder(&self) -> IncarnationId {
        self.with(|open| open.known.holder)
    }

    /// Earlier ids of the folder that the ledger has not closed yet.
    pub(crate) fn left(&self) -> Vec<IncarnationId> {
        self.with(|open| open.known.left.clone())
    }

    /// The ledger has closed an earlier id.
    pub(crate) fn forget(&self, holder: IncarnationId) -> io::Result<()> {
        self.with(|open| open.append(&Line::of_forgotten(holder)))
    }

    /// Adds costs to the sums: those of all events before the position.
    pub(crate) fn sum(&self, before: Position, costs: &[Cost]) -> io::Result<()> {
        self.with(|open| {
            // The sums are of this folder's id alone; what an earlier id left is reported under its own.
            let own = costs.iter().filter(|cost| cost.draw.holder == open.known.holder);
            let line = Line::sums(before, own);
            open.append(&line)
        })
    }
}

impl Open {
    fn append(&mut self, line: &Line) -> io::Result<()> {
        let record = sealed(line, self.seed);
        self.file.write_all(&record)?;
        self.bytes += record.len() as u64;
        self.known.take(line);
        if self.bytes > COMPACT_AT.max(2 * self.compact) {
            self.known.forget();
            (self.file, self.seed, self.bytes) = write_anew(&self.path, &self.known)?;
            self.compact = self.bytes;
        }
        Ok(())
    }
}

/// Writes the whole file under another name first.
fn write_anew(path: &Path, known: &Known) -> io::Result<(File, u32, u64)> {
    let unfinished = path.with_extension("tmp");
    let mut bytes = known.header();
    let seed = crc32c::crc32c(&bytes);
    bytes.extend(seed.to_le_bytes());
    for line in known.lines() {
        bytes.extend(sealed(&line, seed));
    }
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&unfinished)?;
    file.write_all(&bytes)?;
    file.sync_all()?;
    fs::rename(&unfinished, path)?;
    if let Some(dir) = path.parent() {
        sync_dir(dir)?;
    }
    Ok((file, seed, bytes.len() as u64))
}

impl Known {
    fn new(boot: Uuid) -> Self {
        Self {
            holder: IncarnationId::new(),
            boot,
            starts: 0,
            closing: false,
            left: Vec::new(),
            summed: Position::default(),
            roots: BTreeMap::new(),
        }
    }

    /// Whether a process may start on it: nothing that was written can be missing, and it did not leave for good.
    fn may_go_on(&self, boot: Uuid) -> bool {
        self.boot == boot && !boot.is_nil() && !self.closing
    }

    /// Its id and those that it left before.
    fn ids(&self) -> Vec<IncarnationId> {
        self.left.iter().copied().chain([self.holder]).collect()
    }

    fn header(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER);
        bytes.extend(MAGIC);
        bytes.extend(self.holder.0.as_bytes());
        bytes.extend(self.boot.as_bytes());
        bytes.extend(self.starts.to_le_bytes());
        bytes
    }

    /// Nothing where the header is not whole. Records count up to the first that is not whole: the last write of a
    /// process that was killed.
    fn read(bytes: &[u8]) -> Option<Self> {
        let (header, mut rest) = bytes.split_at_checked(HEADER)?;
        let (fields, check) = header.split_at(HEADER - 4);
        let seed = crc32c::crc32c(fields);
        if fields[..8] != MAGIC[..] || check != seed.to_le_bytes() {
            return None;
        }
        let id = |at: usize| Uuid::from_slice(&fields[at..at + 16]).unwrap_or_default();
        let starts = fields[40..48].try_into().map(u64::from_le_bytes).unwrap_or_default();
        let mut known = Self { holder: IncarnationId(id(8)), starts, ..Self::new(id(24)) };
        while let Some((line, size)) = parse(rest, seed) {
            known.take(&line);
            rest = &rest[size..];
        }
        Some(known)
    }

    fn take(&mut self, line: &Line) {
        if let Some((root, account)) = line.account() {
            self.roots.entry(root).or_default().accounts.entry(account).or_default();
        }
        if let Some((root, epoch, token)) = line.epoch() {
            let known = self.roots.entry(root).or_default();
            (known.epoch, known.token) = (epoch, token);
        }
        self.closing |= line.closing;
        self.left.extend(line.left());
        self.left.retain(|holder| Some(*holder) != line.forgotten());
        if let Some(before) = line.summed() {
            self.summed = self.summed.max(before);
        }
        for (root, account, more) in line.totals() {
            let sum = self.roots.entry(root).or_default().accounts.entry(account).or_default();
            sum.drawn = sum.drawn.saturating_add(more.drawn);
            sum.acknowledged = sum.acknowledged.saturating_add(more.acknowledged);
        }
    }

    /// Drops windows before the one that precedes the newest: nothing is granted in them any more.
    fn forget(&mut self) {
        for root in self.roots.values_mut() {
            let mut newest: BTreeMap<BudgetRef, Window> = BTreeMap::new();
            for account in root.accounts.keys() {
                let window = newest.entry(account.budget).or_insert(account.window);
                *window = (*window).max(account.window);
            }
            root.accounts.retain(|account, _| account.window.start >= newest[&account.budget].previous);
        }
    }

    /// Records that say the same.
    fn lines(&self) -> impl Iterator<Item = Line> {
        let roots = self.roots.iter().flat_map(|(root, known)| {
            let epoch = Line::of_epoch(*root, known.epoch, known.token.as_ref());
            let accounts = known.accounts.iter().map(|(account, sum)| Line::total(*root, account, *sum));
            std::iter::once(epoch).chain(accounts)
        });
        let left = self.left.iter().map(|holder| Line::of_left(*holder));
        left.chain(roots).chain([Line::sums(self.summed, std::iter::empty())])
    }

    /// What a holder of authority starts with: `later` are the costs of events that are not in the sums.
    pub(crate) fn folder(&self, root: ResourceId, later: &[Cost]) -> Folder {
        let nothing = KnownRoot::default();
        let known = self.roots.get(&root).unwrap_or(&nothing);
        let mut accounts = known.accounts.clone();
        let own = later.iter().filter(|cost| cost.draw.root == root && cost.draw.holder == self.holder);
        let mut unreported = 0;
        for Cost { draw, cost, .. } in own {
            unreported += 1;
            for account in draw.accounts.iter() {
                let sum = accounts.entry(account.clone()).or_default();
                sum.drawn = sum.drawn.saturating_add(cost.nanos());
            }
        }
        Folder {
            proxy: self.holder,
            boot: self.starts,
            epoch: known.epoch,
            token: known.token.clone(),
            accounts,
            unreported,
            closing: self.closing,
        }
    }

    /// The roots that it knows, and those of later costs.
    pub(crate) fn roots(&self, later: &[Cost]) -> Vec<ResourceId> {
        let own = later.iter().filter(|cost| cost.draw.holder == self.holder);
        let mut roots: Vec<_> = self.roots.keys().copied().chain(own.map(|cost| cost.draw.root)).collect();
        roots.sort_unstable();
        roots.dedup();
        roots
    }
}

/// One root's part of the file, for its holder of authority.
#[derive(Clone, Debug)]
pub struct BudgetJournal {
    authority: Authority,
    root: ResourceId,
}

impl BudgetJournal {
    pub(crate) const fn new(authority: Authority, root: ResourceId) -> Self {
        Self { authority, root }
    }
}

impl Journal for BudgetJournal {
    /// Intents, voids and events are records of the segments: whoever sends a request writes them, an intent before it is
    /// sent, the others before the hold is settled.
    fn append(&mut self, record: Record<'_>) -> Result<(), JournalError> {
        let line = match record {
            Record::Account(account) => Line::of_account(self.root, account),
            Record::Epoch { epoch, token } => Line::of_epoch(self.root, epoch, token),
            Record::Closing => Line::of_closing(),
            Record::Intent { .. } | Record::Void { .. } | Record::Event { .. } => return Ok(()),
        };
        let appended = self.authority.with(|open| open.append(&line));
        appended.map_err(|error| JournalError(error.to_string()))
    }
}

#[cfg(test)]
mod tests;
