//! Usage lies in daily partitions, and nothing is refused or lost where there is none.

use domain::{AttemptOutcome, ResourceId, Timestamp};
use sqlx::Row;
use store::{RequestQuery, Store};

use crate::{
    backend,
    fixture::{attempt, event, fresh},
};

const HOUR: i64 = 3_600_000_000;
const DAY: i64 = 24 * HOUR;

/// Name and rows of each partition, by name.
async fn partitions(url: &str) -> Vec<(String, i64)> {
    let mut connection = backend::connect(url).await;
    let names = sqlx::query(
        "SELECT inhrelid::regclass::text AS name FROM pg_inherits \
         WHERE inhparent = 'usage_events'::regclass ORDER BY 1",
    )
    .fetch_all(&mut connection)
    .await
    .unwrap();
    let mut found = Vec::new();
    for name in names.iter().map(|row| row.get::<String, _>("name")) {
        let count = sqlx::AssertSqlSafe(format!("SELECT COUNT(*) AS rows FROM ONLY {name}"));
        let rows = sqlx::query(count).fetch_one(&mut connection).await.unwrap().get("rows");
        found.push((name, rows));
    }
    found
}

#[tokio::test]
async fn a_week_is_made_ahead_and_early_rows_move_into_it() {
    let store = fresh().await;
    let owner = ResourceId::new();
    let events: Vec<_> =
        [0, 1, 9].map(|day| event(owner, day * DAY + HOUR, vec![attempt(1, AttemptOutcome::Ok)])).into();
    assert_eq!(store.insert_usage(&events).await.unwrap(), 3);
    assert_eq!(partitions(&store.url).await, [("usage_events_default".to_owned(), 3)]);

    store.make_partitions(Timestamp::from_micros(HOUR)).await.unwrap();
    let found = partitions(&store.url).await;
    let day = |n: i64| format!("usage_events_1970010{n}");
    let want = [day(1), day(2), day(3), day(4), day(5), day(6), day(7), day(8)];
    let want = want.into_iter().chain(["usage_events_default".to_owned()]);
    assert_eq!(found, want.zip([1, 1, 0, 0, 0, 0, 0, 0, 1]).collect::<Vec<_>>());

    // Still each of them once, and in the order of the log.
    assert_eq!(store.insert_usage(&events).await.unwrap(), 0);
    let log = store.requests(&RequestQuery { limit: 9, ..RequestQuery::default() }).await.unwrap();
    assert_eq!(log.items, events.into_iter().rev().collect::<Vec<_>>());
    store.make_partitions(Timestamp::from_micros(2 * DAY)).await.unwrap();
    assert_eq!(partitions(&store.url).await.len(), 11);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn several_ledgers_make_them_while_usage_comes_in() {
    let store = fresh().await;
    let other = Store::open(&store.url).await.unwrap();
    let owner = ResourceId::new();
    let mut makers = tokio::task::JoinSet::new();
    for ledger in [&store.store, &other, &store.store, &other] {
        let ledger = ledger.clone();
        makers.spawn(async move { ledger.make_partitions(Timestamp::from_micros(0)).await.unwrap() });
    }
    let mut writers = tokio::task::JoinSet::new();
    for hour in 0..40 {
        let ledger = if hour % 2 == 0 { store.store.clone() } else { other.clone() };
        let event = event(owner, hour * 6 * HOUR, vec![attempt(1, AttemptOutcome::Ok)]);
        writers.spawn(async move {
            // As a reporter does: what could not be committed is sent again.
            loop {
                match ledger.insert_usage(std::slice::from_ref(&event)).await {
                    Ok(inserted) => return inserted,
                    Err(error) => assert!(error.is_transient(), "{error}"),
                }
            }
        });
    }
    makers.join_all().await;
    assert_eq!(writers.join_all().await.iter().sum::<u64>(), 40);
    let found = partitions(&store.url).await;
    assert_eq!((found.len(), found.iter().map(|(_, rows)| rows).sum::<i64>()), (9, 40));
    assert_eq!(store.usage_count().await.unwrap(), 40);
}
