//! A target: a model at an endpoint.

use std::sync::Arc;

use domain::{ModelRef, ModelSpec, PriceSpec, ResourceId, Timestamp};

use crate::{credential_selection::TargetCredentials, endpoint::Endpoint, health::TargetState};

/// Prices of one model, newest first.
pub(crate) type Prices = Arc<[(ResourceId, Arc<PriceSpec>)]>;

/// A model at an endpoint.
#[derive(Clone, Debug)]
pub struct Target {
    /// How users write it.
    pub model: ModelRef,
    /// Where it is served.
    pub endpoint: Arc<Endpoint>,
    /// What the provider calls it.
    pub upstream: String,
    /// What is known of it.
    pub spec: Arc<ModelSpec>,
    /// The owner's, then those of the tenants above it, then the operator's, then the catalogue's.
    pub(crate) prices: Vec<Prices>,
    /// What was seen of it.
    pub state: Arc<TargetState>,
    /// The model that the provider names in its place.
    pub successor: Option<Arc<Target>>,
}

impl Target {
    /// The credentials that may sign for it.
    #[must_use]
    pub fn credentials(&self) -> TargetCredentials<'_> {
        TargetCredentials { credentials: &self.endpoint.credentials, target: &self.state }
    }

    /// The model that replaces this one, if its provider has taken this one out of service.
    #[must_use]
    pub fn replacement(&self, now: Timestamp) -> Option<&Arc<Self>> {
        let successor =
            self.successor.as_ref().filter(|_| self.spec.deprecation.is_some_and(|end| end <= now))?;
        successor.replacement(now).or(Some(successor))
    }
}
