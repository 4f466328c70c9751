//! The tap of a stream in the client's own dialect: bytes pass as they are.

use bytes::Bytes;

use super::output::{OutputChunk, TapError};
use super::summary::StreamSummary;
use super::{
    frames::Frames,
    note::{failure, note, unreadable},
    run::Run,
};
use crate::{
    canonical::Event,
    codec::{DialectCodec, Framing, StreamDecoder},
    dialect::Dialect,
    sse::{self, BOM, is_bare, write_without_end},
};

/// Watches one stream.
pub struct Verbatim {
    frames: Frames,
    framing: Framing,
    /// Lines without data are joined to the next event, as far as the dialect's clients take such lines at all.
    joins: bool,
    /// Whether the dialect's clients know an error by the name of its event.
    names_errors: bool,
    /// Whether an event came already; only the first may carry a byte order mark, which is left out.
    begun: bool,
    /// Whether the end of the last event was dropped: then the rest of its line end is dropped as well.
    dropped: bool,
    decoder: Box<dyn StreamDecoder>,
    seen: StreamSummary,
}

impl Verbatim {
    /// A tap for a stream that has not begun.
    #[must_use]
    pub fn new(dialect: &dyn DialectCodec) -> Self {
        let decoder = dialect.stream_decoder();
        let framing = decoder.framing();
        Self {
            frames: Frames::new(framing),
            framing,
            joins: dialect.accepts_comments(),
            names_errors: dialect.name() == Dialect::Anthropic,
            begun: false,
            dropped: false,
            decoder,
            seen: StreamSummary::default(),
        }
    }

    pub(super) const fn framing(&self) -> Framing {
        self.framing
    }

    pub(super) const fn seen(&self) -> &StreamSummary {
        &self.seen
    }

    #[allow(clippy::needless_pass_by_value, reason = "the pieces keep the chunk's memory alive")]
    pub(super) fn feed(&mut self, chunk: Bytes, out: &mut Vec<OutputChunk>) -> Result<(), TapError> {
        let mut run = Run::new(&chunk);
        if self.frames.holds() {
            let Some((event, len)) = self.frames.complete(&chunk)? else { return Ok(()) };
            run.skip(len);
            self.pass_held(event, out)?;
        } else if self.frames.second_half(&chunk) {
            if self.dropped { run.skip(1) } else { run.keep(1) }
        }
        let passed = self.pass_all(&mut run, out);
        // What came before an event that cannot be read goes out as well.
        run.flush(out);
        passed?;
        self.frames.hold(run.rest())
    }

    fn pass_all(&mut self, run: &mut Run<'_>, out: &mut Vec<OutputChunk>) -> Result<(), TapError> {
        while let Some(len) = self.frames.next(run.rest())? {
            self.pass(run, len, out)?;
        }
        Ok(())
    }

    fn pass_held(&mut self, event: Vec<u8>, out: &mut Vec<OutputChunk>) -> Result<(), TapError> {
        let event = Bytes::from(event);
        let mut run = Run::new(&event);
        self.pass(&mut run, event.len(), out)?;
        run.flush(out);
        Ok(())
    }

    /// Passes on the next event of a run, `len` bytes long.
    fn pass(&mut self, run: &mut Run<'_>, len: usize, out: &mut Vec<OutputChunk>) -> Result<(), TapError> {
        let mut event = &run.rest()[..len];
        if !std::mem::replace(&mut self.begun, true)
            && self.framing == Framing::Sse
            && let Some(unmarked) = event.strip_prefix(BOM)
        {
            // Strict readers know no byte order mark.
            run.skip(BOM.len());
            event = unmarked;
        }
        let said = self.read(event)?;
        let joined = self.joins && said == Said::Nothing && is_bare(event);
        self.dropped = joined || said == Said::Unreadable;
        match said {
            _ if joined => run.edit(event.len(), |edited| write_without_end(event, edited)),
            Said::End => {
                run.flush(out);
                run.keep(event.len());
                out.push(OutputChunk::Done(run.take()));
            }
            Said::Unreadable => {
                run.flush(out);
                run.skip(event.len());
            }
            Said::Nothing | Said::Events => run.keep(event.len()),
        }
        Ok(())
    }

    pub(super) fn finish(&mut self, out: &mut Vec<OutputChunk>) {
        let mut event = self.frames.rest();
        if self.framing == Framing::Sse && !event.is_empty() {
            // Only an event that a client could read is worth its missing blank line.
            let missing: &[u8] = if event.ends_with(b"\n") { b"\n" } else { b"\n\n" };
            event.extend_from_slice(missing);
            // Half an event is nothing.
            let _ = self.pass_held(event, out);
        }
        self.seen.done |= self.decoder.is_complete() && self.seen.error.is_none();
    }

    /// Notes what an event says.
    fn read(&mut self, event: &[u8]) -> Result<Said, TapError> {
        let done = self.seen.done;
        let seen = &mut self.seen;
        let mut events = 0u64;
        let (joins, named) = (self.joins, self.names_errors);
        let read = self.decoder.event(event, &mut |said: Event<'_>| {
            events += 1;
            match failure(&said) {
                // Gemini's clients read such an end by themselves.
                Some(error) if joins || !seen.content => {
                    seen.disguised |= seen.error.is_none();
                    note(seen, &Event::Error(error));
                }
                _ => {
                    let error = named && seen.error.is_none() && matches!(said, Event::Error(_));
                    seen.disguised |= error && sse::name(event) != Some(b"error");
                    note(seen, &said);
                }
            }
        });
        self.seen.progress += u64::from(events > 0);
        if read.is_err() {
            unreadable(event, self.framing, &mut self.seen)?;
            return Ok(Said::Unreadable);
        }
        Ok(match events {
            0 => Said::Nothing,
            _ if self.seen.done && !done => Said::End,
            _ => Said::Events,
        })
    }
}

/// What an event of the provider says.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Said {
    /// Nothing of an answer.
    Nothing,
    /// Something.
    Events,
    /// An error in words that no client can read either; the gateway writes one in its place.
    Unreadable,
    /// That the answer is whole.
    End,
}
