//! The proxy as a process: built from settings, served until told to stop, drained in order.

use std::{net::SocketAddr, path::Path, sync::Arc, time::Duration};

use anyhow::Context as _;
use budget::BookStore;
use config_client::{ConfigClient, ConfigSettings, ConfigStatus, Session};
use domain::{IncarnationId, Timestamp, Version};
use runtime::{ConfigError, Readiness, ReadinessCheck, listen, metrics::Metrics};
use secrets::Keyring;
use tokio::{net::TcpListener, sync::watch, task::JoinSet, time::Instant};
use tokio_util::sync::CancellationToken;
use usage_spool::{Reporter, Spool, SpoolLimits};

use crate::{
    budgets,
    context::Observer,
    edge, health_tasks,
    ledger::LedgerSink,
    metrics::{BudgetStates, HealthStates, RequestMetrics, State},
    otel::{self, Tracing},
    probe,
    request_log::RequestLog,
    settings::Settings,
    state::ProxyState,
};

/// How often readiness looks at the age of the configuration and the room in the spool.
const LOOK: Duration = Duration::from_millis(500);
/// How long usage may take to reach the ledger when the process stops; the rest stays in the spool.
const LAST_REPORT: Duration = Duration::from_secs(5);
/// How long giving back authority under budgets may take after that.
const LAST_BOOKS: Duration = Duration::from_secs(3);

/// A proxy with its listeners bound and its directory locked.
pub struct App {
    proxy: Arc<ProxyState>,
    config: ConfigClient,
    session: Session,
    data_plane: TcpListener,
    ops: TcpListener,
    readiness: Readiness,
    metrics: Metrics,
    tracing: Option<Tracing>,
    checks: ReadinessChecks,
}

struct ReadinessChecks {
    snapshot: ReadinessCheck,
    spool: ReadinessCheck,
    serving: ReadinessCheck,
}

impl App {
    /// Binds, locks, recovers the spool and loads the last good snapshot, if there is one. The books of budgets are in
    /// `books`, where they are not in the shared store of the settings.
    ///
    /// # Errors
    /// [`ConfigError`] for what the operator has to change.
    pub async fn build(
        settings: Settings,
        keyring: Arc<Keyring>,
        books: Option<BookStore>,
    ) -> anyhow::Result<Self> {
        settings.edge.check()?;
        let (propagation, tracing) =
            otel::start(&settings.trace, &settings.link.name, &settings.link.region)?;
        let session = settings.link.session()?;
        let data_plane = listen::bind(settings.listen, "--listen").await?;
        let ops = listen::bind(settings.ops_listen, "--ops-listen").await?;
        let coordination = settings.link.coordination().await?;
        let books = books.map_or_else(|| settings.link.book_store(), Ok)?;
        let incarnation = IncarnationId::new();
        let spool = open_spool(&settings, incarnation)?;
        let metrics = Metrics::default();
        let counts = Arc::new(RequestMetrics::default());
        let mut observers: Vec<Arc<dyn Observer>> = vec![Arc::clone(&counts) as _, Arc::new(RequestLog)];
        if let Some(tracing) = &tracing {
            observers.extend(tracing.observers.iter().map(Arc::clone));
            metrics.register(Arc::clone(&tracing.counters) as _);
        }
        let proxy = ProxyState::new(
            Arc::clone(&keyring),
            spool,
            coordination,
            books,
            incarnation,
            settings.edge,
            observers,
        );
        let link = settings.link;
        let proxy = Arc::new(proxy.with_propagation(propagation).in_region(&link.region));
        let max_age = link.max_snapshot_age.std();
        let config = ConfigSettings::new(link.region, settings.data_dir, max_age);
        let install = Arc::clone(&proxy);
        let install = Arc::new(move |rows: &_| install.install(rows));
        let mut config = ConfigClient::new(config, session.clone(), keyring, install);
        let status = config.status();
        proxy.set_staleness_check(Box::new(move || status.is_stale(Timestamp::now())));
        if let Some(version) = config.start_from_disk() {
            tracing::info!(%version, "serving by the last good snapshot until the control plane answers");
        }
        metrics.register(counts);
        metrics.register(Arc::clone(&proxy.health.probes) as _);
        metrics.register(Arc::clone(&proxy.health.alerts) as _);
        metrics.register(Arc::new(BudgetStates(Arc::clone(&proxy))));
        metrics.register(Arc::new(HealthStates(Arc::clone(&proxy))));
        metrics.register(Arc::new(State { proxy: Arc::clone(&proxy), config: config.status() }));
        let readiness = Readiness::new();
        let checks = ReadinessChecks {
            snapshot: readiness.latch("configuration"),
            spool: readiness.latch("usage spool"),
            serving: readiness.latch("serving"),
        };
        Ok(Self { proxy, config, session, data_plane, ops, readiness, metrics, tracing, checks })
    }

