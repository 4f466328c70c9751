//! The health of targets and credentials: outcomes, latency, cool-downs; decides whether each may be used now.
//!
//! Nothing here reads a clock or draws a number: they are arguments. Requests only touch atomics, unless they wait.

mod access;
mod breaker;
mod budget;
mod concurrency;
mod credential;
mod latency;
mod leader;
mod outcome;
mod quota;
mod registry;
mod ring;
mod shared;
mod target;
mod unavailable;

pub use access::AccessState;
pub use breaker::Transition;
pub use concurrency::{Clock, ConcurrencyPermit, Handoff, QueueLimits, WaitGuard};
pub use credential::{CredentialRefusal, CredentialState, CredentialView, Sent};
pub use leader::{Leader, Move};
pub use outcome::EndpointHealth;
pub use quota::{Marks, Quota};
pub use registry::{CredentialKey, HealthRegistry, TargetKey};
pub use shared::{HealthRecord, HealthRecordKind};
pub use target::{BreakerState, Observation, OutlierDetection, ProbeObservation, TargetState, TargetView};
pub use unavailable::{Unavailable, UnavailableReason};

pub use crate::time::{Micros, Moment};

#[cfg(test)]
mod tests;
