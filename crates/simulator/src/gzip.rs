//! gzip without compression (RFC 1952 around stored blocks of RFC 1951), to send it unasked.

use bytes::{BufMut, Bytes, BytesMut};

use crate::crc::Crc;

/// Magic, method deflate, no flags, no time, unknown system.
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];

/// A gzip stream being written.
#[derive(Default)]
pub(crate) struct Gzip {
    crc: Crc,
    length: u32,
    started: bool,
}

impl Gzip {
    /// The next piece, whole blocks: a client can unpack it at once.
    pub(crate) fn piece(&mut self, bytes: &[u8]) -> Bytes {
        let mut out = self.start();
        for block in bytes.chunks(usize::from(u16::MAX)) {
            let length = u16::try_from(block.len()).unwrap_or(u16::MAX);
            out.put_u8(0);
            out.put_u16_le(length);
            out.put_u16_le(!length);
            out.put_slice(block);
            self.length = self.length.wrapping_add(u32::from(length));
        }
        self.crc.update(bytes);
        out.freeze()
    }

    /// The last, empty block and the trailer.
    pub(crate) fn end(&mut self) -> Bytes {
        let mut out = self.start();
        out.put_slice(&[1, 0, 0, 0xff, 0xff]);
        out.put_u32_le(self.crc.value());
        out.put_u32_le(self.length);
        out.freeze()
    }

    fn start(&mut self) -> BytesMut {
        let mut out = BytesMut::new();
        if !std::mem::replace(&mut self.started, true) {
            out.put_slice(&HEADER);
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_stored_blocks_between_header_and_trailer() {
        let mut gzip = Gzip::default();
        let bytes =
            [gzip.piece(b"123456").to_vec(), gzip.piece(b"789").to_vec(), gzip.end().to_vec()].concat();
        assert_eq!(bytes[..10], HEADER);
        assert_eq!(bytes[10..15], [0, 6, 0, 0xf9, 0xff]);
        assert_eq!(bytes[bytes.len() - 8..bytes.len() - 4], 0xCBF4_3926_u32.to_le_bytes());
        assert_eq!(bytes[bytes.len() - 4..], 9_u32.to_le_bytes());
    }
}
