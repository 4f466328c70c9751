//! A lazy view of a validated JSON text: looks one level deep at a time, keeps the exact bytes, builds no tree.

use std::borrow::Cow;

use super::{Fault, Reader, decode};

/// Most elements of one array and members of one object that are looked at: far above any real call, and small
/// enough that a body made of brackets cannot multiply its own size in memory.
pub const MAX_ELEMENTS: usize = 100_000;

/// One JSON value, as it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Json<'a>(&'a str);

/// What a JSON value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JsonKind {
    /// `null`
    Null,
    /// `true` or `false`
    Bool,
    /// A number.
    Number,
    /// A string.
    String,
    /// An array.
    Array,
    /// An object.
    Object,
}

impl<'a> Json<'a> {
    /// The null value.
    pub const NULL: Json<'static> = Json("null");
    /// The empty array.
    pub const EMPTY_ARRAY: Json<'static> = Json("[]");
    /// The empty object.
    pub const EMPTY_OBJECT: Json<'static> = Json("{}");

    /// Validates a text (UTF-8, RFC 8259, at most 128 levels) and views it.
    ///
    /// # Errors
    /// Where and why it is no JSON.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, JsonError> {
        let text = simdutf8::compat::from_utf8(bytes)
            .map_err(|error| Fault { at: error.valid_up_to(), what: "expected UTF-8" })?;
        let mut reader = Reader::new(bytes);
        let span = reader.value()?;
        reader.end()?;
        Ok(Self(text.get(span).unwrap_or("null")))
    }

    /// Its exact text, without surrounding whitespace.
    #[must_use]
    pub const fn raw(self) -> &'a str {
        self.0
    }

    /// What it is.
    #[must_use]
    pub fn kind(self) -> JsonKind {
        match self.0.as_bytes().first() {
            Some(b'{') => JsonKind::Object,
            Some(b'[') => JsonKind::Array,
            Some(b'"') => JsonKind::String,
            Some(b't' | b'f') => JsonKind::Bool,
            Some(b'n') | None => JsonKind::Null,
            _ => JsonKind::Number,
        }
    }

    /// Whether it is `null`.
    #[must_use]
    pub fn is_null(self) -> bool {
        self.kind() == JsonKind::Null
    }

    /// The text of a string, unless it holds half a surrogate pair or the value is no string.
    #[must_use]
    pub fn text(self) -> Option<Cow<'a, str>> {
        if self.kind() != JsonKind::String {
            return None;
        }
        decode(self.0.as_bytes().get(1..self.0.len() - 1)?)
    }

    /// A boolean.
    #[must_use]
    pub fn bool(self) -> Option<bool> {
        match self.0 {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        }
    }

    /// A whole number that is not negative; `1e3` and `5.0` are whole as well.
    #[must_use]
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "checked to be whole and in range"
    )]
    pub fn u64(self) -> Option<u64> {
        if self.kind() != JsonKind::Number {
            return None;
        }
        self.0.parse().ok().or_else(|| {
            let number: f64 = self.0.parse().ok()?;
            ((0.0..=9_007_199_254_740_992.0).contains(&number) && number.fract() == 0.0)
                .then_some(number as u64)
        })
    }

    /// A number, nearest double.
    #[must_use]
    pub fn f64(self) -> Option<f64> {
        if self.kind() == JsonKind::Number { self.0.parse().ok() } else { None }
    }

    /// The elements, if the value is an array.
    ///
    /// # Errors
    /// It has more than [`MAX_ELEMENTS`].
    pub fn array(self) -> Result<Option<Vec<Self>>, JsonError> {
        if self.kind() != JsonKind::Array {
            return Ok(None);
        }
        let mut elements = Vec::new();
        Reader::new(self.0.as_bytes()).elements(|reader| {
            let span = reader.value()?;
            room(elements.len(), span.start)?;
            elements.push(Self(self.0.get(span).unwrap_or("null")));
            Ok::<(), Fault>(())
        })?;
        Ok(Some(elements))
    }

    /// The members in their order, if the value is an object.
    ///
    /// # Errors
    /// It has more than [`MAX_ELEMENTS`], or one key twice: two readers might each believe another one.
    pub fn object(self) -> Result<Option<Fields<'a>>, JsonError> {
        if self.kind() != JsonKind::Object {
            return Ok(None);
        }
        let mut members: Vec<Member<'a>> = Vec::new();
        Reader::new(self.0.as_bytes()).members(|reader, key| {
            let span = reader.value()?;
            let at = span.start;
            room(members.len(), at)?;
            let key =
                decode(key).ok_or(Fault { at, what: "expected a key without half a surrogate pair" })?;
            let value = Self(self.0.get(span).unwrap_or("null"));
            members.push(Member { key, value, taken: false });
            Ok::<(), Fault>(())
        })?;
        unique(&members)?;
        Ok(Some(Fields { members }))
    }
}

