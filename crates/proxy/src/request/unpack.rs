//! Unpacking compressed bodies as they arrive, within the bound of the body.

use std::io::{self, Write};

use bytes::{Bytes, BytesMut};
use domain::ErrorKind;
use flate2::write::MultiGzDecoder;
use http::{HeaderMap, StatusCode, header};
use zstd::stream::raw::{DParameter, Decoder, InBuffer, Operation as _, OutBuffer};

use crate::error::GatewayError;

/// Most memory that a zstd frame may ask for: the 8 MiB that RFC 9659 sets for HTTP, as a power of two.
const MAX_WINDOW_LOG: u32 = 23;
/// Bytes that are unpacked before other requests have their turn.
const STEP: usize = 4 << 10;

/// How a request's body is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Packing {
    Gzip,
    Zstd,
}

impl Packing {
    /// The word in `content-encoding`.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }
}

/// Reads `content-encoding`; nothing where the body is sent as it is.
pub(super) fn packing(headers: &HeaderMap) -> Result<Option<Packing>, GatewayError> {
    let mut packing = None;
    for value in headers.get_all(header::CONTENT_ENCODING) {
        for word in value.as_bytes().split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
            let known = match () {
                () if word.is_empty() || word.eq_ignore_ascii_case(b"identity") => continue,
                () if word.eq_ignore_ascii_case(b"gzip") || word.eq_ignore_ascii_case(b"x-gzip") => {
                    Packing::Gzip
                }
                () if word.eq_ignore_ascii_case(b"zstd") => Packing::Zstd,
                () => return Err(unsupported("content-encoding must be gzip, zstd or identity")),
            };
            if packing.replace(known).is_some() {
                return Err(unsupported("content-encoding must name one encoding"));
            }
        }
    }
    Ok(packing)
}

fn unsupported(text: &str) -> GatewayError {
    GatewayError::new(ErrorKind::InvalidRequest, text).status(StatusCode::UNSUPPORTED_MEDIA_TYPE)
}

/// Why a body could not be unpacked.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unpacking {
    /// It is larger than it may be.
    TooLarge,
    /// It is not packed as its header says, or is not whole.
    Broken,
}

/// Unpacks one body.
pub(super) enum Unpacker {
    Gzip(Box<MultiGzDecoder<Bounded>>),
    Zstd(Box<ZstdBody>),
}

/// Unpacks a body of zstd frames.
pub(super) struct ZstdBody {
    decoder: Decoder<'static>,
    out: Bounded,
    /// Whether a frame has begun that has not ended.
    unfinished: bool,
}

/// What was unpacked, up to a bound.
pub(super) struct Bounded {
    bytes: BytesMut,
    limit: usize,
    exceeded: bool,
}

