//! Commits of other processes reach subscribers by themselves.

use std::time::Duration;

use store::Store;
use tokio::sync::watch::Receiver;

use crate::fixture::{fresh, tenant, write};

/// Waits until the revision is heard of.
async fn heard(subscriber: &mut Receiver<u64>, revision: u64) {
    let wait = subscriber.wait_for(|newest| *newest >= revision);
    tokio::time::timeout(Duration::from_secs(20), wait).await.expect("no notice came").unwrap();
}

#[tokio::test]
async fn a_commit_elsewhere_is_heard_of() {
    let here = fresh().await;
    let there = Store::open(&here.url).await.unwrap();
    let mut subscriber = there.subscribe();
    for round in 1..=3 {
        write(&here, &[tenant(&format!("t{round}"), "pro")]).await;
        heard(&mut subscriber, round).await;
    }
    // A transaction that is rolled back sends no notice.
    let mut tx = here.begin(&crate::fixture::ada()).await.unwrap();
    tx.put(tenant("never", "pro")).await.unwrap();
    tx.rollback().await.unwrap();
    write(&here, &[tenant("last", "pro")]).await;
    heard(&mut subscriber, 4).await;
    assert_eq!(*subscriber.borrow(), 4);
}

#[tokio::test]
async fn a_listener_that_lost_its_connection_catches_up() {
    let here = fresh().await;
    let there = Store::open(&here.url).await.unwrap();
    let mut subscriber = there.subscribe();
    write(&here, &[tenant("t1", "pro")]).await;
    heard(&mut subscriber, 1).await;
    crate::backend::run(
        &here.url,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
         WHERE datname = current_database() AND pid <> pg_backend_pid()",
    )
    .await;
    // The writer's own connections are gone as well, and it makes new ones.
    write(&here, &[tenant("t2", "pro")]).await;
    heard(&mut subscriber, 2).await;
    write(&here, &[tenant("t3", "pro")]).await;
    heard(&mut subscriber, 3).await;
}

#[tokio::test]
async fn a_closed_store_leaves_no_session_behind() {
    let here = fresh().await;
    Store::open(&here.url).await.unwrap().close().await;
    drop(Store::open(&here.url).await.unwrap());
    here.close().await;
    let mut connection = crate::backend::connect(&here.url).await;
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    loop {
        let found = sqlx::query(
            "SELECT COUNT(*) AS others FROM pg_stat_activity \
             WHERE datname = current_database() AND pid <> pg_backend_pid()",
        )
        .fetch_one(&mut connection)
        .await
        .unwrap();
        let others: i64 = sqlx::Row::get(&found, "others");
        if others == 0 {
            return;
        }
        assert!(tokio::time::Instant::now() < deadline, "{others} sessions are left");
        tokio::task::yield_now().await;
    }
}
