//! What a proxy measures of targets and keys, which alerts it raises, and what it tells the control plane, and when.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use config_client::ConfigStatus;
use policy::health::{Observation, OutlierDetection};
use proto::v1::HealthReport;
use runtime::metrics::Metrics;
use tokio::{sync::mpsc, time::Instant};
use tokio_util::sync::CancellationToken;
use tonic::Status;

use super::{
    harness::{Bench, Plan, count, credential, soon},
    sharing::{is_out, target, until},
};

use crate::{health_tasks, metrics::HealthStates, state::ProxyState};

const BRIEF: &str = r#"{"consecutive":2,"eject":"50ms","max_eject":"50ms","warm_up":"0ms"}"#;

fn measured(bench: &Bench) -> String {
    let metrics = Metrics::default();
    metrics.register(Arc::clone(&bench.proxy.health.alerts) as _);
    metrics.register(Arc::new(HealthStates(Arc::clone(&bench.proxy))));
    metrics.render().unwrap()
}

fn alerts(text: &str, event: &str) -> f64 {
    count(text, "portcullis_alert_events_total", &[&format!("event={event:?}")])
}

#[tokio::test]
async fn a_target_that_goes_down_is_one_alert_however_many_trials_fail() {
    let plan = Plan { simulators: 2, health: BRIEF, background: true, ..Plan::default() };
    let mut bench = Bench::start(plan).await;
    let healthy = |text: &str| count(text, "portcullis_target_healthy", &[r#"provider="a""#, r#"region="""#]);
    let ejections = |text: &str| count(text, "portcullis_ejections_total", &[r#"provider="a",model="m""#]);
    let text = measured(&bench);
    assert_eq!((healthy(&text), ejections(&text), alerts(&text, "provider.down")), (1.0, 0.0, 0.0), "{text}");
    bench.sim().script(r#"{"status":500}"#).await;
    soon(async {
        while ejections(&measured(&bench)) < 3.0 {
            assert_eq!(bench.client.say("hi").await.status, 200);
            bench.event().await;
        }
    })
    .await;
    let text = measured(&bench);
    assert_eq!((healthy(&text), alerts(&text, "provider.down")), (0.0, 1.0), "{text}");
    bench.sim().script("{}").await;
    soon(async {
        while healthy(&measured(&bench)) == 0.0 {
            assert_eq!(bench.client.say("hi").await.status, 200);
            bench.event().await;
        }
    })
    .await;
    assert_eq!(alerts(&measured(&bench), "provider.down"), 1.0);
    assert_eq!(count(&measured(&bench), "portcullis_target_in_flight", &[]), 0.0);
    bench.finish().await;
}

#[tokio::test]
async fn keys_are_counted_by_state_and_one_that_is_refused_is_an_alert() {
    let mut bench = Bench::start(Plan { credentials: 3, ..Plan::default() }).await;
    bench.sim().script_key(&credential("a", 0), r#"{"status":403}"#).await;
    bench.sim().script_key(&credential("a", 1), r#"{"status":429,"retry_after":40}"#).await;
    let in_state = |bench: &Bench, state: &str| {
        let labels = [r#"provider="a""#, &format!("state={state:?}")];
        count(&measured(bench), "portcullis_credentials", &labels)
    };
    assert_eq!((in_state(&bench, "usable"), alerts(&measured(&bench), "credential.refused")), (3.0, 0.0));
    soon(async {
        while in_state(&bench, "usable") > 1.0 {
            bench.client.say("hi").await;
            bench.event().await;
        }
    })
    .await;
    let states = ["usable", "resting", "throttled", "refused", "spent"].map(|state| in_state(&bench, state));
    assert_eq!(states, [1.0, 1.0, 0.0, 1.0, 0.0]);
    assert_eq!(alerts(&measured(&bench), "credential.refused"), 1.0);
    bench.finish().await;
}

#[tokio::test]
async fn a_target_none_of_whose_keys_is_usable_says_so() {
    let mut bench = Bench::one().await;
    let mut listener = Listener::start(&bench.proxy);
    listener.status.set_connected(true);
    let (first, _) = listener.next().await;
    assert_eq!(first.targets[0].state, "open", "the words of reports stay");
    let healthy = |text: &str| count(text, "portcullis_target_healthy", &[r#"provider="a""#]);
    assert_eq!(healthy(&measured(&bench)), 1.0);
    bench.sim().script(r#"{"status":401}"#).await;
    assert_ne!(bench.client.say("hi").await.status, 200);
    bench.event().await;
    soon(async {
        loop {
            let (report, _) = listener.next().await;
            let states = (report.targets[0].state.as_str(), report.credentials[0].state.as_str());
            if states == ("no_credential", "disabled") {
                break;
            }
        }
    })
    .await;
    assert_eq!(healthy(&measured(&bench)), 0.0);
    listener.stop.cancel();
    bench.finish().await;
}

/// A control plane that only listens to reports, on a clock that stands still unless everybody waits.
struct Listener {
    reports: mpsc::UnboundedReceiver<(HealthReport, Instant)>,
    status: Arc<ConfigStatus>,
    /// It is too old to listen.
    old: Arc<AtomicBool>,
    stop: CancellationToken,
}

impl Listener {
    fn start(proxy: &Arc<ProxyState>) -> Self {
        let (sender, reports) = mpsc::unbounded_channel();
        let (old, stop) = (Arc::new(AtomicBool::new(false)), CancellationToken::new());
        let status = Arc::new(ConfigStatus::new(Duration::from_secs(60)));
        let answer = Arc::clone(&old);
        let send = move |report| {
            sender.send((report, Instant::now())).unwrap();
            let old = answer.load(Ordering::Relaxed);
            async move { if old { Err(Status::unimplemented("what?")) } else { Ok(()) } }
        };
        let (proxy, seen, end) = (Arc::clone(proxy), Arc::clone(&status), stop.clone());
        tokio::spawn(async move { health_tasks::report(proxy, "p1", seen, send, end).await });
        Self { reports, status, old, stop }
    }

    /// The next report, and how long it took to come.
    async fn next(&mut self) -> (HealthReport, Duration) {
        let from = Instant::now();
        let (report, at) = self.reports.recv().await.unwrap();
        (report, at.saturating_duration_since(from))
    }
}

fn fail(bench: &Bench, times: u32) {
    let proxy = &bench.proxy;
    let rules =
        OutlierDetection::from(&serde_json::from_str::<domain::HealthSpec>(r#"{"consecutive":5}"#).unwrap());
    for _ in 0..times {
        let seen = Observation { ok: false, began: proxy.now(), trial: false };
        target(bench, "a").record(seen, &rules, proxy.now(), 0);
    }
    proxy.health.changed();
}

#[tokio::test]
async fn states_are_told_at_once_counts_soon_and_all_of_it_now_and_then() {
    let bench = Bench::one().await;
    tokio::time::pause();
    let mut listener = Listener::start(&bench.proxy);
    let nothing = tokio::time::timeout(Duration::from_secs(30), listener.reports.recv()).await;
    assert!(nothing.is_err(), "told to nobody");
    listener.status.set_connected(true);
    let (first, _) = listener.next().await;
    assert_eq!((first.proxy.as_str(), first.truncated), ("p1", false));
    let names: Vec<_> = first.targets.iter().map(|target| (&*target.provider, &*target.model)).collect();
    assert_eq!(names, [("a", "m")]);
    assert_eq!((first.credentials[0].name.as_str(), first.credentials[0].state.as_str()), ("a/0", "usable"));

    let (same, after) = listener.next().await;
    assert!(same == first && after >= Duration::from_secs(9) && after < Duration::from_secs(11), "{after:?}");
    fail(&bench, 1);
    let (counted, after) = listener.next().await;
    assert_eq!((counted.targets[0].failures, counted.targets[0].state.as_str()), (1, "open"));
    assert!(after >= Duration::from_secs(1) && after < Duration::from_secs(3), "{after:?}");
    fail(&bench, 4);
    let (ejected, after) = listener.next().await;
    assert_eq!((ejected.targets[0].state.as_str(), ejected.targets[0].times), ("ejected", 1));
    assert!(ejected.targets[0].shared.is_some_and(|shared| shared.ejected));
    assert!(after <= Duration::from_millis(200), "{after:?}");
    // No report says that its time is over.
    let half_open = async { while listener.next().await.0.targets[0].state != "half_open" {} };
    assert!(tokio::time::timeout(Duration::from_secs(7), half_open).await.is_ok());
    listener.stop.cancel();
    tokio::time::resume();
    bench.finish().await;
}

#[tokio::test]
async fn an_older_control_plane_is_asked_once_and_the_next_one_anew() {
    let bench = Bench::one().await;
    tokio::time::pause();
    let mut listener = Listener::start(&bench.proxy);
    listener.old.store(true, Ordering::Relaxed);
    listener.status.set_connected(true);
    listener.next().await;
    fail(&bench, 5);
    until(|| is_out(&bench, "a")).await;
    let more = tokio::time::timeout(Duration::from_secs(60), listener.reports.recv()).await;
    assert!(more.is_err(), "{more:?}");
    listener.old.store(false, Ordering::Relaxed);
    listener.status.set_connected(false);
    listener.status.set_connected(true);
    for _ in 0..2 {
        listener.next().await;
    }
    listener.stop.cancel();
    tokio::time::resume();
    bench.finish().await;
}
