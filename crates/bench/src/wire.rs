//! As much HTTP/1.1 as the load generator and the provider need: less of it costs less of the core they share.

use std::{io, net::SocketAddr};

use anyhow::{Context, bail};
use bytes::{Buf, BytesMut};
use memchr::memmem;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// Largest message taken, in bytes.
const MAX_MESSAGE: usize = 4 << 20;
/// Ends a chunked body, as everybody here writes it.
const LAST_CHUNK: &[u8] = b"\r\n0\r\n\r\n";

/// One keep-alive connection.
pub(crate) struct Wire {
    stream: TcpStream,
    buffer: BytesMut,
}

/// A message's head: its length, and how its body ends.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) length: usize,
    /// Bytes of the body; a chunked body has no such length.
    pub(crate) body: Option<usize>,
}

impl Wire {
    pub(crate) async fn connect(to: SocketAddr) -> io::Result<Self> {
        Self::new(TcpStream::connect(to).await?)
    }

    pub(crate) fn new(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: BytesMut::with_capacity(16 << 10) })
    }

    pub(crate) async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await
    }

    /// What was received and not yet consumed.
    pub(crate) fn received(&self) -> &[u8] {
        &self.buffer
    }

    pub(crate) fn consume(&mut self, bytes: usize) {
        self.buffer.advance(bytes);
        if self.buffer.is_empty() {
            // Back to the start of the allocation instead of creeping through it.
            self.buffer.clear();
        }
    }

    /// The next head; `None` when the peer closed between two messages.
    pub(crate) async fn head(&mut self) -> anyhow::Result<Option<Head>> {
        loop {
            if let Some(head) = head(&self.buffer)? {
                return Ok(Some(head));
            }
            if self.more().await? == 0 {
                return if self.buffer.is_empty() { Ok(None) } else { bail!("the peer broke off in a head") };
            }
        }
    }

    /// Reads until so many bytes are there.
    pub(crate) async fn fill(&mut self, bytes: usize) -> anyhow::Result<()> {
        while self.buffer.len() < bytes {
            if self.more().await? == 0 {
                bail!("the peer broke off in a body");
            }
        }
        Ok(())
    }

    /// Reads a chunked body to its end, which nothing may follow, and consumes it with its head; `seen` is shown the
    /// body after every read.
    pub(crate) async fn chunked(&mut self, head: usize, mut seen: impl FnMut(&[u8])) -> anyhow::Result<()> {
        loop {
            let body = &self.buffer[head..];
            seen(body);
            if body.ends_with(LAST_CHUNK) {
                self.consume(self.buffer.len());
                return Ok(());
            }
            if self.more().await? == 0 {
                bail!("the peer broke off in a stream");
            }
        }
    }

    async fn more(&mut self) -> anyhow::Result<usize> {
        if self.buffer.len() > MAX_MESSAGE {
            bail!("a message of more than {MAX_MESSAGE} bytes");
        }
        self.buffer.reserve(16 << 10);
        Ok(self.stream.read_buf(&mut self.buffer).await?)
    }
}

/// Reads a head, when it is there as a whole.
fn head(bytes: &[u8]) -> anyhow::Result<Option<Head>> {
    let Some(end) = memmem::find(bytes, b"\r\n\r\n") else { return Ok(None) };
    let mut body = Some(0);
    for line in bytes[..end].split(|byte| *byte == b'\n').skip(1) {
        let Some(colon) = memchr::memchr(b':', line) else { continue };
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        if name.eq_ignore_ascii_case(b"content-length") {
            let length = std::str::from_utf8(value)?.parse().context("content-length")?;
            body = Some(length);
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            body = None;
        }
    }
    Ok(Some(Head { length: end + 4, body }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_says_how_its_body_ends() {
        assert_eq!(head(b"HTTP/1.1 200 OK\r\nContent-Le").unwrap(), None);
        let sized = b"HTTP/1.1 200 OK\r\na: b\r\nContent-Length:  12\r\n\r\n{";
        assert_eq!(head(sized).unwrap(), Some(Head { length: sized.len() - 1, body: Some(12) }));
        let bare = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n";
        assert_eq!(head(bare).unwrap(), Some(Head { length: bare.len(), body: Some(0) }));
        let chunked = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
        assert_eq!(head(chunked).unwrap(), Some(Head { length: chunked.len(), body: None }));
        assert!(head(b"HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n").is_err());
    }
}
