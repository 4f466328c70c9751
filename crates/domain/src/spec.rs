//! What users write of each resource; the same types parse YAML, REST bodies, rows and snapshots.
//!
//! Unknown fields are refused everywhere: a proxy that does not know a field must not pretend to obey it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    HealthSpec, OriginList, ProbeSpec, RequestRate, Strictness, Timestamp, TokenRate, TranslationHeader,
    route::is_default,
};

/// An organisation that uses the gateway; owns keys, limits, budgets and usage.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TenantSpec {
    /// The tenant that it is part of, by name: budgets and limits of that one apply too, and its resources are seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// A word of the operator's own, for rules and reports (`free`, `pro`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tier: Option<String>,
    /// Refuses every request of the tenant while true.
    #[serde(skip_serializing_if = "is_false")]
    pub disabled: bool,
    /// The order in which requests are served, and refused, under load.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<Priority>,
    /// Origins of web pages that may use it, of those that the operator allows; not written: all of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cors_origins: Option<OriginList>,
}

impl TenantSpec {
    /// Most tenants of which each is the parent of the next.
    pub const DEEPEST: usize = 4;
}

/// The order in which requests are served, and refused, under load.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    /// Refused first.
    Low,
    /// The priority of what has none written.
    #[default]
    Normal,
    /// Refused last.
    High,
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
    /// In place of the tenant's priority; not above it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<Priority>,
    /// Origins of web pages that may use it, of those that the operator allows; not written: all of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cors_origins: Option<OriginList>,
    /// What happens to fields that the target of a translation cannot express, in place of what the route says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub translation: Option<Strictness>,
    /// With `tighten`, `x-portcullis-translation` may only be stricter than key and route.
    #[serde(skip_serializing_if = "is_default")]
    pub translation_header: TranslationHeader,
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
    /// Requests of the gateway's own that find out whether it answers.
    #[serde(default, skip_serializing_if = "ProbeSpec::is_off")]
    pub probe: ProbeSpec,
    /// When it is taken out of use, and how it comes back.
    #[serde(default, skip_serializing_if = "is_default")]
    pub health: HealthSpec,
}

impl ProviderSpec {
    /// What is wrong with its probe and health settings, each with the path of its field.
    #[must_use]
    pub fn problems(&self) -> Vec<(String, String)> {
        let mut found = self.probe.problems();
        found.extend(self.health.problems());
        found
    }
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
    /// What the provider grants this key, so that it is not asked for more.
    #[serde(default, skip_serializing_if = "is_default")]
    pub limits: CredentialLimits,
}

/// What a provider grants one of its keys; counted over all proxies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CredentialLimits {
    /// Requests in any interval of a length: `5000/min`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requests: Option<RequestRate>,
    /// Tokens, input and reserved output, in any interval of a length: `2M/min`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens: Option<TokenRate>,
    /// Requests in flight at once, streams until their end.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub concurrent: Option<u64>,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_fields_are_refused() {
        assert!(serde_json::from_str::<TenantSpec>(r#"{"alerts":[]}"#).is_err());
        assert!(serde_json::from_str::<CredentialSpec>(r#"{"provider":"a","limits":{"cost":1}}"#).is_err());
    }
}
