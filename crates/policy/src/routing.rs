//! From a model name to an ordered plan of attempts, with the reason for each and for each target passed over.

mod asking;
mod choose;
mod cost;
mod distance;
mod members;
mod order;
mod plan;
mod reason;
mod sticky;

use std::{borrow::Cow, collections::BTreeSet, sync::Arc};

use domain::{ErrorKind, ModelRef};

use crate::{auth::Caller, health::HealthRegistry, route::Route, snapshot::Snapshot};

pub use asking::RoutingContext;
pub use choose::{ChosenBy, RuleSeen};
pub use distance::between as distance_between;
pub use plan::{Plan, PlannedTarget, RoutingError, plan, still};
pub use reason::{SelectionReason, SkipReason, SkippedTarget};

/// A route of the tenant's own, of the operator's, or an implicit one.
fn find<'a>(
    snapshot: &'a Snapshot,
    live: &HealthRegistry,
    caller: &Caller,
    name: &str,
) -> Option<Cow<'a, Arc<Route>>> {
    let scopes = snapshot.scopes(caller.key.tenant.id);
    if let Some(route) = scopes.first(|scope| scope.routes.get(name)) {
        return Some(Cow::Borrowed(route));
    }
    let model: ModelRef = name.parse().ok()?;
    let state = |endpoint, upstream: &str| live.target(endpoint, upstream);
    let target = scopes.target(&model, &state)?.map_err(|reason| (model, reason));
    Some(Cow::Owned(Arc::new(Route::implicit(name, target))))
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

impl RoutingError {
    /// The contract's kind of error.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::NotFound(_) => ErrorKind::RouteNotFound,
            Self::Forbidden(_) => ErrorKind::Forbidden,
            Self::OutOfService { .. } => ErrorKind::AllTargetsFailed,
            Self::NoAvailableTarget { spent: true, .. } => ErrorKind::RateLimited,
            Self::NoAvailableTarget { .. } => ErrorKind::Overloaded,
            Self::NoCapableTarget { .. } => ErrorKind::UnsupportedByTarget,
        }
    }
}
