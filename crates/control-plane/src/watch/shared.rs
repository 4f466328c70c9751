//! What all streams of Watch share.

use std::{sync::Arc, time::Duration};

use runtime::peer::PeerTokens;
use store::Store;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::proxies::Proxies;

/// The bounds of every wait.
#[derive(Clone, Copy, Debug)]
pub struct WatchSettings {
    /// How often every proxy hears which version is the newest.
    pub heartbeat: Duration,
    /// How often commits of other control planes are looked for: within a second a revoked key must be known.
    pub poll: Duration,
    /// How long a connected proxy may take to say hello.
    pub hello: Duration,
    /// How long a proxy may take to compile a version and answer.
    pub answer: Duration,
    /// How long a message may wait for a slow network.
    pub send: Duration,
}

impl Default for WatchSettings {
    fn default() -> Self {
        Self {
            heartbeat: Duration::from_secs(5),
            poll: Duration::from_millis(500),
            hello: Duration::from_secs(10),
            answer: Duration::from_secs(60),
            send: Duration::from_secs(30),
        }
    }
}

/// What the streams have in common.
pub(super) struct Shared {
    pub(super) store: Store,
    pub(super) tokens: Arc<PeerTokens>,
    pub(super) proxies: Arc<Proxies>,
    pub(super) settings: WatchSettings,
    pub(super) snapshots: Semaphore,
    pub(super) shutdown: CancellationToken,
}
