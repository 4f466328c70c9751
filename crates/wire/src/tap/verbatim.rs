//! The tap of a stream in the client's own dialect: bytes pass as they are.

use std::ops::Range;

use bytes::Bytes;

use super::output::{OutputChunk, TapError};
use super::summary::StreamSummary;
use super::{frames::Frames, note::note};
use crate::{
    canonical::Event,
    codec::{Framing, StreamDecoder},
};

/// Watches one stream.
pub struct Verbatim {
    frames: Frames,
    framing: Framing,
    decoder: Box<dyn StreamDecoder>,
    seen: StreamSummary,
}

impl Verbatim {
    /// A tap for a stream that has not begun.
    #[must_use]
    pub fn new(decoder: Box<dyn StreamDecoder>) -> Self {
        let framing = decoder.framing();
        Self { frames: Frames::new(framing), framing, decoder, seen: StreamSummary::default() }
    }

    pub(super) const fn framing(&self) -> Framing {
        self.framing
    }

    pub(super) const fn seen(&self) -> &StreamSummary {
        &self.seen
    }

    #[allow(clippy::needless_pass_by_value, reason = "the pieces keep the chunk's memory alive")]
    pub(super) fn feed(&mut self, chunk: Bytes, out: &mut Vec<OutputChunk>) -> Result<(), TapError> {
        let mut at = 0;
        if self.frames.holds() {
            let Some((event, len)) = self.frames.complete(&chunk)? else { return Ok(()) };
            at = len;
            let ends = self.read(&event)?;
            push(out, Bytes::from(event), ends);
        } else if self.frames.second_half(&chunk) {
            at = 1;
            push(out, chunk.slice(..1), false);
        }
        let mut run = at..at;
        let passed = self.pass(&chunk, &mut run, out);
        // What was noted before an event that cannot be read goes out as well.
        push(out, chunk.slice(run.clone()), false);
        passed?;
        self.frames.hold(&chunk[run.end..])
    }

    /// Reads whole events behind a run that is not pushed yet, and adds them to it.
    fn pass(
        &mut self,
        chunk: &Bytes,
        run: &mut Range<usize>,
        out: &mut Vec<OutputChunk>,
    ) -> Result<(), TapError> {
        while let Some(len) = self.frames.next(&chunk[run.end..])? {
            let event = run.end..run.end + len;
            if self.read(&chunk[event.clone()])? {
                push(out, chunk.slice(run.clone()), false);
                push(out, chunk.slice(event.clone()), true);
                run.start = event.end;
            }
            run.end = event.end;
        }
        Ok(())
    }

    pub(super) fn finish(&mut self, out: &mut Vec<OutputChunk>) {
        let mut event = self.frames.rest();
        if self.framing == Framing::Sse && !event.is_empty() {
            // Only an event that a client could read is worth its missing blank line.
            let missing: &[u8] = if event.ends_with(b"\n") { b"\n" } else { b"\n\n" };
            event.extend_from_slice(missing);
            if let Ok(ends) = self.read(&event) {
                push(out, Bytes::from(event), ends);
            }
        }
        self.seen.done |= self.decoder.is_complete() && self.seen.error.is_none();
    }

    /// Notes what an event says; whether it is the terminal one.
    fn read(&mut self, event: &[u8]) -> Result<bool, TapError> {
        let done = self.seen.done;
        let seen = &mut self.seen;
        let mut events = 0u64;
        let read = self.decoder.event(event, &mut |event: Event<'_>| {
            events += 1;
            note(seen, &event);
        });
        self.seen.progress += u64::from(events > 0);
        read.map_err(|_| TapError::InvalidEvent)?;
        Ok(self.seen.done && !done)
    }
}

fn push(out: &mut Vec<OutputChunk>, bytes: Bytes, ends: bool) {
    match ends {
        _ if bytes.is_empty() => {}
        true => out.push(OutputChunk::Done(bytes)),
        false => out.push(OutputChunk::Relay(bytes)),
    }
}