    /// Where applications connect.
    ///
    /// # Errors
    /// When the kernel does not know it any more.
    pub fn data_plane(&self) -> Result<SocketAddr, ConfigError> {
        listen::bound(&self.data_plane, "--listen")
    }

    /// Where readiness is served.
    ///
    /// # Errors
    /// As above.
    pub fn ops(&self) -> Result<SocketAddr, ConfigError> {
        listen::bound(&self.ops, "--ops-listen")
    }

    /// Announces every configuration that is installed.
    #[must_use]
    pub fn installed(&self) -> watch::Receiver<Option<Version>> {
        self.proxy.installed()
    }

    /// The readiness of the process, to which others may add checks.
    #[must_use]
    pub fn readiness(&self) -> Readiness {
        self.readiness.clone()
    }

    /// The metrics of the process, to which others may add.
    #[must_use]
    pub fn metrics(&self) -> Metrics {
        self.metrics.clone()
    }

    /// Serves until the token is cancelled, then drains: no new connections, running requests finish, usage is
    /// reported, the spool is synced.
    ///
    /// # Errors
    /// When a part of the process died.
    pub async fn run(self, shutdown: CancellationToken) -> anyhow::Result<()> {
        let Self { proxy, config, session, data_plane, ops, readiness, metrics, tracing, checks } = self;
        // The parts that running requests need stop after them.
        let after = CancellationToken::new();
        let stop = shutdown.child_token();
        let readiness_watch =
            tokio::spawn(watch_readiness(Arc::clone(&proxy), config.status(), checks, stop.clone()));
        let mut parts = JoinSet::new();
        let (exporting, sampling) = tracing.map(|tracing| (tracing.exporting, tracing.sampling)).unzip();
        let ops = runtime::ops::serve(ops, readiness, metrics, sampling, after.clone());
        parts.spawn(async { ("the ops port", ops.await.map_err(anyhow::Error::from)) });
        let health_session = session.clone();
        let status = config.status();
        let running = Box::pin(config.run(after.clone()));
        parts.spawn(async {
            running.await;
            ("configuration", Ok(()))
        });
        // Authority under budgets is given back when all usage was reported, so its parts stop last.
        let last = CancellationToken::new();
        let budgets = Arc::clone(&proxy.budgets);
        let clock = Arc::clone(&proxy);
        let clock = move || clock.now();
        let keeping = budgets::run(Arc::clone(&budgets), session.clone(), clock, last.clone());
        parts.spawn(async {
            keeping.await;
            ("budgets", Ok(()))
        });
        let reporter = Reporter::new(proxy.spool.clone(), LedgerSink::new(session.clone()))?;
        let reporting = report_usage(reporter, after.clone());
        let reporting = async move {
            reporting.await;
            budgets::leave(budgets, session, Instant::now() + LAST_BOOKS).await;
            last.cancel();
        };
        parts.spawn(async {
            reporting.await;
            ("usage reports", Ok(()))
        });
        if let Some(exporting) = exporting {
            let exporting = exporting.run(after.clone());
            parts.spawn(async {
                exporting.await;
                ("OTLP", Ok(()))
            });
        }
        let limits = Arc::clone(&proxy);
        let unneeded = after.clone();
        parts.spawn(async move {
            limits.coordination.run(unneeded).await;
            ("shared limits", Ok(()))
        });
        let health_work = health_tasks::run(Arc::clone(&proxy), after.clone());
        let probing = probe::run(Arc::clone(&proxy), after.clone());
        let reporting_health = report_health(Arc::clone(&proxy), health_session, status, after.clone());
        parts.spawn(async {
            tokio::join!(health_work, probing, reporting_health);
            ("health", Ok(()))
        });
        let serving = edge::run(proxy, data_plane, stop.clone());
        let ended = serve_with(&mut parts, serving, &stop).await;
        after.cancel();
        let stopped = stop_all(parts).await;
        readiness_watch.await?;
        ended.and(stopped)
    }
}

