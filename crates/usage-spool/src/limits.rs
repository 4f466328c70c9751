//! The bounds of a spool on its disk.

/// How much disk the spool may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpoolLimits {
    /// All segments together, in bytes. Intents are refused from 7/8 of it on; the rest is for the events of requests
    /// that were admitted before, and those are always taken.
    pub max_bytes: u64,
    /// One segment, in bytes, give or take what is written within a few syncs.
    pub segment_bytes: u64,
}

impl Default for SpoolLimits {
    fn default() -> Self {
        Self { max_bytes: 1 << 30, segment_bytes: 8 << 20 }
    }
}
