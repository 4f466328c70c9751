//! Reports as they are taken, forgotten, joined and believed.

use domain::ResourceId;
use policy::health::{BreakerState, UnavailableReason};
use proto::v1::{CredentialHealth, SharedState, TargetHealth};
use tonic::Code;

use super::{view::TargetFacts, *};

const SECOND: u64 = 1_000_000;

fn ejected(endpoint: ResourceId, left_us: u64) -> TargetHealth {
    let shared =
        SharedState { ejected: true, epoch: 3, left_us, times: 2, dead: true, ..SharedState::default() };
    TargetHealth {
        state: "ejected".to_owned(),
        left_us,
        dead: true,
        times: 2,
        shared: Some(shared),
        ..open(endpoint)
    }
}

fn open(endpoint: ResourceId) -> TargetHealth {
    TargetHealth {
        endpoint: proto::id_to(Some(endpoint)),
        provider: "openai".to_owned(),
        model: "m".to_owned(),
        upstream: "m-2".to_owned(),
        state: "open".to_owned(),
        requests: 10,
        failures: 4,
        in_flight: 3,
        ttft_p95_us: Some(120_000),
        ..TargetHealth::default()
    }
}

fn report(proxy: &str, region: &str, targets: Vec<TargetHealth>) -> HealthReport {
    let (proxy, region) = (proxy.to_owned(), region.to_owned());
    HealthReport { proxy, region, targets, ..HealthReport::default() }
}

#[test]
fn proxies_that_agree_have_a_state_and_those_that_do_not_are_mixed() {
    let (reports, endpoint, now) = (HealthReports::default(), ResourceId::new(), Instant::now());
    let take = |proxy, region, target| reports.take(report(proxy, region, vec![target]), now).unwrap();
    take("p1", "eu", ejected(endpoint, 5 * SECOND));
    take("p2", "eu", ejected(endpoint, 4 * SECOND));
    take("p3", "us", open(endpoint));
    let later = now + Duration::from_secs(1);
    let items = targets(&reports.newest(later), later);
    let [(None, eu), (None, us)] = items.as_slice() else { panic!("{items:?}") };
    assert_eq!((eu.region.as_deref(), us.region.as_deref()), (Some("eu"), Some("us")));
    assert_eq!((eu.target.as_str(), eu.upstream.as_str()), ("openai/m", "m-2"));
    let TargetFacts { state, left_seconds, requests, in_flight, dead, .. } = &eu.health;
    assert_eq!((state.as_str(), *left_seconds, *requests, *in_flight), ("ejected", Some(4.0), 20, 6));
    assert!(dead);
    let left: Vec<_> = eu.proxies.iter().map(|one| (one.proxy.as_str(), one.health.left_seconds)).collect();
    assert_eq!(left, [("p1", Some(4.0)), ("p2", Some(3.0))]);
    assert_eq!((us.health.state.as_str(), us.health.ttft_p95_ms), ("healthy", Some(120.0)));

    take("p2", "eu", open(endpoint));
    let items = targets(&reports.newest(now), now);
    assert_eq!(items[0].1.health.state, "mixed");
    assert_eq!(items[0].1.proxies[1].health.state, "healthy");
}

#[test]
fn a_report_holds_for_a_while_and_no_longer_than_its_proxy() {
    let (reports, now) = (HealthReports::default(), Instant::now());
    for proxy in ["p1", "p2"] {
        reports.take(report(proxy, "", vec![open(ResourceId::new())]), now).unwrap();
    }
    reports.forget("p1");
    let proxies = |at| reports.newest(at).iter().map(|report| report.proxy.clone()).collect::<Vec<_>>();
    assert_eq!(proxies(now + HOLDS - Duration::from_millis(1)), ["p2"]);
    assert_eq!(proxies(now + HOLDS), [""; 0]);
    assert_eq!(targets(&reports.newest(now), now)[0].1.region, None);
}

