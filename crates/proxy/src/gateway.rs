//! What every request shares: the snapshot pointer, keys, upstream clients and the spool; no locks.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use arc_swap::ArcSwapOption;
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
    health::Health, observe::Observers, reply::GatewayError, settings::EdgeSettings, trace::TracePropagation,
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
    pub(crate) incarnation: IncarnationId,
    pub(crate) edge: EdgeSettings,
    pub(crate) observers: Observers,
    pub(crate) head: TracePropagation,
    /// What was seen of targets and keys.
    pub(crate) live: HealthRegistry,
    pub(crate) health: Health,
    /// Where this proxy stands.
    pub(crate) region: Option<String>,
    /// When its own clock began.
    origin: Instant,
    stale: std::sync::OnceLock<Stale>,
    installed: watch::Sender<Option<Version>>,
    /// The drain time is over: what is broken off now is broken off by this side.
    cutting: AtomicBool,
    in_flight: AtomicUsize,
    streams: AtomicUsize,
}

/// A request's place among those in flight; given back on drop.
pub(crate) struct InFlightPermit(Arc<ProxyState>);

impl Drop for InFlightPermit {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A stream that runs; counted until it is dropped.
pub(crate) struct ActiveStreamGuard(Arc<ProxyState>);

impl ActiveStreamGuard {
    pub(crate) fn new(gateway: Arc<ProxyState>) -> Self {
        gateway.streams.fetch_add(1, Ordering::Relaxed);
        Self(gateway)
    }
}

impl Drop for ActiveStreamGuard {
    fn drop(&mut self) {
        self.0.streams.fetch_sub(1, Ordering::Relaxed);
    }
}

impl ProxyState {
    pub(crate) fn new(
        keyring: Arc<Keyring>,
        spool: Spool,
        coordination: Coordinator,
        incarnation: IncarnationId,
        edge: EdgeSettings,
        observers: Observers,
    ) -> Self {
        Self {
            snapshot: ArcSwapOption::empty(),
            keyring,
            upstream: Arc::new(Upstream::new(edge.allow_private_networks.clone())),
            tokens: TokenCache::default(),
            spool,
            coordination,
            incarnation,
            edge,
            observers,
            head: TracePropagation::default(),
            live: HealthRegistry::new(incarnation.0.as_u64_pair().1),
            health: Health::default(),
            region: None,
            origin: Instant::now(),
            stale: std::sync::OnceLock::new(),
            installed: watch::Sender::new(None),
            cutting: AtomicBool::new(false),
            in_flight: AtomicUsize::new(0),
            streams: AtomicUsize::new(0),
        }
    }

    /// Sets how requests find their place in a trace.
    pub(crate) fn traced_by(mut self, head: TracePropagation) -> Self {
        self.head = head;
        self
    }

    /// Sets where the proxy stands.
    pub(crate) fn in_region(mut self, region: &str) -> Self {
        self.region = Some(region.to_owned()).filter(|region| !region.is_empty());
        self
    }

    /// Time since its start, on a clock that never goes back.
    pub(crate) fn now(&self) -> Micros {
        self.at(Instant::now())
    }

    /// A moment on that clock.
    pub(crate) fn at(&self, moment: Instant) -> Micros {
        since(self.origin, moment)
    }

    /// That clock, for those who look at it by themselves.
    pub(crate) fn clock(&self) -> Clock {
        let origin = self.origin;
        Arc::new(move || since(origin, Instant::now()))
    }

    /// Compiles rows and swaps them in, or leaves everything as it was.
    pub(crate) fn install(&self, rows: &ConfigRows) -> Result<(), String> {
        let snapshot = compile(rows, &self.keyring, &self.live).map_err(|error| error.to_string())?;
        for row in &rows.unknown {
            tracing::error!(
                kind = row.kind,
                name = row.name,
                reason = row.reason,
                "cannot read a resource; what leans on it is out of service"
            );
        }
        tracing::info!(version = %snapshot.version, keys = snapshot.key_count(), "configuration installed");
        self.tokens.keep(&snapshot, &self.upstream);
        self.snapshot.store(Some(Arc::new(snapshot)));
        self.installed.send_replace(Some(rows.version));
        Ok(())
    }

    /// Tells of every installed version.
    pub(crate) fn installed(&self) -> watch::Receiver<Option<Version>> {
        self.installed.subscribe()
    }

    /// Sets the judge of staleness, once, at start.
    pub(crate) fn judge_staleness(&self, stale: Stale) {
        // A second judge would be a fault of composition; the first one stays.
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

    /// Takes a place among the requests in flight.
    pub(crate) fn enter(self: &Arc<Self>) -> Result<InFlightPermit, GatewayError> {
        let place = InFlightPermit(Arc::clone(self));
        if self.in_flight.fetch_add(1, Ordering::Relaxed) >= self.edge.max_in_flight {
            return Err(
                GatewayError::new(ErrorKind::Overloaded, "too many requests in flight").retry_after(1)
            );
        }
        Ok(place)
    }

    /// Refuses a request, which has its place already, where the rest is for those of higher priority.
    pub(crate) fn admit(&self, priority: Priority) -> Result<(), GatewayError> {
        let percent = match priority {
            Priority::Low => 80,
            Priority::Normal => 90,
            Priority::High => return Ok(()),
        };
        let most = (self.edge.max_in_flight.saturating_mul(percent)).div_ceil(100);
        if self.in_flight() <= most {
            return Ok(());
        }
        let text = "too many requests in flight for one of this priority";
        Err(GatewayError::new(ErrorKind::Overloaded, text).retry_after(1))
    }

    /// Requests in flight.
    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// From now on requests that are dropped are cut by this side.
    pub(crate) fn begin_cutting(&self) {
        self.cutting.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_cutting(&self) -> bool {
        self.cutting.load(Ordering::Relaxed)
    }

    /// Streams that run.
    pub(crate) fn streams(&self) -> usize {
        self.streams.load(Ordering::Relaxed)
    }
}

fn since(origin: Instant, moment: Instant) -> Micros {
    u64::try_from(moment.saturating_duration_since(origin).as_micros()).unwrap_or(u64::MAX)
}
