//! Which version is the newest: one reader for all streams, woken by this process's commits and by a clock.

use std::time::Duration;

use domain::Version;
use store::Store;
use tokio::{sync::watch, time::MissedTickBehavior};
use tokio_util::sync::CancellationToken;

/// How long the store may take to say its revision.
const PATIENCE: Duration = Duration::from_secs(5);

/// The newest version; `None` while the store does not say.
pub(super) type LatestVersion = Option<Version>;

/// Follows the store until shutdown, or until the last receiver is dropped.
pub(super) fn follow(
    store: Store,
    poll: Duration,
    shutdown: CancellationToken,
) -> watch::Receiver<LatestVersion> {
    let mut commits = store.subscribe();
    let opened = Version { store: store.id(), revision: *commits.borrow() };
    let (newest, listener) = watch::channel(Some(opened));
    let mut clock = tokio::time::interval(poll);
    clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
    tokio::spawn(async move {
        loop {
            tokio::select! {
                Ok(()) = commits.changed() => {}
                _ = clock.tick() => {}
                () = newest.closed() => return,
                () = shutdown.cancelled() => return,
            }
            // Always asked and never taken from the notice: answers in the order of asking cannot go backwards,
            // unless the store itself does.
            let now = match tokio::time::timeout(PATIENCE, store.version()).await {
                Ok(Ok(version)) => Some(version),
                Ok(Err(error)) => failed(&newest, &error.to_string()),
                Err(_) => failed(&newest, "no answer"),
            };
            newest.send_if_modified(|newest| std::mem::replace(newest, now) != now);
        }
    });
    listener
}

fn failed(newest: &watch::Sender<LatestVersion>, why: &str) -> LatestVersion {
    if newest.borrow().is_some() {
        tracing::error!("the store does not say its revision; watching proxies must wait: {why}");
    }
    None
}
