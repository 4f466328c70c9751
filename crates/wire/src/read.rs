//! Typed reading of a call's members, with the member's place in every complaint.

use std::fmt;

use crate::{
    canonical::{Malformed, Text},
    json::{Fields, Json, JsonKind},
};

/// Where in a body one stands; costs nothing until somebody asks for its name.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'p> {
    parent: Option<&'p Place<'p>>,
    step: Step<'p>,
}

#[derive(Clone, Copy, Debug)]
enum Step<'p> {
    BasePath,
    Key(&'p str),
    Index(usize),
}

impl<'p> Place<'p> {
    /// The body itself.
    pub(crate) const ROOT: Place<'static> = Place { parent: None, step: Step::BasePath };

    /// A member of the object here.
    pub(crate) const fn key(&'p self, key: &'p str) -> Self {
        Place { parent: Some(self), step: Step::Key(key) }
    }

    /// An element of the array here.
    pub(crate) const fn index(&'p self, index: usize) -> Self {
        Place { parent: Some(self), step: Step::Index(index) }
    }

    /// The complaint that something is wrong here.
    pub(crate) fn malformed(&self, what: impl Into<String>) -> Malformed {
        Malformed::new(self.to_string(), what)
    }
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(parent) = self.parent {
            parent.fmt(f)?;
        }
        match (self.step, self.parent.map(|parent| parent.step)) {
            (Step::BasePath, _) => Ok(()),
            (Step::Index(index), _) => write!(f, "[{index}]"),
            (Step::Key(key), None | Some(Step::BasePath)) => f.write_str(key),
            (Step::Key(key), _) => write!(f, ".{key}"),
        }
    }
}

/// The members of one object and where it stands; null members are absent.
pub(crate) struct Members<'a, 'p> {
    fields: Fields<'a>,
    pub(crate) place: &'p Place<'p>,
}

impl<'a, 'p> Members<'a, 'p> {
    /// Opens an object.
    pub(crate) fn open(json: Json<'a>, place: &'p Place<'p>) -> Result<Self, Malformed> {
        let fields = json.object().map_err(|error| place.malformed(error.to_string()))?;
        Ok(Self { fields: fields.ok_or_else(|| place.malformed("must be an object"))?, place })
    }

    /// Opens an object that may name its members otherwise than they are read: `rename` gives the latter.
    pub(crate) fn open_renamed(
        json: Json<'a>,
        place: &'p Place<'p>,
        rename: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, Malformed> {
        let Self { fields, place } = Self::open(json, place)?;
        let fields = fields.renamed(rename).map_err(|error| place.malformed(error.to_string()))?;
        Ok(Self { fields, place })
    }

    /// A member as it is.
    pub(crate) fn raw(&mut self, key: &str) -> Option<Json<'a>> {
        self.fields.take(key)
    }

    /// Looks at a member without taking it.
    pub(crate) fn peek(&self, key: &str) -> Option<Json<'a>> {
        self.fields.peek(key)
    }

    /// A member of the given kind.
    pub(crate) fn kind(
        &mut self,
        key: &str,
        kind: JsonKind,
        what: &'static str,
    ) -> Result<Option<Json<'a>>, Malformed> {
        match self.fields.take(key) {
            Some(value) if value.kind() != kind => Err(self.place.key(key).malformed(what)),
            value => Ok(value),
        }
    }

    /// A string.
    pub(crate) fn text(&mut self, key: &str) -> Result<Option<Text<'a>>, Malformed> {
        let value = self.fields.take(key);
        let text = |value: Json<'a>| value.text().ok_or(self.place.key(key).malformed("must be a string"));
        value.map(text).transpose()
    }

    /// A string that has to be there.
    pub(crate) fn need_text(&mut self, key: &str) -> Result<Text<'a>, Malformed> {
        let text = self.text(key)?;
        text.ok_or_else(|| self.missing(key))
    }

    /// A whole number that is not negative.
    pub(crate) fn u64(&mut self, key: &str) -> Result<Option<u64>, Malformed> {
        let what = "must be a whole number that is not negative";
        let value = self.fields.take(key);
        value.map(|value| value.u64().ok_or_else(|| self.place.key(key).malformed(what))).transpose()
    }

    /// A number, as it is written.
    pub(crate) fn number(&mut self, key: &str) -> Result<Option<Json<'a>>, Malformed> {
        self.kind(key, JsonKind::Number, "must be a number")
    }

    /// A boolean.
    pub(crate) fn bool(&mut self, key: &str) -> Result<Option<bool>, Malformed> {
        let value = self.fields.take(key);
        let what = "must be true or false";
        value.map(|value| value.bool().ok_or_else(|| self.place.key(key).malformed(what))).transpose()
    }

    /// An object, as it is written.
    pub(crate) fn object(&mut self, key: &str) -> Result<Option<Json<'a>>, Malformed> {
        self.kind(key, JsonKind::Object, "must be an object")
    }

    /// The elements of an array; an absent one has none.
    pub(crate) fn array(&mut self, key: &str) -> Result<Vec<Json<'a>>, Malformed> {
        let Some(value) = self.fields.take(key) else { return Ok(Vec::new()) };
        let place = self.place.key(key);
        let array = value.array().map_err(|error| place.malformed(error.to_string()))?;
        array.ok_or_else(|| place.malformed("must be an array"))
    }

    /// The strings of an array.
    pub(crate) fn texts(&mut self, key: &str) -> Result<Vec<Text<'a>>, Malformed> {
        let elements = self.array(key)?;
        let place = self.place.key(key);
        let text = |(at, value): (usize, Json<'a>)| {
            value.text().ok_or_else(|| place.index(at).malformed("must be a string"))
        };
        elements.into_iter().enumerate().map(text).collect()
    }

    /// The complaint that a member is not there.
    pub(crate) fn missing(&self, key: &str) -> Malformed {
        self.place.key(key).malformed("is missing")
    }

    /// The members that were not taken.
    pub(crate) fn rest(self) -> impl Iterator<Item = (Text<'a>, Json<'a>)> {
        self.fields.rest()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn complaints_name_the_place() {
        let body = Json::parse(br#"{"messages":[{"role":1,"n":-1,"list":["a",2]}]}"#).unwrap();
        let mut root = Members::open(body, &Place::ROOT).unwrap();
        let messages = root.array("messages").unwrap();
        let list = Place::ROOT.key("messages");
        let place = list.index(0);
        let mut message = Members::open(messages[0], &place).unwrap();
        let complaint = |error: Malformed| error.to_string();
        assert_eq!(complaint(message.text("role").unwrap_err()), "`messages[0].role` must be a string");
        assert_eq!(
            complaint(message.u64("n").unwrap_err()),
            "`messages[0].n` must be a whole number that is not negative"
        );
        assert_eq!(complaint(message.texts("list").unwrap_err()), "`messages[0].list[1]` must be a string");
        assert_eq!(complaint(message.need_text("id").unwrap_err()), "`messages[0].id` is missing");
        assert_eq!(complaint(root.need_text("model").unwrap_err()), "`model` is missing");
    }
}
