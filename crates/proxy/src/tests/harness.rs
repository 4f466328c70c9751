//! A proxy with its listener and spool, simulators behind it, a client in front of it.

mod client;
mod raw;
mod rows;
mod sim;

use std::{collections::HashSet, net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use domain::{IncarnationId, RequestId, UsageEvent};
use policy::ConfigRows;
use prost::Message as _;
use proto::v1;
use runtime::metrics::Metrics;
use tokio::{net::TcpListener, sync::mpsc, task::JoinHandle, time::Instant};
use tokio_util::sync::CancellationToken;

use self::rows::{Configuration, Configured};
pub(super) use self::{
    client::{Client, Plain, Reply, account, chunks, plain_body, stream_body, text_of},
    raw::Raw,
    rows::{Price, credential},
    sim::Sim,
};
use usage_spool::{Reporter, Sink, SinkError, Spool, SpoolLimits};

use crate::{
    context::Observer,
    edge,
    metrics::RequestMetrics,
    otel,
    request_log::RequestLog,
    settings::{EdgeSettings, TraceSettings},
    state::ProxyState,
};

/// No test waits longer for anything.
const LIMIT: Duration = Duration::from_secs(20);
/// Everything in the tests' route is the model of this name at its provider.
pub(super) const UPSTREAM: &str = "echo-large";

/// The route of probes in usage events.
const PROBE: &str = "probe";
const REQUESTS: &str = "portcullis_requests_total";

/// What was counted, as Prometheus would read it.
pub(super) fn render(counts: &Arc<RequestMetrics>) -> String {
    let metrics = Metrics::default();
    metrics.register(Arc::clone(counts) as _);
    metrics.render().unwrap()
}

/// The sum of a metric's series with these labels, as written (`name="value"`, or a start of it).
pub(super) fn count(text: &str, metric: &str, labels: &[&str]) -> f64 {
    let samples = text.lines().filter_map(|line| line.strip_prefix(metric)?.rsplit_once(' '));
    let samples = samples.filter(|(series, _)| series.is_empty() || series.starts_with('{'));
    let samples = samples.filter(|(series, _)| labels.iter().all(|label| series.contains(label)));
    samples.map(|(_, value)| value.parse::<f64>().unwrap()).sum()
}

pub(super) async fn soon<T>(wait: impl Future<Output = T>) -> T {
    tokio::time::timeout(LIMIT, wait).await.expect("in time")
}

/// What a test wants.
pub(super) struct Plan {
    /// How many simulators: the providers `a`, `b`, ….
    pub(super) simulators: usize,
    /// Their kinds; `custom` where none is said.
    pub(super) kinds: &'static [&'static str],
    /// The secret of every credential; one of its own each where none is said.
    pub(super) secret: Option<String>,
    /// More providers behind them, by URL.
    pub(super) others: Vec<String>,
    /// The route's timeouts, as JSON.
    pub(super) timeouts: &'static str,
    /// More fields of the route, as JSON; by default a target is tried once.
    pub(super) route: &'static str,
    /// The providers' health settings, as JSON; by default nothing is ever ejected.
    pub(super) health: &'static str,
    /// The providers' probes, as JSON; by default there are none.
    pub(super) probe: &'static str,
    /// Whether what no request waits for runs as well: sharing of health, trials, probes.
    pub(super) background: bool,
    /// What is known of each provider's model beyond its name, as JSON fields.
    pub(super) models: &'static [&'static str],
    /// Credentials of each provider.
    pub(super) credentials: usize,
    pub(super) edge: EdgeSettings,
    pub(super) coordination: coordination::Coordinator,
    pub(super) books: budget::BookStore,
    /// The key that requests sign in with, as JSON.
    pub(super) key: &'static str,
    /// Of the tenant, as JSON.
    pub(super) limits: &'static [&'static str],
    pub(super) trace: TraceSettings,
}

