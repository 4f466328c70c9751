//! The state that every request of the admin API shares.

use std::{fmt, sync::Arc};

use runtime::{ConfigError, metrics::Collect, outbound::Filter};
use secrets::{Digest, Keyring};
use store::Store;
use tokio::sync::Mutex;

use super::{counts::Counts, latest_rows::LatestRows, sign_in_failures::SignInFailures};
use crate::watch::Proxies;

/// What the operator decides about the admin API.
#[derive(Clone)]
pub struct AdminSettings {
    /// Digests of the admin tokens (`Keyring::digest`); at least one, because there is no open admin API.
    pub admin_token_digests: Vec<Digest>,
    /// Which addresses providers may have.
    pub outbound: Filter,
}

/// What every request needs.
pub struct AdminState {
    pub(super) store: Store,
    pub(super) keyring: Arc<Keyring>,
    pub(super) proxies: Arc<Proxies>,
    pub(super) settings: AdminSettings,
    pub(super) failures: SignInFailures,
    pub(super) counts: Arc<Counts>,
    pub(super) latest_rows: Mutex<LatestRows>,
}

impl fmt::Debug for AdminState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdminState").field("store", &self.store).finish_non_exhaustive()
    }
}

impl AdminState {
    /// Puts it together.
    ///
    /// # Errors
    /// When there is no admin token: the API never runs without one.
    pub fn new(
        store: Store,
        keyring: Arc<Keyring>,
        proxies: Arc<Proxies>,
        settings: AdminSettings,
    ) -> Result<Arc<Self>, ConfigError> {
        if settings.admin_token_digests.is_empty() {
            return Err(ConfigError::new(
                "PORTCULLIS_ADMIN_TOKEN",
                "is required; there is no admin API without sign-in",
            ));
        }
        Ok(Arc::new(Self {
            store,
            keyring,
            proxies,
            settings,
            failures: SignInFailures::default(),
            counts: Arc::default(),
            latest_rows: Mutex::default(),
        }))
    }

    /// What the API counts.
    #[must_use]
    pub fn counts(&self) -> Arc<dyn Collect> {
        Arc::clone(&self.counts) as _
    }
}
