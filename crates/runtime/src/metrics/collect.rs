//! What may be asked for its metrics.

use std::fmt;

use super::exposition::Exposition;

/// Something that is measured.
pub trait Collect: Send + Sync + 'static {
    /// Writes its metrics as they are now; called at each scrape, on a thread that may block for a moment.
    ///
    /// # Errors
    /// Only what `to` returned.
    fn collect(&self, to: &mut Exposition<'_>) -> fmt::Result;
}
