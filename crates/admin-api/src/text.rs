//! From the text of a document or body to one untyped value: YAML or JSON, duplicates refused, sizes bounded.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{self, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Value};

use crate::Invalid;

/// The largest document that is read.
pub const MAX_DOCUMENT_BYTES: usize = 8 * 1024 * 1024;

/// How a text is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// JSON.
    Json,
    /// YAML 1.2.
    Yaml,
}

impl Format {
    /// By media type; `None` for one that says neither.
    #[must_use]
    pub fn of_content_type(content_type: &str) -> Option<Self> {
        let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        if essence.ends_with("json") {
            Some(Self::Json)
        } else if essence.ends_with("yaml") {
            Some(Self::Yaml)
        } else {
            None
        }
    }

    /// By the first character; a YAML mapping in braces parses as YAML only if it is no JSON.
    #[must_use]
    pub fn sniff(text: &str) -> Self {
        if text.trim_start().starts_with('{') && serde_json::from_str::<de::IgnoredAny>(text).is_ok() {
            Self::Json
        } else {
            Self::Yaml
        }
    }
}

/// Reads a text into one value.
///
/// # Errors
/// With line and column when it is malformed, names a field twice, or exceeds a bound; parts of the text,
/// which may hold secrets, are not repeated.
pub fn parse(text: &str, format: Format) -> Result<Value, Invalid> {
    if text.len() > MAX_DOCUMENT_BYTES {
        return Err(Invalid::new("", format!("is larger than {MAX_DOCUMENT_BYTES} bytes")));
    }
    let malformed = |message: String| Invalid::new("", message);
    match format {
        Format::Json => {
            let parsed = serde_json::from_str::<Unique>(text);
            parsed.map(|unique| unique.0).map_err(|error| malformed(format!("malformed JSON: {error}")))
        }
        Format::Yaml => serde_saphyr::from_str_with_options(text, yaml_options())
            .map_err(|error| malformed(format!("malformed YAML: {}", error.without_snippet()))),
    }
}

fn yaml_options() -> serde_saphyr::Options {
    serde_saphyr::options! {
        with_snippet: false,
        // `region: no` means Norway.
        strict_booleans: true,
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: 100_000 },
        budget: serde_saphyr::budget! { max_documents: 1, max_nodes: 1_000_000, max_events: 3_000_000 },
    }
}

/// JSON without duplicate fields: the last one would win in silence.
struct Unique(Value);

impl<'de> Deserialize<'de> for Unique {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(UniqueVisitor).map(Self)
    }
}

struct UniqueVisitor;

impl<'de> Visitor<'de> for UniqueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(Unique(item)) = items.next_element()? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(name) = fields.next_key::<String>()? {
            let Unique(value) = fields.next_value()?;
            if map.contains_key(&name) {
                let shown: String = name.chars().take(60).collect();
                return Err(de::Error::custom(format_args!("the field {shown:?} is written twice")));
            }
            map.insert(name, value);
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn json_and_yaml_give_the_same_value() {
        let json = r#"{"a": [1, true, null, "x", 1.5], "b": {"c": "\ud83d\ude00"}}"#;
        let yaml = "a: [1, true, null, x, 1.5]\nb:\n  c: \"😀\"\n";
        assert_eq!(parse(json, Format::sniff(json)).unwrap(), parse(yaml, Format::sniff(yaml)).unwrap());
        let date = parse("at: 2027-12-31\nin: no\n", Format::Yaml).unwrap();
        assert_eq!(date, json!({ "at": "2027-12-31", "in": "no" }));
    }

    #[test]
    fn mistakes_are_located() {
        for (text, format) in [
            ("{\"a\": 1,\n \"a\": 2}", Format::Json),
            ("a: 1\na: 2\n", Format::Yaml),
            ("{\"a\": \n", Format::Json),
            ("a: [1\nb: 2\n", Format::Yaml),
        ] {
            let error = parse(text, format).unwrap_err().to_string();
            assert!(error.contains("line 2") && error.contains("column"), "{text:?}: {error}");
        }
    }

    #[test]
    fn bombs_end_early_and_secrets_are_not_repeated() {
        let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for level in 1..12 {
            let alias = format!("*a{}", level - 1);
            bomb += &format!("a{level}: &a{level} [{}]\n", vec![alias; 10].join(", "));
        }
        assert!(parse(&bomb, Format::Yaml).is_err());
        assert!(parse(&"[".repeat(100_000), Format::Json).is_err());
        assert!(parse(&"[".repeat(100_000), Format::Yaml).is_err());
        assert!(parse(&"x".repeat(MAX_DOCUMENT_BYTES + 1), Format::Yaml).is_err());
        assert!(parse("a: 1\n---\nb: 2\n", Format::Yaml).is_err());
        let error = parse("secret: { value: sk-canary\nb: 2: 3", Format::Yaml).unwrap_err().to_string();
        assert!(!error.contains("sk-canary"), "{error}");
    }

    #[test]
    fn content_types_say_the_format() {
        assert_eq!(Format::of_content_type("application/json; charset=utf-8"), Some(Format::Json));
        assert_eq!(Format::of_content_type("application/merge-patch+json"), Some(Format::Json));
        assert_eq!(Format::of_content_type("application/yaml"), Some(Format::Yaml));
        assert_eq!(Format::of_content_type("text/plain"), None);
    }
}
