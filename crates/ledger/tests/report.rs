//! The `Report` call over a real socket: who may, what counts, what an answer promises.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests count as tests")]

use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use budget::BookStore;
use domain::{Attempt, AttemptOutcome, Money, ResourceId, Usage, test_support};
use ledger::LedgerService;
use proto::v1::{self, ReportRequest, ledger_client::LedgerClient};
use runtime::peer::PeerTokens;
use store::{MAX_BATCH, Store, UsageQuery};
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::{
    Code, Request, Status,
    transport::{Channel, Server},
};

struct Running {
    store: Store,
    client: LedgerClient<Channel>,
    jwt: String,
    directory: tempfile::TempDir,
    _stop: DropGuard,
}

impl Running {
    async fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}/store.db", directory.path().display());
        let store = Store::open(&url).await.unwrap();
        let tokens = Arc::new(PeerTokens::new(&[7; 32]));
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let (jwt, _) = tokens.mint("proxy-1", now).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let server = Server::builder()
            .add_service(LedgerService::new(store.clone(), BookStore::Absent, tokens).into_server())
            .serve_with_incoming_shutdown(TcpListenerStream::new(listener), stop.clone().cancelled_owned());
        tokio::spawn(server);
        let client = LedgerClient::connect(format!("http://{address}")).await.unwrap();
        Self { store, client, jwt, directory, _stop: stop.drop_guard() }
    }

    async fn report_as(&mut self, token: Option<&str>, events: Vec<v1::UsageEvent>) -> Result<u64, Status> {
        let mut request = Request::new(ReportRequest { proxy: "proxy-1".to_owned(), events });
        if let Some(token) = token {
            request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
        }
        self.client.report(request).await.map(|reply| reply.into_inner().inserted)
    }

    async fn report(&mut self, events: Vec<v1::UsageEvent>) -> Result<u64, Status> {
        let jwt = self.jwt.clone();
        self.report_as(Some(&jwt), events).await
    }

    async fn requests(&self) -> u64 {
        self.store.usage_count().await.unwrap()
    }
}

fn event() -> v1::UsageEvent {
    let attempt = |number| Attempt {
        usage: Usage { input_uncached: 3, output_visible: 4, ..Usage::default() },
        cost: Money::from_nanos(11),
        price: Some(ResourceId::new()),
        ..test_support::attempt(number, AttemptOutcome::Ok)
    };
    proto::event_to(&test_support::usage_event(vec![attempt(1), attempt(2)]))
}

#[tokio::test]
async fn strangers_are_told_nothing() {
    let mut ledger = Running::start().await;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let (foreign, _) = PeerTokens::new(&[8; 32]).mint("proxy-1", now).unwrap();
    for token in [None, Some("nonsense"), Some(foreign.as_str())] {
        let refused = ledger.report_as(token, vec![event()]).await.unwrap_err();
        assert_eq!(refused.code(), Code::Unauthenticated);
        // Not even whether the batch was well-formed.
        let refused = ledger.report_as(token, vec![v1::UsageEvent::default()]).await.unwrap_err();
        assert_eq!(refused.code(), Code::Unauthenticated);
    }
    assert_eq!(ledger.requests().await, 0);
}

#[tokio::test]
async fn of_a_stranger_not_even_the_size_of_the_batch_is_read() {
    let mut ledger = Running::start().await;
    let huge = || {
        let mut event = event();
        event.route = "x".repeat(proto::MAX_MESSAGE + 1);
        vec![event]
    };
    assert_eq!(ledger.report_as(None, huge()).await.unwrap_err().code(), Code::Unauthenticated);
    assert_eq!(ledger.report(huge()).await.unwrap_err().code(), Code::OutOfRange);
}

#[tokio::test]
async fn what_is_acknowledged_is_committed_once() {
    let mut ledger = Running::start().await;
    let batch = vec![event(), event()];
    assert_eq!(ledger.report(batch.clone()).await.unwrap(), 4, "attempts, not events");
    // Another connection to the same file sees it: it was committed before the reply.
    let url = format!("sqlite:{}/store.db", ledger.directory.path().display());
    let other = Store::open(&url).await.unwrap();
    assert_eq!(other.usage_count().await.unwrap(), 2);
    assert_eq!(ledger.report(batch.clone()).await.unwrap(), 0);
    assert_eq!(ledger.report([batch, vec![event()]].concat()).await.unwrap(), 2);
    assert_eq!(ledger.report(Vec::new()).await.unwrap(), 0);
    let totals = other.usage(&UsageQuery::default()).await.unwrap()[0].totals;
    assert_eq!((totals.requests, totals.attempts, totals.cost.nanos()), (3, 6, 66));
}

#[tokio::test]
async fn a_malformed_event_is_named_and_the_rest_can_be_sent_without_it() {
    let mut ledger = Running::start().await;
    let spoil: [fn(&mut v1::UsageEvent); 6] = [
        |event| event.request = b"short".as_slice().to_vec().into(),
        |event| event.request = uuid::Uuid::nil().as_bytes().to_vec().into(),
        |event| event.outcome = "great".to_owned(),
        |event| event.attribution = None,
        |event| event.attempts.clear(),
        |event| event.attempts.swap(0, 1),
    ];
    for spoil in spoil {
        let mut bad = event();
        spoil(&mut bad);
        let good = vec![event(), event()];
        let refused = ledger.report(vec![good[0].clone(), good[1].clone(), bad]).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument);
        assert!(refused.message().starts_with("event 2: "), "{}", refused.message());
        assert_eq!(ledger.report(good).await.unwrap(), 4, "nothing of the refused batch was kept");
    }
}

#[tokio::test]
async fn a_flood_is_refused() {
    let mut ledger = Running::start().await;
    let refused = ledger.report(vec![event(); MAX_BATCH + 1]).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    assert!(refused.message().contains("at most 1000"));
    let mut heavy = event();
    heavy.route = "r".repeat(proto::MAX_MESSAGE);
    assert_ne!(ledger.report(vec![heavy]).await.unwrap_err().code(), Code::Ok);
    assert_eq!(ledger.requests().await, 0);
    let full: Vec<_> = (0..MAX_BATCH).map(|_| event()).collect();
    assert_eq!(ledger.report(full).await.unwrap(), 2_000);
}

#[tokio::test]
async fn a_store_that_is_away_is_no_fault_of_the_batch() {
    let mut ledger = Running::start().await;
    ledger.store.close().await;
    let batch = vec![event()];
    let failed = ledger.report(batch).await.unwrap_err();
    assert_eq!(failed.code(), Code::Unavailable, "{failed:?}");
}