#[test]
fn what_makes_no_sense_is_refused_and_leaves_what_was_there() {
    let (reports, now, endpoint) = (HealthReports::default(), Instant::now(), ResourceId::new());
    reports.take(report("p1", "eu", vec![open(endpoint)]), now).unwrap();
    let long = "x".repeat(1_025);
    for bad in [
        report("p1", &long, vec![]),
        report("p1", "eu", vec![TargetHealth::default()]),
        report("p1", "eu", vec![TargetHealth { owner: "1".into(), ..open(endpoint) }]),
        report("p1", "eu", vec![TargetHealth { leads: vec![long.clone()], ..open(endpoint) }]),
        HealthReport { credentials: vec![CredentialHealth::default()], ..report("p1", "eu", vec![]) },
    ] {
        assert_eq!(reports.take(bad, now).unwrap_err().code(), Code::InvalidArgument);
    }
    assert_eq!(reports.newest(now)[0].targets.len(), 1);
}

#[test]
fn a_dry_run_knows_what_the_proxies_of_its_region_know() {
    let (reports, now) = (HealthReports::default(), Instant::now());
    let [endpoint, refused, rests] = [ResourceId::new(), ResourceId::new(), ResourceId::new()];
    let key = |id, state: &str, shared| CredentialHealth {
        id: proto::id_to(Some(id)),
        revision: 7,
        name: "openai/main".to_owned(),
        state: state.to_owned(),
        left_us: 60 * SECOND,
        shared,
        ..CredentialHealth::default()
    };
    let out = SharedState {
        ejected: true,
        epoch: 1,
        left_us: 60 * SECOND,
        times: 1,
        dead: true,
        ..Default::default()
    };
    let credentials = vec![key(refused, "disabled", Some(out)), key(rests, "resting", None)];
    let told = HealthReport { credentials, ..report("p1", "eu", vec![ejected(endpoint, 60 * SECOND)]) };
    reports.take(told, now).unwrap();
    let at = 1_000 * SECOND;

    let (live, proxies) = reports.live_view(Some("us"), 1, at);
    assert_eq!(proxies, 0);
    assert_eq!(live.target(endpoint, "m-2").admission(at), BreakerState::Healthy);

    for region in [Some("eu"), None] {
        let (live, proxies) = reports.live_view(region, 1, at);
        assert_eq!(proxies, 1);
        let admission = live.target(endpoint, "m-2").admission(at);
        assert!(
            matches!(admission, BreakerState::Ejected { dead: true, left } if left > Duration::from_secs(30))
        );
        let benched = |id, revision| live.credential(id, revision).usable(0, at).err().map(|b| b.reason);
        assert_eq!(benched(refused, 7), Some(UnavailableReason::Refused));
        assert_eq!(benched(rests, 7), Some(UnavailableReason::Resting));
        assert_eq!(benched(refused, 8), None, "another revision is another key");
    }
}

#[test]
fn words_of_older_and_newer_proxies_are_shown_as_one() {
    let (reports, endpoint, credential, now) =
        (HealthReports::default(), ResourceId::new(), ResourceId::new(), Instant::now());
    let take = |proxy: &str, target: &str, key: &str| {
        let target = TargetHealth { state: target.to_owned(), ..open(endpoint) };
        let key = CredentialHealth {
            id: proto::id_to(Some(credential)),
            name: "openai/main".to_owned(),
            state: key.to_owned(),
            ..CredentialHealth::default()
        };
        let report = HealthReport { credentials: vec![key], ..report(proxy, "eu", vec![target]) };
        reports.take(report, now).unwrap();
    };
    let shown = || {
        let reports = reports.newest(now);
        (targets(&reports, now)[0].1.health.state.clone(), keys(&reports, now)[0].1.health.state.clone())
    };
    take("older", "open", "disabled");
    take("newer", "healthy", "refused");
    assert_eq!(shown(), ("healthy".to_owned(), "refused".to_owned()));
    take("newer", "no_credential", "refused");
    take("older", "no_credential", "refused");
    assert_eq!(shown(), ("no_credential".to_owned(), "refused".to_owned()));
}
