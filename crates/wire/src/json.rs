//! A validating pull reader of JSON (RFC 8259) that walks bytes and builds nothing.
//!
//! One reader serves the request scan, the stream tap and the plain answer, because all three want a few
//! members out of a document that must keep its bytes as they are.

pub mod out;
mod view;

use std::{borrow::Cow, ops::Range};

pub use self::view::{Fields, Json, JsonError, JsonKind, MAX_ELEMENTS};

/// Deepest nesting that is read; more is refused, so that no body can exhaust the stack.
pub(crate) const MAX_DEPTH: u8 = 128;

/// Where and why a text is not JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    /// Offset of the offending byte.
    pub(crate) at: usize,
    /// What was expected there.
    pub(crate) what: &'static str,
}

/// A position in a JSON text.
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    depth: u8,
}

impl<'a> Reader<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, depth: 0 }
    }

    /// The next byte that is no whitespace, without consuming it.
    pub(crate) fn peek(&mut self) -> Option<u8> {
        while let Some(&byte) = self.bytes.get(self.at) {
            if !matches!(byte, b' ' | b'\n' | b'\r' | b'\t') {
                return Some(byte);
            }
            self.at += 1;
        }
        None
    }

    /// The offset of the next byte to read.
    pub(crate) const fn at(&self) -> usize {
        self.at
    }

    pub(crate) fn slice(&self, span: Range<usize>) -> &'a [u8] {
        self.bytes.get(span).unwrap_or_default()
    }

    /// Nothing but whitespace may be left.
    pub(crate) fn end(&mut self) -> Result<(), Fault> {
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(self.fault("expected nothing after the value")),
        }
    }

    /// Reads one value of any type and gives its span.
    pub(crate) fn value(&mut self) -> Result<Range<usize>, Fault> {
        let first = self.peek();
        let start = self.at;
        match first {
            Some(b'"') => return self.string(),
            Some(b'{') => self.members(|reader, _| reader.ignore())?,
            Some(b'[') => self.elements(|reader| reader.ignore())?,
            Some(b't') => self.word(b"true")?,
            Some(b'f') => self.word(b"false")?,
            Some(b'n') => self.word(b"null")?,
            Some(b'-' | b'0'..=b'9') => self.number()?,
            _ => return Err(self.fault("expected a value")),
        }
        Ok(start..self.at)
    }

    /// Reads one value of any type, of which nothing is wanted.
    pub(crate) fn ignore(&mut self) -> Result<(), Fault> {
        self.value().map(|_| ())
    }

    /// Reads an object; `member` is called with the raw key (escapes and all) in front of each value, which it must read.
    pub(crate) fn members<E: From<Fault>>(
        &mut self,
        mut member: impl FnMut(&mut Self, &'a [u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        self.open(b'{', "expected an object")?;
        let mut next = self.peek();
        if next == Some(b'}') {
            self.close();
            return Ok(());
        }
        loop {
            if next != Some(b'"') {
                return Err(self.fault("expected a key in quotes").into());
            }
            let key = self.string()?;
            self.expect(b':', "expected `:`")?;
            self.peek();
            member(self, self.slice(key.start + 1..key.end - 1))?;
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => break,
                _ => return Err(self.fault("expected `,` or `}`").into()),
            }
            next = self.peek();
        }
        self.close();
        Ok(())
    }

    /// Reads an array; `element` is called in front of each value, which it must read.
    pub(crate) fn elements<E: From<Fault>>(
        &mut self,
        mut element: impl FnMut(&mut Self) -> Result<(), E>,
    ) -> Result<(), E> {
        self.open(b'[', "expected an array")?;
        if self.peek() == Some(b']') {
            self.close();
            return Ok(());
        }
        loop {
            self.peek();
            element(self)?;
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => break,
                _ => return Err(self.fault("expected `,` or `]`").into()),
            }
        }
        self.close();
        Ok(())
    }

    /// [`Self::members`] of an object; a value of any other type is skipped.
    pub(crate) fn members_if_object(
        &mut self,
        member: impl FnMut(&mut Self, &'a [u8]) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        if self.peek() == Some(b'{') { self.members(member) } else { self.ignore() }
    }

    /// [`Self::elements`] of an array; a value of any other type is skipped.
    pub(crate) fn elements_if_array(
        &mut self,
        element: impl FnMut(&mut Self) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        if self.peek() == Some(b'[') { self.elements(element) } else { self.ignore() }
    }

    /// Reads a string and gives the span of its token, quotes included.
    pub(crate) fn string(&mut self) -> Result<Range<usize>, Fault> {
        self.expect(b'"', "expected a string")?;
        let start = self.at - 1;
        loop {
            self.at += plain_prefix(self.bytes.get(self.at..).unwrap_or_default());
            match self.bytes.get(self.at) {
                Some(b'"') => break,
                Some(b'\\') => self.escape()?,
                Some(_) => return Err(self.fault("expected no raw control character in a string")),
                None => return Err(self.fault("expected the end of the string")),
            }
        }
        self.at += 1;
        Ok(start..self.at)
    }

    fn escape(&mut self) -> Result<(), Fault> {
        self.at += 1;
        match self.bytes.get(self.at) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 1,
            Some(b'u') => {
                for _ in 0..4 {
                    self.at += 1;
                    if !self.bytes.get(self.at).is_some_and(u8::is_ascii_hexdigit) {
                        return Err(self.fault("expected four hexadecimal digits"));
                    }
                }
                self.at += 1;
            }
            _ => return Err(self.fault("expected an escape sequence")),
        }
        Ok(())
    }

    fn number(&mut self) -> Result<(), Fault> {
        self.skip(b'-');
        if !self.skip(b'0') {
            self.digits()?;
        }
        if self.skip(b'.') {
            self.digits()?;
        }
        if self.skip(b'e') || self.skip(b'E') {
            let _sign = self.skip(b'+') || self.skip(b'-');
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), Fault> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let count = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if count == 0 {
            return Err(self.fault("expected a digit"));
        }
        self.at += count;
        Ok(())
    }

    fn word(&mut self, word: &'static [u8]) -> Result<(), Fault> {
        if !self.bytes.get(self.at..).is_some_and(|rest| rest.starts_with(word)) {
            return Err(self.fault("expected a value"));
        }
        self.at += word.len();
        Ok(())
    }

    fn skip(&mut self, byte: u8) -> bool {
        let hit = self.bytes.get(self.at) == Some(&byte);
        self.at += usize::from(hit);
        hit
    }

    fn expect(&mut self, byte: u8, what: &'static str) -> Result<(), Fault> {
        if self.peek() != Some(byte) {
            return Err(self.fault(what));
        }
        self.at += 1;
        Ok(())
    }

    fn open(&mut self, bracket: u8, what: &'static str) -> Result<(), Fault> {
        self.expect(bracket, what)?;
        if self.depth == MAX_DEPTH {
            self.at -= 1;
            return Err(self.fault("expected no nesting deeper than 128 levels"));
        }
        self.depth += 1;
        Ok(())
    }

    const fn close(&mut self) {
        self.at += 1;
        self.depth -= 1;
    }

    const fn fault(&self, what: &'static str) -> Fault {
        Fault { at: self.at, what }
    }
}

