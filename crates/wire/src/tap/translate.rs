//! The tap of a stream that is translated: events are read in the provider's dialect and written in the client's.

use bytes::Bytes;

use super::output::{OutputChunk, TapError};
use super::summary::StreamSummary;
use super::{
    frames::Frames,
    note::{failure, note, unreadable},
};
use crate::{
    canonical::{Event, LostParts},
    codec::{Framing, StreamDecoder, StreamEncoder},
    dialect::Dialect,
};

/// Translates one stream.
pub struct Translation {
    frames: Frames,
    decoder: Box<dyn StreamDecoder>,
    encoder: Box<dyn StreamEncoder>,
    seen: StreamSummary,
    /// The client's dialect, where what it loses is to be named.
    client: Option<Dialect>,
    lost: LostParts,
    /// Whether the terminal event was written.
    ended: bool,
}

impl Translation {
    /// A translation of a stream that has not begun.
    #[must_use]
    pub fn new(decoder: Box<dyn StreamDecoder>, encoder: Box<dyn StreamEncoder>) -> Self {
        let frames = Frames::new(decoder.framing());
        Self {
            frames,
            decoder,
            encoder,
            seen: StreamSummary::default(),
            client: None,
            lost: LostParts::default(),
            ended: false,
        }
    }

    /// The same, which names what a client of a dialect loses.
    #[must_use]
    pub fn naming_losses(self, client: Dialect) -> Self {
        Self { client: Some(client), ..self }
    }

    pub(super) fn lost(&self) -> &[String] {
        self.lost.names()
    }

    pub(super) fn framing(&self) -> Framing {
        self.encoder.framing()
    }

    pub(super) const fn seen(&self) -> &StreamSummary {
        &self.seen
    }

    pub(super) fn feed(&mut self, chunk: &[u8], out: &mut Vec<OutputChunk>) -> Result<(), TapError> {
        let mut at = 0;
        let mut written = Vec::new();
        let fed = self.feed_into(chunk, &mut at, &mut written);
        if !written.is_empty() {
            out.push(OutputChunk::Relay(Bytes::from(written)));
        }
        fed?;
        if self.seen.done {
            self.end(out);
        }
        self.frames.hold(chunk.get(at..).unwrap_or_default())
    }

    fn feed_into(&mut self, chunk: &[u8], at: &mut usize, written: &mut Vec<u8>) -> Result<(), TapError> {
        if self.frames.holds() {
            let Some((event, len)) = self.frames.complete(chunk)? else {
                *at = chunk.len();
                return Ok(());
            };
            *at = len;
            self.translate(&event, written)?;
        } else {
            *at = usize::from(self.frames.second_half(chunk));
        }
        while let Some(len) = self.frames.next(&chunk[*at..])? {
            let event = &chunk[*at..*at + len];
            *at += len;
            self.translate(event, written)?;
        }
        Ok(())
    }

    pub(super) fn finish(&mut self, out: &mut Vec<OutputChunk>) {
        let mut rest = self.frames.rest();
        if !rest.is_empty() {
            rest.extend_from_slice(b"\n\n");
            let mut written = Vec::new();
            // Half an event is nothing; whether the stream was whole is decided below.
            let _ = self.translate(&rest, &mut written);
            if !written.is_empty() {
                out.push(OutputChunk::Relay(Bytes::from(written)));
            }
        }
        let whole = self.seen.done || self.decoder.is_complete() || self.seen.finish;
        if whole && self.seen.error.is_none() {
            self.seen.done = true;
            self.end(out);
        }
    }

    /// Writes what is still owed, then the terminal event, once.
    fn end(&mut self, out: &mut Vec<OutputChunk>) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        let (mut owed, mut terminal) = (Vec::new(), Vec::new());
        self.encoder.end(&mut owed, &mut terminal);
        if !owed.is_empty() {
            out.push(OutputChunk::Relay(Bytes::from(owed)));
        }
        // A client dialect without a terminal event still has a moment at which the answer is whole.
        out.push(OutputChunk::Done(Bytes::from(terminal)));
    }

    fn translate(&mut self, event: &[u8], written: &mut Vec<u8>) -> Result<(), TapError> {
        let Self { seen, encoder, lost, ended, client, decoder, .. } = self;
        let (ended, client) = (*ended, *client);
        let mut events = 0u64;
        let read = decoder.event(event, &mut |event: Event<'_>| {
            events += 1;
            if let Some(error) = failure(&event) {
                note(seen, &Event::Error(error));
                return;
            }
            note(seen, &event);
            if let Some(client) = client {
                lost.add_event(&event, client);
            }
            if !ended && seen.error.is_none() && !matches!(event, Event::End) {
                encoder.event(&event, written);
            }
        });
        self.seen.progress += u64::from(events > 0);
        match read {
            Ok(()) => Ok(()),
            Err(_) => unreadable(event, self.frames.framing(), &mut self.seen),
        }
    }
}
