//! The health of targets and credentials as this proxy knows it, and who is told of changes.

mod alerts;
mod counts;
mod finding;
mod monitor;
mod outcome;
mod targets;

pub(crate) use self::{
    finding::{ProbeFinding, probe_key},
    monitor::HealthMonitor,
    outcome::{AttemptPermit, CredentialLease, HalfOpenPermit, OutcomeReporter},
    targets::{ConfiguredTargets, has_usable_credential},
};
