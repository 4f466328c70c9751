//! Which pool serves a request: the first rule that matches, through routes that stand for pools.

use std::{borrow::Cow, sync::Arc};

use super::RoutingContext;
use crate::{
    auth::Caller,
    route::{Pool, PoolKind, Route},
    snapshot::Snapshot,
};

/// Most routes that one request is sent on through; longer chains are refused at write time.
const DEEPEST: usize = 8;

/// What a rule said of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleSeen {
    /// The route it belongs to.
    pub route: String,
    /// The rule.
    pub rule: String,
    /// Whether it matched, or why it could not be asked.
    pub matched: Result<bool, String>,
}

/// How a pool was chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChosenBy {
    /// The last rule that matched, unless defaults were taken all the way.
    pub rule: Option<String>,
    /// What rules said; empty unless an explanation was wanted.
    pub rules: Vec<RuleSeen>,
}

/// The pool that serves a request.
pub(super) struct Chosen<'a> {
    /// The route that the pool belongs to.
    pub(super) route: Cow<'a, Arc<Route>>,
    /// The pool, as an index.
    pub(super) pool: usize,
    pub(super) by: ChosenBy,
}

impl Chosen<'_> {
    pub(super) fn pool(&self) -> Option<&Pool> {
        self.route.pools.get(self.pool)
    }
}

/// Chooses.
///
/// # Errors
/// The name of a route that is missing or out of service, and why.
pub(super) fn choose<'a>(
    snapshot: &'a Snapshot,
    caller: &Caller,
    mut route: Cow<'a, Arc<Route>>,
    context: &RoutingContext<'_>,
) -> Result<Chosen<'a>, (String, String)> {
    let (mut rule, mut rules) = (None, Vec::new());
    for _ in 0..DEEPEST {
        if let Some(reason) = &route.disabled {
            return Err((route.name.clone(), reason.clone()));
        }
        let (matched, pool) = first_match(&route, caller, context, &mut rules);
        rule = matched.or(rule);
        let next = match route.pools.get(pool).map(|pool| &pool.form) {
            Some(PoolKind::Route(next)) => next,
            _ => return Ok(Chosen { route, pool, by: ChosenBy { rule, rules } }),
        };
        let scopes = snapshot.scopes_of(route.owner);
        let missing =
            || (route.name.clone(), format!("its pool refers to route {next:?}, which does not exist"));
        let found = scopes.first(|scope| scope.routes.get(next)).ok_or_else(missing)?;
        route = Cow::Borrowed(found);
    }
    Err((route.name.clone(), format!("routes refer to routes more than {DEEPEST} levels deep")))
}

/// The first rule that matches and its pool, else the default pool.
fn first_match(
    route: &Route,
    caller: &Caller,
    context: &RoutingContext<'_>,
    seen: &mut Vec<RuleSeen>,
) -> (Option<String>, usize) {
    let mut decided = None;
    for rule in &route.rules {
        let matched = match &rule.when {
            Ok(program) => program.matches(&context.for_rules(caller, program.needs_shape())),
            Err(why) => Err(why.clone()),
        };
        let decisive = decided.is_none() && matched == Ok(true);
        if context.explain {
            seen.push(RuleSeen { route: route.name.clone(), rule: rule.name.clone(), matched });
        }
        if decisive {
            decided = Some((Some(rule.name.clone()), rule.pool));
            if !context.explain {
                break;
            }
        }
    }
    decided.unwrap_or((None, route.default))
}
