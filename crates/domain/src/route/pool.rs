//! Pools and tiers as users write them, the forms they can have, and what is wrong with one.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ModelRef, Require, RouteSpec, RuleSpec, StickyBy, Strategy, TargetSpec};
use crate::Duration;

/// Targets for the requests that rules send here, in one of four forms: `targets` (one tier), `tiers`, `cascade`, or
/// another `route`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PoolSpec {
    /// One tier: its targets.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub targets: Vec<TargetSpec>,
    /// One tier: how the next target is chosen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strategy: Option<Strategy>,
    /// With `sticky`: what keeps to a target.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<StickyBy>,
    /// One tier: what a target must be able to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub require: Option<Require>,
    /// With `lowest_latency`: how often the fastest is determined.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interval: Option<Duration>,
    /// With `nearest`: distances from regions of proxies to regions of providers, in any one unit.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub distances: BTreeMap<String, BTreeMap<String, u32>>,
    /// Several tiers: the next is used when no target of the one before is healthy, or all of them failed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    pub tiers: Vec<TierSpec>,
    /// The first model that gives an accepted answer.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    pub cascade: Vec<StepSpec>,
    /// Another route, by its rules.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub route: Option<String>,
}

/// Targets and how the next one of them is chosen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TierSpec {
    /// The targets.
    #[schemars(length(min = 1, max = 32))]
    pub targets: Vec<TargetSpec>,
    /// How the next target is chosen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strategy: Option<Strategy>,
    /// With `sticky`: what keeps to a target.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<StickyBy>,
    /// What a target must be able to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub require: Option<Require>,
    /// With `lowest_latency`: how often the fastest is determined; 30 s if not written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interval: Option<Duration>,
    /// With `nearest`: distances from regions of proxies to regions of providers, in any one unit.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub distances: BTreeMap<String, BTreeMap<String, u32>>,
}

/// One step of a cascade.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StepSpec {
    /// The model that is asked.
    pub model: ModelRef,
    /// When its answer is good enough; the last step has none, because its answer is what is left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accept: Option<AcceptSpec>,
}

/// When an answer is good enough.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AcceptSpec {
    /// A CEL expression over facts of the answer.
    pub when: String,
}

/// What a pool is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PoolForm {
    /// Tiers, in order.
    Tiers(Vec<TierSpec>),
    /// Steps, in order.
    Cascade(Vec<StepSpec>),
    /// Another route.
    Route(String),
}

/// What a route is, in the long form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteForm {
    /// The rules, in order.
    pub rules: Vec<RuleSpec>,
    /// The pool of requests that match none.
    pub default: String,
    /// The pools.
    pub pools: BTreeMap<String, PoolForm>,
}

/// What the one pool of a short route is called in records.
const ONLY: &str = "targets";

impl PoolSpec {
    /// What it is; where it is several things at once, the first of them: [`RouteSpec::problems`] refuses that.
    #[must_use]
    pub fn form(&self) -> PoolForm {
        if let Some(route) = &self.route {
            PoolForm::Route(route.clone())
        } else if !self.cascade.is_empty() {
            PoolForm::Cascade(self.cascade.clone())
        } else if self.tiers.is_empty() {
            PoolForm::Tiers(vec![self.tier()])
        } else {
            PoolForm::Tiers(self.tiers.clone())
        }
    }

    fn tier(&self) -> TierSpec {
        let Self { targets, strategy, by, require, interval, distances, .. } = self.clone();
        TierSpec { targets, strategy, by, require, interval, distances }
    }
}

impl RouteSpec {
    /// The long form, whichever was written.
    #[must_use]
    pub fn form(&self) -> RouteForm {
        if self.pools.is_empty() {
            let Self { targets, strategy, by, require, interval, distances, .. } = self.clone();
            let tier = TierSpec { targets, strategy, by, require, interval, distances };
            let pools = BTreeMap::from([(ONLY.to_owned(), PoolForm::Tiers(vec![tier]))]);
            return RouteForm { rules: Vec::new(), default: ONLY.to_owned(), pools };
        }
        let only = || self.pools.keys().next().cloned().unwrap_or_default();
        RouteForm {
            rules: self.rules.clone(),
            default: self.default.clone().unwrap_or_else(only),
            pools: self.pools.iter().map(|(name, pool)| (name.clone(), pool.form())).collect(),
        }
    }

    /// Every model it names, with the path of its field.
    #[must_use]
    pub fn models(&self) -> Vec<(String, &ModelRef)> {
        let mut models = Vec::new();
        push(&mut models, "", &self.targets);
        for (name, pool) in &self.pools {
            push(&mut models, &format!("pools.{name}."), &pool.targets);
            for (number, tier) in pool.tiers.iter().enumerate() {
                push(&mut models, &format!("pools.{name}.tiers[{number}]."), &tier.targets);
            }
            for (number, step) in pool.cascade.iter().enumerate() {
                models.push((format!("pools.{name}.cascade[{number}].model"), &step.model));
            }
        }
        models
    }

    /// Every other route it leads to, with the path of its field.
    #[must_use]
    pub fn routes(&self) -> Vec<(String, &str)> {
        let pools = self.pools.iter();
        pools
            .filter_map(|(name, pool)| Some((format!("pools.{name}.route"), pool.route.as_deref()?)))
            .collect()
    }
}

fn push<'a>(models: &mut Vec<(String, &'a ModelRef)>, path: &str, targets: &'a [TargetSpec]) {
    let fields = targets.iter().enumerate();
    models.extend(fields.map(|(index, target)| (format!("{path}targets[{index}]"), &target.model)));
}
