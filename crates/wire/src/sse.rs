//! Framing of server-sent events: where an event ends, and what its data is.
//!
//! After the HTML standard's grammar: lines end in CR, LF or CRLF, a blank line ends an event.

use std::{borrow::Cow, ops::Range};

/// Largest event that is held back while it is incomplete.
pub const MAX_EVENT: usize = 4 << 20;

/// The mark some servers put in front of a stream.
pub(crate) const BOM: &[u8] = b"\xef\xbb\xbf";

/// Finds the ends of events in a stream that arrives in pieces; looks at every byte once.
#[derive(Debug)]
pub(crate) struct Framer {
    line_start: bool,
    /// The last byte seen was a CR; an LF that follows belongs to the same line end.
    after_cr: bool,
}

impl Framer {
    pub(crate) const fn new() -> Self {
        Self { line_start: true, after_cr: false }
    }

    /// Length of what is left of the current event, its blank line included, if `bytes` hold its end.
    pub(crate) fn end(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut at = usize::from(self.second_half(bytes));
        loop {
            let &first = bytes.get(at)?;
            let blank = self.line_start && matches!(first, b'\r' | b'\n');
            if !blank {
                self.line_start = false;
                at += memchr::memchr2(b'\r', b'\n', bytes.get(at..)?)?;
            }
            let cr = bytes.get(at) == Some(&b'\r');
            at += 1;
            self.line_start = true;
            self.after_cr = cr;
            at += usize::from(self.second_half(bytes.get(at..)?));
            if blank {
                return Some(at);
            }
        }
    }

    /// Whether `bytes` begin with the LF of a CRLF that was cut in two.
    pub(crate) fn second_half(&mut self, bytes: &[u8]) -> bool {
        let Some(&first) = bytes.first() else { return false };
        std::mem::take(&mut self.after_cr) && first == b'\n'
    }
}

/// The data lines of one event.
pub(crate) struct Data<'a> {
    event: &'a [u8],
    first: Range<usize>,
    /// Further lines; nearly always none.
    more: Vec<Range<usize>>,
}

impl<'a> Data<'a> {
    /// Finds the data of a whole event; `None` when it has none (comments, blank lines, other fields).
    pub(crate) fn of(event: &'a [u8]) -> Option<Self> {
        let mut data: Option<Self> = None;
        let mut at = 0;
        while at < event.len() {
            let rest = &event[at..];
            let len = memchr::memchr2(b'\r', b'\n', rest).unwrap_or(rest.len());
            if let Some(value) = data_value(&rest[..len]) {
                let line = at + value..at + len;
                match &mut data {
                    None => data = Some(Self { event, first: line, more: Vec::new() }),
                    Some(data) => data.more.push(line),
                }
            }
            at += len + 1;
        }
        data
    }

    /// The data: its lines joined by LF.
    pub(crate) fn payload(&self) -> Cow<'a, [u8]> {
        let first = &self.event[self.first.clone()];
        if self.more.is_empty() {
            return Cow::Borrowed(first);
        }
        let mut joined = first.to_vec();
        for line in &self.more {
            joined.push(b'\n');
            joined.extend_from_slice(&self.event[line.clone()]);
        }
        Cow::Owned(joined)
    }

    /// Appends the event without a part of its payload; the framing around the part stays.
    pub(crate) fn write_without(&self, cut: &Range<usize>, out: &mut Vec<u8>) {
        let (mut from, mut base) = (0, 0);
        for line in std::iter::once(&self.first).chain(&self.more) {
            let within = |offset: usize| line.start + offset.saturating_sub(base).min(line.len());
            out.extend_from_slice(&self.event[from..within(cut.start)]);
            from = within(cut.end);
            base += line.len() + 1;
        }
        out.extend_from_slice(&self.event[from..]);
    }
}

/// The name of an event, if it has one.
pub(crate) fn name(event: &[u8]) -> Option<&[u8]> {
    let mut lines = event.split(|byte| matches!(byte, b'\r' | b'\n'));
    let value = lines.find_map(|line| line.strip_prefix(b"event:"))?;
    Some(value.strip_prefix(b" ").unwrap_or(value))
}

/// Whether a whole event says nothing: it has no data, or blank data.
pub(crate) fn is_bare(event: &[u8]) -> bool {
    Data::of(event).is_none_or(|data| data.payload().trim_ascii().is_empty())
}

/// Appends what is left of an event that says nothing: its comments, and fields that outlive it. Name, blank data and
/// blank line are left out, so that these lines stand in the block of the next event: strict readers take any block for
/// an event, and fail on one without data.
pub(crate) fn write_without_end(event: &[u8], out: &mut Vec<u8>) {
    let mut rest = event;
    while !rest.is_empty() {
        let len = memchr::memchr2(b'\r', b'\n', rest).unwrap_or(rest.len());
        let end = len + usize::from(len < rest.len()) + usize::from(rest[len..].starts_with(b"\r\n"));
        let of_event = [&b"event"[..], b"data"]
            .into_iter()
            .any(|name| rest[..len].strip_prefix(name).is_some_and(|value| matches!(value, [] | [b':', ..])));
        if len > 0 && !of_event {
            out.extend_from_slice(&rest[..end]);
        }
        rest = &rest[end..];
    }
}

/// Where the value begins in a line of the field `data`; other fields and comments have none.
fn data_value(line: &[u8]) -> Option<usize> {
    match line.strip_prefix(b"data")? {
        [] => Some(4),
        [b':', b' ', ..] => Some(6),
        [b':', ..] => Some(5),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
