//! What recovery makes of folders that power loss, disk faults and carried intents left behind.

use std::{fs, path::Path};

use bytes::Bytes;
use prost::Message;
use uuid::Uuid;

use super::*;
use crate::{
    acked::Position,
    frame::{self, Kind},
    segment::{HEADER, Segment},
};

const BOOT: Uuid = Uuid::from_u128(1);
const OTHER_BOOT: Uuid = Uuid::from_u128(2);

fn intent(request: &'static str, attempt: u32) -> v1::Intent {
    let request = Bytes::from_static(request.as_bytes());
    v1::Intent { request, attempt, reserve_nanos: 100 + i64::from(attempt), ..v1::Intent::default() }
}

fn event(request: &'static str) -> v1::UsageEvent {
    v1::UsageEvent { request: Bytes::from_static(request.as_bytes()), ..v1::UsageEvent::default() }
}

/// Appends a record and answers where it starts.
fn append(segment: &Segment, kind: Kind, payload: &[u8]) -> usize {
    let start = usize::try_from(segment.len().unwrap()).unwrap();
    let mut record = Vec::new();
    frame::start(&mut record);
    record.extend_from_slice(payload);
    frame::seal(&mut record, kind, segment.header.seed);
    segment.append(&record).unwrap();
    start
}

fn segment(dir: &Path, number: u64) -> Segment {
    Segment::create(dir, number, Uuid::from_u128(9), BOOT).unwrap()
}

fn flip(segment: &Segment, at: usize) {
    let mut bytes = fs::read(&segment.path).unwrap();
    bytes[at] ^= 0xff;
    fs::write(&segment.path, bytes).unwrap();
}

fn booked(dir: &Path) -> Vec<(Bytes, Vec<u32>)> {
    let mut found = scan(dir, Position::default(), BOOT).unwrap();
    let attempts = |event: &v1::UsageEvent| event.attempts.iter().map(|attempt| attempt.number).collect();
    found.orphans(1).iter().map(|event| (event.request.clone(), attempts(event))).collect()
}

#[test]
fn a_hole_behind_the_last_sync_is_power_loss_and_before_it_damage() {
    for (hole_is_synced, boot) in [(false, OTHER_BOOT), (true, OTHER_BOOT), (false, BOOT)] {
        let dir = tempfile::tempdir().unwrap();
        let segment = segment(dir.path(), 1);
        append(&segment, Kind::Event, &event("first").encode_to_vec());
        let hole = append(&segment, Kind::Event, &event("hole").encode_to_vec());
        let synced = if hole_is_synced { hole + 1 } else { hole };
        append(&segment, Kind::Synced, &(synced as u64).to_le_bytes());
        append(&segment, Kind::Event, &event("last").encode_to_vec());
        flip(&segment, hole + frame::HEAD);
        let found = scan(dir.path(), Position::default(), boot);
        if !hole_is_synced && boot == OTHER_BOOT {
            let recovery = found.ok().unwrap().recovery;
            assert_eq!((recovery.events, recovery.torn, recovery.rebooted), (2, 1, true));
        } else {
            let offset = hole as u64;
            assert!(matches!(found.err(), Some(SpoolError::Damaged { offset: at, .. }) if at == offset));
        }
    }
}

#[test]
fn a_torn_write_with_neighbours_behind_it_loses_nothing_but_itself() {
    let dir = tempfile::tempdir().unwrap();
    let segment = segment(dir.path(), 1);
    append(&segment, Kind::Event, &event("first").encode_to_vec());
    let mut torn = Vec::new();
    frame::start(&mut torn);
    torn.extend_from_slice(&event("the one that died").encode_to_vec());
    frame::seal(&mut torn, Kind::Event, segment.header.seed);
    segment.append(&torn[..torn.len() - 3]).unwrap();
    append(&segment, Kind::Event, &event("its neighbour").encode_to_vec());
    let recovery = scan(dir.path(), Position::default(), BOOT).unwrap().recovery;
    assert_eq!((recovery.events, recovery.torn, recovery.rebooted), (2, 1, false));
}

#[test]
fn orphans_are_the_open_attempts_of_each_request() {
    let dir = tempfile::tempdir().unwrap();
    let first = segment(dir.path(), 1);
    for (request, attempt) in [("voided", 1), ("two", 1), ("two", 2), ("two", 3), ("closed", 1)] {
        append(&first, Kind::Intent, &intent(request, attempt).encode_to_vec());
    }
    let second = segment(dir.path(), 2);
    append(&second, Kind::Void, &intent("voided", 1).encode_to_vec());
    append(&second, Kind::Void, &intent("two", 1).encode_to_vec());
    append(&second, Kind::Event, &event("closed").encode_to_vec());
    assert_eq!(booked(dir.path()), [(Bytes::from_static(b"two"), vec![2, 3])]);
    let mut found = scan(dir.path(), Position::default(), BOOT).unwrap();
    let orphan = found.orphans(77).remove(0);
    assert_eq!((orphan.at_us, orphan.outcome.as_str(), orphan.status), (77, "orphaned", 0));
    assert_eq!(orphan.incarnation[..], Uuid::from_u128(9).as_bytes()[..]);
    assert_eq!(orphan.attempts.iter().map(|attempt| attempt.cost_nanos).collect::<Vec<_>>(), [102, 103]);
    assert!(orphan.attempts.iter().all(|attempt| attempt.estimated && attempt.outcome == "orphaned"));
}

#[test]
fn a_carried_intent_counts_once_and_behind_its_end_not_at_all() {
    let dir = tempfile::tempdir().unwrap();
    let first = segment(dir.path(), 1);
    append(&first, Kind::Intent, &intent("carried", 1).encode_to_vec());
    append(&first, Kind::Event, &event("ended").encode_to_vec());
    append(&first, Kind::Void, &intent("unsent", 1).encode_to_vec());
    let second = segment(dir.path(), 2);
    for request in ["carried", "ended", "unsent"] {
        append(&second, Kind::Intent, &intent(request, 1).encode_to_vec());
    }
    assert_eq!(booked(dir.path()), [(Bytes::from_static(b"carried"), vec![1])]);
    let stale = scan(dir.path(), Position::default(), BOOT).unwrap().stale;
    assert_eq!(stale, [(Bytes::from_static(b"ended"), 1), (Bytes::from_static(b"unsent"), 1)]);
    append(&second, Kind::Void, &intent("ended", 1).encode_to_vec());
    append(&second, Kind::Void, &intent("unsent", 1).encode_to_vec());
    assert!(scan(dir.path(), Position::default(), BOOT).unwrap().stale.is_empty());
    // What the voids are for: the copies stay closed when the first segment is gone.
    fs::remove_file(&first.path).unwrap();
    assert_eq!(booked(dir.path()), [(Bytes::from_static(b"carried"), vec![1])]);
}

#[test]
fn only_events_behind_the_acknowledged_place_wait() {
    let dir = tempfile::tempdir().unwrap();
    let only = segment(dir.path(), 4);
    assert_eq!(append(&only, Kind::Event, &event("acked").encode_to_vec()), HEADER);
    let offset = append(&only, Kind::Event, &event("waits").encode_to_vec()) as u64;
    for (acked, waiting) in [(Position::default(), 2), (Position { segment: 4, offset }, 1)] {
        assert_eq!(scan(dir.path(), acked, BOOT).unwrap().recovery.events, waiting);
    }
    assert_eq!(scan(dir.path(), Position { segment: 5, offset: 0 }, BOOT).unwrap().recovery.events, 0);
}