/// A text that is not the JSON it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid JSON at byte {at}: {what}")]
pub struct JsonError {
    /// Offset of the offending byte in the text that was looked at.
    pub at: usize,
    /// What was expected there.
    pub what: &'static str,
}

impl From<Fault> for JsonError {
    fn from(fault: Fault) -> Self {
        Self { at: fault.at, what: fault.what }
    }
}

const fn room(len: usize, at: usize) -> Result<(), Fault> {
    if len < MAX_ELEMENTS { Ok(()) } else { Err(Fault { at, what: "expected at most 100000 elements" }) }
}

/// Few objects have more than a handful of keys; those few are sorted.
fn unique(members: &[Member<'_>]) -> Result<(), Fault> {
    let twice = if members.len() <= 16 {
        members
            .iter()
            .enumerate()
            .any(|(at, member)| members[..at].iter().any(|before| before.key == member.key))
    } else {
        let mut keys: Vec<&str> = members.iter().map(|member| &*member.key).collect();
        keys.sort_unstable();
        keys.windows(2).any(|pair| pair[0] == pair[1])
    };
    if twice { Err(Fault { at: 0, what: "expected no key twice in one object" }) } else { Ok(()) }
}

#[derive(Clone, Debug)]
struct Member<'a> {
    key: Cow<'a, str>,
    value: Json<'a>,
    taken: bool,
}

/// The members of an object, which remember what was read of them.
#[derive(Clone, Debug)]
pub struct Fields<'a> {
    members: Vec<Member<'a>>,
}

impl<'a> Fields<'a> {
    /// The members under other names, where `rename` gives one.
    ///
    /// # Errors
    /// Two members have the same name then.
    pub(crate) fn renamed(mut self, rename: impl Fn(&str) -> Option<String>) -> Result<Self, JsonError> {
        let mut any = false;
        for member in &mut self.members {
            if let Some(name) = rename(&member.key) {
                member.key = Cow::Owned(name);
                any = true;
            }
        }
        if any {
            unique(&self.members)?;
        }
        Ok(self)
    }

    /// Takes a member; a null is as good as none.
    pub fn take(&mut self, key: &str) -> Option<Json<'a>> {
        let member = self.members.iter_mut().find(|member| member.key == key)?;
        member.taken = true;
        (!member.value.is_null()).then_some(member.value)
    }

    /// Looks at a member without taking it; a null is as good as none.
    #[must_use]
    pub fn peek(&self, key: &str) -> Option<Json<'a>> {
        let member = self.members.iter().find(|member| member.key == key)?;
        (!member.value.is_null()).then_some(member.value)
    }

    /// The members that were not taken, in order; nulls are left out.
    pub fn rest(self) -> impl Iterator<Item = (Cow<'a, str>, Json<'a>)> {
        let rest = self.members.into_iter().filter(|member| !member.taken && !member.value.is_null());
        rest.map(|member| (member.key, member.value))
    }

    /// All members, taken or not, in order.
    pub fn all(&self) -> impl Iterator<Item = (&str, Json<'a>)> {
        self.members.iter().map(|member| (&*member.key, member.value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_one_level_deep_and_keeps_the_exact_text() {
        let view = Json::parse(br#" {"a": [1.50, 9007199254740993], "b":null,"\u0063":"x\ny"} "#).unwrap();
        let mut fields = view.object().unwrap().unwrap();
        let list = fields.take("a").unwrap().array().unwrap().unwrap();
        assert_eq!((list[0].raw(), list[0].f64(), list[0].u64()), ("1.50", Some(1.5), None));
        assert_eq!(list[1].u64(), Some(9_007_199_254_740_993));
        assert_eq!(fields.take("b"), None);
        assert_eq!(fields.peek("c").unwrap().text().unwrap(), "x\ny");
        let rest: Vec<_> = fields.rest().collect();
        assert_eq!(rest, [(Cow::Borrowed("c"), Json("\"x\\ny\""))]);
    }

    #[test]
    fn refuses_duplicate_keys_however_they_are_written() {
        for text in [r#"{"a":1,"a":1}"#, r#"{"a":1,"\u0061":2}"#] {
            assert!(Json::parse(text.as_bytes()).unwrap().object().is_err(), "{text}");
        }
        let mut many: String = (0..40).map(|key| format!("\"k{key}\":0,")).collect();
        many = format!("{{{many}\"k7\":1}}");
        assert!(Json::parse(many.as_bytes()).unwrap().object().is_err());
    }

    #[test]
    fn bounds_what_it_looks_at() {
        let many = format!("[{}0]", "0,".repeat(MAX_ELEMENTS));
        assert!(Json::parse(many.as_bytes()).unwrap().array().is_err());
        assert!(Json::parse(&[b"\"\xff\"".as_slice()].concat()).is_err());
        assert_eq!(Json::parse(br#""\ud800""#).unwrap().text(), None);
        assert_eq!(Json::parse(b"-3").unwrap().u64(), None);
        assert_eq!(Json::parse(b"1e3").unwrap().u64(), Some(1000));
    }
}