impl Default for Plan {
    fn default() -> Self {
        let edge = EdgeSettings {
            max_body_bytes: 32 << 20,
            body_timeout_seconds: 10,
            header_timeout_seconds: 10,
            idle_timeout_seconds: 15,
            write_timeout_seconds: 10,
            max_connections: 100,
            max_in_flight: 100,
            lame_duck_seconds: 0,
            drain_seconds: 10,
            spool_max_bytes: 64 << 20,
            allow_private_networks: "127.0.0.1".parse().unwrap(),
            cors_origins: Vec::new(),
        };
        let timeouts = r#"{"connect":"5s","first_token":"15s","between_tokens":"15s","total":"18s"}"#;
        let coordination = coordination::Coordinator::memory(coordination::Clock::monotonic());
        let (others, limits, trace) = (Vec::new(), &[][..], TraceSettings::default());
        let kinds = &[][..];
        let secret = None;
        let (route, health) =
            (r#""retry":{"attempts":1}"#, r#"{"consecutive":1000000,"min_requests":1000000}"#);
        Self {
            simulators: 1,
            kinds,
            secret,
            others,
            timeouts,
            route,
            health,
            probe: r#""off""#,
            key: "{}",
            background: false,
            models: &[],
            credentials: 1,
            edge,
            coordination,
            books: budget::BookStore::Absent,
            limits,
            trace,
        }
    }
}

/// The whole arrangement.
pub(super) struct Bench {
    pub(super) address: SocketAddr,
    pub(super) proxy: Arc<ProxyState>,
    counts: Arc<RequestMetrics>,
    pub(super) client: Client,
    pub(super) sims: Vec<Sim>,
    /// Of the listener.
    pub(super) stop: CancellationToken,
    listening: JoinHandle<()>,
    /// What no request waits for.
    background: Option<JoinHandle<()>>,
    stop_background: CancellationToken,
    reporting: JoinHandle<Reporter<ToTest>>,
    exporting: Option<JoinHandle<()>>,
    /// What became of spans, where they are exported.
    pub(super) spans: Option<Arc<otel::Counters>>,
    stop_reporting: CancellationToken,
    events: mpsc::UnboundedReceiver<UsageEvent>,
    /// Reported; as every ledger, the test ignores an event that comes again.
    known: HashSet<RequestId>,
    /// Events of probes that came while others were waited for.
    probes: Vec<UsageEvent>,
    rows: ConfigRows,
    _dir: tempfile::TempDir,
}

/// A ledger that hands what it is told to the test.
struct ToTest(mpsc::UnboundedSender<UsageEvent>);

impl Sink for ToTest {
    async fn report(&self, events: Vec<Bytes>) -> Result<(), SinkError> {
        for event in events {
            let event = v1::UsageEvent::decode(event).unwrap();
            self.0.send(proto::event_from(event).unwrap()).unwrap();
        }
        Ok(())
    }
}

impl Bench {
    pub(super) async fn one() -> Self {
        Self::start(Plan::default()).await
    }

    pub(super) async fn two() -> Self {
        Self::start(Plan { simulators: 2, ..Plan::default() }).await
    }

