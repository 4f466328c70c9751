//! Pure decisions: the compiled snapshot, who a caller is, which targets are tried in which order, and when to stop.

mod auth;
mod cloud;
mod compile;
pub mod live;
mod price;
mod retry;
mod routing;
pub mod rules;
mod snapshot;
mod target;

pub use auth::{AuthError, Caller, identify};
pub use cloud::{AwsKeys, ServiceAccount};
pub use compile::{CompileError, Rows, compile};
pub use price::{Bound, PricedAt, bound};
pub use retry::{Verdict, verdict};
pub use routing::{PassedOver, Plan, Planned, Refusal, plan, visible_models};
pub use rules::{Facts, Program, ReplyFacts, RuleError};
pub use snapshot::{Credential, Endpoint, Key, Route, Sign, Snapshot, Target, Tenant, Unknown};