/// A part of the process, by name, with how it ended.
type Part = (&'static str, anyhow::Result<()>);

/// Serves until the token is cancelled, or a part ends before its time: without it the process would look healthy and
/// not do its work, so it drains and returns the error.
async fn serve_with(
    parts: &mut JoinSet<Part>,
    serving: impl Future<Output = ()>,
    stop: &CancellationToken,
) -> anyhow::Result<()> {
    let mut serving = std::pin::pin!(serving);
    let ended = tokio::select! {
        () = &mut serving => return Ok(()),
        Some(ended) = parts.join_next() => ended,
    };
    let error = match ended {
        Ok((part, ended)) => ended.err().unwrap_or_else(|| anyhow::anyhow!("it ended")).context(part),
        Err(died) => anyhow::Error::from(died),
    };
    tracing::error!(error = format!("{error:#}"), "a part of the proxy ended before its time; stopping");
    stop.cancel();
    serving.await;
    Err(error)
}

/// Waits for the parts that were told to stop; the first error counts.
async fn stop_all(mut parts: JoinSet<Part>) -> anyhow::Result<()> {
    let mut all = Ok(());
    while let Some(ended) = parts.join_next().await {
        let ended = ended.map_err(anyhow::Error::from).and_then(|(part, ended)| ended.context(part));
        all = all.and(ended);
    }
    all
}

/// Reports the health of targets and credentials to the control plane.
async fn report_health(
    proxy: Arc<ProxyState>,
    session: Session,
    status: Arc<ConfigStatus>,
    stop: CancellationToken,
) {
    let send = |report| session.report_health(report);
    health_tasks::report(proxy, session.proxy(), status, send, stop).await;
}

/// Reports usage while the process runs, and what is left when it stops.
async fn report_usage(reporter: Reporter<LedgerSink>, stop: CancellationToken) {
    reporter.run(&stop).await;
    if let Err(undelivered) = reporter.drain(Instant::now() + LAST_REPORT).await {
        tracing::warn!("{undelivered}");
    }
}

fn open_spool(settings: &Settings, incarnation: IncarnationId) -> Result<Spool, ConfigError> {
    create_private(&settings.data_dir)?;
    let limits = SpoolLimits { max_bytes: settings.edge.spool_max_bytes, ..SpoolLimits::default() };
    let spool = Spool::open(&settings.data_dir.join("spool"), incarnation, limits);
    spool.map_err(|error| ConfigError::new("--data-dir", error))
}

/// A directory that only its owner may read.
fn create_private(dir: &Path) -> Result<(), ConfigError> {
    use std::os::unix::fs::DirBuilderExt as _;
    let created = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir);
    created
        .map_err(|error| ConfigError::new("--data-dir", format!("cannot create {}: {error}", dir.display())))
}

/// Keeps readiness in line with what requests would meet.
async fn watch_readiness(
    proxy: Arc<ProxyState>,
    status: Arc<ConfigStatus>,
    checks: ReadinessChecks,
    shutdown: CancellationToken,
) {
    let mut installed = proxy.installed();
    loop {
        checks.snapshot.set(installed.borrow_and_update().is_some() && !status.is_stale(Timestamp::now()));
        checks.spool.set(!proxy.spool.is_full());
        checks.serving.set(!shutdown.is_cancelled());
        if shutdown.is_cancelled() {
            return;
        }
        tokio::select! {
            () = shutdown.cancelled() => {}
            changed = installed.changed() => if changed.is_err() { return },
            () = tokio::time::sleep(LOOK) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_part_that_ends_early_takes_the_process_down() {
        let mut parts = JoinSet::new();
        let stop = CancellationToken::new();
        parts.spawn(async { ("reports", Ok(())) });
        let error = serve_with(&mut parts, stop.cancelled(), &stop).await.unwrap_err();
        assert_eq!(format!("{error:#}"), "reports: it ended");
        let stop = CancellationToken::new();
        parts.spawn(async { panic!("died") });
        assert!(serve_with(&mut parts, stop.cancelled(), &stop).await.is_err());
        let stop = CancellationToken::new();
        parts.spawn(std::future::pending());
        stop.cancel();
        serve_with(&mut parts, stop.cancelled(), &stop).await.unwrap();
    }
}
