//! What is wrong with a route by itself: forms that exclude each other, weights of zero, pools that are not there.

use std::collections::BTreeSet;

use super::{PoolSpec, RouteSpec, RuleSpec, Strategy, TargetSpec, TierSpec};
use crate::Duration;

/// Most targets of a tier, tiers or steps of a pool, rules and pools of a route: what one request may have to look at.
const MOST_TARGETS: usize = 32;
const MOST_TIERS: usize = 8;
const MOST_RULES: usize = 64;
const MOST_POOLS: usize = 64;
/// Largest weight.
const MOST_WEIGHT: u32 = 1_000;
/// Most attempts at one target.
const MOST_ATTEMPTS: u32 = 10;
/// Most requests that wait for a target.
const MOST_WAITING: u32 = 10_000;
/// Shortest and longest interval at which the fastest target is determined.
const INTERVALS: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(3_600));

/// A field's path within the route, and what is wrong with it.
pub type Problem = (String, String);

impl RouteSpec {
    /// What is wrong with it by itself; expressions and references are checked where they can be resolved.
    #[must_use]
    pub fn problems(&self) -> Vec<Problem> {
        let mut found = Vec::new();
        let mut say = |path: &str, what: String| found.push((path.to_owned(), what));
        if self.pools.is_empty() {
            if !self.rules.is_empty() {
                say("rules", "choose pools, and there are none: write `pools`".to_owned());
            }
            if self.default.is_some() {
                say("default", "names a pool, and there are none: write `pools`".to_owned());
            }
        } else {
            if !self.targets.is_empty() {
                say("targets", "excludes `pools`: put them into a pool".to_owned());
            }
            if self.is_tier_like() {
                say("strategy", "belongs to a pool or a tier where there are `pools`".to_owned());
            }
            self.default_problem(&mut say);
        }
        for (path, most, there) in
            [("rules", MOST_RULES, self.rules.len()), ("pools", MOST_POOLS, self.pools.len())]
        {
            if there > most {
                say(path, format!("holds {there}; there may be {most}"));
            }
        }
        if !(1..=MOST_ATTEMPTS).contains(&self.retry.attempts) {
            say("retry.attempts", format!("must be 1 to {MOST_ATTEMPTS}"));
        }
        if self.queue.length > MOST_WAITING {
            say("queue.length", format!("must be at most {MOST_WAITING}"));
        }
        self.rules(&mut found);
        if self.pools.is_empty() {
            let tier = TierView::of_route(self);
            tier.problems("", &mut found);
        }
        for (name, pool) in &self.pools {
            pool.problems(name, &mut found);
        }
        found
    }

    fn is_tier_like(&self) -> bool {
        self.strategy.is_some()
            || self.by.is_some()
            || self.require.is_some()
            || self.interval.is_some()
            || !self.distances.is_empty()
    }

    fn default_problem(&self, say: &mut impl FnMut(&str, String)) {
        match &self.default {
            Some(name) if !self.pools.contains_key(name) => say("default", no_pool(self, name)),
            None if self.pools.len() > 1 => {
                say("default", "is required: which pool serves requests that match no rule?".to_owned());
            }
            _ => {}
        }
    }

    fn rules(&self, found: &mut Vec<Problem>) {
        let mut names = BTreeSet::new();
        for (index, rule) in self.rules.iter().enumerate() {
            let mut say = |field: &str, what: String| found.push((format!("rules[{index}]{field}"), what));
            match (&rule.when, rule.preset) {
                (None, None) => say("", "needs `when`, or a `preset`".to_owned()),
                (Some(_), Some(_)) => say(".preset", "excludes `when`".to_owned()),
                _ => {}
            }
            if !self.pools.is_empty() && !self.pools.contains_key(&rule.pool) {
                say(".pool", no_pool(self, &rule.pool));
            }
            let name = rule.label(index);
            if name.is_empty() || name.len() > 64 || name.chars().any(char::is_control) {
                say(".name", "must have 1 to 64 characters, none of them a control character".to_owned());
            } else if !names.insert(name) {
                say(".name", "is another rule's name already".to_owned());
            }
        }
    }
}

impl RuleSpec {
    /// What records call it: its name, the preset's, or its place.
    #[must_use]
    pub fn label(&self, index: usize) -> String {
        match (&self.name, self.preset) {
            (Some(name), _) => name.clone(),
            (None, Some(preset)) => preset.as_str().to_owned(),
            (None, None) => format!("rules[{index}]"),
        }
    }
}

fn no_pool(route: &RouteSpec, name: &str) -> String {
    let pools = route.pools.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
    format!("there is no pool {name:?}; there are {pools}")
}