/// Where a text has half of a surrogate pair, as JavaScript's strings may: an escape that stands for no character, so that
/// it cannot be written in another dialect.
#[must_use]
pub fn lone_surrogate(text: &[u8]) -> Option<usize> {
    let unit = |at: usize| {
        let hex = text.get(at..at + 6)?.strip_prefix(b"\\u")?;
        u16::from_str_radix(str::from_utf8(hex).ok()?, 16).ok()
    };
    let mut at = 0;
    while let Some(next) = memchr::memchr(b'\\', text.get(at..)?) {
        at += next;
        at += match unit(at) {
            Some(0xd800..=0xdbff) if matches!(unit(at + 6), Some(0xdc00..=0xdfff)) => 12,
            Some(0xd800..=0xdfff) => return Some(at),
            _ => 2,
        };
    }
    None
}

/// The text of a string's inside; `None` when it has no UTF-8 form (half a surrogate pair).
pub(crate) fn decode(inside: &[u8]) -> Option<Cow<'_, str>> {
    if memchr::memchr(b'\\', inside).is_none() {
        return str::from_utf8(inside).ok().map(Cow::Borrowed);
    }
    let mut token = Vec::with_capacity(inside.len() + 2);
    token.push(b'"');
    token.extend_from_slice(inside);
    token.push(b'"');
    serde_json::from_slice(&token).ok().map(Cow::Owned)
}

/// UTF-8 bytes of a string's inside once its escapes are resolved.
pub(crate) fn decoded_len(inside: &[u8]) -> usize {
    let mut len = inside.len();
    let mut rest = inside;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        let (escape, saved) = match rest.get(at + 1) {
            Some(b'u') => (6, 6 - utf8_len(rest.get(at + 2..at + 6).unwrap_or_default())),
            _ => (2, 1),
        };
        len = len.saturating_sub(saved);
        rest = rest.get(at + escape..).unwrap_or_default();
    }
    len
}

/// UTF-8 bytes that four hexadecimal digits stand for; each half of a surrogate pair counts as two.
fn utf8_len(hex: &[u8]) -> usize {
    match str::from_utf8(hex).ok().and_then(|hex| u16::from_str_radix(hex, 16).ok()) {
        Some(0..=0x7f) => 1,
        Some(0x80..=0x7ff | 0xd800..=0xdfff) => 2,
        _ => 3,
    }
}

/// How many leading bytes of a string are neither quote, backslash nor control character.
///
/// Eight at a time: prompts and base64 images are nearly all of a body. In each term the lowest flagged
/// byte is a true hit (borrows only run upwards from one), and only the lowest is used.
fn plain_prefix(bytes: &[u8]) -> usize {
    const ONES: u64 = u64::MAX / 255;
    const HIGH: u64 = ONES * 0x80;
    let zero_byte = |word: u64| word.wrapping_sub(ONES) & !word;
    let (words, tail) = bytes.as_chunks::<8>();
    for (index, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let control = word.wrapping_sub(ONES * 0x20) & !word;
        let hits = (control | zero_byte(word ^ (ONES * 0x22)) | zero_byte(word ^ (ONES * 0x5c))) & HIGH;
        if hits != 0 {
            return index * 8 + hits.trailing_zeros() as usize / 8;
        }
    }
    let plain = tail.iter().take_while(|&&byte| byte >= 0x20 && byte != b'"' && byte != b'\\').count();
    words.len() * 8 + plain
}

#[cfg(test)]
mod tests;
