//! What limits that only observe would have refused.

use std::sync::atomic::{AtomicU64, Ordering};

use domain::RequestId;

use crate::error::GatewayError;

/// The kinds of limits.
const KINDS: [&str; 5] = ["requests", "concurrent", "tokens", "input_tokens", "output_tokens"];

/// Counts requests that a limit which only observes would have refused.
#[derive(Debug, Default)]
pub(crate) struct ObservedLimits([AtomicU64; KINDS.len()]);

impl ObservedLimits {
    /// Counts a refusal that is not enforced.
    pub(crate) fn count(&self, request: RequestId, refusal: &GatewayError) {
        let kind = refusal.limit().unwrap_or_default();
        let counts = self.0.iter().zip(KINDS).filter(|(_, known)| *known == kind);
        counts.for_each(|(count, _)| _ = count.fetch_add(1, Ordering::Relaxed));
        tracing::info!(%request, kind, refusal = refusal.details().message, "a limit that only observes is reached");
    }

    /// How many there were of each kind.
    pub(crate) fn counts(&self) -> impl Iterator<Item = (&'static str, u64)> {
        KINDS.into_iter().zip(self.0.iter().map(|count| count.load(Ordering::Relaxed)))
    }
}
