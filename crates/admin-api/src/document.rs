//! The document: what users write for `apply`, `--config` and `POST /api/v1/apply`.

mod budget;
mod check;
mod cycles;
mod desired;
mod export;
mod local;

use std::collections::BTreeMap;

use domain::{
    CredentialLimits, HealthSpec, LimitSpec, ModelRef, ModelSpec, OnStoreLoss, OriginList, Per, PriceSpec,
    Priority, ProbeSpec, RequestRate, RouteSpec, Strictness, Timestamp, TokenRate, TranslationHeader,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::budget::BudgetEntry;
use crate::{Format, Invalid, Name, RouteName, SecretSource, field::typed, text::parse};

pub use check::check_spec;
pub use cycles::{Cycle, cycles};
pub use desired::Desired;

/// The version of the document's form.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ApiVersion {
    /// The only one there is.
    #[default]
    #[serde(rename = "portcullis/v1")]
    V1,
}

/// A configuration: the operator's own resources, and the tenants with theirs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a mapping that starts with `apiVersion: portcullis/v1`")]
pub struct Document {
    /// Always `portcullis/v1`.
    #[serde(rename = "apiVersion")]
    pub api_version: ApiVersion,
    /// Endpoints of model providers, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub providers: BTreeMap<Name, ProviderEntry>,
    /// What applications put into `model`, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub routes: BTreeMap<RouteName, RouteSpec>,
    /// What is known of models, by `provider/model`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub models: BTreeMap<ModelRef, ModelSpec>,
    /// What models cost, from when on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub prices: Vec<PriceSpec>,
    /// Organisations that use the gateway, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tenants: BTreeMap<Name, TenantEntry>,
}

/// An endpoint of a model provider, with its API keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a provider, such as { kind: openai }")]
pub struct ProviderEntry {
    /// A row of the provider table (`openai`, `custom`, …): base URL, auth and dialect come from it.
    pub kind: String,
    /// Instead of the row's base URL; `http` or `https`, for OpenAI's dialects with the version (`https://host/v1`), for
    /// others without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_url: Option<String>,
    /// The dialect it speaks, where its kind is `custom` or `simulator` and it is not OpenAI Chat.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dialect: Option<String>,
    /// Where the endpoint stands, in the operator's own words; the cloud's name of it where the base URL holds it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// What else the base URL has to know: `project`, `resource`, `account`, `host`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub options: BTreeMap<String, String>,
    /// Takes the endpoint out of every route while true.
    #[serde(default, skip_serializing_if = "is_false")]
    pub disabled: bool,
    /// Requests of the gateway's own that find out whether it answers: `off`, `free` (the list of models), or
    /// `{ every: 30s, prompt: ping, max_tokens: 1, timeout: 5s }`.
    #[serde(default, skip_serializing_if = "ProbeSpec::is_off")]
    pub probe: ProbeSpec,
    /// When it is taken out of use, and how it comes back.
    #[serde(default, skip_serializing_if = "is_default")]
    pub health: HealthSpec,
    /// Its API keys; without one only local servers (`ollama`, `vllm`, …) take traffic.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub credentials: Vec<CredentialEntry>,
}

/// A provider's API key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a credential, such as { name: main, secret: { env: NAME } }")]
pub struct CredentialEntry {
    /// Unique within the provider.
    pub name: Name,
    /// Where the key comes from; never shown again. May be left out for a credential that exists.
    #[serde(default, skip_serializing)]
    pub secret: Option<SecretSource>,
    /// Share of traffic among the provider's credentials.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    #[schemars(range(min = 1, max = 1000))]
    pub weight: u32,
    /// Takes the key out of use while true.
    #[serde(default, skip_serializing_if = "is_false")]
    pub disabled: bool,
    /// What the provider grants this key, so that it is not asked for more.
    #[serde(default, skip_serializing_if = "is_default")]
    pub limits: CredentialLimits,
}

