//! What the writers of a call have to know of Bedrock's model.

use crate::canonical::{CacheTtl, Field, LossReport, TargetFacts};

/// The model's vendor: the fields beside Bedrock's own differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ModelVendor {
    Anthropic,
    AmazonNova,
    Other,
}

/// Vendors at Bedrock none of whose models knows cache marks‡.
const WITHOUT_CACHE: [&str; 12] = [
    "ai21.",
    "amazon.titan",
    "cohere.",
    "deepseek.",
    "google.",
    "meta.",
    "minimax.",
    "mistral.",
    "moonshot",
    "openai.",
    "qwen.",
    "writer.",
];

/// Whether a model is not known to refuse cache marks: of one that nobody knows what the client asked for is sent.
pub(super) fn may_cache(model: &str) -> bool {
    !WITHOUT_CACHE.iter().any(|vendor| model.contains(vendor))
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
        if ttl.is_some() && !self.caches {
            losses.hint(Field::Cache.name_in(losses.client()));
        }
        ttl.filter(|_| self.caches)
    }
}
