//! Neighbouring events of one chunk, on their way to the client together.

use bytes::Bytes;

use super::output::OutputChunk;

/// Neighbouring events that leave as one piece: a slice of the chunk, or a copy once something was edited.
pub(super) struct Run<'a> {
    source: &'a Bytes,
    from: usize,
    at: usize,
    edited: Vec<u8>,
}

impl<'a> Run<'a> {
    pub(super) const fn new(source: &'a Bytes) -> Self {
        Self { source, from: 0, at: 0, edited: Vec::new() }
    }

    pub(super) fn rest(&self) -> &'a [u8] {
        &self.source[self.at..]
    }

    pub(super) const fn keep(&mut self, len: usize) {
        self.at += len;
    }

    /// Leaves out the next bytes; what is in the run must have been flushed.
    pub(super) const fn skip(&mut self, len: usize) {
        self.at += len;
        self.from = self.at;
    }

    pub(super) fn edit(&mut self, len: usize, write: impl FnOnce(&mut Vec<u8>)) {
        if self.edited.is_empty() {
            self.edited.reserve(self.source.len() - self.from);
        }
        self.edited.extend_from_slice(&self.source[self.from..self.at]);
        write(&mut self.edited);
        self.skip(len);
    }

    /// What is in the run; it is empty afterwards.
    pub(super) fn take(&mut self) -> Bytes {
        let slice = self.from..self.at;
        self.from = self.at;
        if self.edited.is_empty() {
            return self.source.slice(slice);
        }
        self.edited.extend_from_slice(&self.source[slice]);
        Bytes::from(std::mem::take(&mut self.edited))
    }

    pub(super) fn flush(&mut self, out: &mut Vec<OutputChunk>) {
        let bytes = self.take();
        if !bytes.is_empty() {
            out.push(OutputChunk::Relay(bytes));
        }
    }
}
