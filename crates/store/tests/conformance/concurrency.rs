//! Many writers and readers at once.

use store::StoreError;

use crate::{
    backend::address,
    fixture::{ada, attempt, event, fresh, tenant, write},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn revisions_are_committed_in_order() {
    let fresh = fresh().await;
    // A second store on the same database stands for another replica or process.
    let other = store::Store::open(&fresh.url).await.unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for writer in 0..16 {
        let store = if writer % 2 == 0 { fresh.store.clone() } else { other.clone() };
        tasks.spawn(async move {
            let mut revisions = Vec::new();
            for round in 0..5 {
                let mut tx = store.begin(&ada()).await.unwrap();
                // Under the lock, everything older is there and nothing newer.
                let rows = tx.load().await.unwrap();
                assert_eq!(rows.len() as u64, tx.revision() - 1);
                tx.put(tenant(&format!("t{writer}-{round}"), "pro")).await.unwrap();
                revisions.push(tx.commit().await.unwrap().revision);
                assert!(*store.subscribe().borrow() >= revisions[round]);
            }
            assert!(revisions.is_sorted());
            revisions
        });
    }
    let mut revisions: Vec<_> = tasks.join_all().await.concat();
    revisions.sort_unstable();
    assert_eq!(revisions, (1..=80).collect::<Vec<_>>(), "none is skipped, none is given twice");
    let newest = *fresh.subscribe().borrow();
    assert!(newest.max(*other.subscribe().borrow()) == 80);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn readers_do_not_wait_for_a_writer() {
    let store = fresh().await;
    let mut tx = store.begin(&ada()).await.unwrap();
    tx.put(tenant("acme", "pro")).await.unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let store = store.store.clone();
        tasks.spawn(async move { store.load().await.unwrap().1.len() });
    }
    assert_eq!(tasks.join_all().await, vec![0; 20]);
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn a_writer_that_stays_makes_the_others_busy_not_stuck() {
    let store = fresh().await;
    let other = store::Store::open(&store.url).await.unwrap();
    let tx = store.begin(&ada()).await.unwrap();
    let (here, there) = tokio::join!(async { store.begin(&ada()).await.map(|_| ()) }, async {
        other.begin(&ada()).await.map(|_| ())
    },);
    for refused in [here, there] {
        let Err(StoreError::Busy(why)) = refused else { panic!("{refused:?}") };
        assert!(!why.is_empty());
    }
    tx.rollback().await.unwrap();
    write(&store, &[tenant("acme", "pro")]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_ledgers_with_the_same_events_count_them_once() {
    let fresh = fresh().await;
    let other = store::Store::open(&fresh.url).await.unwrap();
    let owner = domain::ResourceId::new();
    let events: Vec<_> = (0..40)
        .map(|second| event(owner, second * 1_000_000, vec![attempt(1, domain::AttemptOutcome::Ok)]))
        .collect();
    let mut tasks = tokio::task::JoinSet::new();
    for ledger in 0..8 {
        let store = if ledger % 2 == 0 { fresh.store.clone() } else { other.clone() };
        let mut events = events.clone();
        events.rotate_left(ledger * 5);
        if ledger % 3 == 0 {
            events.reverse();
        }
        tasks.spawn(async move { store.insert_usage(&events).await.unwrap() });
    }
    assert_eq!(tasks.join_all().await.iter().sum::<u64>(), 40);
    assert_eq!(fresh.usage_count().await.unwrap(), 40);
    assert_eq!(fresh.usage(&store::UsageQuery::default()).await.unwrap()[0].totals.requests, 40);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_new_database_may_be_opened_by_several_at_once() {
    let (url, _directory) = address().await;
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let url = url.clone();
        tasks.spawn(async move { store::Store::open(&url).await.unwrap().id() });
    }
    let mut ids = tasks.join_all().await;
    ids.dedup();
    assert_eq!(ids.len(), 1);
}
