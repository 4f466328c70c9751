//! A ledger on PostgreSQL keeps the partitions of the coming days ready.

#![allow(clippy::unwrap_used, reason = "helpers of tests count as tests")]

use std::{sync::Arc, time::Duration};

use runtime::peer::PeerTokens;
use sqlx::{AnyConnection, Connection, Row};
use store::Store;
use testkit::Postgres;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tonic::service::RoutesBuilder;

#[tokio::test]
async fn they_are_made_when_it_starts() {
    let server = Postgres::start().unwrap();
    let store = Store::open(&server.url()).await.unwrap();
    let stop = CancellationToken::new();
    let _stop = stop.clone().drop_guard();
    let tokens = Arc::new(PeerTokens::new(&[7; 32]));
    ledger::node::mount(
        &mut RoutesBuilder::default(),
        &store,
        &budget::BookStore::Absent,
        &tokens,
        &runtime::metrics::Metrics::default(),
        &stop,
    );

    let mut connection = AnyConnection::connect(&server.url()).await.unwrap();
    let count = "SELECT COUNT(*) AS made FROM pg_inherits WHERE inhparent = 'usage_events'::regclass";
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let made: i64 = sqlx::query(count).fetch_one(&mut connection).await.unwrap().get("made");
        if made == 9 {
            return; // today, a week, and the default one
        }
        assert!(Instant::now() < deadline, "{made} partitions");
    }
}
