//! How far the fleet has come, for Prometheus: in sums, because proxies come and go under any name.

use std::{fmt, sync::Arc};

use runtime::metrics::{Collect, Exposition};
use tokio::sync::watch;

use super::{latest_version::LatestVersion, proxies::Proxies};

/// Where the answers are.
pub(super) struct Progress {
    pub(super) newest: watch::Receiver<LatestVersion>,
    pub(super) proxies: Arc<Proxies>,
}

impl Collect for Progress {
    fn collect(&self, to: &mut Exposition<'_>) -> fmt::Result {
        let newest = *self.newest.borrow();
        let proxies = self.proxies.list();
        let count = |of_them: usize| of_them as f64;
        if let Some(newest) = newest {
            to.gauge("portcullis_control_revision", "Newest revision of the configuration.")?
                .put(&[], newest.revision as f64)?;
        }
        to.gauge("portcullis_proxies_connected", "Proxies connected to this control plane.")?
            .put(&[], count(proxies.len()))?;
        let behind = proxies.iter().filter(|proxy| newest.is_some() && proxy.version != newest).count();
        to.gauge("portcullis_proxies_behind", "Those of them that do not serve the newest revision.")?
            .put(&[], count(behind))?;
        let refused = proxies.iter().filter(|proxy| proxy.refused.is_some()).count();
        to.gauge("portcullis_proxies_refused", "Those of them that refused it.")?.put(&[], count(refused))?;
        let oldest = proxies.iter().map(|proxy| proxy.version.map_or(0, |version| version.revision)).min();
        if let Some(oldest) = oldest {
            to.gauge("portcullis_proxies_oldest_revision", "Oldest revision that one of them serves.")?
                .put(&[], oldest as f64)?;
        }
        Ok(())
    }
}
