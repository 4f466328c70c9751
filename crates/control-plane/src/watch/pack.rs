//! Rows into messages of bounded size.

use domain::{Resource, Version};
use prost::Message as _;
use proto::v1::{Delta, SnapshotChunk, watch_reply::Message};
use store::Changes;

/// Rows of one chunk.
const CHUNK_ROWS: usize = 500;
/// Bytes after which a chunk is full; one row more may go beyond.
const CHUNK_BYTES: usize = 1 << 20;
/// Largest delta; a delta cannot be split, so more than this travels as a snapshot.
const DELTA_BYTES: usize = proto::MAX_MESSAGE / 2;

/// A snapshot as chunks, made one at a time; at least one, for a store may be empty.
pub(super) fn chunks(version: Version, rows: Vec<Resource>) -> impl Iterator<Item = Message> + Send {
    let mut rows = rows.into_iter().peekable();
    let mut done = false;
    std::iter::from_fn(move || {
        if done {
            return None;
        }
        let mut chunk =
            SnapshotChunk { version: Some(proto::version_to(version)), resources: Vec::new(), last: false };
        let mut bytes = 0;
        while chunk.resources.len() < CHUNK_ROWS && bytes < CHUNK_BYTES {
            let Some(row) = rows.next() else { break };
            let row = proto::resource_to(&row);
            bytes += row.encoded_len();
            chunk.resources.push(row);
        }
        chunk.last = rows.peek().is_none();
        done = chunk.last;
        Some(Message::Snapshot(chunk))
    })
}

/// A delta, unless it is too large for one message.
pub(super) fn delta(from: Version, changes: &Changes) -> Option<Message> {
    let delta = Delta {
        from: Some(proto::version_to(from)),
        to: Some(proto::version_to(changes.to)),
        upserts: changes.upserts.iter().map(proto::resource_to).collect(),
        removed: changes.removed.iter().map(|id| id.0.as_bytes().to_vec().into()).collect(),
    };
    (delta.encoded_len() <= DELTA_BYTES).then_some(Message::Delta(delta))
}

#[cfg(test)]
mod tests {
    use domain::{KeySpec, ResourceId, Spec, StoreId};

    use super::*;

    fn row(sealed: usize) -> Resource {
        Resource {
            id: ResourceId::new(),
            tenant: None,
            name: "k".into(),
            spec: Spec::Key(KeySpec::default()),
            revision: 1,
            sealed: Some(vec![7; sealed]),
        }
    }

    fn sizes(rows: Vec<Resource>) -> Vec<(usize, bool)> {
        let version = Version { store: StoreId::new(), revision: 1 };
        let size = |message| match message {
            Message::Snapshot(chunk) => (chunk.resources.len(), chunk.last),
            other => panic!("{other:?}"),
        };
        chunks(version, rows).map(size).collect()
    }

    #[test]
    fn a_snapshot_is_cut_by_rows_and_by_bytes_and_ends_once() {
        assert_eq!(sizes(vec![]), [(0, true)]);
        assert_eq!(sizes((0..500).map(|_| row(1)).collect()), [(500, true)]);
        assert_eq!(sizes((0..1_001).map(|_| row(1)).collect()), [(500, false), (500, false), (1, true)]);
        assert_eq!(sizes((0..5).map(|_| row(600_000)).collect()), [(2, false), (2, false), (1, true)]);
    }

    #[test]
    fn a_delta_that_does_not_fit_is_none() {
        let version = Version { store: StoreId::new(), revision: 1 };
        let changes = |rows: usize| Changes {
            to: Version { revision: 2, ..version },
            upserts: (0..rows).map(|_| row(1 << 20)).collect(),
            removed: vec![],
        };
        assert!(delta(version, &changes(3)).is_some());
        assert!(delta(version, &changes(4)).is_none());
    }
}
