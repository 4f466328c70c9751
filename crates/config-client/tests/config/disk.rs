//! Starting from disk, and serving on when the disk does not play along.

use std::{fs, time::Duration};

use config_client::SnapshotFile;
use domain::Timestamp;
use proto::v1::SavedSnapshot;

use crate::fixture::{Fleet, alien, tenant};

#[tokio::test]
async fn what_was_installed_serves_after_a_restart_without_a_control_plane() {
    let mut coordination = Fleet::start().await;
    let proxy = coordination.proxy();
    let mut stream = coordination.stream().await;
    stream.snapshot(1, vec![tenant("a"), alien("h")]).await;
    assert_eq!(stream.acked().await, 1);
    let confirmed = proxy.status.confirmed_at();
    proxy.stop().await;

    let mut proxy = coordination.proxy();
    assert_eq!(proxy.loaded, Some(coordination.version(1)));
    let installed = proxy.installed().await;
    assert_eq!((installed.names, installed.unknown), (vec!["a".to_owned()], vec!["h".to_owned()]));
    assert_eq!(proxy.status.confirmed_at(), confirmed, "a restart confirms nothing");

    // And the control plane is asked for what is missing only.
    let mut stream = coordination.stream().await;
    assert_eq!(stream.hello.have, Some(proto::version_to(coordination.version(1))));
    stream.delta(1, 2, vec![tenant("b")], &[]).await;
    assert_eq!(stream.acked().await, 2);
    assert_eq!(proxy.installed().await.names, ["a", "b"]);
}

#[tokio::test]
async fn a_snapshot_that_nobody_confirms_grows_stale() {
    let coordination = Fleet::start().await;
    let old = Timestamp::now().micros() - 3_600_000_000;
    let saved = SavedSnapshot {
        version: Some(proto::version_to(coordination.version(1))),
        confirmed_at_us: old,
        resources: vec![tenant("a")],
    };
    SnapshotFile::new(coordination.data.path(), coordination.keyring.clone()).write(&saved).unwrap();
    let proxy = coordination.proxy_with(|settings| settings.max_snapshot_age = Duration::from_secs(3_599));
    assert_eq!(proxy.loaded, Some(coordination.version(1)));
    assert!(proxy.status.is_stale(Timestamp::now()));
    assert!(!proxy.status.is_stale(Timestamp::from_micros(old + 3_599_000_000)));
}

#[tokio::test]
async fn a_disk_that_cannot_be_written_is_no_reason_not_to_serve() {
    let mut coordination = Fleet::start().await;
    fs::write(coordination.snapshot_dir(), "in the way").unwrap();
    let proxy = coordination.proxy_with(|settings| settings.write_retry = Duration::from_millis(20));
    let mut stream = coordination.stream().await;
    for revision in 1..=2 {
        stream.snapshot(revision, vec![tenant("a")]).await;
        assert_eq!(stream.acked().await, revision);
    }
    assert_eq!(proxy.status.version(), Some(coordination.version(2)));

    // When there is room again, it is written without any further change.
    fs::remove_file(coordination.snapshot_dir()).unwrap();
    let file = SnapshotFile::new(coordination.data.path(), coordination.keyring.clone());
    let current = coordination.snapshot_dir().join("current.pcs");
    crate::fixture::soon(async {
        while !current.exists() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(file.load(Ok).unwrap().version, Some(proto::version_to(coordination.version(2))));
    proxy.stop().await;
}

#[tokio::test]
async fn a_snapshot_on_disk_that_does_not_compile_gives_way_to_the_one_before() {
    let coordination = Fleet::start().await;
    let file = SnapshotFile::new(coordination.data.path(), coordination.keyring.clone());
    for (revision, name) in [(1, "a"), (2, "bad")] {
        let version = Some(proto::version_to(coordination.version(revision)));
        file.write(&SavedSnapshot { version, confirmed_at_us: 1, resources: vec![tenant(name)] }).unwrap();
    }
    let mut proxy = coordination.proxy();
    assert_eq!(proxy.loaded, Some(coordination.version(1)));
    assert_eq!(proxy.installed().await.names, ["a"]);
}
