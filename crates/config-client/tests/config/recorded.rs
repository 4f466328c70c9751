//! A control plane of a released version, replayed byte for byte from its recording.

use std::{fs, path::PathBuf};

use domain::{StoreId, Version};
use prost::Message as _;
use proto::v1::WatchReply;

use crate::fixture::Fleet;

fn recordings() -> Vec<PathBuf> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../proto/fixtures");
    fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()).collect()
}

#[tokio::test]
async fn a_proxy_of_this_version_follows_every_recorded_control_plane() {
    assert!(!recordings().is_empty());
    for folder in recordings() {
        let mut coordination = Fleet::start().await;
        let mut proxy = coordination.proxy();
        let mut stream = coordination.stream().await;
        let bytes = fs::read(folder.join("watch.pb")).unwrap();
        let mut left = bytes.as_slice();
        while !left.is_empty() {
            stream.raw(WatchReply::decode_length_delimited(&mut left).unwrap().message).await;
        }
        let first = proxy.installed().await;
        assert_eq!(first.names.len(), 7, "{}", folder.display());
        assert_eq!(first.unknown, Vec::<String>::new(), "{}", folder.display());
        assert_eq!(stream.acked().await, 7);
        let second = proxy.installed().await;
        assert!(second.names.contains(&"chat-2".to_owned()) && !second.names.contains(&"backend".to_owned()));
        assert_eq!(stream.acked().await, 9);
        let store: StoreId = "019a0000-0000-7000-8000-00ffffffffff".parse().unwrap();
        assert_eq!(proxy.status.version(), Some(Version { store, revision: 9 }));
    }
}
