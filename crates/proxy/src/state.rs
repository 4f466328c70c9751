//! What all requests share: the snapshot pointer, keys, upstream clients and the spool, without locks.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use budget::BookStore;
use coordination::Coordinator;
use domain::{ErrorKind, IncarnationId, Priority, Version};
use policy::{
    ConfigRows, Snapshot, compile,
    health::{Clock, HealthRegistry, Micros},
};
use secrets::Keyring;
use tokio::{sync::watch, time::Instant};
use upstream::{TokenCache, Upstream};
use usage_spool::Spool;

use crate::{
    activity::{InFlightPermit, ProcessActivity},
    budgets::Budgets,
    clock::ProcessClock,
    context::{Observer, Observers, TracePropagation},
    error::GatewayError,
    health::HealthMonitor,
    observed_limits::ObservedLimits,
    settings::EdgeSettings,
};

/// Says whether the configuration is too old to serve by.
pub(crate) type Stale = Box<dyn Fn() -> bool + Send + Sync>;

/// The shared state of one proxy.
pub(crate) struct ProxyState {
    snapshot: ArcSwapOption<Snapshot>,
    pub(crate) keyring: Arc<Keyring>,
    pub(crate) upstream: Arc<Upstream>,
    pub(crate) tokens: TokenCache,
    pub(crate) spool: Spool,
    pub(crate) coordination: Coordinator,
    pub(crate) budgets: Arc<Budgets>,
    pub(crate) incarnation: IncarnationId,
    pub(crate) edge: EdgeSettings,
    pub(crate) observers: Observers,
    pub(crate) propagation: TracePropagation,
    /// The states of targets and credentials.
    pub(crate) live: Arc<HealthRegistry>,
    pub(crate) health: HealthMonitor,
    /// The region of this proxy, if it has one.
    pub(crate) region: Option<String>,
    pub(crate) activity: Arc<ProcessActivity>,
    pub(crate) observed_limits: ObservedLimits,
    clock: ProcessClock,
    stale: std::sync::OnceLock<Stale>,
    installed: watch::Sender<Option<Version>>,
}

impl ProxyState {
    pub(crate) fn new(
        keyring: Arc<Keyring>,
        spool: Spool,
        coordination: Coordinator,
        books: BookStore,
        incarnation: IncarnationId,
        edge: EdgeSettings,
        observers: Vec<Arc<dyn Observer>>,
    ) -> Self {
        let live = Arc::new(HealthRegistry::new(incarnation.0.as_u64_pair().1));
        let clock = ProcessClock::start();
        Self {
            snapshot: ArcSwapOption::empty(),
            keyring,
            upstream: Arc::new(Upstream::new(edge.allow_private_networks.clone())),
            tokens: TokenCache::default(),
            budgets: Budgets::new(books, spool.clone()),
            spool,
            coordination,
            incarnation,
            edge,
            observers: observers.into(),
            propagation: TracePropagation::default(),
            health: HealthMonitor::new(Arc::clone(&live), clock),
            live,
            region: None,
            activity: Arc::default(),
            observed_limits: ObservedLimits::default(),
            clock,
            stale: std::sync::OnceLock::new(),
            installed: watch::Sender::new(None),
        }
    }

    /// Sets how trace context is read and passed on.
    pub(crate) fn with_propagation(mut self, propagation: TracePropagation) -> Self {
        self.propagation = propagation;
        self
    }

    /// Sets the region of the proxy; an empty text is none.
    pub(crate) fn in_region(mut self, region: &str) -> Self {
        self.region = Some(region.to_owned()).filter(|region| !region.is_empty());
        self
    }

    /// The time on the proxy's own clock.
    pub(crate) fn now(&self) -> Micros {
        self.clock.now()
    }

    /// A moment on that clock.
    pub(crate) fn at(&self, moment: Instant) -> Micros {
        self.clock.at(moment)
    }

    /// That clock as a function.
    pub(crate) fn clock(&self) -> Clock {
        self.clock.reader()
    }

    /// Compiles rows and swaps them in, or leaves everything as it was.
    pub(crate) fn install(&self, rows: &ConfigRows) -> Result<(), String> {
        let snapshot = compile(rows, &self.keyring, &self.live).map_err(|error| error.to_string())?;
        for row in &rows.unknown {
            tracing::error!(
                kind = row.kind,
                name = row.name,
                reason = row.reason,
                "cannot read a resource; what depends on it is out of service"
            );
        }
        tracing::info!(version = %snapshot.version, keys = snapshot.key_count(), "configuration installed");
        self.tokens.keep(&snapshot, &self.upstream);
        self.budgets.prepare(&snapshot);
        self.snapshot.store(Some(Arc::new(snapshot)));
        self.installed.send_replace(Some(rows.version));
        Ok(())
    }

    /// Announces every version that is installed.
    pub(crate) fn installed(&self) -> watch::Receiver<Option<Version>> {
        self.installed.subscribe()
    }

    /// Sets the check for a stale configuration, once, at start.
    pub(crate) fn set_staleness_check(&self, stale: Stale) {
        // A second check would be a fault of composition; the first one stays.
        let _ = self.stale.set(stale);
    }

    /// The configuration that is installed, whatever its age.
    pub(crate) fn current(&self) -> Option<Arc<Snapshot>> {
        self.snapshot.load_full()
    }

    /// The snapshot that a request keeps to its end.
    pub(crate) fn snapshot(&self) -> Result<Arc<Snapshot>, GatewayError> {
        let snapshot = self.snapshot.load_full().ok_or_else(|| {
            GatewayError::new(
                ErrorKind::StoreUnavailable,
                "this proxy has not received its configuration yet",
            )
            .retry_after(1)
        })?;
        if self.stale.get().is_some_and(|stale| stale()) {
            let text =
                "this proxy has been cut off from its control plane for longer than its settings allow";
            return Err(GatewayError::new(ErrorKind::StoreUnavailable, text).retry_after(5));
        }
        Ok(snapshot)
    }

    /// Admits one more request, unless as many are in flight as the settings allow.
    pub(crate) fn acquire_in_flight(&self) -> Result<InFlightPermit, GatewayError> {
        self.activity.acquire_in_flight(self.edge.max_in_flight).ok_or_else(|| {
            GatewayError::new(ErrorKind::Overloaded, "too many requests in flight").retry_after(1)
        })
    }

    /// Refuses a request, which holds its permit already, where the rest is reserved for higher priorities.
    pub(crate) fn check_priority_headroom(&self, priority: Priority) -> Result<(), GatewayError> {
        let percent = match priority {
            Priority::Low => 80,
            Priority::Normal => 90,
            Priority::High => return Ok(()),
        };
        let most = (self.edge.max_in_flight.saturating_mul(percent)).div_ceil(100);
        if self.activity.in_flight() <= most {
            return Ok(());
        }
        let text = "too many requests in flight for one of this priority";
        Err(GatewayError::new(ErrorKind::Overloaded, text).retry_after(1))
    }
}
