//! How far the fleet has come, for Prometheus: in sums, because proxies come and go under any name.

use std::{fmt, sync::Arc};

use runtime::metrics::{Collect, Exposition};
use tokio::sync::watch;

use super::{latest_version::LatestVersion, proxies::Proxies};
use crate::metrics;

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
            to.gauge(&metrics::CONTROL_REVISION)?.put([], newest.revision as f64)?;
        }
        to.gauge(&metrics::PROXIES_CONNECTED)?.put([], count(proxies.len()))?;
        let behind = proxies.iter().filter(|proxy| newest.is_some() && proxy.version != newest).count();
        to.gauge(&metrics::PROXIES_BEHIND)?.put([], count(behind))?;
        let refused = proxies.iter().filter(|proxy| proxy.refused.is_some()).count();
        to.gauge(&metrics::PROXIES_REFUSED)?.put([], count(refused))?;
        let oldest = proxies.iter().map(|proxy| proxy.version.map_or(0, |version| version.revision)).min();
        if let Some(oldest) = oldest {
            to.gauge(&metrics::PROXIES_OLDEST_REVISION)?.put([], oldest as f64)?;
        }
        Ok(())
    }
}
