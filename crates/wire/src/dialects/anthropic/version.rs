//! The versions of Anthropic's API.

use crate::canonical::{Call, Support, TargetFacts};

/// The version of the API since October 2026: it refuses sampling fields.
pub(super) const API_VERSION: &str = "2026-10-21";

/// The version before it, which older models' sampling fields need.
pub(super) const API_VERSION_WITH_SAMPLING: &str = "2023-06-01";

/// What the gateway writes into `anthropic-version` when it translates; a client of this dialect has said its own
/// (docs/spec/anthropic.md#api-versions).
pub(super) fn api_version(call: &Call<'_>, target: &TargetFacts<'_>) -> &'static str {
    let sampling = &call.sampling;
    let fields = [sampling.temperature, sampling.top_p, sampling.top_k];
    if target.sampling == Support::Supported && fields.iter().any(Option::is_some) {
        API_VERSION_WITH_SAMPLING
    } else {
        API_VERSION
    }
}
