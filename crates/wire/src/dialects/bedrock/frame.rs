//! Frames of `application/vnd.amazon.eventstream`: lengths, headers, payload and two checksums, all big endian.

use crate::{
    error::InvalidEvent,
    json::out::{self, ObjectOut},
};

/// Lengths and their checksum.
const PRELUDE: usize = 12;
/// The checksum at the end.
const CRC: usize = 4;
/// The header type of a string.
const STRING: u8 = 7;

/// One frame, its checksums verified.
#[derive(Debug)]
pub(super) struct Frame<'a> {
    /// Headers that hold strings; nothing else is of interest.
    headers: Vec<(&'a [u8], &'a [u8])>,
    /// JSON, for all events of this dialect.
    pub(super) payload: &'a [u8],
}

impl<'a> Frame<'a> {
    /// Reads a whole frame.
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Self, InvalidEvent> {
        let bad = |what: &str| InvalidEvent(format!("a frame {what}"));
        let number =
            |at: usize| -> Option<u32> { Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?)) };
        let end =
            bytes.len().checked_sub(CRC).filter(|end| *end >= PRELUDE).ok_or_else(|| bad("too short"))?;
        let (total, headers) = (number(0), number(4).and_then(|len| usize::try_from(len).ok()));
        if total.and_then(|len| usize::try_from(len).ok()) != Some(bytes.len()) {
            return Err(bad("of another length than it says"));
        }
        let crc = |until: usize| Some(crc32fast::hash(&bytes[..until]));
        if number(8) != crc(8) || number(end) != crc(end) {
            return Err(bad("with a wrong checksum"));
        }
        let payload = headers.and_then(|len| len.checked_add(PRELUDE)).filter(|at| *at <= end);
        let payload = payload.ok_or_else(|| bad("with headers longer than itself"))?;
        let headers = read_headers(&bytes[PRELUDE..payload]).ok_or_else(|| bad("with broken headers"))?;
        Ok(Self { headers, payload: &bytes[payload..end] })
    }

    /// The text of a header.
    pub(super) fn header(&self, name: &str) -> Option<&'a str> {
        let found = self.headers.iter().find(|(known, _)| *known == name.as_bytes());
        found.and_then(|(_, value)| str::from_utf8(value).ok())
    }
}

/// Reads a frame's headers, unless they break off, have an unknown type, or one name twice.
fn read_headers(mut rest: &[u8]) -> Option<Vec<(&[u8], &[u8])>> {
    /// Events have three or four.
    const MOST: usize = 64;
    let mut headers: Vec<(&[u8], &[u8])> = Vec::new();
    while let Some((len, after)) = rest.split_first() {
        let (name, after) = after.split_at_checked(usize::from(*len))?;
        let (kind, after) = after.split_first()?;
        let (len, after) = match kind {
            0 | 1 => (0, after),
            2 => (1, after),
            3 => (2, after),
            4 => (4, after),
            5 | 8 => (8, after),
            9 => (16, after),
            6 | 7 => {
                let (len, after) = after.split_first_chunk::<2>()?;
                (usize::from(u16::from_be_bytes(*len)), after)
            }
            _ => return None,
        };
        let (value, after) = after.split_at_checked(len)?;
        if headers.len() == MOST || headers.iter().any(|(known, _)| *known == name) {
            return None;
        }
        headers.push((name, if *kind == STRING { value } else { b"" }));
        rest = after;
    }
    Some(headers)
}

/// Appends a frame with an object of these members as its payload.
pub(super) fn write(out: &mut Vec<u8>, headers: [(&str, &str); 3], members: impl FnOnce(&mut ObjectOut<'_>)) {
    let start = out.len();
    out.extend_from_slice(&[0; PRELUDE]);
    for (name, value) in headers {
        // Both are short words of ours.
        out.push(u8::try_from(name.len()).unwrap_or(u8::MAX));
        out.extend_from_slice(name.as_bytes());
        out.push(STRING);
        out.extend_from_slice(&u16::try_from(value.len()).unwrap_or(u16::MAX).to_be_bytes());
        out.extend_from_slice(value.as_bytes());
    }
    let headers_len = out.len() - start - PRELUDE;
    out::object(out, members);
    let total = out.len() - start + CRC;
    let mut patch = |at: usize, number: u32| {
        out[start + at..start + at + 4].copy_from_slice(&number.to_be_bytes());
    };
    // Events are far below four gigabytes: what comes in is bounded by 4 MiB.
    patch(0, u32::try_from(total).unwrap_or(u32::MAX));
    patch(4, u32::try_from(headers_len).unwrap_or(u32::MAX));
    let prelude = crc32fast::hash(&out[start..start + 8]);
    out[start + 8..start + PRELUDE].copy_from_slice(&prelude.to_be_bytes());
    let whole = crc32fast::hash(&out[start..]);
    out.extend_from_slice(&whole.to_be_bytes());
}

/// Appends an event.
pub(super) fn event(out: &mut Vec<u8>, kind: &str, members: impl FnOnce(&mut ObjectOut<'_>)) {
    let headers = [(":event-type", kind), (":content-type", "application/json"), (":message-type", "event")];
    write(out, headers, members);
}

/// Appends an exception.
pub(super) fn exception(out: &mut Vec<u8>, kind: &str, members: impl FnOnce(&mut ObjectOut<'_>)) {
    let headers =
        [(":exception-type", kind), (":content-type", "application/json"), (":message-type", "exception")];
    write(out, headers, members);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written() -> Vec<u8> {
        let mut out = b"before".to_vec();
        event(&mut out, "messageStop", |o| o.text("stopReason", "end_turn"));
        out.split_off(6)
    }

    #[test]
    fn what_is_written_is_read() {
        let bytes = written();
        let frame = Frame::parse(&bytes).unwrap();
        assert_eq!(frame.header(":event-type"), Some("messageStop"));
        assert_eq!(frame.header(":message-type"), Some("event"));
        assert_eq!((frame.header(":other"), frame.payload), (None, &br#"{"stopReason":"end_turn"}"#[..]));
        // The checksum of the eight bytes of two lengths, computed elsewhere.
        assert_eq!(bytes[..8], [0, 0, 0, 122, 0, 0, 0, 81]);
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_noticed() {
        let bytes = written();
        for at in 0..bytes.len() {
            let mut broken = bytes.clone();
            broken[at] ^= 1;
            assert!(Frame::parse(&broken).is_err(), "byte {at}");
            assert!(Frame::parse(&bytes[..at]).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn headers_of_every_type_are_read_past_and_doubles_refused() {
        let mut headers = Vec::new();
        for (kind, len) in [(0_u8, 0_usize), (1, 0), (2, 1), (3, 2), (4, 4), (5, 8), (8, 8), (9, 16)] {
            headers.extend([1, b'a' + kind, kind]);
            headers.extend(vec![7; len]);
        }
        headers.extend([1, b'x', 6, 0, 2, 1, 2, 1, b'y', 7, 0, 2, b'o', b'k']);
        let read = read_headers(&headers).unwrap();
        assert_eq!((read.len(), read.last()), (10, Some(&(&b"y"[..], &b"ok"[..]))));
        headers.extend([1, b'y', 0]);
        assert_eq!(read_headers(&headers), None);
        assert_eq!(read_headers(&[1, b'z', 10]), None);
    }
}