/// An organisation that uses the gateway, with what it owns; its own names shadow the operator's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, expecting = "a tenant, such as { keys: [ { name: backend } ] }")]
pub struct TenantEntry {
    /// The tenant that it is part of, by name: budgets and limits of that one apply too, and its resources are seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent: Option<Name>,
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
    /// Keys that its applications sign in with.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<KeyEntry>,
    /// Limits of its requests.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub limits: Vec<LimitEntry>,
    /// Caps on what its requests cost.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub budgets: Vec<BudgetEntry>,
    /// Endpoints of its own.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub providers: BTreeMap<Name, ProviderEntry>,
    /// Routes of its own.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub routes: BTreeMap<RouteName, RouteSpec>,
    /// Models of its own.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub models: BTreeMap<ModelRef, ModelSpec>,
    /// Prices of its own.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub prices: Vec<PriceSpec>,
}

/// A key that applications sign in with; the secret is made by the gateway and shown once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a key, such as { name: backend }")]
pub struct KeyEntry {
    /// Unique within the tenant.
    pub name: Name,
    /// Routes the key may use; not written: all the tenant's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub routes: Option<Vec<String>>,
    /// From when on the key is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
    /// Pins the user of every request, whatever the client says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Pins the feature of every request, whatever the client says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub feature: Option<String>,
    /// Refuses the key while true.
    #[serde(default, skip_serializing_if = "is_false")]
    pub disabled: bool,
    /// In place of the tenant's priority; not above it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<Priority>,
    /// Origins of web pages that may use it, of those that the operator allows; not written: all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cors_origins: Option<OriginList>,
    /// What happens to fields that the target of a translation cannot express, in place of what the route says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub translation: Option<Strictness>,
    /// With `tighten`, `x-portcullis-translation` may only be stricter than key and route.
    #[serde(default, skip_serializing_if = "is_default")]
    pub translation_header: TranslationHeader,
}

/// A limit; without a name it is called by what it counts per (`tenant`, `user`, `key`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a limit, such as { requests: 600/min, concurrent: 50 }")]
pub struct LimitEntry {
    /// Unique within the tenant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Name>,
    /// The requests that are counted together.
    #[serde(default)]
    pub per: Per,
    /// Requests in any interval of a length: `600/min`; `20/s` is smoothed instead of counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests: Option<RequestRate>,
    /// Requests in flight at once, streams until their end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrent: Option<u64>,
    /// Tokens of input and output together in any interval of a length: `100k/min`; what was taken beyond it is carried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<TokenRate>,
    /// Tokens of input, likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_tokens: Option<TokenRate>,
    /// Tokens of output, likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_tokens: Option<TokenRate>,
    /// Counted and reported, never enforced.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub observe: bool,
    /// What happens while the shared store is away.
    #[serde(default)]
    pub on_store_loss: OnStoreLoss,
    /// With `bounded`: what each proxy admits by itself meanwhile; a quarter of the limit if not written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_replica: Option<u64>,
}

impl LimitEntry {
    /// Of a row; one that is called after its `per` has no name of its own.
    fn of(name: &str, spec: &LimitSpec) -> Self {
        let LimitSpec { per, requests, concurrent, tokens, input_tokens, output_tokens, .. } = *spec;
        let name = Name::new(name).ok().filter(|name| name.as_str() != per.as_str());
        Self {
            name,
            per,
            requests,
            concurrent,
            tokens,
            input_tokens,
            output_tokens,
            observe: spec.observe,
            on_store_loss: spec.on_store_loss,
            per_replica: spec.per_replica,
        }
    }

    /// The row's name, and what was written.
    fn into_spec(self) -> (String, LimitSpec) {
        let Self { name, per, requests, concurrent, tokens, input_tokens, output_tokens, .. } = self;
        let name = name.map_or_else(|| per.as_str().to_owned(), |own| own.to_string());
        let spec = LimitSpec {
            per,
            requests,
            concurrent,
            tokens,
            input_tokens,
            output_tokens,
            observe: self.observe,
            on_store_loss: self.on_store_loss,
            per_replica: self.per_replica,
        };
        (name, spec)
    }
}

