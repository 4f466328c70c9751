//! How far the ledger has acknowledged: one small slot, overwritten in place.

use std::{
    fs::{File, OpenOptions},
    io,
    os::unix::fs::{FileExt, OpenOptionsExt},
    path::Path,
};

use crate::segment::read_full_at;

const SLOT: usize = 20;

/// A place in the spool; everything before it is meant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Position {
    pub(crate) segment: u64,
    pub(crate) offset: u64,
}

/// The file `acked`. Losing its newest contents, or all of it, only means that events are sent again, and the ledger
/// knows those; so it is never synced.
#[derive(Debug)]
pub(crate) struct Acked {
    file: File,
}

impl Acked {
    /// Opens the file and reads the position; an unreadable slot counts as nothing acknowledged.
    pub(crate) fn open(path: &Path) -> io::Result<(Self, Position)> {
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
        let mut slot = [0; SLOT];
        let length = read_full_at(&file, &mut slot, 0)?;
        let position = decode(&slot);
        if position.is_none() && length > 0 {
            tracing::warn!(file = %path.display(), "spool: progress is unreadable; events will be sent again");
        }
        Ok((Self { file }, position.unwrap_or_default()))
    }

    /// Records the position, in one write that lies within one disk sector.
    pub(crate) fn store(&self, position: Position) -> io::Result<()> {
        self.file.write_all_at(&encode(position), 0)
    }
}

fn encode(position: Position) -> [u8; SLOT] {
    let mut slot = [0; SLOT];
    slot[..8].copy_from_slice(&position.segment.to_le_bytes());
    slot[8..16].copy_from_slice(&position.offset.to_le_bytes());
    let check = crc32c::crc32c(&slot[..16]);
    slot[16..].copy_from_slice(&check.to_le_bytes());
    slot
}

fn decode(slot: &[u8; SLOT]) -> Option<Position> {
    let word = |at: usize| slot[at..at + 8].try_into().map(u64::from_le_bytes).unwrap_or_default();
    let position = Position { segment: word(0), offset: word(8) };
    (encode(position) == *slot).then_some(position)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_survives_and_a_damaged_slot_counts_as_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("acked");
        let (acked, start) = Acked::open(&path).unwrap();
        assert_eq!(start, Position::default());
        let position = Position { segment: 3, offset: 4711 };
        acked.store(position).unwrap();
        assert_eq!(Acked::open(&path).unwrap().1, position);
        for at in 0..SLOT {
            let mut bytes = encode(position);
            bytes[at] ^= 1;
            std::fs::write(&path, bytes).unwrap();
            assert_eq!(Acked::open(&path).unwrap().1, Position::default(), "byte {at}");
        }
        std::fs::write(&path, &encode(position)[..7]).unwrap();
        assert_eq!(Acked::open(&path).unwrap().1, Position::default());
    }
}
