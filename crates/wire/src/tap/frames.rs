//! Cutting a stream that arrives in pieces into whole events, server-sent or binary.

use super::output::TapError;
use crate::{
    codec::Framing,
    sse::{self, MAX_EVENT},
};

/// Cuts one stream; looks at every byte once.
#[derive(Debug)]
pub(crate) struct Frames {
    cut: Cut,
    /// The incomplete event at the end of what came so far.
    held: Vec<u8>,
}

#[derive(Debug)]
enum Cut {
    Sse(sse::Framer),
    /// Length in the first four bytes (docs/spec/streams.md#aws-event-stream-frames).
    AwsEventStream,
}

/// Shortest binary frame: prelude and two checksums.
const SHORTEST: usize = 16;

impl Frames {
    pub(crate) const fn new(framing: Framing) -> Self {
        let cut = match framing {
            Framing::Sse => Cut::Sse(sse::Framer::new()),
            Framing::AwsEventStream => Cut::AwsEventStream,
        };
        Self { cut, held: Vec::new() }
    }

    pub(crate) const fn framing(&self) -> Framing {
        match self.cut {
            Cut::Sse(_) => Framing::Sse,
            Cut::AwsEventStream => Framing::AwsEventStream,
        }
    }

    /// Whether the next whole event begins with bytes of an earlier chunk.
    pub(crate) const fn holds(&self) -> bool {
        !self.held.is_empty()
    }

    /// Takes the held start of an event together with its end in `chunk`; gives the event and how much of `chunk`
    /// belongs to it. If the chunk does not hold its end, the chunk is held as well.
    pub(crate) fn complete(&mut self, chunk: &[u8]) -> Result<Option<(Vec<u8>, usize)>, TapError> {
        let len = match &mut self.cut {
            Cut::Sse(framer) => framer.end(chunk),
            Cut::AwsEventStream => {
                // Four bytes of length may themselves be split.
                let before = self.held.len();
                let mut head: Vec<u8> = self.held.iter().copied().take(4).collect();
                head.extend(chunk.iter().take(4 - head.len()));
                match frame_len(&head)? {
                    Some(total) if total <= before + chunk.len() => Some(total - before),
                    _ => None,
                }
            }
        };
        let Some(len) = len else {
            self.hold(chunk)?;
            return Ok(None);
        };
        self.hold(&chunk[..len])?;
        Ok(Some((std::mem::take(&mut self.held), len)))
    }

    /// Length of the whole event at the start of `bytes`, when nothing is held.
    pub(crate) fn next(&mut self, bytes: &[u8]) -> Result<Option<usize>, TapError> {
        let len = match &mut self.cut {
            Cut::Sse(framer) => framer.end(bytes),
            Cut::AwsEventStream => frame_len(bytes)?.filter(|&len| len <= bytes.len()),
        };
        match len {
            Some(len) if len > MAX_EVENT => Err(TapError::EventTooLarge),
            len => Ok(len),
        }
    }

    /// Whether `bytes` begin with the LF of a CRLF that was cut in two.
    pub(crate) fn second_half(&mut self, bytes: &[u8]) -> bool {
        match &mut self.cut {
            Cut::Sse(framer) => framer.second_half(bytes),
            Cut::AwsEventStream => false,
        }
    }

    /// Keeps the start of an event.
    pub(crate) fn hold(&mut self, part: &[u8]) -> Result<(), TapError> {
        if self.held.len() + part.len() > MAX_EVENT {
            return Err(TapError::EventTooLarge);
        }
        self.held.extend_from_slice(part);
        Ok(())
    }

    /// What is held when the body ends: an event that may lack only its blank line.
    pub(crate) fn rest(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.held)
    }
}

/// The length a binary frame says it has, if there are enough bytes to know.
fn frame_len(bytes: &[u8]) -> Result<Option<usize>, TapError> {
    let Some(head) = bytes.first_chunk::<4>() else { return Ok(None) };
    match u32::from_be_bytes(*head) as usize {
        len if len > MAX_EVENT => Err(TapError::EventTooLarge),
        // A frame that claims to be shorter than its own checksums can never be read past.
        len if len < SHORTEST => Err(TapError::InvalidEvent),
        len => Ok(Some(len)),
    }
}
