//! The settings of the configuration client.

use std::{path::PathBuf, sync::Arc, time::Duration};

use domain::Timestamp;
use policy::ConfigRows;

use crate::backoff;

/// Compiles rows and swaps the snapshot that requests see. `Err` refuses the version whole, with the reason for
/// people on both sides; then the one before it must still serve.
pub type Install = Arc<dyn Fn(&ConfigRows) -> Result<(), String> + Send + Sync>;

/// What the configuration client needs to know besides how to reach the control plane.
#[derive(Clone, Debug)]
pub struct ConfigSettings {
    /// The proxy's region, as the operator named it; shown beside its name.
    pub region: String,
    /// Holds `snapshot/`; belongs to this proxy alone.
    pub data_dir: PathBuf,
    /// How long a snapshot may serve after a control plane last confirmed it.
    pub max_snapshot_age: Duration,
    /// Silence after which the control plane counts as dead; it speaks every 5 s.
    pub silence: Duration,
    /// When a snapshot that could not be written is tried again.
    pub write_retry: Duration,
    /// The wall clock.
    pub clock: fn() -> Timestamp,
    /// Uniform in 0..1, for the jitter of reconnects.
    pub random: fn() -> f64,
}

impl ConfigSettings {
    /// The defaults: three missed heartbeats are a dead peer, a full disk is tried again every half minute.
    #[must_use]
    pub fn new(region: String, data_dir: PathBuf, max_snapshot_age: Duration) -> Self {
        Self {
            region,
            data_dir,
            max_snapshot_age,
            silence: Duration::from_secs(15),
            write_retry: Duration::from_secs(30),
            clock: Timestamp::now,
            random: backoff::random,
        }
    }
}
