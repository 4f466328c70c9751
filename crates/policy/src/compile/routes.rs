//! Routes out of their rows: expressions compiled, targets resolved, live state attached.

use std::sync::Arc;

use domain::{
    CapabilityNeed, ContextNeed, ModelRef, PoolForm, Require, Resource, ResourceId, RouteSpec, RuleSpec,
    StepSpec, Strategy, TierSpec,
};

use crate::{
    health::HealthRegistry,
    route::{CascadeStep, Member, Pool, PoolKind, Route, RoutePolicy, Rule, Tier},
    rules::{Program, source},
    snapshot::lookup::ResourceView,
    target::Target,
    time::micros,
};

/// What routes are compiled with.
#[derive(Clone, Copy)]
pub(super) struct RouteCompiler<'a> {
    pub(super) scopes: ResourceView<'a>,
    pub(super) live: &'a HealthRegistry,
}

impl RouteCompiler<'_> {
    /// Compiles a route. What cannot be used of it is set aside with its reason; the rest serves.
    pub(super) fn route(self, row: &Resource, spec: &RouteSpec) -> Route {
        let form = spec.form();
        let names: Vec<&String> = form.pools.keys().collect();
        let index = |name: &String| names.iter().position(|known| *known == name);
        let Some(default) = index(&form.default) else {
            return Route::out_of_service(
                &row.name,
                format!("its default pool {:?} is missing", form.default),
            );
        };
        let rules = form.rules.iter().enumerate();
        // A rule without its pool would be refused at write time; it matches nothing.
        let rules = rules.filter_map(|(number, rule)| Some(compiled(rule, number, index(&rule.pool)?)));
        let pools = form.pools.iter().map(|(name, pool)| self.pool(row, name, pool));
        let terms = RoutePolicy {
            timeouts: spec.timeouts,
            retry: spec.retry.clone(),
            queue: spec.queue,
            panic_threshold: spec.panic_threshold.unwrap_or(RoutePolicy::PANIC),
            cors_origins: spec.cors_origins.clone(),
            translation: spec.translation,
        };
        Route {
            name: row.name.clone(),
            owner: row.tenant,
            rules: rules.collect(),
            pools: pools.collect(),
            default,
            terms: Arc::new(terms),
            disabled: None,
        }
    }

    fn pool(self, row: &Resource, name: &str, form: &PoolForm) -> Pool {
        let form = match form {
            PoolForm::Route(route) => PoolKind::Route(route.clone()),
            PoolForm::Cascade(steps) => PoolKind::Cascade(steps.iter().map(|step| self.step(step)).collect()),
            PoolForm::Tiers(tiers) => {
                let tier = |(number, tier)| self.tier(row.id, &format!("{name}.{number}"), tier);
                PoolKind::Tiers(tiers.iter().enumerate().map(tier).collect())
            }
        };
        Pool { name: Arc::from(name), form }
    }

    fn tier(self, route: ResourceId, place: &str, spec: &TierSpec) -> Tier {
        let (mut members, mut unusable) = (Vec::new(), Vec::new());
        for written in &spec.targets {
            match self.target(&written.model) {
                Ok(target) => {
                    let (weight, concurrent) = (written.weight, written.concurrent);
                    members.push(Member { target, weight, concurrent });
                }
                Err(found) => unusable.push(found),
            }
        }
        let strategy = spec.strategy.unwrap_or_default();
        let mut require = spec.require.clone().unwrap_or_default();
        if strategy == Strategy::Cheapest {
            // The cheapest of those that cannot do it is no bargain.
            require = Require {
                context: require.context.or(Some(ContextNeed::Fits)),
                capabilities: require.capabilities.or(Some(CapabilityNeed::NotMissing)),
            };
        }
        Tier {
            strategy,
            by: spec.by.unwrap_or_default(),
            require,
            interval: spec.interval.map_or(Tier::INTERVAL, |interval| micros(interval.std())),
            leader: self.live.leader(
                route,
                place,
                members.iter().map(|member| member.target.model.clone()).collect(),
            ),
            distances: spec.distances.clone(),
            members,
            unusable,
        }
    }

    fn step(self, step: &StepSpec) -> CascadeStep {
        let target = self.target(&step.model);
        let accept = step.accept.as_ref().map(|accept| Program::acceptance(&accept.when));
        match accept.transpose() {
            Ok(accept) => CascadeStep { target, accept: accept.map(Arc::new) },
            // Without its condition the step would keep answers that it should reject.
            Err(error) => CascadeStep {
                target: Err((step.model.clone(), format!("accept.when: {error}"))),
                accept: None,
            },
        }
    }

    fn target(self, model: &ModelRef) -> Result<Arc<Target>, (ModelRef, String)> {
        let missing = || Err(format!("no provider named {}", model.provider));
        let state = |endpoint, upstream: &str| self.live.configured_target(endpoint, upstream);
        let found = self.scopes.target(model, &state).unwrap_or_else(missing);
        found.map(Arc::new).map_err(|reason| (model.clone(), reason))
    }
}

fn compiled(rule: &RuleSpec, number: usize, pool: usize) -> Rule {
    let text = rule.when.as_deref().or(rule.preset.map(source)).unwrap_or("false");
    let when = Program::rule(text).map_err(|error| error.to_string());
    Rule { name: rule.label(number), when, pool }
}