impl PoolSpec {
    fn problems(&self, name: &str, found: &mut Vec<Problem>) {
        let path = format!("pools.{name}");
        if name.is_empty() || name.len() > 64 || name.chars().any(char::is_control) {
            found.push((
                path,
                "a pool's name has 1 to 64 characters, none of them a control character".into(),
            ));
            return;
        }
        let forms = [
            ("targets", !self.targets.is_empty()),
            ("tiers", !self.tiers.is_empty()),
            ("cascade", !self.cascade.is_empty()),
            ("route", self.route.is_some()),
        ];
        let mut written = forms.iter().filter(|(_, there)| *there).map(|(form, _)| *form);
        let Some(form) = written.next() else {
            found.push((path, "needs `targets`, `tiers`, `cascade` or `route`".to_owned()));
            return;
        };
        if let Some(second) = written.next() {
            found.push((format!("{path}.{second}"), format!("excludes `{form}`")));
            return;
        }
        let tier = TierView::of_pool(self);
        if form == "targets" {
            return tier.problems(&format!("{path}."), found);
        }
        if tier.is_more_than_targets() {
            found.push((format!("{path}.strategy"), format!("belongs to a tier; this pool has `{form}`")));
        }
        for (list, there) in [("tiers", self.tiers.len()), ("cascade", self.cascade.len())] {
            if there > MOST_TIERS {
                found.push((format!("{path}.{list}"), format!("holds {there}; there may be {MOST_TIERS}")));
            }
        }
        for (index, tier) in self.tiers.iter().enumerate() {
            TierView::of_tier(tier).problems(&format!("{path}.tiers[{index}]."), found);
        }
        self.cascade_problems(&format!("{path}.cascade"), found);
    }

    /// A step that cannot be left, or that leaves to nowhere, was not meant.
    fn cascade_problems(&self, path: &str, found: &mut Vec<Problem>) {
        let Some(last) = self.cascade.len().checked_sub(1) else { return };
        if last == 0 {
            found.push((path.to_owned(), "needs at least two steps; one model is `targets`".to_owned()));
        }
        for (index, step) in self.cascade.iter().enumerate() {
            let what = match (&step.accept, index == last) {
                (Some(_), true) => {
                    "belongs to steps before the last: its answer is what is left, accepted or not"
                }
                (None, false) => "is required: without it the steps after this one are never asked",
                _ => continue,
            };
            found.push((format!("{path}[{index}].accept"), what.to_owned()));
        }
    }
}

/// The fields that a tier has, wherever it was written.
struct TierView<'a> {
    targets: &'a [TargetSpec],
    strategy: Option<Strategy>,
    by: bool,
    require: bool,
    interval: Option<Duration>,
    distances: bool,
}

impl<'a> TierView<'a> {
    fn of_route(spec: &'a RouteSpec) -> Self {
        let by = spec.by.is_some();
        let require = spec.require.is_some();
        let strategy = spec.strategy;
        let interval = spec.interval;
        let distances = !spec.distances.is_empty();
        Self { targets: &spec.targets, strategy, by, require, interval, distances }
    }

    fn of_pool(spec: &'a PoolSpec) -> Self {
        let by = spec.by.is_some();
        let require = spec.require.is_some();
        let strategy = spec.strategy;
        let interval = spec.interval;
        let distances = !spec.distances.is_empty();
        Self { targets: &spec.targets, strategy, by, require, interval, distances }
    }

    fn of_tier(spec: &'a TierSpec) -> Self {
        let by = spec.by.is_some();
        let require = spec.require.is_some();
        let strategy = spec.strategy;
        let interval = spec.interval;
        let distances = !spec.distances.is_empty();
        Self { targets: &spec.targets, strategy, by, require, interval, distances }
    }

    const fn is_more_than_targets(&self) -> bool {
        self.strategy.is_some() || self.by || self.require || self.interval.is_some() || self.distances
    }

    fn problems(&self, path: &str, found: &mut Vec<Problem>) {
        let mut say = |field: String, what: String| found.push((format!("{path}{field}"), what));
        match self.targets.len() {
            0 => say("targets".to_owned(), "must hold at least one target".to_owned()),
            there if there > MOST_TARGETS => {
                say("targets".to_owned(), format!("holds {there}; there may be {MOST_TARGETS}"));
            }
            _ => {}
        }
        let strategy = self.strategy.unwrap_or_default();
        for (field, there, of) in [
            ("by", self.by, Strategy::Sticky),
            ("interval", self.interval.is_some(), Strategy::LowestLatency),
            ("distances", self.distances, Strategy::Nearest),
        ] {
            if there && strategy != of {
                say(field.to_owned(), format!("belongs to strategy `{}`", of.as_str()));
            }
        }
        if self.interval.is_some_and(|interval| interval < INTERVALS.0 || interval > INTERVALS.1) {
            say("interval".to_owned(), "must be 100ms to 1h".to_owned());
        }
        let mut models = BTreeSet::new();
        for (index, target) in self.targets.iter().enumerate() {
            let weighted = matches!(strategy, Strategy::Weighted | Strategy::Sticky);
            if !(1..=MOST_WEIGHT).contains(&target.weight) {
                say(
                    format!("targets[{index}].weight"),
                    format!("must be 1 to {MOST_WEIGHT}; leave the target out to send it nothing"),
                );
            } else if target.weight != 1 && !weighted {
                say(
                    format!("targets[{index}].weight"),
                    "belongs to strategy `weighted` or `sticky`".to_owned(),
                );
            }
            if target.concurrent == Some(0) {
                say(format!("targets[{index}].concurrent"), "must be at least 1".to_owned());
            }
            if !models.insert(&target.model) {
                say(format!("targets[{index}].model"), "is named twice in this tier".to_owned());
            }
        }
    }
}
