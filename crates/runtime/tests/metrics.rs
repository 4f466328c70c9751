//! `/metrics` as a real Prometheus reads it, whatever the labels hold.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail")]

use std::{
    collections::BTreeSet,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use runtime::{
    Readiness,
    metrics::{Collect, Exposition, Family, Histogram, Metrics, Name, Names, OTHER, SeriesKey},
    ops,
};
use testkit::{Http, Prometheus, eventually};
use tokio::{net::TcpListener, task::spawn_blocking};
use tokio_util::sync::CancellationToken;

runtime::metric_table! {
    static TESTED;

    HOSTILE: Counter = "t_hostile_total" ["name"] at most 100, "Whatever.";
    TIMES: Durations(&[1_000, 1_000_000]) = "t_times_seconds" ["name"], "Times.";
    MONEY: Counter = "t_money_usd_total" [], "Dollars.";
}

const SOON: Duration = Duration::from_secs(30);

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Key(Name);

impl SeriesKey for Key {
    fn overflow(self) -> Self {
        Self(OTHER)
    }
}

struct Hostile {
    names: Names,
    series: Family<Key, AtomicU64>,
    times: Histogram,
}

impl Collect for Hostile {
    fn collect(&self, to: &mut Exposition<'_>) -> fmt::Result {
        let mut counters = to.counter(&HOSTILE)?;
        self.series
            .each(|key, count| counters.put([&*self.names.text(key.0)], count.load(Ordering::Relaxed)))?;
        to.histogram(&TIMES)?.put(["\"}\n{le=\""], &self.times)?;
        to.counter(&MONEY)?.put_nanos([], 4_503_599_627_370_497)
    }
}

/// Names that break parsers, and how they are shown.
fn hostile() -> Vec<(String, String)> {
    let same = ["a\"b", "{}", "c\\", "\\n", "x=\"y\",z=\"", "é🦀\u{202e}", "# EOF", " ", "le", "+Inf"];
    let cleaned = [
        ("two\nlines", "two\u{fffd}lines"),
        ("\0\r\t\u{7f}\u{85}", "\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}"),
    ];
    let same = same.into_iter().map(|name| (name, name));
    let mut names: Vec<_> = same.chain(cleaned).map(|(name, shown)| (name.into(), shown.into())).collect();
    names.push(("long".repeat(2_500), "long".repeat(32)));
    names
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_prometheus_reads_hostile_names_and_exact_money() {
    let names = hostile();
    let source = Hostile {
        names: Names::new(names.len()),
        series: HOSTILE.family(AtomicU64::default),
        times: TIMES.histogram(),
    };
    for name in names.iter().map(|(name, _)| name.as_str()).chain(["one too many", "and another"]) {
        source.series.record(Key(source.names.of(name)), |count| _ = count.fetch_add(1, Ordering::Relaxed));
    }
    source.times.observe(Duration::from_millis(5));
    let metrics = Metrics::default();
    metrics.register(Arc::new(source));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, stop) = (listener.local_addr().unwrap().to_string(), CancellationToken::new());
    let serving = tokio::spawn(ops::serve(listener, Readiness::new(), metrics, None, stop.clone()));
    spawn_blocking(move || scraped(&address, names)).await.unwrap();
    stop.cancel();
    serving.await.unwrap().unwrap();
}

fn scraped(address: &str, names: Vec<(String, String)>) {
    let prometheus = Prometheus::start(&[("t", address)], None).unwrap();
    let up = eventually(SOON, || prometheus.value("up{job=\"t\"}").unwrap() == 1.0);
    assert!(up, "{:?}", prometheus.failing().unwrap());
    let seen = prometheus.query("t_hostile_total").unwrap();
    let label = |labels: &std::collections::BTreeMap<String, String>| labels["name"].clone();
    let shown: BTreeSet<String> = seen.iter().map(|(labels, _)| label(labels)).collect();
    let want = names.into_iter().map(|(_, shown)| shown).chain(["other".to_owned()]);
    assert_eq!(shown, want.collect());
    assert!(seen.iter().all(|(labels, count)| *count == if label(labels) == "other" { 2.0 } else { 1.0 }));
    assert_eq!(prometheus.value("t_money_usd_total").unwrap(), 4_503_599.627_370_497);
    assert_eq!(prometheus.value("t_times_seconds_bucket{le=\"1.0\"}").unwrap(), 1.0);
    assert_eq!(prometheus.value("portcullis_ready").unwrap(), 1.0);
    assert_eq!(prometheus.value("portcullis_build_info{version!=\"\"}").unwrap(), 1.0);

    let http = Http::new(&format!("http://{address}"), None);
    let plain = http.get("/metrics").unwrap();
    assert_eq!(plain.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    assert!(
        plain.text().contains("# TYPE t_hostile_total counter\nt_hostile_total{name="),
        "{}",
        plain.text()
    );
    let accept = [("accept", "application/openmetrics-text;version=1.0.0,text/plain;q=0.5")];
    let open = http.request("GET", "/metrics", &accept, None).unwrap();
    assert_eq!(
        open.header("content-type"),
        Some("application/openmetrics-text; version=1.0.0; charset=utf-8")
    );
    assert!(open.text().ends_with("# EOF\n"));
}
