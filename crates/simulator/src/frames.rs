//! Frames of `application/vnd.amazon.eventstream`, the binary framing of AWS streams.
//!
//! A frame is: total length and headers length (u32, big endian), CRC-32 of these eight bytes, headers, payload,
//! CRC-32 of everything before. A header is: length of the name (u8), name, type 7 (string), length (u16), value.

use bytes::{BufMut, Bytes, BytesMut};

use crate::crc::crc32;
use crate::sse::unmask;

/// Bytes of a frame that are neither headers nor payload.
const OVERHEAD: usize = 16;
/// The type of a header with a string in it.
const STRING: u8 = 7;

/// A frame that carries the JSON of one event.
pub(crate) fn event(name: &str, json: &str) -> Bytes {
    frame(
        &[(":event-type", name), (":content-type", "application/json"), (":message-type", "event")],
        &unmask(json.as_bytes().to_vec()),
    )
}

/// A frame that carries a modelled exception.
pub(crate) fn exception(name: &str, json: &str) -> Bytes {
    frame(
        &[(":exception-type", name), (":content-type", "application/json"), (":message-type", "exception")],
        json.as_bytes(),
    )
}

fn frame(headers: &[(&str, &str)], payload: &[u8]) -> Bytes {
    let mut head = BytesMut::new();
    for (name, value) in headers {
        // Names and values are our own and short.
        head.put_u8(u8::try_from(name.len()).unwrap_or(u8::MAX));
        head.put_slice(name.as_bytes());
        head.put_u8(STRING);
        head.put_u16(u16::try_from(value.len()).unwrap_or(u16::MAX));
        head.put_slice(value.as_bytes());
    }
    let total = OVERHEAD + head.len() + payload.len();
    let mut out = BytesMut::with_capacity(total);
    out.put_u32(u32::try_from(total).unwrap_or(u32::MAX));
    out.put_u32(u32::try_from(head.len()).unwrap_or(u32::MAX));
    out.put_u32(crc32(&out));
    out.put_slice(&head);
    out.put_slice(payload);
    out.put_u32(crc32(&out));
    out.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(bytes: &[u8]) -> u32 {
        u32::from_be_bytes(bytes.try_into().unwrap())
    }

    #[test]
    fn lengths_and_checksums_cover_what_they_should() {
        let frame = event("messageStop", r#"{"stopReason":"end_turn"}"#);
        assert_eq!(number(&frame[..4]) as usize, frame.len());
        assert_eq!(number(&frame[8..12]), crc32(&frame[..8]));
        let end = frame.len() - 4;
        assert_eq!(number(&frame[end..]), crc32(&frame[..end]));
        let headers = number(&frame[4..8]) as usize;
        assert_eq!(&frame[12 + headers..end], br#"{"stopReason":"end_turn"}"#);
        assert_eq!(&frame[12..24], b"\x0b:event-type");
        assert_eq!(&frame[24..38], b"\x07\x00\x0bmessageStop");
    }
}
