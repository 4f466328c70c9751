//! The tap of a chat stream: whole events pass through as they are, and what they say is noted.

mod chunk;

use std::ops::Range;

use bytes::Bytes;

use self::chunk::{Chunk, Turns};
use super::{
    output::{OutputChunk, TapError},
    run::Run,
    summary::StreamSummary,
};
use crate::{
    error::stray_error,
    json::{Reader, decode, out},
    sse::{BOM, Data, Framer, MAX_EVENT, write_without_end},
};

const DONE: &[u8] = b"[DONE]";

/// What becomes of one event.
enum Verdict<'a> {
    Keep,
    Drop,
    Done,
    /// Relay it without this part of its data.
    Cut(Data<'a>, Range<usize>),
    /// It says nothing: relay its other lines without its end.
    Join,
}

/// Watches one chat stream of OpenAI's dialect.
#[derive(Debug)]
pub struct ChatTap {
    hide_usage: bool,
    framer: Framer,
    /// The incomplete event at the end of what came so far.
    held: Vec<u8>,
    /// Whether an event came already; only the first may carry a byte order mark, which is left out.
    begun: bool,
    /// Whether the end of the last event was dropped: then the rest of its line end is dropped as well.
    dropped: bool,
    /// The choices so far, and what every chunk says of the answer.
    turns: Turns,
    head: Option<Head>,
    seen: StreamSummary,
}

/// What every chunk of an answer repeats.
#[derive(Debug)]
struct Head {
    id: Box<str>,
    created: u64,
}

impl ChatTap {
    /// A tap for a stream that has not begun.
    ///
    /// `hide_usage`: the client did not ask for usage, the gateway did. The closing chunk that holds nothing
    /// else is dropped, and `"usage":null` is cut from the others.
    #[must_use]
    pub fn new(hide_usage: bool) -> Self {
        Self {
            hide_usage,
            framer: Framer::new(),
            held: Vec::new(),
            begun: false,
            dropped: false,
            turns: Turns::default(),
            head: None,
            seen: StreamSummary::default(),
        }
    }

    /// What the stream said so far.
    #[must_use]
    pub const fn seen(&self) -> &StreamSummary {
        &self.seen
    }

    /// Takes the next bytes from the provider and appends what may go to the client.
    ///
    /// Only an incomplete last event is held back. Events that stay as they are share the memory of `chunk`.
    ///
    /// # Errors
    /// An event exceeds [`MAX_EVENT`]; the stream must be given up. What was appended before is sound.
    #[allow(clippy::needless_pass_by_value, reason = "the pieces keep the chunk's memory alive")]
    pub fn feed(&mut self, chunk: Bytes, out: &mut Vec<OutputChunk>) -> Result<(), TapError> {
        let mut run = Run::new(&chunk);
        if !self.held.is_empty() {
            let Some(len) = self.framer.end(&chunk) else { return self.hold(&chunk) };
            self.hold(&chunk[..len])?;
            run.skip(len);
            self.pass_held(out);
        } else if self.framer.second_half(&chunk) {
            if self.dropped { run.skip(1) } else { run.keep(1) }
        }
        while let Some(len) = self.framer.end(run.rest()) {
            if len > MAX_EVENT {
                run.flush(out);
                return Err(TapError::EventTooLarge);
            }
            self.pass(&mut run, len, out);
        }
        run.flush(out);
        self.hold(run.rest())
    }

    /// The body ended: passes on an event that lacks only its blank line, and adds that line, so that
    /// whatever the caller appends stands apart. Half an event is dropped; no client could read it.
    pub fn finish(&mut self, out: &mut Vec<OutputChunk>) {
        let event = self.held.strip_prefix(BOM).unwrap_or(&self.held);
        if !Data::of(event).is_some_and(|data| is_complete(&data.payload())) {
            self.held.clear();
            return;
        }
        let missing: &[u8] = if self.held.ends_with(b"\n") { b"\n" } else { b"\n\n" };
        self.held.extend_from_slice(missing);
        self.pass_held(out);
    }

    fn hold(&mut self, part: &[u8]) -> Result<(), TapError> {
        if self.held.len() + part.len() > MAX_EVENT {
            return Err(TapError::EventTooLarge);
        }
        self.held.extend_from_slice(part);
        Ok(())
    }

