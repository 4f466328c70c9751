//! The vocabulary of the gateway: ids, money, usage, resources, events and the closed list of errors.

mod account;
mod budget;
mod catalogue;
mod error_kind;
mod event;
mod ids;
mod limit;
mod model;
mod money;
mod origin;
mod price;
mod probe;
mod resource;
mod route;
mod schema;
mod share;
mod spec;
#[cfg(feature = "test-support")]
pub mod test_support;
mod time;
mod translation;
mod usage;

pub use account::{Account, BudgetRef, Draw, Window};
pub use budget::{AtCap, BudgetSpec, BudgetWindow, Dimension, FilterValues, TimeZone, WindowSpan};
pub use catalogue::{Catalogue, CatalogueError};
pub use error_kind::ErrorKind;
pub use event::{Attempt, AttemptOutcome, Attribution, CacheHit, Intent, RequestOutcome, UsageEvent};
pub use ids::{IncarnationId, RequestId, ResourceId, StoreId, Version};
pub use limit::{LimitSpec, OnStoreLoss, Per, Period, RequestRate, TokenRate};
pub use model::{Capabilities, Modality, ModelSpec, Task};
pub use money::{Money, MoneyError, Rate};
pub use origin::{Origin, OriginError, OriginList};
pub use price::{Cost, LongContext, PriceSpec, TierRates};
pub use probe::{HealthSpec, ProbeSpec, ProbeTimes, PromptProbe};
pub use resource::{Kind, Resource, Spec, SpecError};
pub use route::{
    AcceptSpec, Action, CapabilityNeed, ContextNeed, FailureClass, ModelRef, PoolForm, PoolSpec, Preset,
    Problem, QueueSpec, Require, RetrySpec, RouteForm, RouteSpec, RuleSpec, StepSpec, StickyBy, Strategy,
    TargetSpec, TierSpec, Timeouts,
};
pub use share::Share;
pub use spec::{CredentialLimits, CredentialSpec, KeySpec, Priority, ProviderSpec, TenantSpec};
pub use time::{Duration, Timestamp};
pub use translation::{Strictness, TranslationHeader};
pub use usage::{ServiceTier, Usage};
