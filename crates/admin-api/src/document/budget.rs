//! A budget as the document lists it, beside its name.

use std::collections::BTreeMap;

use domain::{AtCap, BudgetSpec, BudgetWindow, Dimension, FilterValues, Money, OnStoreLoss, Share, TimeZone};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::is_default;
use crate::Name;

/// A cap on what requests cost; every budget that applies must have room before a request is sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a budget, such as { name: month, cap: $500 }")]
pub struct BudgetEntry {
    /// Unique within the tenant.
    pub name: Name,
    /// The most that the requests of one window may cost together: `$500`.
    pub cap: Money,
    /// The requests that share the cap: those of one `key`, `user`, `feature`, `session`, `tag:NAME`, `model`, `provider`
    /// or `route`; not written: all that the budget applies to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per: Option<Dimension>,
    /// Only requests with these values count: `{ feature: support-bot }`, `{ user: [ ann, bob ] }`; of several fields,
    /// all must hold.
    #[serde(default, rename = "for", skip_serializing_if = "Option::is_none")]
    pub filter: Option<BTreeMap<Dimension, FilterValues>>,
    /// When counting starts anew; not written: each `month`, with `per: session` each `day`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<BudgetWindow>,
    /// The time zone that windows begin in, by its IANA name.
    #[serde(default, skip_serializing_if = "is_default")]
    pub time_zone: TimeZone,
    /// What happens to requests for which there is no room.
    #[serde(default, skip_serializing_if = "is_default")]
    pub at_cap: AtCap,
    /// Counted and reported, never enforced.
    #[serde(default, skip_serializing_if = "is_default")]
    pub observe: bool,
    /// The shares of the cap at which to alert; not written: 80%.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16))]
    pub alerts: Option<Vec<Share>>,
    /// What happens while the shared store is away; not written: `closed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_store_loss: Option<OnStoreLoss>,
    /// With `bounded`: what each proxy may spend by itself meanwhile, per window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_replica: Option<Money>,
}

impl BudgetEntry {
    pub(super) fn of(name: Name, spec: BudgetSpec) -> Self {
        let BudgetSpec {
            cap,
            per,
            filter,
            window,
            time_zone,
            at_cap,
            observe,
            alerts,
            on_store_loss,
            per_replica,
        } = spec;
        Self {
            name,
            cap,
            per,
            filter,
            window,
            time_zone,
            at_cap,
            observe,
            alerts,
            on_store_loss,
            per_replica,
        }
    }

    pub(super) fn into_spec(self) -> (Name, BudgetSpec) {
        let Self {
            name,
            cap,
            per,
            filter,
            window,
            time_zone,
            at_cap,
            observe,
            alerts,
            on_store_loss,
            per_replica,
        } = self;
        let spec = BudgetSpec {
            cap,
            per,
            filter,
            window,
            time_zone,
            at_cap,
            observe,
            alerts,
            on_store_loss,
            per_replica,
        };
        (name, spec)
    }
}
