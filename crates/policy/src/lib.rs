//! Pure decisions: the compiled snapshot, who a caller is, which targets are tried in which order, and when to stop.

mod auth;
mod cloud;
mod compile;
mod keys;
pub mod live;
mod price;
mod queue;
mod route;
mod routing;
pub mod rules;
mod snapshot;
mod target;

pub use auth::{AuthError, Caller, identify};
pub use cloud::{AwsKeys, ServiceAccount};
pub use compile::{CompileError, Rows, compile};
pub use keys::{NextKey, next_key};
pub use price::{Bound, PricedAt, bound};
pub use queue::{Queue, Refused, Ticket, Waiting};
pub use route::{Form, Member, Pool, Route, Rule, Step, Terms, Tier};
pub use routing::{
    Asking, ChosenBy, PassedOver, Plan, Planned, Reason, Refusal, RuleSeen, WhyNot, distance_between, plan,
    still, visible_models,
};
pub use rules::{Facts, Program, ReplyFacts, RuleError};
pub use snapshot::{Credential, Endpoint, Key, Sign, Snapshot, Target, Tenant, Unknown};
