//! Where the proxy connects to: only where it may, and never where a provider sends it.

use runtime::outbound::AllowPrivate;

use super::harness::{Bench, Plan, Raw, Sim};

#[tokio::test]
async fn private_addresses_are_not_connected_to_unless_allowed() {
    let raw = Raw::start(|_| None).await;
    let (_, port) = raw.url.rsplit_once(':').unwrap();
    for host in ["127.0.0.1", "localhost", "127.1", "[::ffff:127.0.0.1]"] {
        let mut plan =
            Plan { simulators: 0, others: vec![format!("http://{host}:{port}")], ..Plan::default() };
        plan.edge.allow_private_networks = AllowPrivate::No;
        let mut bench = Bench::start(plan).await;
        let reply = bench.client.say("hi").await;
        assert_eq!((reply.status, reply.code().as_str()), (502, "all_targets_failed"), "{host}");
        let event = bench.event().await;
        assert_eq!(
            (event.attempts[0].outcome.as_str(), event.attempts[0].cost.nanos()),
            ("connect", 0),
            "{host}"
        );
        bench.finish().await;
    }
    assert_eq!(raw.connections(), 0);
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere = Sim::start().await;
    for status in [301, 302, 303, 307, 308] {
        let mut bench = Bench::one().await;
        let location = format!("{}/v1/chat/completions", elsewhere.url());
        let script = format!(r#"{{"status":{status},"headers":{{"location":"{location}"}}}}"#);
        bench.sim().script(&script).await;
        let reply = bench.client.say("hi").await;
        assert_eq!((reply.status, reply.code().as_str()), (502, "all_targets_failed"));
        assert!(!reply.headers.contains_key("location"));
        bench.event().await;
        bench.finish().await;
    }
    assert_eq!(elsewhere.requests().await.len(), 0);
}
