//! The real control plane and the proxy's real configuration client, over a socket and a store on disk.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

#[path = "fleet/certificates.rs"]
mod certificates;
#[path = "fleet/fixture.rs"]
mod fixture;
#[path = "support/proxies.rs"]
mod proxies;

use std::time::{Duration, Instant};

use certificates::Authority;
use domain::Timestamp;
use fixture::{Fleet, Proxy, Tls};
use tonic::Code;

#[tokio::test]
async fn a_change_reaches_every_connected_proxy_within_a_second() {
    let fleet = Fleet::start(None).await;
    fleet.put(&["a", "b"]).await;
    let mut proxies: Vec<Proxy> = ["p1", "p2", "p3"].map(|name| fleet.proxy(name)).into();
    for proxy in &mut proxies {
        proxy.until(&["a", "b"]).await;
    }
    let deleted = Instant::now();
    let version = fleet.delete("a").await;
    for proxy in &mut proxies {
        proxy.until(&["b"]).await;
    }
    assert!(deleted.elapsed() < Duration::from_secs(1), "{:?}", deleted.elapsed());
    fleet.until(|list| list.len() == 3 && list.iter().all(|proxy| proxy.version == Some(version))).await;
    for proxy in &proxies {
        assert_eq!(proxy.status.version(), Some(version));
        assert!(!proxy.status.is_stale(Timestamp::now()));
    }
}

#[tokio::test]
async fn a_refused_version_is_seen_on_both_sides_and_mended_by_the_next() {
    let fleet = Fleet::start(None).await;
    let good = fleet.put(&["a"]).await;
    let mut proxy = fleet.proxy("p1");
    proxy.until(&["a"]).await;
    let refused = fleet.put(&["bad"]).await;
    fleet
        .until(|list| {
            let seen = |p: &control_plane::watch::ProxyStatus| {
                p.version == Some(good) && p.refused.as_ref().is_some_and(|r| r.version == refused)
            };
            list.iter().any(seen)
        })
        .await;
    assert_eq!(proxy.status.version(), Some(good));
    assert_eq!(proxy.status.rejected().unwrap().version, refused);

    // The proxy starts anew from disk, is offered the same and refuses it again; then it is mended.
    proxy.stop().await;
    let mut proxy = fleet.proxy("p1");
    proxy.until(&["a"]).await;
    fleet.delete("bad").await;
    let mended = fleet.put(&["c"]).await;
    proxy.until(&["a", "c"]).await;
    fleet.until(|list| list.iter().any(|p| p.version == Some(mended) && p.refused.is_none())).await;
    assert_eq!(proxy.status.rejected(), None);
}

#[tokio::test]
async fn a_proxy_catches_up_with_a_control_plane_that_was_away() {
    let mut fleet = Fleet::start(None).await;
    fleet.put(&["a"]).await;
    let mut proxy = fleet.proxy("p1");
    proxy.until(&["a"]).await;

    fleet.stop().await;
    fleet.put(&["b"]).await;
    fleet.delete("a").await;
    assert_eq!(proxy.names(), ["a"], "what is installed serves on");
    fleet.serve().await;
    proxy.until(&["b"]).await;
}

#[tokio::test]
async fn a_client_certificate_of_the_fleet_needs_no_token() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    let fleet = Fleet::start(Some(Tls::of(&ours))).await;
    fleet.put(&["a"]).await;

    let mut proxy = fleet.proxy_over(fleet.session("p1", false, Some(ours.peer(Some(&ours)))));
    proxy.until(&["a"]).await;
    fleet.until(|list| list.iter().any(|proxy| proxy.name == "p1" && proxy.version.is_some())).await;

    // Without a certificate, but with the token: joined, over the same port.
    let mut joined = fleet.proxy_over(fleet.session("p2", true, Some(ours.peer(None))));
    joined.until(&["a"]).await;

    // A certificate of another authority is refused, and so is a server of another authority.
    let stranger = fleet.session("p3", false, Some(ours.peer(Some(&theirs))));
    assert_ne!(fixture::watch(&stranger).await, Code::Ok);
    let deceived = fleet.session("p4", true, Some(theirs.peer(None)));
    assert_ne!(fixture::watch(&deceived).await, Code::Ok);
    assert!(fleet.proxies.list().iter().all(|proxy| proxy.name == "p1" || proxy.name == "p2"));
}
