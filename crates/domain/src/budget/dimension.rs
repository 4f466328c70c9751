//! What requests are told apart by: a budget counts them per one of these, or only those with certain values.

use std::{fmt, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::{Attribution, schema::one_of};

/// Something that requests are told apart by; written as its name, a tag as `tag:NAME`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Dimension {
    /// The key that signed in.
    Key,
    /// The end user.
    User,
    /// The application's feature.
    Feature,
    /// The session.
    Session,
    /// The model that is sent to, `provider/model`.
    Model,
    /// The provider that is sent to.
    Provider,
    /// The route.
    Route,
    /// The value of a tag.
    Tag(String),
}

impl Dimension {
    const PLAIN: [Self; 7] =
        [Self::Key, Self::User, Self::Feature, Self::Session, Self::Model, Self::Provider, Self::Route];
}

impl fmt::Display for Dimension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key => f.write_str("key"),
            Self::User => f.write_str("user"),
            Self::Feature => f.write_str("feature"),
            Self::Session => f.write_str("session"),
            Self::Model => f.write_str("model"),
            Self::Provider => f.write_str("provider"),
            Self::Route => f.write_str("route"),
            Self::Tag(name) => write!(f, "tag:{name}"),
        }
    }
}

impl FromStr for Dimension {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(plain) = Self::PLAIN.into_iter().find(|plain| plain.to_string() == text) {
            return Ok(plain);
        }
        match text.strip_prefix("tag:") {
            // What a client can say in `x-portcullis-tags`, and nothing else.
            Some(name)
                if !name.is_empty()
                    && name.len() <= Attribution::MAX_NAME
                    && !name.contains(|c: char| c == '=' || c == ',' || c.is_control()) =>
            {
                Ok(Self::Tag(name.to_owned()))
            }
            Some(_) => Err(format!("{text:?} names no tag: 1 to 256 bytes without '=' and ','")),
            None => Err(format!(
                "{text:?} is unknown; write key, user, feature, session, tag:NAME, model, provider or route"
            )),
        }
    }
}

impl Serialize for Dimension {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Dimension {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for Dimension {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Dimension".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "pattern": "^(key|user|feature|session|model|provider|route|tag:[^=,]{1,256})$",
            "examples": ["user", "tag:team"],
        })
    }
}

/// The values that a filter lets through; a single one is written without a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilterValues(pub Vec<String>);

#[derive(Deserialize, JsonSchema)]
#[serde(untagged, expecting = "expected a value or a list of values")]
enum Written {
    One(String),
    Many(Vec<String>),
}

impl Serialize for FilterValues {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.as_slice() {
            [one] => serializer.serialize_str(one),
            many => many.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for FilterValues {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(match Written::deserialize(deserializer)? {
            Written::One(value) => vec![value],
            Written::Many(values) => values,
        }))
    }
}

impl JsonSchema for FilterValues {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "FilterValues".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        one_of(Written::json_schema(generator))
    }
}
