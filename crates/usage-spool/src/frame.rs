//! One record on disk: its layout, its checks, and telling a torn write from damage.
//!
//! Layout, little-endian: `[payload length u32][kind u8][head check u32][body check u32][payload]`. Both checks are
//! CRC-32C, chained: the head check starts from the segment's seed, the body check from the head check. The seed
//! differs from segment to segment, so neither a block left over from a deleted file nor bytes a client put into a
//! tag pass for a record.

/// Bytes before the payload.
pub(crate) const HEAD: usize = 13;
/// Largest payload in bytes; far above any real record, and one fits a gRPC message with room to spare.
pub(crate) const MAX_PAYLOAD: usize = 1 << 20;

/// What a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    /// An attempt is about to be sent (`v1::Intent`).
    Intent = 1,
    /// A request ended (`v1::UsageEvent`); closes every intent of it.
    Event = 2,
    /// An attempt was not sent after all (`v1::Intent` with request and attempt only).
    Void = 3,
    /// Everything before this offset (u64) of the segment had reached the disk.
    Synced = 4,
    /// A record of the file `authority`; in no segment.
    Authority = 5,
}

impl Kind {
    const fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            1 => Some(Self::Intent),
            2 => Some(Self::Event),
            3 => Some(Self::Void),
            4 => Some(Self::Synced),
            5 => Some(Self::Authority),
            _ => None,
        }
    }
}

/// What stands at some place of a segment.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Parsed<'a> {
    /// A whole record of `size` bytes.
    Record { kind: Kind, payload: &'a [u8], size: usize },
    /// The bytes end before the record does.
    Incomplete,
    /// No record.
    Bad,
}

/// What a place without a whole record turned out to be, once no writer appends to the segment any more.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Gap {
    /// Nothing readable follows: a write cut by death, or what power loss left.
    Tail,
    /// A write that stopped early, with records of other writers behind it; they go on after so many bytes.
    Torn(usize),
    /// A record was changed after it was written; records go on after so many bytes.
    Damage(usize),
}

/// Empties the buffer and leaves room for the head; the payload is appended by the caller.
pub(crate) fn start(buffer: &mut Vec<u8>) {
    buffer.clear();
    buffer.resize(HEAD, 0);
}

/// Fills in the head. May be repeated with another segment's seed.
pub(crate) fn seal(buffer: &mut [u8], kind: Kind, seed: u32) {
    let (head, payload) = buffer.split_at_mut(HEAD);
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
    head[..4].copy_from_slice(&length.to_le_bytes());
    head[4] = kind as u8;
    let check = crc32c::crc32c_append(seed, &head[..5]);
    head[5..9].copy_from_slice(&check.to_le_bytes());
    head[9..].copy_from_slice(&crc32c::crc32c_append(check, payload).to_le_bytes());
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).and_then(|four| four.try_into().ok()).map_or(0, u32::from_le_bytes)
}

/// Kind, payload length, head check and body check of a valid head.
fn head(bytes: &[u8], seed: u32) -> Option<(Kind, usize, u32, u32)> {
    let head = bytes.get(..HEAD)?;
    let length = usize::try_from(u32_at(head, 0)).ok().filter(|length| *length <= MAX_PAYLOAD)?;
    let kind = Kind::from_byte(head[4])?;
    let check = u32_at(head, 5);
    (crc32c::crc32c_append(seed, &head[..5]) == check).then(|| (kind, length, check, u32_at(head, 9)))
}

/// Reads the record at the start of `bytes`.
pub(crate) fn parse(bytes: &[u8], seed: u32) -> Parsed<'_> {
    if bytes.len() < HEAD {
        return Parsed::Incomplete;
    }
    let Some((kind, length, check, body)) = head(bytes, seed) else { return Parsed::Bad };
    let Some(payload) = bytes.get(HEAD..HEAD + length) else { return Parsed::Incomplete };
    if crc32c::crc32c_append(check, payload) != body {
        return Parsed::Bad;
    }
    Parsed::Record { kind, payload, size: HEAD + length }
}

/// Whether a record with a damaged payload was an event, as far as its head still tells.
pub(crate) fn was_event(bytes: &[u8], seed: u32) -> bool {
    head(bytes, seed).is_some_and(|(kind, ..)| kind == Kind::Event)
}

/// Judges `bytes`, which start where a record should and [`parse`] found none, and reach to the segment's end.
///
/// A torn write leaves a prefix of a record, so the next record starts *before* the torn one would have ended (before
/// the end of its head, where not even the head was whole; every record is longer than that). Damage in place leaves
/// the next record where it was, at or behind that end.
pub(crate) fn judge(bytes: &[u8], seed: u32) -> Gap {
    let is_record = |at: &usize| matches!(parse(&bytes[*at..], seed), Parsed::Record { .. });
    let Some(next) = (1..bytes.len()).find(is_record) else { return Gap::Tail };
    let end = head(bytes, seed).map_or(HEAD, |(_, length, ..)| HEAD + length);
    if next < end { Gap::Torn(next) } else { Gap::Damage(next) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEED: u32 = 77;

    fn record(payload: &[u8]) -> Vec<u8> {
        let mut buffer = Vec::new();
        start(&mut buffer);
        buffer.extend_from_slice(payload);
        seal(&mut buffer, Kind::Event, SEED);
        buffer
    }

    #[test]
    fn a_record_reads_back_and_every_prefix_is_incomplete() {
        let bytes = record(b"a payload of some length");
        let whole = Parsed::Record { kind: Kind::Event, payload: &bytes[HEAD..], size: bytes.len() };
        assert_eq!(parse(&bytes, SEED), whole);
        for cut in 0..bytes.len() {
            assert_eq!(parse(&bytes[..cut], SEED), Parsed::Incomplete, "{cut}");
        }
    }

    #[test]
    fn every_flipped_bit_and_a_foreign_seed_are_noticed() {
        let bytes = record(b"some payload");
        assert_eq!(parse(&bytes, SEED + 1), Parsed::Bad);
        for bit in 0..bytes.len() * 8 {
            let mut bad = bytes.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(parse(&bad, SEED), Parsed::Bad, "bit {bit}");
        }
    }

    #[test]
    fn a_torn_write_is_told_from_damage_at_every_byte() {
        let (torn, next) = (record(b"the write that did not get through"), record(b"its neighbour"));
        for cut in 1..torn.len() {
            let bytes = [&torn[..cut], &next[..]].concat();
            assert_eq!(judge(&bytes, SEED), Gap::Torn(cut), "cut at {cut}");
        }
        for at in 0..torn.len() {
            let mut bytes = [&torn[..], &next[..]].concat();
            bytes[at] ^= 0x40;
            assert_eq!(judge(&bytes, SEED), Gap::Damage(torn.len()), "damaged at {at}");
        }
        assert_eq!(judge(&[0; 4096], SEED), Gap::Tail);
        assert_eq!(judge(&torn[..20], SEED), Gap::Tail);
    }
}
