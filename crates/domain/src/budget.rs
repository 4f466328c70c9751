//! Budgets as users write them: a cap on what requests cost, in calendar windows, for all requests or some of them.

mod dimension;
#[cfg(test)]
mod tests;
mod window;
mod zone;

use std::collections::{BTreeMap, HashSet};

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, de};

use crate::{ModelRef, Money, OnStoreLoss, Problem, Share, route::is_default};

pub use dimension::{Dimension, FilterValues};
pub use window::{BudgetWindow, WindowSpan};
pub use zone::TimeZone;

/// A unit of the shared store, which counts in whole micro-dollars.
const LEAST: Money = Money::from_nanos(1_000);
/// The shared store adds amounts exactly up to this sum.
const MOST: Money = Money::from_nanos(9_000_000_000_000_000_000);
const MOST_ALERTS: usize = 16;
const MOST_VALUES: usize = 256;
const LONGEST_VALUE: usize = 256;

/// A cap on what a tenant's requests cost; every budget that applies must have room before a request is sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BudgetSpec {
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
    /// The time zone that windows begin in.
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
    /// What happens while the shared store is away and what it granted before is used up; not written: `closed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_store_loss: Option<OnStoreLoss>,
    /// With `bounded`: what each proxy may spend by itself meanwhile, per window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_replica: Option<Money>,
}

/// What happens to requests for which a budget has no room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AtCap {
    /// They are refused.
    #[default]
    Reject,
    /// They are sent, and an alert tells of it.
    Alert,
}

impl AtCap {
    /// The name users write.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Reject => "reject",
            Self::Alert => "alert",
        }
    }
}

impl<'de> Deserialize<'de> for AtCap {
    /// The word; of the planned form `{ use: ROUTE }` the error says that it is planned.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let written = serde_json::Value::deserialize(deserializer)?;
        match &written {
            serde_json::Value::String(word) if word == "reject" => Ok(Self::Reject),
            serde_json::Value::String(word) if word == "alert" => Ok(Self::Alert),
            serde_json::Value::Object(form) if form.contains_key("use") => {
                Err(de::Error::custom("`use` is not built yet; write reject or alert"))
            }
            _ => Err(de::Error::custom(format!("{written} is neither reject nor alert"))),
        }
    }
}

impl BudgetSpec {
    /// The window that is in force.
    #[must_use]
    pub fn window(&self) -> BudgetWindow {
        self.window.unwrap_or(match self.per {
            Some(Dimension::Session) => BudgetWindow::Day,
            _ => BudgetWindow::Month,
        })
    }

    /// The shares of the cap at which to alert.
    #[must_use]
    pub fn alerts(&self) -> &[Share] {
        const DEFAULT: &[Share] = &[Share::percent(80)];
        self.alerts.as_deref().unwrap_or(DEFAULT)
    }

    /// What happens while the shared store is away. A cap that does not hold then is none, so budgets are closed unless
    /// something else is written.
    #[must_use]
    pub fn on_store_loss(&self) -> OnStoreLoss {
        self.on_store_loss.unwrap_or(OnStoreLoss::Closed)
    }

    /// The filter's fields with their values; all must hold.
    pub fn filters(&self) -> impl Iterator<Item = (&Dimension, &FilterValues)> {
        self.filter.iter().flatten()
    }

    /// What is wrong with it, each with the path of its field.
    #[must_use]
    pub fn problems(&self) -> Vec<Problem> {
        let mut found = Vec::new();
        let mut say = |path: &str, what: &str| found.push((path.to_owned(), what.to_owned()));
        if self.cap < LEAST || self.cap > MOST {
            say("cap", "must be $0.000001 to $9000000000");
        }
        match (self.on_store_loss(), self.per_replica) {
            (OnStoreLoss::Bounded, None) => {
                say("per_replica", "is required with on_store_loss: bounded");
            }
            (OnStoreLoss::Bounded, Some(each)) if each < LEAST || each > self.cap => {
                say("per_replica", "must be at least $0.000001 and at most the cap");
            }
            (OnStoreLoss::Closed | OnStoreLoss::Open, Some(_)) => {
                say("per_replica", "goes with on_store_loss: bounded only");
            }
            _ => {}
        }
        let alerts = self.alerts();
        let different = alerts.iter().collect::<HashSet<_>>().len();
        if alerts.len() > MOST_ALERTS || different < alerts.len() {
            say("alerts", "must be at most 16 shares, no two the same");
        }
        if alerts.iter().any(|share| share.parts() == 0) {
            say("alerts", "must be more than 0%");
        }
        found.extend(self.filter_problems());
        found
    }

    fn filter_problems(&self) -> Vec<Problem> {
        let mut found = Vec::new();
        if self.filter.as_ref().is_some_and(BTreeMap::is_empty) {
            found.push((
                "for".to_owned(),
                "must name something; leave it out to count all requests".to_owned(),
            ));
        }
        for (dimension, FilterValues(values)) in self.filters() {
            let path = format!("for.{dimension}");
            if values.is_empty() || values.len() > MOST_VALUES {
                found.push((path.clone(), "must be 1 to 256 values".to_owned()));
            }
            let fits = |value: &String| !value.is_empty() && value.len() <= LONGEST_VALUE;
            if !values.iter().all(fits) {
                found.push((path.clone(), "values must be 1 to 256 bytes".to_owned()));
            }
            if *dimension == Dimension::Model {
                let wrong = values.iter().filter_map(|value| value.parse::<ModelRef>().err());
                found.extend(wrong.map(|what| (path.clone(), what)));
            }
        }
        if self.asks_for_models_of_other_providers() {
            let what = "none of these models is one of a provider in for.provider: no request could count";
            found.push(("for.model".to_owned(), what.to_owned()));
        }
        found
    }

    fn asks_for_models_of_other_providers(&self) -> bool {
        let values = |dimension| self.filter.as_ref().and_then(|filter| filter.get(&dimension));
        let (Some(models), Some(providers)) = (values(Dimension::Model), values(Dimension::Provider)) else {
            return false;
        };
        let of_one = |model: &String| {
            model.split_once('/').is_none_or(|(provider, _)| providers.0.iter().any(|one| one == provider))
        };
        !models.0.iter().any(of_one)
    }
}
