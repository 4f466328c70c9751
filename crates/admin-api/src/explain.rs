//! A dry run: what would become of a request, and why. The question and the answer.

use std::collections::BTreeMap;

use domain::{BudgetWindow, Dimension, ModelRef, Money, Strategy, Timestamp, Version};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Invalid, field::typed};

/// A request that is only imagined.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object, such as { tenant: acme, model: chat }")]
pub struct ExplainRequest {
    /// The tenant that sends the request, by name or id.
    pub tenant: String,
    /// The key it signs in with, by name or id; not given: one that may use every route and pins nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// What the client puts into `model`; may be left out where the body says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The client API, by the name that records use (`chat`, `responses`, `messages`, …); not given: `chat`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api: Option<String>,
    /// The region of the proxy; not given: that of the proxies that are connected, if they have one in common.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// What `x-portcullis-user` says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// What `x-portcullis-feature` says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub feature: Option<String>,
    /// What `x-portcullis-session` says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// What `x-portcullis-tags` says.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// The body as the client sends it, in the words of its API.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Value>,
    /// What the user says, in place of a body: the least body that says it is made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt: Option<String>,
}

impl ExplainRequest {
    /// Reads the question.
    ///
    /// # Errors
    /// A field is unknown, missing or wrong: its path.
    pub fn read(value: Value) -> Result<Self, Invalid> {
        typed(value, "").map_err(|error| Invalid(vec![error]))
    }
}

/// What would become of it. Nothing was sent, and nothing is counted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ExplainReply {
    /// The configuration it was decided by: the newest, which proxies follow within a second.
    pub version: Version,
    /// The tenant's name.
    pub tenant: String,
    /// The key's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The client API.
    pub api: String,
    /// The region of the proxy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Tokens of the input, estimated as proxies do.
    pub input_tokens: u64,
    /// What the client put into `model`.
    pub route: String,
    /// The rule that chose the pool; `null`: none matched.
    pub rule: Option<String>,
    /// The pool; `null`: the request does not come as far.
    pub pool: Option<String>,
    /// The route that the pool belongs to, where pools that are routes led on to another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pool_of: Option<String>,
    /// What every rule says of the request; of each route the first that matched decides.
    pub rules: Vec<RuleVerdict>,
    /// Targets in the order in which they would be tried.
    pub attempts: Vec<PlannedTarget>,
    /// Targets that would not be tried.
    pub passed_over: Vec<PassedTarget>,
    /// The budgets that would count it, as sent to the first target.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub budgets: Vec<ExplainBudget>,
    /// Why the request would be refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refusal: Option<ExplainRefusal>,
    /// What the knowledge of the targets' health comes from.
    pub health: ExplainHealth,
}

/// What a rule says of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RuleVerdict {
    /// The route it belongs to.
    pub route: String,
    /// The rule.
    pub rule: String,
    /// Whether it matches; not written: it cannot be evaluated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub matched: Option<bool>,
    /// Why it cannot be evaluated, which counts as no match.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// A target that would be tried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PlannedTarget {
    /// The target.
    pub target: ModelRef,
    /// Why it stands where it stands.
    pub reason: String,
    /// Its tier, from 1; in a cascade its step.
    pub tier: usize,
    /// How its tier orders targets; not written: it is the step of a cascade.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strategy: Option<Strategy>,
}

/// A target that would not be tried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PassedTarget {
    /// The target.
    pub target: ModelRef,
    /// Why not.
    pub why: String,
}

/// A budget that would count a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ExplainBudget {
    /// Its name.
    pub budget: String,
    /// Its owner: the request's tenant or one above it.
    pub tenant: String,
    /// The cap.
    pub cap: Money,
    /// What has a cap of its own; not written: all requests share it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per: Option<Dimension>,
    /// The request's value of it; empty: it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// The window.
    pub window: BudgetWindow,
    /// When it ends; not written: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends: Option<Timestamp>,
    /// Counted and reported, never enforced.
    pub observe: bool,
}

/// Why a request would be refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ExplainRefusal {
    /// The code of the error that the client would get.
    pub code: String,
    /// What it would say.
    pub message: String,
}

/// What the knowledge of targets' health comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ExplainHealth {
    /// How many proxies' reports were considered.
    pub proxies: usize,
    /// The same for people.
    pub basis: String,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_mistake_in_a_question_names_its_field() {
        let field = |value| ExplainRequest::read(value).unwrap_err().0[0].field.clone();
        assert_eq!(field(json!({ "model": "chat" })), "tenant");
        assert_eq!(field(json!({ "tenant": "acme", "modle": "chat" })), "modle");
        assert_eq!(field(json!({ "tenant": "acme", "model": 5 })), "model");
        assert_eq!(field(json!({ "tenant": "acme", "tags": { "a": 1 } })), "tags.a");
        assert_eq!(field(json!([])), "");
        let whole = json!({ "tenant": "acme", "model": "chat", "tags": { "a": "1" }, "body": { "n": 1 } });
        assert_eq!(serde_json::to_value(ExplainRequest::read(whole.clone()).unwrap()).unwrap(), whole);
    }
}
