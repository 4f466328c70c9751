//! The route that a model's name stands for.

use std::{borrow::Cow, sync::Arc};

use domain::ModelRef;

use crate::{auth::Caller, health::HealthRegistry, route::Route, snapshot::Snapshot};

/// A route of the tenant's own, of a tenant above it, of the operator's, or an implicit one.
pub(super) fn find<'a>(
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
