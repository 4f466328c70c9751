//! The proxy's configuration against a control plane that says exactly what a test tells it to say.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

#[path = "config/disk.rs"]
mod disk;
#[path = "config/files.rs"]
mod files;
#[path = "config/fixture.rs"]
mod fixture;
#[path = "config/joining.rs"]
mod joining;
#[path = "config/recorded.rs"]
mod recorded;

use std::time::Duration;

use domain::{StoreId, Timestamp, Version};
use fixture::{Fleet, alien, tenant};

#[tokio::test]
async fn a_snapshot_is_installed_once_it_is_complete() {
    let mut coordination = Fleet::start().await;
    let mut proxy = coordination.proxy();
    let mut stream = coordination.stream().await;
    assert_eq!(stream.hello.proxy, "p1");
    assert_eq!(stream.hello.have, None);
    assert!(stream.hello.kinds.contains(&"route".to_owned()));

    stream.chunk(1, vec![tenant("a")], false).await;
    stream.heartbeat(1).await;
    stream.chunk(1, vec![tenant("b")], true).await;
    assert_eq!(proxy.installed().await.names, ["a", "b"]);
    assert_eq!(stream.acked().await, 1);
    assert_eq!(proxy.status.version(), Some(coordination.version(1)));
}

#[tokio::test]
async fn deltas_change_what_is_held() {
    let mut coordination = Fleet::start().await;
    let mut proxy = coordination.proxy();
    let mut stream = coordination.stream().await;
    let (a, b) = (tenant("a"), tenant("b"));
    stream.snapshot(1, vec![a.clone(), b]).await;
    assert_eq!(stream.acked().await, 1);
    proxy.installed().await;

    stream.delta(1, 4, vec![tenant("c")], &[&a]).await;
    assert_eq!(stream.acked().await, 4);
    let installed = proxy.installed().await;
    assert_eq!((installed.version.revision, installed.names), (4, vec!["b".to_owned(), "c".to_owned()]));
}

#[tokio::test]
async fn a_refused_version_is_nacked_and_the_one_before_serves_on() {
    let mut coordination = Fleet::start().await;
    let mut proxy = coordination.proxy();
    let mut stream = coordination.stream().await;
    stream.snapshot(1, vec![tenant("a")]).await;
    assert_eq!(stream.acked().await, 1);
    proxy.installed().await;

    let bad = tenant("bad");
    stream.delta(1, 2, vec![bad.clone(), tenant("lost")], &[]).await;
    assert_eq!(stream.nacked().await, (2, "bad does not compile".to_owned()));
    assert_eq!(proxy.status.version(), Some(coordination.version(1)));
    assert_eq!(proxy.status.rejected().map(|rejected| rejected.version), Some(coordination.version(2)));

    // The next delta starts from what serves; nothing of the refused version is left.
    let mut fixed = tenant("good");
    fixed.id = bad.id;
    stream.delta(1, 3, vec![fixed], &[]).await;
    assert_eq!(stream.acked().await, 3);
    assert_eq!(proxy.installed().await.names, ["a", "good"]);
    assert_eq!(proxy.status.rejected(), None);
}

#[tokio::test]
async fn a_refused_snapshot_leaves_nothing_behind() {
    let mut coordination = Fleet::start().await;
    let mut proxy = coordination.proxy();
    let mut stream = coordination.stream().await;
    stream.snapshot(1, vec![tenant("bad"), tenant("a")]).await;
    assert_eq!(stream.nacked().await.0, 1);
    assert_eq!(proxy.status.version(), None);
    assert!(proxy.status.is_stale(Timestamp::now()));
    stream.snapshot(2, vec![tenant("b")]).await;
    assert_eq!(stream.acked().await, 2);
    assert_eq!(proxy.installed().await.names, ["b"]);
}