    pub(super) async fn start(mut plan: Plan) -> Self {
        let mut sims = Vec::new();
        for _ in 0..plan.simulators {
            sims.push(Sim::start().await);
        }
        let urls: Vec<String> = sims.iter().map(Sim::url).chain(std::mem::take(&mut plan.others)).collect();
        let configured = rows::build(&Configuration {
            urls: &urls,
            kinds: plan.kinds,
            models: plan.models,
            secret: plan.secret.as_deref(),
            timeouts: plan.timeouts,
            route: plan.route,
            health: &format!(r#"{},"probe":{}"#, plan.health, plan.probe),
            credentials: plan.credentials,
            limits: plan.limits,
            key: plan.key,
        });
        Self::over(plan, sims, configured).await
    }

    /// Another replica, of the same configuration and before the same simulators.
    pub(super) async fn beside(&self, plan: Plan) -> Self {
        let configured = Configured {
            rows: self.rows.clone(),
            keyring: Arc::clone(&self.proxy.keyring),
            keys: self.client.keys.clone(),
        };
        Self::over(plan, Vec::new(), configured).await
    }

    async fn over(plan: Plan, sims: Vec<Sim>, configured: Configured) -> Self {
        let Configured { rows, keyring, keys } = configured;
        let dir = tempfile::tempdir().unwrap();
        let incarnation = IncarnationId::new();
        let spool = Spool::open(&dir.path().join("spool"), incarnation, SpoolLimits::default()).unwrap();
        let (sender, events) = mpsc::unbounded_channel();
        let reporter = Reporter::new(spool.clone(), ToTest(sender)).unwrap();
        let stop_reporting = CancellationToken::new();
        let stop = stop_reporting.clone();
        let reporting = tokio::spawn(async move {
            reporter.run(&stop).await;
            reporter
        });
        let counts = Arc::new(RequestMetrics::default());
        let (propagation, tracing) = otel::start(&plan.trace, "proxy-1", "here").unwrap();
        let mut observers: Vec<Arc<dyn Observer>> = vec![Arc::clone(&counts) as _, Arc::new(RequestLog)];
        let tracing = tracing.map(|tracing| {
            observers.extend(tracing.observers);
            (tokio::spawn(tracing.exporting.run(stop_reporting.clone())), tracing.counters)
        });
        let (exporting, spans) = tracing.unzip();
        let proxy =
            ProxyState::new(keyring, spool, plan.coordination, plan.books, incarnation, plan.edge, observers);
        let proxy = Arc::new(proxy.with_propagation(propagation));
        proxy.install(&rows).unwrap();
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let stop = CancellationToken::new();
        let listening = tokio::spawn(edge::run(Arc::clone(&proxy), socket, stop.clone()));
        let client = Client::new(address, keys);
        let stop_background = CancellationToken::new();
        let background = plan.background.then(|| {
            let [coordination, watching, probing] =
                [(); 3].map(|()| (Arc::clone(&proxy), stop_background.clone()));
            tokio::spawn(async move {
                let sharing = coordination.0.coordination.run(coordination.1);
                let watching = crate::health_tasks::run(watching.0, watching.1);
                tokio::join!(sharing, watching, crate::probe::run(probing.0, probing.1));
            })
        });
        Self {
            address,
            proxy,
            counts,
            client,
            sims,
            stop,
            listening,
            background,
            stop_background,
            reporting,
            exporting,
            spans,
            stop_reporting,
            events,
            known: HashSet::new(),
            probes: Vec::new(),
            rows,
            _dir: dir,
        }
    }

    /// Somebody wrote every credential anew: whatever was seen of the keys before counts no more.
    pub(super) fn new_keys(&mut self) {
        let keys = self.rows.known.iter_mut().filter(|row| row.kind() == domain::Kind::Credential);
        keys.for_each(|row| row.revision += 1);
        self.proxy.install(&self.rows).unwrap();
    }

    pub(super) fn sim(&self) -> &Sim {
        &self.sims[0]
    }

    /// The next event of a client's request that the ledger is told.
    pub(super) async fn event(&mut self) -> UsageEvent {
        loop {
            let event = soon(self.events.recv()).await.unwrap();
            if event.route == PROBE {
                self.probes.push(event);
            } else if self.known.insert(event.request) {
                return event;
            }
        }
    }

    /// The next event of a probe.
    pub(super) async fn probe_event(&mut self) -> UsageEvent {
        while self.probes.is_empty() {
            let event = soon(self.events.recv()).await.unwrap();
            assert_eq!(event.route, PROBE, "{event:?}");
            self.probes.push(event);
        }
        self.probes.remove(0)
    }

    /// Another configuration: the same rows, changed.
    pub(super) fn change(&mut self, change: impl FnOnce(&mut Vec<domain::Resource>)) {
        change(&mut self.rows.known);
        self.rows.version.revision += 1;
        self.proxy.install(&self.rows).unwrap();
    }

    /// What was counted, as Prometheus would read it.
    pub(super) fn metrics(&self) -> String {
        render(&self.counts)
    }

    /// Stops exporting, as the end of a process does.
    pub(super) async fn stop_exporting(&mut self) {
        self.stop_reporting.cancel();
        if let Some(exporting) = self.exporting.take() {
            soon(exporting).await.unwrap();
        }
    }

    /// Stops what no request waits for, as the end of a process does.
    pub(super) async fn stop_background(&mut self) {
        self.stop_background.cancel();
        if let Some(background) = self.background.take() {
            soon(background).await.unwrap();
        }
    }

    /// Drains everything; the places are given back, and no event is left that the test did not ask for.
    pub(super) async fn finish(mut self) {
        self.stop.cancel();
        soon(&mut self.listening).await.unwrap();
        assert_eq!(self.proxy.activity.in_flight(), 0, "places were not given back");
        self.stop_background().await;
        self.stop_exporting().await;
        let reporter = soon(self.reporting).await.unwrap();
        reporter.drain(Instant::now() + LIMIT).await.unwrap();
        while let Ok(event) = self.events.try_recv() {
            let known = event.route == PROBE || self.known.contains(&event.request);
            assert!(known, "an event too many: {event:?}");
        }
        let text = render(&self.counts);
        let told = count(&text, REQUESTS, &[]) - count(&text, REQUESTS, &[r#"provider="""#]);
        assert_eq!(told, self.known.len() as f64, "each event is counted once: {text}");
    }
}
