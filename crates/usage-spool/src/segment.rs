//! One segment file: its header, and appending to it with one `write` per record.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{FileExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
};

use uuid::Uuid;

use crate::error::SpoolError;

/// Bytes before the first record.
pub(crate) const HEADER: usize = 64;
const MAGIC: &[u8; 8] = b"PCSPOOL\n";
const VERSION: u32 = 1;
/// Where the header's own check stands; it is also the seed of every record's checks.
const CHECK_AT: usize = 60;

/// Who wrote a segment, and when in the life of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) number: u64,
    pub(crate) incarnation: Uuid,
    /// The machine's boot; nil where the system does not tell.
    pub(crate) boot: Uuid,
    /// Start value of the records' checks.
    pub(crate) seed: u32,
}

impl Header {
    fn write(number: u64, incarnation: Uuid, boot: Uuid) -> ([u8; HEADER], Self) {
        let mut bytes = [0; HEADER];
        bytes[..8].copy_from_slice(MAGIC);
        bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
        bytes[12..20].copy_from_slice(&number.to_le_bytes());
        bytes[20..36].copy_from_slice(incarnation.as_bytes());
        bytes[36..52].copy_from_slice(boot.as_bytes());
        // The last half of a version 7 UUID is random: no two segments share a seed, and no client can guess one.
        bytes[52..CHECK_AT].copy_from_slice(&Uuid::now_v7().as_bytes()[8..]);
        let seed = crc32c::crc32c(&bytes[..CHECK_AT]);
        bytes[CHECK_AT..].copy_from_slice(&seed.to_le_bytes());
        (bytes, Self { number, incarnation, boot, seed })
    }

    /// Reads the header of the segment `number`.
    pub(crate) fn read(path: &Path, number: u64, bytes: &[u8]) -> Result<Self, SpoolError> {
        let damaged = |what| SpoolError::Damaged { file: path.to_owned(), offset: 0, what };
        let bytes: &[u8; HEADER] =
            bytes.first_chunk().ok_or_else(|| damaged("it is too short for its header"))?;
        if bytes[..8] != MAGIC[..] {
            return Err(damaged("it is no spool segment (wrong magic)"));
        }
        let word = |at: usize| [bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]];
        let version = u32::from_le_bytes(word(8));
        if version > VERSION {
            return Err(SpoolError::Newer { file: path.to_owned(), found: version, known: VERSION });
        }
        let seed = u32::from_le_bytes(word(CHECK_AT));
        if crc32c::crc32c(&bytes[..CHECK_AT]) != seed {
            return Err(damaged("the header's checksum is wrong"));
        }
        if bytes[12..20] != number.to_le_bytes() {
            return Err(damaged("the header names another segment (was the file renamed?)"));
        }
        let id = |at: usize| Uuid::from_slice(&bytes[at..at + 16]).unwrap_or_default();
        Ok(Self { number, incarnation: id(20), boot: id(36), seed })
    }
}

/// `DIR/0000000001.seg`.
pub(crate) fn path_of(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("{number:010}.seg"))
}

/// The number in a segment's file name; other files have none.
pub(crate) fn number_of(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".seg")?;
    let number = digits.parse().ok()?;
    (format!("{number:010}") == digits).then_some(number)
}

/// Makes renames and removals in the folder durable.
pub(crate) fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

/// How an append failed.
#[derive(Debug)]
pub(crate) enum AppendError {
    /// The write stopped after so many bytes, or the file takes no more: another segment may do.
    Broken(usize),
    /// Nothing was written.
    Io(io::Error),
}

/// A segment of this process.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) header: Header,
    pub(crate) path: PathBuf,
    file: File,
    /// Bytes known to be on the disk itself.
    synced: AtomicU64,
    dirty: AtomicBool,
    broken: AtomicBool,
    finished: AtomicBool,
}

impl Segment {
    /// Creates the file under another name first: a segment without a whole header never exists.
    pub(crate) fn create(dir: &Path, number: u64, incarnation: Uuid, boot: Uuid) -> io::Result<Self> {
        let path = path_of(dir, number);
        let unfinished = path.with_extension("tmp");
        if let Err(error) = fs::remove_file(&unfinished)
            && error.kind() != io::ErrorKind::NotFound
        {
            return Err(error);
        }
        let (bytes, header) = Header::write(number, incarnation, boot);
        let mut options = OpenOptions::new();
        let mut file = options.append(true).read(true).create_new(true).mode(0o600).open(&unfinished)?;
        file.write_all(&bytes)?;
        file.sync_all()?;
        fs::rename(&unfinished, &path)?;
        sync_dir(dir)?;
        let synced = AtomicU64::new(HEADER as u64);
        let flag = || AtomicBool::new(false);
        Ok(Self { header, path, file, synced, dirty: flag(), broken: flag(), finished: flag() })
    }

