//! Shapes of JSON that a provider takes, and the first place where a request does not fit.

use std::fmt::Write;

use serde_json::{Map, Value};

/// What a value may be. `null` passes wherever a field may be left out, because SDKs write absent options so.
pub(crate) enum FieldSchema {
    Any,
    Bool,
    Str,
    /// A string with something else than white space in it.
    Text,
    Int,
    /// A number within these bounds.
    Num(f64, f64),
    Enum(&'static [&'static str]),
    /// An object with whatever fields.
    Map,
    List(&'static FieldSchema),
    Object(&'static [Field]),
    /// An object whose shape is told by the field of this name; without that field it is the first of these.
    Tagged(&'static str, &'static [(&'static str, &'static FieldSchema)]),
    /// An object with exactly one of these fields.
    OneOf(&'static [Field]),
    /// The first of these shapes that has the value's JSON type.
    Either(&'static [&'static FieldSchema]),
    Ref(&'static FieldSchema),
}

/// A field's name, with `!` at its end when it must be there, and its shape.
pub(crate) type Field = (&'static str, FieldSchema);

/// Numbers of any size.
pub(crate) const NUM: FieldSchema = FieldSchema::Num(f64::MIN, f64::MAX);

/// What is wrong at a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    Unknown,
    Missing,
    /// The wanted JSON type.
    Type(&'static str),
    /// A value of the right type that is not allowed, as the end of a sentence.
    Value(String),
}

/// One step down into a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Key(String),
    Index(usize),
}

/// A place in a document, outermost step first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Path(pub(crate) Vec<Step>);

impl Path {
    /// `messages.0.content`, as Anthropic and AWS write it.
    pub(crate) fn dotted(&self) -> String {
        self.write(|out, index| write!(out, ".{index}"))
    }

    /// `messages[0].content`, as OpenAI and Google write it.
    pub(crate) fn bracketed(&self) -> String {
        self.write(|out, index| write!(out, "[{index}]"))
    }

    fn write(&self, index: impl Fn(&mut String, usize) -> std::fmt::Result) -> String {
        let mut out = String::new();
        for step in &self.0 {
            // Writing to a String does not fail.
            let _ = match step {
                Step::Key(key) if out.is_empty() => write!(out, "{key}"),
                Step::Key(key) => write!(out, ".{key}"),
                Step::Index(at) => index(&mut out, *at),
            };
        }
        out
    }

    /// The last key, and the path to what holds it.
    pub(crate) fn split(&self) -> (String, Path) {
        let mut outer = self.clone();
        let last = match outer.0.pop() {
            Some(Step::Key(key)) => key,
            Some(Step::Index(at)) => at.to_string(),
            None => String::new(),
        };
        (last, outer)
    }
}

/// The first misfit of `value`, where, and what it is; unknown fields only when they are not allowed.
pub(crate) fn check(shape: &FieldSchema, value: &Value, allow_unknown: bool) -> Result<(), (Path, Fault)> {
    let mut checker = Checker { path: Path::default(), allow_unknown };
    checker.check(shape, value).map_err(|fault| (checker.path, fault))
}

struct Checker {
    path: Path,
    allow_unknown: bool,
}

impl Checker {
    /// Leaves `path` at the misfit.
    fn check(&mut self, shape: &FieldSchema, value: &Value) -> Result<(), Fault> {
        match shape {
            FieldSchema::Any => Ok(()),
            FieldSchema::Ref(shape) => self.check(shape, value),
            FieldSchema::Either(shapes) => match shapes.iter().find(|shape| takes(shape, value)) {
                Some(shape) => self.check(shape, value),
                None => Err(Fault::Type(shapes.first().map_or("nothing", |shape| kind(shape)))),
            },
            _ if !takes(shape, value) => Err(Fault::Type(kind(shape))),
            FieldSchema::Text => match value.as_str().is_some_and(|text| text.trim().is_empty()) {
                true => Err(Fault::Value("text must not be blank".into())),
                false => Ok(()),
            },
            FieldSchema::Num(least, most) => match value.as_f64().is_some_and(|n| n < *least || n > *most) {
                true => Err(Fault::Value(format!("must be between {least} and {most}"))),
                false => Ok(()),
            },
            FieldSchema::Enum(words) => match value.as_str().is_some_and(|word| words.contains(&word)) {
                true => Ok(()),
                false => Err(Fault::Value(format!("must be one of '{}'", words.join("', '")))),
            },
            FieldSchema::List(shape) => value.as_array().map_or(Ok(()), |list| self.list(shape, list)),
            _ => value.as_object().map_or(Ok(()), |map| self.map(shape, map)),
        }
    }

    fn map(&mut self, shape: &FieldSchema, map: &Map<String, Value>) -> Result<(), Fault> {
        match shape {
            FieldSchema::Ref(shape) => self.map(shape, map),
            FieldSchema::Object(fields) => self.object(fields, map),
            FieldSchema::OneOf(fields) => self.one_of(fields, map),
            FieldSchema::Tagged(tag, shapes) => self.tagged(tag, shapes, map),
            _ => Ok(()),
        }
    }

    fn at(&mut self, step: Step, shape: &FieldSchema, value: &Value) -> Result<(), Fault> {
        self.path.0.push(step);
        self.check(shape, value)?;
        self.path.0.pop();
        Ok(())
    }

    fn list(&mut self, shape: &FieldSchema, list: &[Value]) -> Result<(), Fault> {
        list.iter().enumerate().try_for_each(|(index, item)| self.at(Step::Index(index), shape, item))
    }

    fn object(&mut self, fields: &[Field], map: &Map<String, Value>) -> Result<(), Fault> {
        let missing = |(name, _): &&Field| name.strip_suffix('!').is_some_and(|name| !map.contains_key(name));
        if let Some((name, _)) = fields.iter().find(missing) {
            self.path.0.push(Step::Key(name.trim_end_matches('!').to_owned()));
            return Err(Fault::Missing);
        }
        for (key, value) in map {
            let known = fields.iter().find(|(name, _)| name.trim_end_matches('!') == key);
            match known {
                Some((name, _)) if value.is_null() && !name.ends_with('!') => {}
                Some((_, shape)) => self.at(Step::Key(key.clone()), shape, value)?,
                None if self.allow_unknown => {}
                None => {
                    self.path.0.push(Step::Key(key.clone()));
                    return Err(Fault::Unknown);
                }
            }
        }
        Ok(())
    }

    fn one_of(&mut self, fields: &[Field], map: &Map<String, Value>) -> Result<(), Fault> {
        self.object(fields, map)?;
        match map.iter().filter(|(_, value)| !value.is_null()).count() {
            1 => Ok(()),
            n => Err(Fault::Value(format!("exactly one field must be set, not {n}"))),
        }
    }

    fn tagged(
        &mut self,
        tag: &'static str,
        shapes: &[(&'static str, &'static FieldSchema)],
        map: &Map<String, Value>,
    ) -> Result<(), Fault> {
        let word = map.get(tag).filter(|word| !word.is_null());
        let found = match word {
            None => shapes.first(),
            Some(word) => shapes.iter().find(|(name, _)| word.as_str() == Some(name)),
        };
        let Some((_, shape)) = found else {
            let words: Vec<&str> = shapes.iter().map(|(name, _)| *name).collect();
            self.path.0.push(Step::Key(tag.to_owned()));
            return Err(Fault::Value(format!("must be one of '{}'", words.join("', '"))));
        };
        self.map(shape, map)
    }
}

fn takes(shape: &FieldSchema, value: &Value) -> bool {
    match shape {
        FieldSchema::Any => true,
        FieldSchema::Bool => value.is_boolean(),
        FieldSchema::Str | FieldSchema::Text | FieldSchema::Enum(_) => value.is_string(),
        FieldSchema::Int => value.is_u64() || value.is_i64(),
        FieldSchema::Num(..) => value.is_number(),
        FieldSchema::Map | FieldSchema::Object(_) | FieldSchema::Tagged(..) | FieldSchema::OneOf(_) => {
            value.is_object()
        }
        FieldSchema::List(_) => value.is_array(),
        FieldSchema::Either(shapes) => shapes.iter().any(|shape| takes(shape, value)),
        FieldSchema::Ref(shape) => takes(shape, value),
    }
}

fn kind(shape: &FieldSchema) -> &'static str {
    match shape {
        FieldSchema::Any => "value",
        FieldSchema::Bool => "boolean",
        FieldSchema::Str | FieldSchema::Text | FieldSchema::Enum(_) => "string",
        FieldSchema::Int => "integer",
        FieldSchema::Num(..) => "number",
        FieldSchema::Map | FieldSchema::Object(_) | FieldSchema::Tagged(..) | FieldSchema::OneOf(_) => {
            "object"
        }
        FieldSchema::List(_) => "array",
        FieldSchema::Either(shapes) => shapes.first().map_or("value", |shape| kind(shape)),
        FieldSchema::Ref(shape) => kind(shape),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    static TEXT: FieldSchema =
        FieldSchema::Object(&[("type!", FieldSchema::Str), ("text!", FieldSchema::Text)]);
    static IMAGE: FieldSchema =
        FieldSchema::Object(&[("type!", FieldSchema::Str), ("url!", FieldSchema::Str)]);
    static PART: FieldSchema = FieldSchema::Tagged("type", &[("text", &TEXT), ("image", &IMAGE)]);
    static PARTS: FieldSchema = FieldSchema::List(&PART);
    static REQUEST: FieldSchema = FieldSchema::Object(&[
        ("model!", FieldSchema::Str),
        ("content", FieldSchema::Either(&[&FieldSchema::Str, &PARTS])),
        ("heat", FieldSchema::Num(0.0, 2.0)),
        ("choice", FieldSchema::OneOf(&[("auto", FieldSchema::Map), ("any", FieldSchema::Map)])),
    ]);

    fn fault(value: &Value) -> (String, Fault) {
        check(&REQUEST, value, false).map_err(|(path, fault)| (path.bracketed(), fault)).unwrap_err()
    }

    #[test]
    fn what_fits_passes_and_null_is_absent() {
        let parts = json!([{"type": "text", "text": "a"}, {"type": "image", "url": "u"}]);
        for value in [
            json!({"model": "m", "content": "a", "heat": 2}),
            json!({"model": "m", "content": parts, "heat": null, "choice": {"auto": {}}}),
        ] {
            assert_eq!(check(&REQUEST, &value, false), Ok(()));
        }
    }

    #[test]
    fn every_misfit_is_named_with_its_place() {
        for (value, place, want) in [
            (json!({}), "model", Fault::Missing),
            (json!({"model": null}), "model", Fault::Type("string")),
            (json!({"model": "m", "modle": 1}), "modle", Fault::Unknown),
            (json!({"model": "m", "content": 7}), "content", Fault::Type("string")),
            (
                json!({"model": "m", "content": [{"type": "text", "text": "a", "x": 1}]}),
                "content[0].x",
                Fault::Unknown,
            ),
            (json!({"model": "m", "content": [{"type": "image"}]}), "content[0].url", Fault::Missing),
            (
                json!({"model": "m", "content": [{"type": "text", "text": " "}]}),
                "content[0].text",
                Fault::Value("text must not be blank".into()),
            ),
            (json!({"model": "m", "heat": 2.5}), "heat", Fault::Value("must be between 0 and 2".into())),
        ] {
            assert_eq!(fault(&value), (place.to_owned(), want), "{value}");
        }
        assert!(matches!(fault(&json!({"model": "m", "choice": {}})).1, Fault::Value(_)));
        let sound = json!({"model": "m", "content": [{"type": "sound"}]});
        assert_eq!(fault(&sound).0, "content[0].type");
    }

    #[test]
    fn unknown_fields_pass_when_they_may_and_paths_are_written_both_ways() {
        assert_eq!(check(&REQUEST, &json!({"model": "m", "new": 1}), true), Ok(()));
        let (path, _) =
            check(&REQUEST, &json!({"model": "m", "content": [{"type": "image"}]}), true).unwrap_err();
        assert_eq!(path.dotted(), "content.0.url");
        assert_eq!(path.split().0, "url");
    }
}
