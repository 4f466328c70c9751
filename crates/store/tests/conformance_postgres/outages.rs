//! The server is killed, stopped and frozen, and the store goes on by itself afterwards.

use std::time::Duration;

use domain::{AttemptOutcome, ResourceId};
use store::{Store, StoreError};
use testkit::Postgres;
use tokio::time::{Instant, timeout};

use crate::{
    backend::new_database,
    fixture::{ada, attempt, event, tenant, write},
};

/// The store's own bounds, and something for a busy machine.
const BOUND: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_server_comes_back_with_everything_acknowledged() {
    let mut server = Postgres::start().unwrap();
    let url = new_database(&server).await;
    let store = Store::open(&url).await.unwrap();
    let mut subscriber = store.subscribe();
    for round in 1..=2_u64 {
        write(&store, &[tenant(&format!("t{round}"), "pro")]).await;
        let usage = event(ResourceId::new(), 0, vec![attempt(1, AttemptOutcome::Ok)]);
        assert_eq!(store.insert_usage(std::slice::from_ref(&usage)).await.unwrap(), 1);
        if round % 2 == 0 {
            server.stop().unwrap()
        } else {
            server.kill9().unwrap()
        }
        let refused = timeout(BOUND, store.insert_usage(std::slice::from_ref(&usage))).await.unwrap();
        assert!(matches!(refused, Err(StoreError::Unreachable(_))), "{refused:?}");
        let refused = timeout(BOUND, store.load()).await.unwrap();
        assert!(matches!(refused, Err(StoreError::Unreachable(_))), "{refused:?}");
        server.restart().unwrap();
        assert_eq!(store.load().await.unwrap().1.len() as u64, round);
        assert_eq!(store.insert_usage(&[usage]).await.unwrap(), 0, "it was acknowledged before");
    }
    // The listener is back as well.
    let other = Store::open(&url).await.unwrap();
    write(&other, &[tenant("last", "pro")]).await;
    timeout(BOUND, subscriber.wait_for(|newest| *newest >= 3)).await.expect("no notice").unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_server_holds_nobody_for_ever() {
    let server = Postgres::start().unwrap();
    let store = Store::open(&new_database(&server).await).await.unwrap();
    write(&store, &[tenant("t1", "pro")]).await;
    let mut begun = store.begin(&ada()).await.unwrap();
    begun.put(tenant("t2", "pro")).await.unwrap();
    server.pause().unwrap();
    let usage = event(ResourceId::new(), 0, vec![attempt(1, AttemptOutcome::Ok)]);
    let began = Instant::now();
    let (load, insert, commit) = tokio::join!(
        timeout(BOUND, store.load()),
        timeout(BOUND, store.insert_usage(std::slice::from_ref(&usage))),
        timeout(BOUND, begun.commit()),
    );
    assert!(load.expect("load hangs").is_err() && insert.expect("insert hangs").is_err());
    assert!(commit.expect("commit hangs").is_err());
    assert!(began.elapsed() < BOUND);
    server.resume().unwrap();
    // Whether the commit under way lasted is open; that nothing is stuck is not.
    assert!((1..=2).contains(&store.load().await.unwrap().1.len()));
    assert!(store.insert_usage(&[usage]).await.unwrap() <= 1);
    write(&store, &[tenant("t3", "pro")]).await;
}
