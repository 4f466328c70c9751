//! From a model name to an ordered plan of attempts, with the reason for each and for each target passed over.

mod choose;
mod context;
mod distance;
mod eligibility;
mod find;
mod plan;
mod planned;
mod reason;
mod strategy;

use std::collections::BTreeSet;

use domain::ErrorKind;

use crate::{auth::Caller, snapshot::Snapshot};

pub use choose::{ChosenBy, RuleSeen};
pub use context::RoutingContext;
pub use distance::between as distance_between;
pub use eligibility::recheck;
pub use plan::{Plan, RoutingError, plan};
pub use planned::PlannedTarget;
pub use reason::{SelectionReason, SkipReason, SkippedTarget};

/// The names that a caller may put into `model`, sorted: routes, and models of the catalogue.
#[must_use]
pub fn visible_models(snapshot: &Snapshot, caller: &Caller) -> BTreeSet<String> {
    let scopes = || snapshot.scopes(caller.key.tenant.id).scopes();
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
            Self::TranslationForbidden { .. } => ErrorKind::Forbidden,
            Self::NotFound(_) => ErrorKind::RouteNotFound,
            Self::Forbidden(_) => ErrorKind::Forbidden,
            Self::OutOfService { .. } => ErrorKind::AllTargetsFailed,
            Self::NoAvailableTarget { spent: true, .. } => ErrorKind::RateLimited,
            Self::NoAvailableTarget { .. } => ErrorKind::Overloaded,
            Self::NoCapableTarget { .. } => ErrorKind::UnsupportedByTarget,
        }
    }
}
