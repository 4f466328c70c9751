//! From a model name to an ordered plan of attempts, with the reason for each and for each one passed over.

use std::{borrow::Cow, collections::BTreeSet, sync::Arc};

use domain::{ErrorKind, ModelRef, Timeouts};

use crate::{
    auth::Caller,
    snapshot::{Credential, Route, Snapshot, Target},
};

/// What will be tried, in order.
#[derive(Debug)]
pub struct Plan {
    /// The route's name; for an implicit route `provider/model`.
    pub route: String,
    /// Bounds of every wait.
    pub timeouts: Timeouts,
    /// In order; never empty.
    pub attempts: Vec<Planned>,
    /// What will not be tried.
    pub passed_over: Vec<PassedOver>,
}

/// One target of a plan.
#[derive(Debug)]
pub struct Planned {
    /// The target.
    pub target: Arc<Target>,
    /// Credentials in the order in which they are tried; empty where the provider needs none.
    pub credentials: Vec<Arc<Credential>>,
    /// Why it stands where it stands.
    pub reason: &'static str,
}

/// A target that is not tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PassedOver {
    /// The target.
    pub model: ModelRef,
    /// Why not.
    pub reason: String,
}

/// Why there is no plan.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Nothing of that name is visible to the caller.
    #[error("no route or model {0:?}; GET /v1/models lists what this key may use")]
    NotFound(String),
    /// The key is limited to other routes.
    #[error("this key may not use {0:?}")]
    Forbidden(String),
    /// The route exists but cannot serve.
    #[error("route {route:?} is out of service: {reason}")]
    OutOfService {
        /// The route.
        route: String,
        /// Why.
        reason: String,
    },
}

impl Refusal {
    /// The contract's kind of error.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::NotFound(_) => ErrorKind::RouteNotFound,
            Self::Forbidden(_) => ErrorKind::Forbidden,
            Self::OutOfService { .. } => ErrorKind::AllTargetsFailed,
        }
    }
}

/// Plans the attempts for a model name; `draw` is a random number that spreads load over credentials.
///
/// # Errors
/// See [`Refusal`].
pub fn plan(snapshot: &Snapshot, caller: &Caller, model: &str, draw: u64) -> Result<Plan, Refusal> {
    if caller.key.spec.routes.as_ref().is_some_and(|allowed| !allowed.iter().any(|name| name == model)) {
        return Err(Refusal::Forbidden(model.to_owned()));
    }
    let route = find(snapshot, caller, model).ok_or_else(|| Refusal::NotFound(model.to_owned()))?;
    let out_of_service = |reason: String| Refusal::OutOfService { route: route.name.clone(), reason };
    if let Some(reason) = &route.disabled {
        return Err(out_of_service(reason.clone()));
    }
    if route.targets.is_empty() {
        let reasons: Vec<String> =
            route.unusable.iter().map(|(model, why)| format!("{model}: {why}")).collect();
        return Err(out_of_service(reasons.join("; ")));
    }
    let attempts = route.targets.iter().enumerate().map(|(position, target)| Planned {
        target: Arc::clone(target),
        credentials: order(&target.endpoint.credentials, draw),
        reason: if position == 0 { "first of the chain" } else { "next of the chain" },
    });
    let passed_over = route
        .unusable
        .iter()
        .map(|(model, reason)| PassedOver { model: model.clone(), reason: reason.clone() });
    Ok(Plan {
        route: route.name.clone(),
        timeouts: route.timeouts,
        attempts: attempts.collect(),
        passed_over: passed_over.collect(),
    })
}

/// A route of the tenant's own, of the operator's, or an implicit one.
fn find<'a>(snapshot: &'a Snapshot, caller: &Caller, name: &str) -> Option<Cow<'a, Arc<Route>>> {
    let scopes = snapshot.scopes(caller.key.tenant.id);
    if let Some(route) = scopes.first(|scope| scope.routes.get(name)) {
        return Some(Cow::Borrowed(route));
    }
    let model: ModelRef = name.parse().ok()?;
    let (targets, unusable) = match scopes.target(&model)? {
        Ok(target) => (vec![Arc::new(target)], Vec::new()),
        Err(reason) => (Vec::new(), vec![(model, reason)]),
    };
    let timeouts = Timeouts::default();
    Some(Cow::Owned(Arc::new(Route { name: name.to_owned(), targets, unusable, timeouts, disabled: None })))
}

/// The first by weighted draw, the rest behind it in turn.
fn order(credentials: &[Arc<Credential>], draw: u64) -> Vec<Arc<Credential>> {
    let total: u64 = credentials.iter().map(|credential| u64::from(credential.weight)).sum();
    let mut left = if total == 0 { 0 } else { draw % total };
    let first = credentials.iter().position(|credential| {
        let weight = u64::from(credential.weight);
        let hit = left < weight;
        left = left.saturating_sub(weight);
        hit
    });
    let mut ordered = credentials.to_vec();
    ordered.rotate_left(first.unwrap_or_default());
    ordered
}

/// The names that a caller may put into `model`, sorted: routes, and models of the catalogue.
#[must_use]
pub fn visible_models(snapshot: &Snapshot, caller: &Caller) -> BTreeSet<String> {
    let own = snapshot.tenants.get(&caller.key.tenant.id);
    let scopes = || own.into_iter().chain([&snapshot.operator]);
    let routes = scopes().flat_map(|scope| scope.routes.keys().cloned());
    let models = scopes().flat_map(|scope| scope.models.keys());
    let models = models.filter(|model| !model.is_of_kind()).map(ToString::to_string);
    let allowed = caller.key.spec.routes.as_ref();
    let may = |name: &String| allowed.is_none_or(|allowed| allowed.contains(name));
    routes.chain(models).filter(may).collect()
}