#[tokio::test]
async fn rows_that_cannot_be_read_are_set_apart() {
    let mut coordination = Fleet::start().await;
    let mut proxy = coordination.proxy();
    let mut stream = coordination.stream().await;
    let mut newer = tenant("newer");
    newer.spec = bytes::Bytes::from_static(br#"{"quantum": true}"#);
    stream.snapshot(1, vec![tenant("a"), alien("h"), newer]).await;
    assert_eq!(stream.acked().await, 1);
    let installed = proxy.installed().await;
    assert_eq!(
        (installed.names, installed.unknown),
        (vec!["a".to_owned()], vec!["h".into(), "newer".into()])
    );
}

#[tokio::test]
async fn a_delta_that_starts_elsewhere_makes_the_proxy_begin_anew() {
    let mut coordination = Fleet::start().await;
    let mut proxy = coordination.proxy();
    let mut stream = coordination.stream().await;
    stream.snapshot(3, vec![tenant("a")]).await;
    assert_eq!(stream.acked().await, 3);
    proxy.installed().await;

    stream.delta(2, 4, vec![tenant("b")], &[]).await;
    let mut stream = coordination.stream().await;
    assert_eq!(stream.hello.have, None);
    assert_eq!(proxy.status.version(), Some(coordination.version(3)), "it serves on meanwhile");
    stream.snapshot(4, vec![tenant("c")]).await;
    assert_eq!(stream.acked().await, 4);
    assert_eq!(proxy.installed().await.names, ["c"]);
}

#[tokio::test]
async fn a_reconnect_says_what_is_held_and_half_a_snapshot_is_forgotten() {
    let mut coordination = Fleet::start().await;
    let mut proxy = coordination.proxy();
    let mut stream = coordination.stream().await;
    stream.snapshot(1, vec![tenant("a")]).await;
    assert_eq!(stream.acked().await, 1);
    proxy.installed().await;
    stream.chunk(2, vec![tenant("half")], false).await;
    stream.fail(tonic::Code::Unavailable).await;

    let mut stream = coordination.stream().await;
    assert_eq!(stream.hello.have, Some(proto::version_to(coordination.version(1))));
    stream.delta(1, 2, vec![tenant("b")], &[]).await;
    assert_eq!(stream.acked().await, 2);
    assert_eq!(proxy.installed().await.names, ["a", "b"]);

    // Another database: everything is replaced.
    drop(stream);
    let mut stream = coordination.stream().await;
    stream.store = StoreId::new();
    stream.snapshot(1, vec![tenant("z")]).await;
    assert_eq!(stream.acked().await, 1);
    let installed = proxy.installed().await;
    assert_eq!(installed.version, Version { store: stream.store, revision: 1 });
    assert_eq!(installed.names, ["z"]);
}

#[tokio::test]
async fn a_silent_control_plane_is_left() {
    let mut coordination = Fleet::start().await;
    let _proxy = coordination.proxy_with(|settings| settings.silence = Duration::from_millis(150));
    let _silent = coordination.stream().await;
    coordination.stream().await;
}

#[tokio::test]
async fn only_the_serving_version_is_confirmed_by_heartbeats() {
    let mut coordination = Fleet::start().await;
    let proxy =
        coordination.proxy_with(|settings| settings.clock = || Timestamp::from_micros(fixture::tick()));
    let mut stream = coordination.stream().await;
    stream.snapshot(1, vec![tenant("a")]).await;
    assert_eq!(stream.acked().await, 1);
    let installed_at = proxy.status.confirmed_at().unwrap();

    stream.heartbeat(2).await; // of a version that it has not: confirms nothing
    stream.delta(1, 2, vec![tenant("bad")], &[]).await;
    stream.nacked().await;
    assert_eq!(proxy.status.confirmed_at(), Some(installed_at));
    assert!(proxy.status.is_connected());

    stream.heartbeat(1).await;
    stream.delta(1, 3, vec![tenant("bad")], &[]).await;
    stream.nacked().await; // answered in order, so the heartbeat was heard
    assert!(proxy.status.confirmed_at() > Some(installed_at));
}

#[tokio::test]
async fn nonsense_is_survived() {
    let mut coordination = Fleet::start().await;
    let mut proxy = coordination.proxy();
    for nonsense in fixture::nonsense() {
        coordination.stream().await.raw(nonsense).await;
    }
    let mut stream = coordination.stream().await;
    stream.snapshot(1, vec![tenant("a")]).await;
    assert_eq!(stream.acked().await, 1);
    assert_eq!(proxy.installed().await.names, ["a"]);
}
