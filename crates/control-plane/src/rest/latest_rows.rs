//! The configuration rows of the newest version, kept between dry runs.

use std::sync::Arc;

use domain::Timestamp;
use policy::ConfigRows;
use store::{Store, StoreError};

/// The rows of the version that was read last. The compiled snapshot is not kept: it holds opened secrets, and lives
/// no longer than a dry run. A dry run holds the lock to its end, because it takes the memory of a whole configuration.
#[derive(Default)]
pub(super) struct LatestRows(Option<Arc<ConfigRows>>);

impl LatestRows {
    /// The rows of the newest version, those of the catalogue included.
    pub(super) async fn read(&mut self, store: &Store) -> Result<Arc<ConfigRows>, StoreError> {
        let version = store.version().await?;
        if let Some(rows) = self.0.as_ref().filter(|rows| rows.version == version) {
            return Ok(Arc::clone(rows));
        }
        let (version, mut known) = store.load().await?;
        known.extend(store.catalogue_since(0, Timestamp::now()).await?);
        let rows = Arc::new(ConfigRows { version, known, unknown: Vec::new() });
        self.0 = Some(Arc::clone(&rows));
        Ok(rows)
    }
}
