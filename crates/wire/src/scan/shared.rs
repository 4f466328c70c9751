//! What the scans of every dialect have in common: the frame around a body, and values read in one way only.

use std::ops::{Range, RangeInclusive};

use super::{MAX_OUTPUT, MAX_USER, ScanError};
use crate::{
    facts::RequestFacts,
    json::{Fault, Reader, decode, lone_surrogate},
    scan::PathParamsRef,
};

pub(crate) type Step = Result<(), ScanError>;

/// Begins to read a body, which must be UTF-8.
pub(crate) fn open(body: &[u8]) -> Result<Reader<'_>, ScanError> {
    match simdutf8::compat::from_utf8(body) {
        Ok(_) => Ok(Reader::new(body)),
        Err(error) => Err(Fault { at: error.valid_up_to(), what: "expected UTF-8" }.into()),
    }
}

/// The body's object has been read: nothing may follow. Gives the offset of the brace that closes it.
pub(crate) fn close(reader: &mut Reader<'_>) -> Result<usize, ScanError> {
    let close = reader.at() - 1;
    reader.end()?;
    Ok(close)
}

/// Reads the members of an object that are known, each of which may stand there once; passes over the others.
pub(crate) fn fields<'a, const N: usize>(
    reader: &mut Reader<'a>,
    known: [&'static str; N],
    mut read: impl FnMut(&mut Reader<'a>, &'static str) -> Step,
) -> Step {
    let mut seen = [false; N];
    reader.members(|reader, key| {
        let key = decode(key);
        let Some(at) = known.iter().position(|name| Some(*name) == key.as_deref()) else {
            return Ok(reader.ignore()?);
        };
        if std::mem::replace(&mut seen[at], true) {
            return Err(ScanError::field(known[at], "is there twice"));
        }
        read(reader, known[at])
    })
}

/// Reads an array of objects and gives their number.
pub(crate) fn objects<'a>(
    reader: &mut Reader<'a>,
    name: &'static str,
    mut read: impl FnMut(&mut Reader<'a>) -> Step,
) -> Result<u32, ScanError> {
    if reader.peek() != Some(b'[') {
        return Err(ScanError::field(name, "must be an array"));
    }
    let mut objects = 0_u32;
    reader.elements(|reader| {
        objects = objects.saturating_add(1);
        if reader.peek() != Some(b'{') {
            return Err(ScanError::field(name, "must hold objects only"));
        }
        read(reader)
    })?;
    Ok(objects)
}

/// The facts of a call that names its model and stream in the path.
pub(crate) fn of_path(path: PathParamsRef<'_>, field: &'static str) -> Result<RequestFacts, ScanError> {
    let model = path.model.filter(|model| !model.is_empty()).ok_or(missing(field))?;
    Ok(RequestFacts {
        stream: path.stream.unwrap_or(false),
        include_usage: true,
        ..RequestFacts::plain(model.to_owned(), 0..0)
    })
}

pub(crate) const fn missing(field: &'static str) -> ScanError {
    ScanError::field(field, "is missing")
}

/// The model and the span of its token.
pub(crate) fn model(reader: &mut Reader<'_>) -> Result<(String, Range<usize>), ScanError> {
    let span = reader.value()?;
    if lone_surrogate(reader.slice(span.clone())).is_some() {
        return Err(ScanError::field("model", "holds half of a surrogate pair, which is no character"));
    }
    let model = text(reader, &span).filter(|model| !model.is_empty());
    Ok((model.ok_or(ScanError::field("model", "must be a non-empty string"))?, span))
}

/// The text of a string value; `None` for any other type and for half a surrogate pair.
pub(crate) fn text(reader: &Reader<'_>, span: &Range<usize>) -> Option<String> {
    let inside = reader.slice(span.clone()).strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    decode(inside).map(String::from)
}

/// The text of the member that has this name, the last one's of several; `None` as well where there is no object.
pub(crate) fn text_of(
    reader: &mut Reader<'_>,
    is_it: impl Fn(&[u8]) -> bool,
) -> Result<Option<String>, Fault> {
    let mut found = None;
    reader.members_if_object(|reader, key| {
        let span = reader.value()?;
        if is_it(key) {
            found = text(reader, &span);
        }
        Ok(())
    })?;
    Ok(found)
}

/// An end user's name; what is no name is ignored, because attribution must not refuse a request.
pub(crate) fn user(reader: &mut Reader<'_>) -> Result<Option<String>, ScanError> {
    let span = reader.value()?;
    Ok(text(reader, &span).filter(|user| is_user(user)))
}

/// Whether a text can be an end user's name.
pub(crate) const fn is_user(text: &str) -> bool {
    !text.is_empty() && text.len() <= MAX_USER
}

/// A boolean and its span; null counts as false.
pub(crate) fn flag(reader: &mut Reader<'_>, name: &'static str) -> Result<(bool, Range<usize>), ScanError> {
    let span = reader.value()?;
    match reader.slice(span.clone()) {
        b"true" => Ok((true, span)),
        b"false" | b"null" => Ok((false, span)),
        _ => Err(ScanError::field(name, "must be true or false")),
    }
}

/// An output limit. Zero is refused too: some servers read it as "no limit".
pub(crate) fn limit(reader: &mut Reader<'_>, name: &'static str) -> Result<Option<u64>, ScanError> {
    count(reader, name, 1..=MAX_OUTPUT, "must be an integer from 1 to 1000000000")
}

/// An output limit where 0 has a meaning.
pub(crate) fn limit_or_zero(reader: &mut Reader<'_>, name: &'static str) -> Result<Option<u64>, ScanError> {
    count(reader, name, 0..=MAX_OUTPUT, "must be an integer from 0 to 1000000000")
}

/// An integer within bounds; null counts as absent.
pub(crate) fn count(
    reader: &mut Reader<'_>,
    name: &'static str,
    bounds: RangeInclusive<u64>,
    what: &'static str,
) -> Result<Option<u64>, ScanError> {
    let span = reader.value()?;
    let token = reader.slice(span);
    if token == b"null" {
        return Ok(None);
    }
    let number = str::from_utf8(token).ok().and_then(|token| token.parse().ok());
    number.filter(|number| bounds.contains(number)).map(Some).ok_or(ScanError::field(name, what))
}
