//! The last good snapshots on disk: encrypted, checksummed, and replaced so that a good one survives any crash.
//!
//! A file is `PCSN`, the format version (u32), the length (u64) and CRC-32C (u32) of the ciphertext, all big-endian,
//! and the ciphertext of a `SavedSnapshot`.
//!
//! Writing goes: `next.pcs` complete and synced; `current.pcs` becomes `previous.pcs`; `next.pcs` becomes
//! `current.pcs`; the directory is synced. Between the two renames there is no current file but a complete next one,
//! so the order of reading is current, next, previous.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use prost::Message as _;
use proto::v1::SavedSnapshot;
use secrets::{Keyring, OpenError};

const MAGIC: [u8; 4] = *b"PCSN";
const FORMAT: u32 = 1;
const HEADER: usize = 20;
/// How many damaged files are kept for inspection.
const DAMAGED: u32 = 4;

/// Why a snapshot file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The disk's fault.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// Does not begin as we write it.
    #[error("is no snapshot file")]
    Magic,
    /// Written by a version that this one cannot read.
    #[error("has format {0}, this version reads {FORMAT}")]
    Format(u32),
    /// Another length than was written.
    #[error("is truncated or padded: {found} bytes of content, {expected} expected")]
    Length {
        /// In the header.
        expected: u64,
        /// In the file.
        found: u64,
    },
    /// Other bytes than were written.
    #[error("is damaged: the checksum differs")]
    Checksum,
    /// Does not decrypt.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// Decrypts into something else.
    #[error("holds no snapshot: {0}")]
    Content(String),
}

impl SnapshotError {
    /// Whether the file is useless with any settings and to any version.
    fn is_damage(&self) -> bool {
        match self {
            Self::Io(_) | Self::Format(_) | Self::Open(OpenError::OtherKey) => false,
            Self::Magic | Self::Length { .. } | Self::Checksum | Self::Open(_) | Self::Content(_) => true,
        }
    }
}

/// The snapshot files of one proxy. Calls block on the disk.
#[derive(Clone, Debug)]
pub struct SnapshotFile {
    dir: PathBuf,
    keyring: Arc<Keyring>,
}

impl SnapshotFile {
    /// The files below `DATA_DIR/snapshot`.
    #[must_use]
    pub fn new(data_dir: &Path, keyring: Arc<Keyring>) -> Self {
        Self { dir: data_dir.join("snapshot"), keyring }
    }

    /// Makes `snapshot` the current file and the current one the previous.
    ///
    /// # Errors
    /// When the disk is full or fails; what was there before is still there then.
    pub fn write(&self, snapshot: &SavedSnapshot) -> io::Result<()> {
        let sealed = self.keyring.seal_file(&snapshot.encode_to_vec());
        let next = self.path("next");
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.dir)?;
        let written = write_synced(&next, &sealed);
        if written.is_err() {
            let _ = fs::remove_file(&next); // half a file only takes the room that is missing
            return written;
        }
        match fs::rename(self.path("current"), self.path("previous")) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => fs::rename(&next, self.path("current"))?,
        }
        File::open(&self.dir)?.sync_all()
    }

    /// The first snapshot that can be read and that `accept` takes. Whatever was passed over is logged with its
    /// reason; damaged files are set aside, for the next writes would push them over a good one.
    pub fn load<T>(&self, mut accept: impl FnMut(SavedSnapshot) -> Result<T, String>) -> Option<T> {
        let mut bad = 0;
        for name in ["current", "next", "previous"] {
            let path = self.path(name);
            let reason = match self.read(&path) {
                Ok(snapshot) => match accept(snapshot) {
                    Ok(accepted) => {
                        tracing::info!(path = %path.display(), "configuration loaded from disk");
                        return Some(accepted);
                    }
                    Err(reason) => format!("is refused: {reason}"),
                },
                Err(SnapshotError::Io(error)) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => self.set_aside(&path, &error),
            };
            bad += 1;
            tracing::warn!(path = %path.display(), "snapshot file {reason}");
        }
        match bad {
            0 => tracing::info!("no configuration on disk; waiting for the control plane"),
            _ => tracing::error!(
                dir = %self.dir.display(),
                "none of the {bad} snapshot files can be used; waiting for the control plane"
            ),
        }
        None
    }

    fn read(&self, path: &Path) -> Result<SavedSnapshot, SnapshotError> {
        let mut file = File::open(path)?;
        let size = file.metadata()?.len();
        let mut header = [0; HEADER];
        let mut rest = header.as_mut_slice();
        while !rest.is_empty() {
            match file.read(rest)? {
                0 => return Err(SnapshotError::Length { expected: HEADER as u64, found: size }),
                read => rest = &mut rest[read..],
            }
        }
        let expected = check_header(&header, size)?;
        let mut sealed = Vec::new();
        file.take(expected).read_to_end(&mut sealed)?;
        if header[16..] != crc32c::crc32c(&sealed).to_be_bytes() {
            return Err(SnapshotError::Checksum);
        }
        let plain = self.keyring.open_file(&sealed)?;
        SavedSnapshot::decode(plain.as_slice()).map_err(|error| SnapshotError::Content(error.to_string()))
    }

    /// Renames a damaged file into one of a few places, a free one or the oldest. Returns what was done, for the log.
    fn set_aside(&self, path: &Path, error: &SnapshotError) -> String {
        if !error.is_damage() {
            return error.to_string();
        }
        let places = (1..=DAMAGED).map(|number| self.dir.join(format!("{number}.damaged")));
        let age = |place: &PathBuf| fs::metadata(place).and_then(|meta| meta.modified()).ok();
        let Some(place) = places.min_by_key(age) else { return error.to_string() };
        match fs::rename(path, &place) {
            Ok(()) => format!("{error}; kept as {}", place.display()),
            Err(failed) => format!("{error}; and cannot be set aside: {failed}"),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.join(format!("{name}.pcs"))
    }
}

/// The length of the ciphertext that follows.
fn check_header(header: &[u8; HEADER], size: u64) -> Result<u64, SnapshotError> {
    let number =
        |from: usize, to: usize| header[from..to].iter().fold(0u64, |acc, byte| acc << 8 | u64::from(*byte));
    if header[..4] != MAGIC {
        return Err(SnapshotError::Magic);
    }
    let format = u32::try_from(number(4, 8)).unwrap_or(u32::MAX);
    if format != FORMAT {
        return Err(SnapshotError::Format(format));
    }
    let (expected, found) = (number(8, 16), size.saturating_sub(HEADER as u64));
    if expected == found { Ok(expected) } else { Err(SnapshotError::Length { expected, found }) }
}

fn write_synced(path: &Path, sealed: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(&MAGIC)?;
    file.write_all(&FORMAT.to_be_bytes())?;
    file.write_all(&(sealed.len() as u64).to_be_bytes())?;
    file.write_all(&crc32c::crc32c(sealed).to_be_bytes())?;
    file.write_all(sealed)?;
    file.sync_all()
}
