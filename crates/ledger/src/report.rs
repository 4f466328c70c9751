//! The service: the `Report` call with its commit and acknowledgement, and the `Books` call.

use std::{sync::Arc, time::Instant};

use budget::BookStore;
use domain::UsageEvent;
use proto::v1::{
    BooksReply, BooksRequest, ReportReply, ReportRequest,
    ledger_server::{Ledger, LedgerServer},
};
use runtime::{
    metrics::Collect,
    peer::{Peer, PeerTokens, PeersOnly},
};
use store::{MAX_BATCH, Store, StoreError, check_event};
use tonic::{Code, Request, Response, Status, service::interceptor::InterceptedService};

use crate::{
    books::BookKeeper,
    counts::{Counts, Outcome},
};

/// Serves `portcullis.v1.Ledger`.
///
/// What a proxy may conclude from the answer:
/// - a reply: every event of the batch is committed, now or before, and may be dropped from the spool;
/// - `INVALID_ARGUMENT`: nothing was committed, and the named event never will be; the others may be sent again
///   without it;
/// - anything else (`UNAVAILABLE`): nothing is known, the same batch may be sent again and counts once.
pub struct LedgerService {
    store: Store,
    tokens: Arc<PeerTokens>,
    counts: Arc<Counts>,
    keeper: Arc<BookKeeper>,
}

impl LedgerService {
    /// Commits to `store` what proxies report that `tokens` knows, and keeps the books of budgets in `books`.
    #[must_use]
    pub fn new(store: Store, books: BookStore, tokens: Arc<PeerTokens>) -> Self {
        let keeper = BookKeeper::new(store.clone(), books);
        Self { store, tokens, counts: Arc::default(), keeper }
    }

    /// What it counts.
    #[must_use]
    pub fn counts(&self) -> Arc<dyn Collect> {
        Arc::clone(&self.counts) as _
    }

    /// As a service to be mounted on a server; messages are at most [`proto::MAX_MESSAGE`] bytes, and not read
    /// from strangers.
    #[must_use]
    pub fn into_server(self) -> InterceptedService<LedgerServer<Self>, PeersOnly> {
        let peers = PeersOnly(Arc::clone(&self.tokens));
        InterceptedService::new(LedgerServer::new(self).max_decoding_message_size(proto::MAX_MESSAGE), peers)
    }
}

#[tonic::async_trait]
impl Ledger for LedgerService {
    async fn report(&self, request: Request<ReportRequest>) -> Result<Response<ReportReply>, Status> {
        let peer = request.extensions().get::<Peer>().cloned();
        let peer = peer.ok_or_else(|| Status::unauthenticated("join first"))?;
        let began = Instant::now();
        let committed = self.commit(&peer, request.into_inner()).await;
        let outcome = match &committed {
            Ok((reported, inserted)) => {
                Outcome::Committed { inserted: *inserted, duplicates: reported.saturating_sub(*inserted) }
            }
            Err(status) if status.code() == Code::InvalidArgument => Outcome::Refused,
            Err(_) => Outcome::Failed,
        };
        self.counts.report(&outcome, began.elapsed());
        let (_, inserted) = committed?;
        Ok(Response::new(ReportReply { inserted }))
    }

    async fn books(&self, request: Request<BooksRequest>) -> Result<Response<BooksReply>, Status> {
        request.extensions().get::<Peer>().ok_or_else(|| Status::unauthenticated("join first"))?;
        self.keeper.heartbeat(request.into_inner()).await.map(Response::new)
    }
}

impl LedgerService {
    /// How many attempts were reported, and how many of them were new.
    async fn commit(&self, peer: &Peer, request: ReportRequest) -> Result<(u64, u64), Status> {
        let events = read(request).inspect_err(|refusal| {
            tracing::warn!(proxy = %peer.name, reason = refusal.message(), "refused a usage report");
        })?;
        let reported = events.iter().map(|event| event.attempts.len() as u64).sum();
        let inserted = self.store.insert_usage(&events).await.map_err(|error| {
            tracing::error!(proxy = %peer.name, %error, "could not commit a usage report");
            refusal(&error)
        })?;
        tracing::debug!(proxy = %peer.name, reported, inserted, "committed a usage report");
        Ok((reported, inserted))
    }
}

/// The batch in the domain's terms; one malformed event refuses it whole, and is named by its place.
fn read(request: ReportRequest) -> Result<Vec<UsageEvent>, Status> {
    let count = request.events.len();
    if count > MAX_BATCH {
        let what = format!("{count} events in one report; at most {MAX_BATCH}");
        return Err(Status::invalid_argument(what));
    }
    let one = |(index, event)| {
        let read = proto::event_from(event).map_err(|error| error.to_string());
        read.and_then(|event| check_event(&event).map(|()| event))
            .map_err(|why| Status::invalid_argument(format!("event {index}: {why}")))
    };
    request.events.into_iter().enumerate().map(one).collect()
}

/// Only what is wrong with the batch itself may say so: anything else must keep the batch in the spool.
fn refusal(error: &StoreError) -> Status {
    match error {
        StoreError::Bad(why) => Status::invalid_argument(why.clone()),
        other => Status::unavailable(other.to_string()),
    }
}