    /// One `write(2)` on a file opened for appending: the kernel gives concurrent writers their own places.
    pub(crate) fn append(&self, record: &[u8]) -> Result<(), AppendError> {
        loop {
            match (&self.file).write(record) {
                Ok(written) if written == record.len() => return Ok(()),
                Ok(written) => {
                    self.broken.store(true, Ordering::Release);
                    return Err(AppendError::Broken(written));
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::FileTooLarge => {
                    self.broken.store(true, Ordering::Release);
                    return Err(AppendError::Broken(0));
                }
                Err(error) => return Err(AppendError::Io(error)),
            }
        }
    }

    /// Whether a write was torn in it, or something unreadable was seen: no further write should go to it.
    pub(crate) fn is_broken(&self) -> bool {
        self.broken.load(Ordering::Acquire)
    }

    /// See [`Segment::is_broken`].
    pub(crate) fn mark_broken(&self) {
        self.broken.store(true, Ordering::Release);
    }

    /// Whether no writer can ever append to it again.
    pub(crate) fn is_finished(&self) -> bool {
        self.finished.load(Ordering::Acquire)
    }

    /// See [`Segment::is_finished`].
    pub(crate) fn mark_finished(&self) {
        self.finished.store(true, Ordering::Release);
    }

    /// Notes an append; true when the segment was clean before.
    pub(crate) fn mark_dirty(&self) -> bool {
        !self.dirty.swap(true, Ordering::AcqRel)
    }

    /// Whether it holds appends that no [`Segment::sync`] covered.
    pub(crate) fn is_dirty(&self) -> bool {
        self.dirty.load(Ordering::Acquire)
    }

    /// Bytes known to be on the disk.
    pub(crate) fn synced(&self) -> u64 {
        self.synced.load(Ordering::Acquire)
    }

    /// Brings every append that returned before this call to the disk.
    pub(crate) fn sync(&self) -> io::Result<()> {
        if !self.dirty.swap(false, Ordering::AcqRel) {
            return Ok(());
        }
        let sync = || {
            let length = self.len()?;
            self.file.sync_data()?;
            self.synced.fetch_max(length, Ordering::AcqRel);
            Ok(())
        };
        sync().inspect_err(|_| self.dirty.store(true, Ordering::Release))
    }

    /// Its size in bytes.
    pub(crate) fn len(&self) -> io::Result<u64> {
        self.file.metadata().map(|metadata| metadata.len())
    }

    /// Reads up to a full buffer from `offset`; fewer bytes mean the file ends there.
    pub(crate) fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        read_full_at(&self.file, buffer, offset)
    }
}

/// Reads up to a full buffer from `offset` of a file.
pub(crate) fn read_full_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read_at(&mut buffer[filled..], offset + filled as u64) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_reads_back_and_no_byte_of_it_may_change() {
        let path = Path::new("0000000007.seg");
        let (bytes, header) = Header::write(7, Uuid::now_v7(), Uuid::now_v7());
        assert_eq!(Header::read(path, 7, &bytes).unwrap(), header);
        assert!(matches!(Header::read(path, 8, &bytes), Err(SpoolError::Damaged { .. })));
        for cut in 0..HEADER {
            assert!(matches!(Header::read(path, 7, &bytes[..cut]), Err(SpoolError::Damaged { .. })));
        }
        for at in 0..HEADER {
            let mut bad = bytes;
            bad[at] ^= 1;
            assert!(Header::read(path, 7, &bad).is_err(), "byte {at}");
        }
        let mut newer = bytes;
        newer[8] = 2;
        assert!(matches!(Header::read(path, 7, &newer), Err(SpoolError::Newer { found: 2, .. })));
    }

    #[test]
    fn only_segment_names_are_segments() {
        assert_eq!(number_of("0000000042.seg"), Some(42));
        for name in ["42.seg", "0000000042.tmp", "acked", "0000000042.seg.damaged", "-000000042.seg"] {
            assert_eq!(number_of(name), None, "{name}");
        }
    }
}