impl Document {
    /// Reads a document.
    ///
    /// # Errors
    /// When it is malformed (line and column), or a field is unknown, missing or wrong (its path).
    pub fn read(text: &str, format: Format) -> Result<Self, Invalid> {
        typed(parse(text, format)?, "").map_err(|error| Invalid(vec![error]))
    }
}

const fn one() -> u32 {
    1
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
const fn is_one(value: &u32) -> bool {
    *value == 1
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
const fn is_false(value: &bool) -> bool {
    !*value
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(yaml: &str) -> String {
        let text = format!("apiVersion: portcullis/v1\n{yaml}");
        Document::read(&text, Format::Yaml).unwrap_err().to_string()
    }

    #[test]
    fn every_mistake_names_its_path() {
        let cases = [
            ("tenants: { acme: { keys: [ { name: a, expires: x } ] } }", "tenants.acme.keys[0].expires: "),
            ("tenants: { acme: { sign_in: {} } }", "tenants.acme.sign_in: unknown field"),
            ("tenants: { acme: { budgets: [ { cap: $5 } ] } }", "tenants.acme.budgets[0].name: is required"),
            ("tenants: { acme: { budgets: [ { name: m } ] } }", "tenants.acme.budgets[0].cap: is required"),
            (
                "tenants: { acme: { budgets: [ { name: m, cap: 5 } ] } }",
                "tenants.acme.budgets[0].cap: must be a text",
            ),
            (
                "tenants: { acme: { budgets: [ { name: m, cap: $5, time_zone: Mars/Olympus } ] } }",
                "tenants.acme.budgets[0].time_zone: \"Mars/Olympus\" is no time zone",
            ),
            (
                "tenants: { acme: { budgets: [ { name: m, cap: $5, window: { rolling: 24h } } ] } }",
                "tenants.acme.budgets[0].window: rolling windows are not built yet",
            ),
            (
                "tenants: { acme: { budgets: [ { name: m, cap: $5, at_cap: { use: small } } ] } }",
                "tenants.acme.budgets[0].at_cap: `use` is not built yet",
            ),
            (
                "tenants: { acme: { budgets: [ { name: m, cap: $5, for: { colour: red } } ] } }",
                "tenants.acme.budgets[0].for.colour: \"colour\" is unknown; write key",
            ),
            (
                "tenants: { acme: { budgets: [ { name: m, cap: $5, for: { user: 5 } } ] } }",
                "tenants.acme.budgets[0].for.user: expected a value or a list of values",
            ),
            ("alerts: {}", "alerts: unknown field"),
            ("providers: { a: { kind: openai, probe: on } }", "providers.a.probe: "),
            ("providers: { a: { kind: openai, alerts: off } }", "providers.a.alerts: unknown field"),
            ("providers: { a: {} }", "providers.a.kind: is required"),
            ("providers: { a: openai }", "providers.a: "),
            ("providers: { 'a b': { kind: openai } }", "providers.a b: "),
            ("routes: { chat: { targets: [ gpt ] } }", "routes.chat.targets[0]: "),
            ("routes: { chat: { hedge: {}, targets: [] } }", "routes.chat.hedge: unknown field"),
            ("models: { gpt: {} }", "models.gpt: "),
            (
                "prices: [ { model: a/b, effective_from: 2026-01-01, input: 1, output: $1 } ]",
                "prices[0].input: ",
            ),
            (
                "providers: { a: { kind: b, credentials: [ { name: m, secret: sk-canary } ] } }",
                "providers.a.credentials[0].secret: a secret is written as",
            ),
        ];
        for (yaml, expected) in cases {
            let shown = error(yaml);
            assert!(shown.starts_with(expected), "{yaml}\n{shown}");
            assert!(!shown.contains("canary"), "{shown}");
        }
        assert_eq!(Document::read("{}", Format::Yaml).unwrap_err().to_string(), "apiVersion: is required");
        assert!(Document::read("", Format::Yaml).is_err());
        assert!(Document::read("apiVersion: portcullis/v2", Format::Yaml).is_err());
    }
}
