//! Join and Watch over a real socket with a real store: what a proxy is sent, message by message.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

#[path = "watch/catalogue.rs"]
mod catalogue;
#[path = "watch/fixture.rs"]
mod fixture;
#[path = "watch/health.rs"]
mod health;
#[path = "support/proxies.rs"]
mod proxies;
#[path = "watch/refusals.rs"]
mod refusals;

use domain::{StoreId, Version};
use fixture::{Plane, Stream, names};

#[tokio::test]
async fn a_new_proxy_gets_everything_in_chunks() {
    let plane = Plane::start().await;
    let wanted: Vec<String> = (0..1_001).map(|n| format!("tenant-{n:04}")).collect();
    let version = plane.put(&wanted.iter().map(String::as_str).collect::<Vec<_>>()).await;

    let mut stream = plane.watch("p1", None).await;
    let mut got = Vec::new();
    for (rows, last) in [(500, false), (500, false), (1, true)] {
        let chunk = stream.chunk().await;
        assert_eq!((chunk.resources.len(), chunk.last), (rows, last));
        assert_eq!(proto::version_from(chunk.version.as_ref()).unwrap(), version);
        got.extend(names(&chunk.resources));
    }
    got.sort();
    assert_eq!(got, wanted);
    stream.ack(version).await;
    plane.until(|proxies| proxies.iter().any(|p| p.name == "p1" && p.version == Some(version))).await;
}

#[tokio::test]
async fn every_commit_is_pushed_and_what_happens_before_the_answer_travels_as_one() {
    let plane = Plane::start().await;
    let first = plane.put(&["a"]).await;
    let mut stream = plane.watch("p1", None).await;
    stream.snapshot().await;
    stream.ack(first).await;

    let second = plane.put(&["b"]).await;
    let delta = stream.delta().await;
    assert_eq!((delta.from, delta.to, names(&delta.upserts)), (first, second, vec!["b".to_owned()]));

    for name in ["c", "d", "e"] {
        plane.put(&[name]).await;
    }
    let newest = plane.delete("a").await;
    stream.ack(second).await;
    let delta = stream.delta().await;
    assert_eq!((delta.from, delta.to), (second, newest));
    assert_eq!(names(&delta.upserts), ["c", "d", "e"]);
    assert_eq!(delta.removed, 1);
}

#[tokio::test]
async fn a_proxy_that_returns_gets_only_what_changed() {
    let plane = Plane::start().await;
    let first = plane.put(&["a", "b"]).await;
    let mut stream = plane.watch("p1", None).await;
    stream.snapshot().await;
    stream.ack(first).await;
    drop(stream);

    // Nothing has changed: the first thing it hears is that what it has is the newest.
    let mut stream = plane.watch("p1", Some(first)).await;
    assert_eq!(stream.heartbeat().await, first);
    let second = plane.put(&["c"]).await;
    assert_eq!(names(&stream.delta().await.upserts), ["c"]);
    drop(stream);

    // The last one was not acked, so it comes again.
    let mut stream = plane.watch("p1", Some(first)).await;
    let delta = stream.delta().await;
    assert_eq!((delta.from, delta.to, names(&delta.upserts)), (first, second, vec!["c".to_owned()]));
}

#[tokio::test]
async fn after_a_nack_the_next_delta_starts_from_what_the_proxy_serves() {
    let plane = Plane::start().await;
    let first = plane.put(&["a"]).await;
    let mut stream = plane.watch("p1", None).await;
    stream.snapshot().await;
    stream.ack(first).await;

    let refused = plane.put(&["bad"]).await;
    assert_eq!(stream.delta().await.to, refused);
    stream.nack(refused, "does not compile").await;
    plane
        .until(|proxies| {
            proxies.iter().any(|proxy| {
                let refusal = proxy.refused.as_ref().map(|r| (r.version, r.reason.as_str()));
                proxy.version == Some(first) && refusal == Some((refused, "does not compile"))
            })
        })
        .await;

    let fixed = plane.put(&["good"]).await;
    let delta = stream.delta().await;
    assert_eq!((delta.from, delta.to), (first, fixed));
    assert_eq!(names(&delta.upserts), ["bad", "good"]);
    stream.ack(fixed).await;
    plane.until(|proxies| proxies.iter().any(|p| p.version == Some(fixed) && p.refused.is_none())).await;
}

#[tokio::test]
async fn a_proxy_that_refused_its_first_snapshot_gets_the_next_one_whole() {
    let plane = Plane::start().await;
    let first = plane.put(&["bad"]).await;
    let mut stream = plane.watch("p1", None).await;
    stream.snapshot().await;
    stream.nack(first, "does not compile").await;
    let second = plane.put(&["good"]).await;
    let (version, rows) = stream.snapshot().await;
    assert_eq!((version, rows), (second, vec!["bad".to_owned(), "good".to_owned()]));
}

#[tokio::test]
async fn another_store_or_a_restored_backup_is_sent_whole() {
    let plane = Plane::start().await;
    let version = plane.put(&["a"]).await;
    let other = Version { store: StoreId::new(), ..version };
    let ahead = Version { revision: version.revision + 5, ..version };
    for have in [other, ahead] {
        let mut stream = plane.watch("p1", Some(have)).await;
        assert_eq!(stream.snapshot().await, (version, vec!["a".to_owned()]));
    }
}

#[tokio::test]
async fn a_delta_too_large_for_a_message_travels_as_a_snapshot() {
    let plane = Plane::start().await;
    let first = plane.put(&["a"]).await;
    let mut stream = plane.watch("p1", Some(first)).await;
    assert_eq!(stream.heartbeat().await, first);
    let second = plane.put_sealed(6, 1 << 20).await;
    assert_eq!(stream.snapshot().await.0, second);
}

#[tokio::test]
async fn a_commit_of_another_control_plane_is_found() {
    let plane = Plane::start().await;
    let first = plane.put(&["a"]).await;
    let mut stream = plane.watch("p1", Some(first)).await;
    let replica = plane.another_store().await;
    let second = fixture::put(&replica, &["b"]).await;
    let delta = stream.delta().await;
    assert_eq!((delta.from, delta.to), (first, second));
}

#[tokio::test]
async fn shutdown_ends_streams_in_good_order_and_the_list_is_empty_then() {
    let plane = Plane::start().await;
    let version = plane.put(&["a"]).await;
    let mut stream: Stream = plane.watch("p1", Some(version)).await;
    assert_eq!(stream.heartbeat().await, version);
    plane.shutdown.cancel();
    assert_eq!(stream.end().await, None);
    plane.until(|proxies| proxies.is_empty()).await;
}