    fn pass_held(&mut self, out: &mut Vec<OutputChunk>) {
        let event = Bytes::from(std::mem::take(&mut self.held));
        let mut run = Run::new(&event);
        self.pass(&mut run, event.len(), out);
        run.flush(out);
    }

    /// Passes on the next event of a run, `len` bytes long.
    fn pass(&mut self, run: &mut Run<'_>, len: usize, out: &mut Vec<OutputChunk>) {
        let mut event = &run.rest()[..len];
        if !std::mem::replace(&mut self.begun, true)
            && let Some(unmarked) = event.strip_prefix(BOM)
        {
            // Strict readers know no byte order mark.
            run.skip(BOM.len());
            event = unmarked;
        }
        let len = event.len();
        let verdict = self.judge(event);
        self.dropped = matches!(verdict, Verdict::Drop | Verdict::Join);
        match verdict {
            Verdict::Keep => run.keep(len),
            Verdict::Cut(data, cut) => run.edit(len, |edited| data.write_without(&cut, edited)),
            Verdict::Join => run.edit(len, |edited| write_without_end(event, edited)),
            Verdict::Drop => {
                run.flush(out);
                run.skip(len);
            }
            Verdict::Done => {
                run.flush(out);
                self.finish_turns(out);
                run.keep(len);
                out.push(OutputChunk::Done(run.take()));
            }
        }
    }

    /// Notes what an event says and decides what becomes of it.
    fn judge<'a>(&mut self, event: &'a [u8]) -> Verdict<'a> {
        let Some(data) = Data::of(event) else { return Verdict::Join };
        let payload = data.payload();
        let text = payload.trim_ascii();
        if text.is_empty() {
            return Verdict::Join;
        }
        self.seen.progress += 1;
        if text == DONE {
            // Another end behind the end would stand in front of it.
            return if std::mem::replace(&mut self.seen.done, true) { Verdict::Drop } else { Verdict::Done };
        }
        let mut chunk = Chunk::default();
        let well_formed = chunk.read(&payload).is_ok();
        if !chunk.has_choices()
            && chunk.error.is_none()
            && self.seen.error.is_none()
            && let Some(error) = stray_error(event, text)
        {
            self.seen.error = Some(error);
            self.seen.disguised = true;
            // The error that the gateway writes in its place is one that every client can read.
            return Verdict::Drop;
        }
        self.turns.add(chunk.turns);
        if self.head.is_none() && chunk.has_choices() {
            let id = decode(chunk.id).unwrap_or_default();
            let created = str::from_utf8(chunk.created).ok().and_then(|text| text.parse().ok());
            self.head = Some(Head { id: id.into(), created: created.unwrap_or_default() });
        }
        let (hidden, cut) = (chunk.only_usage(), chunk.null_usage.take());
        chunk.add_to(&mut self.seen);
        match cut {
            _ if !self.hide_usage || !well_formed => Verdict::Keep,
            _ if hidden => Verdict::Drop,
            Some(cut) => Verdict::Cut(data, cut),
            None => Verdict::Keep,
        }
    }

    /// Says why choices ended of which the provider does not: an agent that goes by the reason would not run its tools.
    fn finish_turns(&self, out: &mut Vec<OutputChunk>) {
        let open = self.turns.begun & !self.turns.finished;
        let (true, None, Some(head)) = (open != 0, &self.seen.error, &self.head) else { return };
        let mut chunk = b"data: ".to_vec();
        out::object(&mut chunk, |o| {
            o.text("id", &head.id);
            o.text("object", "chat.completion.chunk");
            o.number("created", head.created);
            o.text("model", self.seen.model.as_deref().unwrap_or_default());
            o.array("choices", |a| {
                for index in (0..u64::from(u64::BITS)).filter(|index| open >> index & 1 == 1) {
                    a.object(|o| {
                        o.number("index", index);
                        o.object("delta", |_| ());
                        let called = self.turns.called >> index & 1 == 1;
                        o.text("finish_reason", if called { "tool_calls" } else { "stop" });
                    });
                }
            });
        });
        chunk.extend_from_slice(b"\n\n");
        out.push(OutputChunk::Relay(chunk.into()));
    }
}

/// Whether data is whole although its event was never closed.
fn is_complete(payload: &[u8]) -> bool {
    let mut reader = Reader::new(payload);
    payload.trim_ascii() == DONE || reader.value().and_then(|_| reader.end()).is_ok()
}

#[cfg(test)]
mod tests;
