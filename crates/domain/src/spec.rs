//! What users write of each resource; the same types parse YAML, REST bodies, rows and snapshots.
//!
//! Unknown fields are refused everywhere: a proxy that does not know a field must not pretend to obey it.

use std::{collections::BTreeMap, fmt, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::{Duration, Timestamp};

/// An organisation that uses the gateway; owns keys, usage and, later, budgets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TenantSpec {
    /// A word of the operator's own, for rules and reports (`free`, `pro`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tier: Option<String>,
    /// Refuses every request of the tenant while true.
    #[serde(skip_serializing_if = "is_false")]
    pub disabled: bool,
}

/// A key that applications sign in with; the secret itself is shown once and kept as HMAC only.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct KeySpec {
    /// Routes the key may use; not written: all the tenant's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub routes: Option<Vec<String>>,
    /// From when on the key is refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
    /// Pins the user of every request, whatever the client says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Pins the feature of every request, whatever the client says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub feature: Option<String>,
    /// Refuses the key while true.
    #[serde(skip_serializing_if = "is_false")]
    pub disabled: bool,
}

/// An endpoint of a model provider.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProviderSpec {
    /// A row of the provider table (`openai`, `custom`, …): base URL, auth scheme and dialect come from it.
    pub kind: String,
    /// Instead of the row's base URL; `http` or `https`, for OpenAI's dialects with the version (`https://host/v1`), for
    /// others without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_url: Option<String>,
    /// The dialect it speaks (`chat`, `responses`, `messages`, `gemini`, `cohere`, `converse`), for kinds without a
    /// provider of their own (`custom`); not written: the row's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dialect: Option<String>,
    /// Where the endpoint stands, in the operator's own words; the cloud's name of it where the base URL holds it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// What else the row's base URL has to know: `project`, `resource`, `account`, `host`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub options: BTreeMap<String, String>,
    /// Takes the endpoint out of every route while true.
    #[serde(default, skip_serializing_if = "is_false")]
    pub disabled: bool,
}

/// A provider's API key; the secret is sealed apart and never part of this.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CredentialSpec {
    /// The provider the key is for, by name.
    pub provider: String,
    /// Share of traffic among the provider's credentials.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub weight: u32,
    /// Takes the key out of use while true.
    #[serde(default, skip_serializing_if = "is_false")]
    pub disabled: bool,
}

/// What applications put into `model`: an ordered chain of targets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RouteSpec {
    /// Tried in this order until one answers.
    #[schemars(length(min = 1, max = 32))]
    pub targets: Vec<TargetSpec>,
    /// Bounds of every wait.
    #[serde(default, skip_serializing_if = "is_default")]
    pub timeouts: Timeouts,
}

/// One target of a route; written short as `provider/model`, or long as `{ model: provider/model }`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetSpec {
    /// Provider and model.
    pub model: ModelRef,
}

/// Bounds of every wait of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Timeouts {
    /// TCP and TLS to the provider.
    pub connect: Duration,
    /// From sending the request to the first content of the answer.
    pub first_token: Duration,
    /// Between two pieces of content; keep-alive comments do not count.
    pub between_tokens: Duration,
    /// The whole request, all attempts included.
    pub total: Duration,
}

impl Default for Timeouts {
    /// Bounds that outlive a slow reasoning model but not a dead provider.
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(2),
            first_token: Duration::from_secs(60),
            between_tokens: Duration::from_secs(30),
            total: Duration::from_secs(600),
        }
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

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct LongTarget {
    model: ModelRef,
}

#[derive(Deserialize, JsonSchema)]
#[serde(untagged, expecting = "a target is written as provider/model, or as { model: provider/model }")]
enum WrittenTarget {
    Short(ModelRef),
    Long(LongTarget),
}

impl Serialize for TargetSpec {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.model.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for TargetSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (WrittenTarget::Short(model) | WrittenTarget::Long(LongTarget { model })) =
            WrittenTarget::deserialize(deserializer)?;
        Ok(Self { model })
    }
}

impl JsonSchema for TargetSpec {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Target".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        WrittenTarget::json_schema(generator)
    }
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
const fn is_false(value: &bool) -> bool {
    !*value
}

const fn one() -> u32 {
    1
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
const fn is_one(value: &u32) -> bool {
    *value == 1
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_reads_short_and_long_targets() {
        let route: RouteSpec =
            serde_json::from_str(r#"{"targets":["a/b",{"model":"c/d/e"}],"timeouts":{"total":"10s"}}"#)
                .unwrap();
        assert_eq!(route.targets[1].model.model, "d/e");
        assert_eq!(route.timeouts.total, Duration::from_secs(10));
        assert_eq!(route.timeouts.connect, Timeouts::default().connect);
        assert_eq!(serde_json::to_value(&route).unwrap()["targets"][1], "c/d/e");
    }

    #[test]
    fn unknown_fields_are_refused() {
        assert!(serde_json::from_str::<TenantSpec>(r#"{"budgets":[]}"#).is_err());
        assert!(serde_json::from_str::<RouteSpec>(r#"{"targets":[{"model":"a/b","wieght":2}]}"#).is_err());
        assert!(serde_json::from_str::<ModelRef>(r#""gpt""#).is_err());
    }
}
