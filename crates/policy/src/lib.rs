//! Pure decisions: the compiled snapshot, who a caller is, which targets are tried in which order, and when to stop.

mod auth;
mod budget;
mod cloud;
mod compile;
mod credential_selection;
mod endpoint;
pub mod failover;
pub mod health;
mod price;
mod queue;
mod random;
mod route;
mod routing;
pub mod rules;
mod snapshot;
mod target;
mod time;

pub use auth::{AuthError, Caller, identify, identify_one};
pub use budget::{Budget, BudgetFacts, budget_generation};
pub use cloud::{AwsKeys, ServiceAccount};
pub use compile::{CompileError, ConfigRows, compile};
pub use credential_selection::{CredentialChoice, CredentialQuery, TargetCredentials, select_credential};
pub use endpoint::{Credential, Endpoint, Sign};
pub use price::{Bound, PricedAt, bound, expected_output, output_limit};
pub use queue::{EnqueueError, Queue, Ticket, WaitRequest};
pub use route::{CascadeStep, Member, Pool, PoolKind, Route, RoutePolicy, Rule, Tier};
pub use routing::{
    ChosenBy, Plan, PlannedTarget, RoutingContext, RoutingError, RuleSeen, SelectionReason, SkipReason,
    SkippedTarget, distance_between, plan, recheck, visible_models,
};
pub use rules::{Facts, Program, ReplyFacts, RuleError};
pub use snapshot::{ApiKey, Limit, Snapshot, Tenant, UnreadableRow};
pub use target::Target;
