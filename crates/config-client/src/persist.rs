//! Writes the installed snapshot to disk beside the traffic: newest only, off the runtime, again after a failure.

use std::{sync::Arc, time::Duration};

use domain::Version;
use proto::v1::SavedSnapshot;
use tokio::{sync::watch, time::Instant};
use tokio_util::sync::CancellationToken;

use crate::{file::SnapshotFile, row_set::RowSet, status::ConfigStatus};

/// What the disk lags behind.
pub(crate) struct Persister {
    file: SnapshotFile,
    installed: watch::Receiver<Option<Arc<RowSet>>>,
    status: Arc<ConfigStatus>,
    /// How far the time of confirmation on disk may lag: a snapshot that is confirmed but never changes must not
    /// look old after a restart.
    refresh: Duration,
    retry: Duration,
    /// What the file holds: version, and when it was confirmed (µs since the Unix epoch).
    saved: Option<(Version, i64)>,
}

impl Persister {
    pub(crate) fn new(
        file: SnapshotFile,
        installed: watch::Receiver<Option<Arc<RowSet>>>,
        status: Arc<ConfigStatus>,
        max_age: Duration,
        retry: Duration,
    ) -> Self {
        let refresh = (max_age / 8).clamp(Duration::from_secs(30), Duration::from_secs(3600));
        Self { file, installed, status, refresh, retry, saved: None }
    }

    /// The file holds this already.
    pub(crate) fn loaded(&mut self, version: Version, confirmed_at_us: i64) {
        self.saved = Some((version, confirmed_at_us));
    }

    /// Until shutdown; the last version is written before it returns.
    pub(crate) async fn run(mut self, shutdown: CancellationToken) {
        let mut due = Instant::now() + self.refresh;
        loop {
            let stop = tokio::select! {
                biased;
                changed = self.installed.changed() => changed.is_err(),
                () = tokio::time::sleep_until(due) => false,
                () = shutdown.cancelled() => true,
            };
            let wait = if self.save().await { self.refresh } else { self.retry };
            due = Instant::now() + wait;
            if stop {
                return;
            }
        }
    }

    /// Whether the disk is up to date now.
    async fn save(&mut self) -> bool {
        let Some(rows) = self.installed.borrow_and_update().clone() else { return true };
        let confirmed_at_us = self.status.confirmed_at().unwrap_or_default().micros();
        let state = (rows.version, confirmed_at_us);
        let lag = confirmed_at_us.saturating_sub(self.saved.map_or(0, |(_, saved)| saved));
        let fresh = Duration::from_micros(u64::try_from(lag).unwrap_or(0)) < self.refresh;
        if fresh && self.saved.is_some_and(|(version, _)| version == rows.version) {
            return true;
        }
        let file = self.file.clone();
        let written = tokio::task::spawn_blocking(move || {
            file.write(&SavedSnapshot {
                version: Some(proto::version_to(rows.version)),
                confirmed_at_us,
                resources: rows.to_wire(),
            })
        });
        match written.await.unwrap_or_else(|panic| Err(std::io::Error::other(panic))) {
            Ok(()) => {
                self.saved = Some(state);
                true
            }
            Err(error) => {
                tracing::warn!(
                    version = %state.0, retry_in = ?self.retry,
                    "cannot write the snapshot file, serving on without: {error}"
                );
                false
            }
        }
    }
}