impl Write for Bounded {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        if data.len() > self.limit - self.bytes.len() {
            self.exceeded = true;
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.bytes.extend_from_slice(data);
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Unpacker {
    /// For a body that may have `limit` bytes once it is unpacked.
    pub(super) fn new(packing: Packing, limit: usize) -> Result<Self, Unpacking> {
        let out = Bounded { bytes: BytesMut::new(), limit, exceeded: false };
        Ok(match packing {
            Packing::Gzip => Self::Gzip(Box::new(MultiGzDecoder::new(out))),
            Packing::Zstd => {
                let mut decoder = Decoder::new().map_err(|_| Unpacking::Broken)?;
                let window = DParameter::WindowLogMax(MAX_WINDOW_LOG);
                decoder.set_parameter(window).map_err(|_| Unpacking::Broken)?;
                Self::Zstd(Box::new(ZstdBody { decoder, out, unfinished: false }))
            }
        })
    }

    /// Unpacks the next piece. Lets others have their turn meanwhile: a small piece may become a large one.
    pub(super) async fn feed(&mut self, piece: &[u8]) -> Result<(), Unpacking> {
        for step in piece.chunks(STEP) {
            let fed = match self {
                Self::Gzip(decoder) => decoder.write_all(step),
                Self::Zstd(body) => body.feed(step),
            };
            fed.map_err(|_| self.fault())?;
            tokio::task::consume_budget().await;
        }
        Ok(())
    }

    /// The whole body.
    pub(super) fn finish(mut self) -> Result<Bytes, Unpacking> {
        let finished = match &mut self {
            Self::Gzip(decoder) => decoder.try_finish(),
            Self::Zstd(body) if body.unfinished => Err(io::ErrorKind::UnexpectedEof.into()),
            Self::Zstd(_) => Ok(()),
        };
        finished.map_err(|_| self.fault())?;
        Ok(std::mem::take(&mut self.out().bytes).freeze())
    }

    fn out(&mut self) -> &mut Bounded {
        match self {
            Self::Gzip(decoder) => decoder.get_mut(),
            Self::Zstd(body) => &mut body.out,
        }
    }

    fn fault(&mut self) -> Unpacking {
        if self.out().exceeded { Unpacking::TooLarge } else { Unpacking::Broken }
    }
}

impl ZstdBody {
    fn feed(&mut self, piece: &[u8]) -> io::Result<()> {
        let mut buffer = [0; 16 << 10];
        let mut input = InBuffer::around(piece);
        loop {
            let mut output = OutBuffer::around(&mut buffer[..]);
            let left = self.decoder.run(&mut input, &mut output)?;
            let written = output.pos();
            self.out.write_all(&buffer[..written])?;
            self.unfinished = left > 0;
            // What the decoder holds back comes out once there is room for it.
            if input.pos() == piece.len() && written < buffer.len() {
                return Ok(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use flate2::{Compression, write::GzEncoder};

    use super::*;

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn zstd(text: &[u8]) -> Vec<u8> {
        zstd::encode_all(text, 19).unwrap()
    }

    async fn unpack(packing: Packing, limit: usize, packed: &[u8], step: usize) -> Result<Bytes, Unpacking> {
        let mut unpacker = Unpacker::new(packing, limit)?;
        for piece in packed.chunks(step) {
            unpacker.feed(piece).await?;
        }
        unpacker.finish()
    }

    #[tokio::test]
    async fn bodies_come_out_whole_however_they_are_cut() {
        let text = "grüße an alle ".repeat(3_000).into_bytes();
        for (packing, packed) in [(Packing::Gzip, gzip(&text)), (Packing::Zstd, zstd(&text))] {
            for step in [1, 7, packed.len()] {
                assert_eq!(
                    unpack(packing, text.len(), &packed, step).await.unwrap(),
                    text,
                    "{packing:?} {step}"
                );
            }
            let twice = [&packed[..], &packed].concat();
            let both = unpack(packing, 2 * text.len(), &twice, 100).await.unwrap();
            assert_eq!(both.len(), 2 * text.len(), "{packing:?}: frames follow each other");
            for end in [0, 1, packed.len() / 2, packed.len() - 1] {
                let cut = unpack(packing, text.len(), &packed[..end], 50).await;
                assert!(end == 0 || cut == Err(Unpacking::Broken), "{packing:?} cut at {end}: {cut:?}");
            }
            assert_eq!(unpack(packing, 1 << 20, b"{\"model\":\"m\"}", 5).await, Err(Unpacking::Broken));
        }
    }

    #[tokio::test]
    async fn a_bomb_is_given_up_at_the_bound() {
        let zeros = vec![0; 64 << 20];
        for (packing, packed) in [(Packing::Gzip, gzip(&zeros)), (Packing::Zstd, zstd(&zeros))] {
            assert!(packed.len() < zeros.len() / 900, "{packing:?}");
            let mut unpacker = Unpacker::new(packing, 1 << 20).unwrap();
            assert_eq!(unpacker.feed(&packed).await, Err(Unpacking::TooLarge), "{packing:?}");
            assert!(
                unpacker.out().bytes.capacity() <= 2 << 20,
                "{packing:?}: nothing beyond the bound was kept"
            );
            assert_eq!(unpack(packing, zeros.len() - 1, &packed, 4_096).await, Err(Unpacking::TooLarge));
        }
    }

    #[tokio::test]
    async fn a_window_that_is_larger_than_http_allows_is_refused() {
        let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
        encoder.window_log(27).unwrap();
        encoder.write_all(b"{}").unwrap();
        let packed = encoder.finish().unwrap();
        assert_eq!(unpack(Packing::Zstd, 1 << 20, &packed, 100).await, Err(Unpacking::Broken));
    }

    #[test]
    fn encodings_are_one_of_three() {
        let read = |values: &[&str]| {
            let headers = values.iter().map(|value| (header::CONTENT_ENCODING, value.parse().unwrap()));
            packing(&headers.collect()).map_err(|error| error.http_status().as_u16())
        };
        assert_eq!(read(&[]), Ok(None));
        assert_eq!(read(&["identity"]), Ok(None));
        assert_eq!((read(&["GZIP"]), read(&["x-gzip"])), (Ok(Some(Packing::Gzip)), Ok(Some(Packing::Gzip))));
        assert_eq!(read(&["identity, zstd"]), Ok(Some(Packing::Zstd)));
        for wrong in [&["br"][..], &["deflate"], &["gzip, gzip"], &["gzip", "zstd"], &["zip\u{e9}"]] {
            assert_eq!(read(wrong), Err(415), "{wrong:?}");
        }
    }
}
