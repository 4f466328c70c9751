//! A target of a route: a model at a provider.

use std::{fmt, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::schema::one_of;

/// One target of a route; written short as `provider/model`, or long as `{ model: provider/model, weight: 70 }`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetSpec {
    /// Provider and model.
    pub model: ModelRef,
    /// Its share under `weighted` and `sticky`, beside the other targets' weights; 1 to 1,000.
    pub weight: u32,
    /// Most requests that one proxy has in flight there for this route's tier; more wait, or go on.
    pub concurrent: Option<u32>,
}

impl TargetSpec {
    /// A target as the short form writes it.
    #[must_use]
    pub const fn new(model: ModelRef) -> Self {
        Self { model, weight: 1, concurrent: None }
    }
}

/// A reference to a model at a provider, `provider/model`; the model's own name may hold slashes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ModelRef {
    /// The provider resource's name.
    pub provider: String,
    /// The model's name at the provider.
    pub model: String,
}

impl ModelRef {
    /// What the catalogue's rows of a provider's kind are called where they travel among the operator's: no provider
    /// can have such a name.
    #[must_use]
    pub fn of_kind(kind: &str, model: &str) -> Self {
        Self { provider: format!("kind:{kind}"), model: model.to_owned() }
    }

    /// Whether it is such a name, which clients neither see nor use.
    #[must_use]
    pub fn is_of_kind(&self) -> bool {
        self.provider.starts_with("kind:")
    }
}

impl FromStr for ModelRef {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('/') {
            Some((provider, model)) if !provider.is_empty() && !model.is_empty() && text.len() <= 512 => {
                Ok(Self { provider: provider.to_owned(), model: model.to_owned() })
            }
            _ => Err(format!("{text:?} is not a model reference; write provider/model")),
        }
    }
}

impl fmt::Display for ModelRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.provider, self.model)
    }
}

impl Serialize for ModelRef {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ModelRef {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for ModelRef {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ModelRef".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string", "pattern": "^[^/]+/.+$", "maxLength": 512, "examples": ["openai/gpt-4o-mini"],
        })
    }
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct LongTarget {
    /// Provider and model.
    model: ModelRef,
    /// Its share of traffic beside the others' weights.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    #[schemars(range(min = 1, max = 1000))]
    weight: u32,
    /// Most requests that one proxy has in flight there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    concurrent: Option<u32>,
}

/// A model at a provider, with a weight or a bound of its own where it is written long.
#[derive(Deserialize, JsonSchema)]
#[serde(
    untagged,
    expecting = "a target is written as provider/model, or as { model: provider/model, weight: 70 }"
)]
enum WrittenTarget {
    Short(ModelRef),
    Long(LongTarget),
}

impl Serialize for TargetSpec {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if *self == Self::new(self.model.clone()) {
            return self.model.serialize(serializer);
        }
        let Self { model, weight, concurrent } = self.clone();
        LongTarget { model, weight, concurrent }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for TargetSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match WrittenTarget::deserialize(deserializer)? {
            WrittenTarget::Short(model) => Self::new(model),
            WrittenTarget::Long(LongTarget { model, weight, concurrent }) => {
                Self { model, weight, concurrent }
            }
        })
    }
}

impl JsonSchema for TargetSpec {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Target".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        one_of(WrittenTarget::json_schema(generator))
    }
}

const fn one() -> u32 {
    1
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
const fn is_one(value: &u32) -> bool {
    *value == 1
}
