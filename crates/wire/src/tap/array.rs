//! A stream that comes as one JSON array, as Gemini writes it where no events were asked for: its elements become events.

use bytes::Bytes;

use super::{
    StreamPipe,
    output::{OutputChunk, TapError},
};
use crate::sse::MAX_EVENT;

/// Cuts an array into its elements, and hands each on as an event.
pub struct ArrayPipe {
    place: Place,
    /// The start of an element, in the form of an event.
    element: Vec<u8>,
    inner: StreamPipe,
}

/// Where in the array the next byte is.
#[derive(Clone, Copy, Debug)]
enum Place {
    /// In front of the array.
    Before,
    /// Between elements.
    Between,
    /// In an element, so many brackets deep.
    Within { depth: u32, text: Text },
    /// Behind the array.
    Behind,
}

/// Whether the next byte belongs to a string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Text {
    Outside,
    Inside,
    /// Behind a backslash.
    Escaped,
}

impl ArrayPipe {
    pub(super) const fn new(inner: StreamPipe) -> Self {
        Self { place: Place::Before, element: Vec::new(), inner }
    }

    pub(super) const fn inner(&self) -> &StreamPipe {
        &self.inner
    }

    pub(super) fn feed(&mut self, chunk: &[u8], out: &mut Vec<OutputChunk>) -> Result<(), TapError> {
        let mut events = Vec::new();
        let cut = chunk.iter().try_for_each(|byte| self.take(*byte, &mut events));
        if !events.is_empty() {
            self.inner.feed(Bytes::from(events), out)?;
        }
        cut
    }

    /// The body ended; an array without its end may have been whole all the same.
    pub(super) fn finish(&mut self, out: &mut Vec<OutputChunk>) {
        self.inner.finish(out);
    }

    fn take(&mut self, byte: u8, events: &mut Vec<u8>) -> Result<(), TapError> {
        self.place = match (self.place, byte) {
            (place @ (Place::Before | Place::Between | Place::Behind), b' ' | b'\t' | b'\r' | b'\n') => place,
            (Place::Before, b'[') | (Place::Between, b',') => Place::Between,
            (Place::Between, b']') => Place::Behind,
            (Place::Between, b'{') => {
                self.element.extend_from_slice(b"data: {");
                Place::Within { depth: 1, text: Text::Outside }
            }
            (Place::Within { depth, text }, byte) => return self.within(depth, text, byte, events),
            _ => return Err(TapError::InvalidEvent),
        };
        Ok(())
    }

    fn within(&mut self, depth: u32, text: Text, byte: u8, events: &mut Vec<u8>) -> Result<(), TapError> {
        if self.element.len() >= MAX_EVENT {
            return Err(TapError::EventTooLarge);
        }
        // The line ends of a document that is written for people would end the event's data.
        self.element.push(if matches!(byte, b'\r' | b'\n') { b' ' } else { byte });
        let (depth, text) = match (text, byte) {
            (Text::Escaped, _) => (depth, Text::Inside),
            (Text::Inside, b'\\') => (depth, Text::Escaped),
            (Text::Inside, b'"') => (depth, Text::Outside),
            (Text::Outside, b'"') => (depth, Text::Inside),
            (Text::Outside, b'{' | b'[') => (depth.saturating_add(1), text),
            (Text::Outside, b'}' | b']') => (depth - 1, text),
            _ => (depth, text),
        };
        self.place = Place::Within { depth, text };
        if depth == 0 {
            self.place = Place::Between;
            events.append(&mut self.element);
            events.extend_from_slice(b"\n\n");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        dialect::Dialect,
        registry::codec,
        tap::{StreamSummary, Verbatim},
    };

    fn run(pieces: &[&[u8]]) -> (Result<String, TapError>, StreamSummary) {
        let inner = StreamPipe::Verbatim(Verbatim::new(codec(Dialect::Gemini)));
        let (mut pipe, mut out) = (StreamPipe::array(inner), Vec::new());
        let fed = pieces.iter().try_for_each(|piece| pipe.feed(Bytes::copy_from_slice(piece), &mut out));
        pipe.finish(&mut out);
        let bytes = out.iter().flat_map(|piece| match piece {
            OutputChunk::Relay(bytes) | OutputChunk::Done(bytes) => bytes.to_vec(),
        });
        let text = String::from_utf8(bytes.collect()).unwrap();
        (fed.map(|()| text), pipe.seen().clone())
    }

    #[test]
    fn elements_are_events_wherever_the_array_is_cut() {
        let array = "\n[{\"candidates\": [\r\n  {\"content\":{\"parts\":[{\"text\":\"a]}\\\"\\\\\"}]}}]}\n,\n\
            {\"candidates\":[{\"finishReason\":\"STOP\"}],\"usageMetadata\":{\"promptTokenCount\":3}}\n]\n";
        let whole = run(&[array.as_bytes()]);
        let text = whole.0.clone().unwrap();
        assert_eq!(text.matches("data: {").count(), 2, "{text}");
        assert_eq!(text.lines().filter(|line| !line.is_empty()).count(), 2, "{text}");
        assert!(
            whole.1.content && whole.1.finish && whole.1.done && whole.1.usage.is_some(),
            "{:?}",
            whole.1
        );
        for at in 0..=array.len() {
            assert_eq!(run(&[&array.as_bytes()[..at], &array.as_bytes()[at..]]), whole, "cut at {at}");
        }
    }

    #[test]
    fn an_array_of_one_error_is_an_error() {
        let seen = run(&[br#"[{"error":{"code":503,"message":"busy","status":"UNAVAILABLE"}}]"#]).1;
        assert_eq!(seen.error.unwrap().message, "busy");
    }

    #[test]
    fn what_is_no_array_of_objects_is_given_up_within_bounds() {
        for wrong in ["[1]", "{}", "[{}]{", "[\"a\"]", "[[", "[{}x"] {
            assert_eq!(run(&[wrong.as_bytes()]).0, Err(TapError::InvalidEvent), "{wrong}");
        }
        let endless = [b"[{\"a\":\"".to_vec(), vec![b'x'; MAX_EVENT]].concat();
        assert_eq!(run(&[&endless]).0, Err(TapError::EventTooLarge));
    }
}
