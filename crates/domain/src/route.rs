//! Routes as users write them: rules that choose a pool, tiers with a strategy each, retries, queues.

mod check;
mod failure;
mod pool;
mod target;
mod terms;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use check::Problem;
pub use failure::{Action, FailureClass, RetrySpec};
pub use pool::{AcceptSpec, PoolForm, PoolSpec, RouteForm, StepSpec, TierSpec};
pub use target::{ModelRef, TargetSpec};
pub use terms::{CapabilityNeed, ContextNeed, Preset, Require, StickyBy, Strategy};

use crate::{Duration, OriginList, Share, Strictness};

/// What applications put into `model`.
///
/// Short: `targets`, one tier (a priority chain unless `strategy` says otherwise). Long: `rules` choose one of `pools`,
/// `default` is the pool of requests that match none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RouteSpec {
    /// Short form: the targets of the one tier.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub targets: Vec<TargetSpec>,
    /// Short form: how the next target is chosen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strategy: Option<Strategy>,
    /// With `sticky`: what keeps to a target.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<StickyBy>,
    /// Short form: what a target must be able to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub require: Option<Require>,
    /// With `lowest_latency`: how often the fastest is determined.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interval: Option<Duration>,
    /// With `nearest`: distances from regions of proxies to regions of providers, in any one unit.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub distances: BTreeMap<String, BTreeMap<String, u32>>,
    /// Long form: the first that matches chooses the pool.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    pub rules: Vec<RuleSpec>,
    /// Long form: the pool of requests that match no rule; may be left out where there is but one pool.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
    /// Long form: the pools, by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub pools: BTreeMap<String, PoolSpec>,
    /// Bounds of every wait.
    #[serde(skip_serializing_if = "is_default")]
    pub timeouts: Timeouts,
    /// What is done about failures.
    #[serde(skip_serializing_if = "is_default")]
    pub retry: RetrySpec,
    /// While fewer of a pool's targets than this are healthy, those that still answer at times are used as well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub panic_threshold: Option<Share>,
    /// Origins of web pages that may use it, of those that the operator allows; not written: all of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cors_origins: Option<OriginList>,
    /// How requests wait for a target that has reached its `concurrent`.
    #[serde(skip_serializing_if = "is_default")]
    pub queue: QueueSpec,
    /// What happens to fields that the target of a translation cannot express; not written: `default`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub translation: Option<Strictness>,
}

impl RouteSpec {
    /// A chain of targets.
    #[must_use]
    pub fn chain(targets: Vec<TargetSpec>) -> Self {
        Self { targets, ..Self::default() }
    }
}

/// A rule: requests that match go to the pool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RuleSpec {
    /// What records call it; not written: the preset's name, else its place in the list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// A CEL expression over facts of the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
    /// In place of `when`: a condition that is ready-made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preset: Option<Preset>,
    /// The pool, by name.
    pub pool: String,
}

/// How requests wait for a target that has reached its `concurrent`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct QueueSpec {
    /// Most requests that wait for one target in one proxy; 0: none waits.
    #[schemars(range(max = 10_000))]
    pub length: u32,
    /// Longest wait.
    pub wait: Duration,
}

impl Default for QueueSpec {
    /// Long enough to bridge a burst, short enough that a client still has time for another answer.
    fn default() -> Self {
        Self { length: 100, wait: Duration::from_secs(1) }
    }
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

pub(crate) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

#[cfg(test)]
mod tests;
