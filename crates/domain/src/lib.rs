//! The vocabulary of the gateway: ids, money, usage, resources, events and the closed list of errors.

mod catalogue;
mod error_kind;
mod event;
mod ids;
mod limit;
mod model;
mod money;
mod price;
mod resource;
mod spec;
mod time;
mod usage;

pub use catalogue::{Catalogue, CatalogueError};
pub use error_kind::ErrorKind;
pub use event::{Attempt, AttemptOutcome, Attribution, CacheHit, Intent, RequestOutcome, UsageEvent};
pub use ids::{IncarnationId, RequestId, ResourceId, StoreId, Version};
pub use limit::{LimitSpec, OnStoreLoss, Per, Period, RequestRate};
pub use model::{Capabilities, Modality, ModelSpec, Task};
pub use money::{Money, MoneyError, Rate};
pub use price::{Cost, LongContext, PriceSpec, TierRates};
pub use resource::{Kind, Resource, Spec, SpecError};
pub use spec::{
    CredentialSpec, KeySpec, ModelRef, ProviderSpec, RouteSpec, TargetSpec, TenantSpec, Timeouts,
};
pub use time::{Duration, Timestamp};
pub use usage::{ServiceTier, Usage};
