//! What the proxies see of targets and keys: the newest report of each, for people and for dry runs.

mod report;
mod view;

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use policy::health::{HealthRegistry, Micros};
use proto::v1::HealthReport;
use tokio::time::Instant;
use tonic::Status;

pub use self::view::{KeyItem, KeyOfProxy, TargetItem, TargetOfProxy};
pub(crate) use self::{
    report::Report,
    view::{keys, targets},
};

/// Reports that are older than this are dropped; a proxy reports every 10 s at least.
const HOLDS: Duration = Duration::from_secs(30);
/// All reports together, in bytes of the wire.
const MOST_BYTES: usize = 256 << 20;

/// The newest report of each proxy.
#[derive(Default)]
pub struct HealthReports(Mutex<BTreeMap<String, Arc<Report>>>);

impl fmt::Debug for HealthReports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HealthReports").field("reports", &self.lock().len()).finish_non_exhaustive()
    }
}

impl HealthReports {
    /// Takes a report in place of the one before.
    #[allow(clippy::result_large_err, reason = "tonic's own error type")]
    pub(crate) fn take(&self, report: HealthReport, now: Instant) -> Result<(), Status> {
        let report = Report::read(report, now).map_err(|bad| Status::invalid_argument(bad.0))?;
        let mut reports = self.lock();
        reports.retain(|_, report| report.age(now) < HOLDS);
        let others = reports.iter().filter(|(name, _)| **name != report.proxy);
        let held: usize = others.map(|(_, other)| other.bytes).sum();
        if held + report.bytes > MOST_BYTES {
            return Err(Status::resource_exhausted("too many targets at too many proxies"));
        }
        reports.insert(report.proxy.clone(), Arc::new(report));
        Ok(())
    }

    /// A proxy is gone.
    pub(crate) fn forget(&self, proxy: &str) {
        self.lock().remove(proxy);
    }

    /// Those that are still believed, by proxy.
    pub(crate) fn newest(&self, now: Instant) -> Vec<Arc<Report>> {
        self.lock().values().filter(|report| report.age(now) < HOLDS).map(Arc::clone).collect()
    }

    /// What the proxies of a region (of all, if none is given) know of ejections, recoveries and keys, as if this
    /// process had seen it by `now`, a moment on the caller's own clock, and how many proxies that are: for
    /// `policy::plan` in a dry run. `seed` is what it draws by.
    #[must_use]
    pub fn live_view(&self, region: Option<&str>, seed: u64, now: Micros) -> (HealthRegistry, usize) {
        let live = HealthRegistry::new(seed);
        let at = Instant::now();
        let reports = self.newest(at);
        let near = || reports.iter().filter(|report| region.is_none_or(|region| region == report.region));
        near().for_each(|report| report.adopt_into(&live, at, now));
        (live, near().count())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Arc<Report>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
