//! Shared health: everybody else is told once, latecomers what still holds, and a flood has an end.

use std::time::Duration;

use redis::cmd;

use super::bench::{Bench, DAY};
use crate::{Coordinator, Cursor, MAX_KEY, MAX_VALUE, Record};

const MINUTE: Duration = Duration::from_secs(60);

fn record(key: &str, value: &str, ttl: Duration) -> Record {
    Record { key: key.into(), value: value.into(), ttl }
}

/// What a replica hears, as text.
async fn heard(coordination: &Coordinator, cursor: &mut Cursor) -> Vec<String> {
    let told = coordination.poll(cursor).await;
    told.into_iter()
        .map(|record| format!("{}={}", record.key, String::from_utf8_lossy(&record.value)))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_other_replica_is_told_once_and_in_order() {
    let bench = Bench::redis().await;
    let mut cursors = vec![Cursor::default(); 4];
    assert!(bench.fleets[0].publish(&[record("b", "1", MINUTE), record("a", "2", MINUTE)]).await);
    assert!(bench.fleets[1].publish(&[record("c", "3", MINUTE)]).await);
    let expected: [&[&str]; 4] = [&["c=3"], &["b=1", "a=2"], &["b=1", "a=2", "c=3"], &["b=1", "a=2", "c=3"]];
    for (i, cursor) in cursors.iter_mut().enumerate() {
        assert_eq!(heard(&bench.fleets[i], cursor).await, expected[i], "{i}");
        assert!(heard(&bench.fleets[i], cursor).await.is_empty(), "{i} is told twice");
    }
    assert!(bench.fleets[3].publish(&[record("b", "4", MINUTE)]).await);
    assert_eq!(heard(&bench.fleets[0], &mut cursors[0]).await, ["b=4"]);
    let restarted = bench.dead_instance().await;
    let everything = heard(&restarted, &mut Cursor::default()).await;
    assert_eq!(everything, ["a=2", "c=3", "b=4"], "the newest of each key");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_starts_late_hears_what_still_holds_and_for_how_long() {
    let bench = Bench::redis().await;
    bench.fleets[0].publish(&[record("short", "s", MINUTE), record("long", "l", 10 * MINUTE)]).await;
    bench.advance(3 * MINUTE);
    let told = bench.fleets[1].poll(&mut Cursor::default()).await;
    assert_eq!(told, [record("long", "l", 7 * MINUTE)]);
    bench.advance(7 * MINUTE);
    assert_eq!(bench.fleets[1].poll(&mut Cursor::default()).await, []);
    bench.fleets[2].publish(&[record("next", "n", 9 * DAY)]).await;
    assert_eq!(
        bench.fleets[1].poll(&mut Cursor::default()).await,
        [record("next", "n", DAY)],
        "a day at most"
    );
    let left: u64 = bench.query(cmd("HLEN").arg("{pc:health}:records")).await;
    assert_eq!(left, 1, "what ended is forgotten");
    for key in ["order", "ends", "records"] {
        let left: u64 = bench.query(cmd("PTTL").arg(format!("{{pc:health}}:{key}"))).await;
        assert!(left > 0 && u128::from(left) <= DAY.as_millis(), "{key}: {left} ms");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_has_an_end_and_displaces_nothing_that_lasts() {
    let bench = Bench::redis().await;
    bench.fleets[0].publish(&[record("disabled", "d", 6 * 60 * MINUTE)]).await;
    let flood: Vec<Record> = (0..6_000).map(|i| record(&format!("{i}"), "f", MINUTE)).collect();
    assert!(!bench.fleets[0].publish(&flood).await);
    assert_eq!(bench.fleets[0].status().records_dropped, 6_000 - 4_096);
    assert!(bench.fleets[1].publish(&flood[4_096..]).await);
    let told = heard(&bench.fleets[2], &mut Cursor::default()).await;
    assert_eq!((told.len(), &*told[0]), (4_096, "disabled=d"));
    assert_eq!(told[4_095], "5999=f");
}

#[tokio::test(flavor = "multi_thread")]
async fn records_are_bytes_of_bounded_length() {
    let bench = Bench::redis().await;
    let all: Vec<u8> = (0..=255).cycle().take(MAX_VALUE).collect();
    let fit = [
        Record { key: "k e\0y\n".into(), value: all, ttl: MINUTE },
        record(&"x".repeat(MAX_KEY), "", MINUTE),
        record("", " 1 2", MINUTE),
    ];
    let long =
        [record(&"x".repeat(MAX_KEY + 1), "", MINUTE), record("v", &"x".repeat(MAX_VALUE + 1), MINUTE)];
    assert!(!bench.fleets[0].publish(&[&long[..], &fit].concat()).await);
    assert_eq!(bench.fleets[0].status().records_dropped, 2);
    assert_eq!(bench.fleets[1].poll(&mut Cursor::default()).await, fit);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_with_another_history_is_read_from_its_beginning() {
    let bench = Bench::redis().await;
    let mut cursor = Cursor::default();
    bench.fleets[0].publish(&[record("a", "1", MINUTE)]).await;
    assert_eq!(heard(&bench.fleets[1], &mut cursor).await, ["a=1"]);
    bench.go_back(MINUTE / 2);
    bench.fleets[0].publish(&[record("a", "2", MINUTE)]).await;
    assert_eq!(heard(&bench.fleets[1], &mut cursor).await, ["a=2"], "its clock went back");
    let () = bench.query(&cmd("FLUSHALL")).await;
    bench.go_back(DAY);
    bench.fleets[0].publish(&[record("b", "3", MINUTE)]).await;
    assert_eq!(heard(&bench.fleets[1], &mut cursor).await, ["b=3"], "it has forgotten everything");
    assert!(heard(&bench.fleets[1], &mut cursor).await.is_empty());
}

#[tokio::test]
async fn in_memory_there_is_nobody_to_tell() {
    let bench = Bench::memory();
    assert!(bench.fleets[0].publish(&[record("a", "1", MINUTE)]).await);
    assert!(bench.fleets[1].poll(&mut Cursor::default()).await.is_empty());
}
