//! What the writers of a call have to know of Bedrock's model.

use crate::canonical::{CacheTtl, LossReport, TargetFacts};

/// The model's vendor: the fields beside Bedrock's own differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ModelVendor {
    Anthropic,
    AmazonNova,
    Other,
}

impl ModelVendor {
    /// Names are `anthropic.…`, `us.anthropic.…`, or an ARN that holds one; an ARN of a profile may hold none.
    pub(super) fn of(model: &str) -> Self {
        if model.contains("anthropic.") {
            Self::Anthropic
        } else if model.contains("amazon.nova") {
            Self::AmazonNova
        } else {
            Self::Other
        }
    }

    /// Whether cache marks are written for a model. A vendor's name is in front of a dot; a name without one is a
    /// profile's, whose model is not known: there the client's mark is sent.
    pub(super) fn caches(self, model: &str) -> bool {
        self != Self::Other || !model.contains('.')
    }
}

/// What the writers of all parts share.
pub(super) struct Target<'t> {
    pub(super) vendor: ModelVendor,
    pub(super) facts: &'t TargetFacts<'t>,
    /// Whether cache marks are written: models that know none refuse them, unless the client knows better.
    pub(super) caches: bool,
}

impl Target<'_> {
    /// The lifetime of a cache mark where it is written; else the loss is told.
    pub(super) fn cache(&self, ttl: Option<CacheTtl>, losses: &mut LossReport) -> Option<CacheTtl> {
        if let Some(ttl) = ttl.filter(|_| !self.caches) {
            losses.cache_mark(ttl);
        }
        ttl.filter(|_| self.caches)
    }
}
