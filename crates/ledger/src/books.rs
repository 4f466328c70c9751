//! The `Books` call: heartbeats of proxies about their books, and a rebuild where a book was lost.

mod rebuild;

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError},
};

use budget::{BookStore, Books, CapRevision, Load, MemberState, Token};
use domain::{BudgetRef, IncarnationId, ResourceId, Timestamp};
use proto::v1::{BookState, BookView, BooksReply, BooksRequest, BudgetCap, Declaration};
use store::{Greeting, Heartbeat, Store, StoreError};
use tokio::time::{Duration, Instant};
use tonic::Status;
use uuid::Uuid;

/// A book that stays without a token for so long has nobody that rebuilds it: its ledger died.
const ABANDONED: Duration = Duration::from_secs(3);
/// Most books of one heartbeat.
const MAX_BOOKS: usize = 10_000;

/// Answers heartbeats, and rebuilds books.
pub(crate) struct BookKeeper {
    store: Store,
    books: BookStore,
    /// Books without a token, with since when, and whether this process rebuilds them.
    closed: Mutex<HashMap<ResourceId, ClosedSince>>,
}

#[derive(Clone, Copy)]
struct ClosedSince {
    since: Instant,
    rebuilding: bool,
}

impl BookKeeper {
    pub(crate) fn new(store: Store, books: BookStore) -> Arc<Self> {
        Arc::new(Self { store, books, closed: Mutex::default() })
    }

    /// Takes a heartbeat.
    pub(crate) async fn heartbeat(self: &Arc<Self>, request: BooksRequest) -> Result<BooksReply, Status> {
        let holder = IncarnationId(id(&request.holder, "holder")?);
        if request.books.len() > MAX_BOOKS {
            let what = format!("{} books in one heartbeat; at most {MAX_BOOKS}", request.books.len());
            return Err(Status::invalid_argument(what));
        }
        let mut books = Vec::with_capacity(request.books.len());
        for view in request.books {
            books.push(self.book(holder, view).await?);
        }
        if request.close {
            self.store.close_holder(holder).await.map_err(unavailable)?;
        }
        Ok(BooksReply { books, closed: request.close })
    }

    async fn book(self: &Arc<Self>, holder: IncarnationId, view: BookView) -> Result<BookState, Status> {
        let root = ResourceId(id(&view.root, "root")?);
        let budgets = view.budgets.iter().map(cap).collect::<Result<Vec<_>, _>>()?;
        let heartbeat = Heartbeat { root, holder, budgets: &budgets, now: Timestamp::now() };
        let Greeting { epoch, token, state, fresh } =
            self.store.greet(&heartbeat).await.map_err(unavailable)?;
        match &token {
            Some(token) => {
                self.complete(root, token, fresh).await;
                self.opened(root);
                if view.lost == token.as_str() {
                    self.rebuild(root, epoch);
                }
            }
            None if state == MemberState::WrittenOff => {
                // It is alive after all: everybody declares, and it is a member again.
                self.rebuild(root, epoch);
            }
            None => self.look_after(root, epoch),
        }
        if let Some(declaration) = view.declaration.filter(|_| view.epoch == epoch && token.is_none()) {
            let kept = kept(declaration)?;
            self.store.declare_kept(root, holder, epoch, &kept).await.map_err(unavailable)?;
        }
        let token = token.map(|token| token.as_str().to_owned()).unwrap_or_default();
        Ok(BookState { root: view.root, epoch, token })
    }

    /// Tells the book of budgets that nothing can have been drawn from yet. Where that fails the proxy asks again.
    async fn complete(&self, root: ResourceId, token: &Token, fresh: Vec<BudgetRef>) {
        if fresh.is_empty() {
            return;
        }
        let load = Load { token: token.clone(), rows: Vec::new(), complete: fresh };
        if let Err(error) = self.books.load(root, &load).await {
            tracing::warn!(%root, %error, "cannot add budgets to their book yet");
        }
    }

    fn closed(&self) -> std::sync::MutexGuard<'_, HashMap<ResourceId, ClosedSince>> {
        self.closed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The book is open.
    fn opened(&self, root: ResourceId) {
        let mut closed = self.closed();
        if closed.get(&root).is_some_and(|closed| !closed.rebuilding) {
            closed.remove(&root);
        }
    }

    /// The book is not open: somebody rebuilds it, or this ledger does.
    fn look_after(self: &Arc<Self>, root: ResourceId, epoch: u64) {
        let now = Instant::now();
        let since = self.closed().entry(root).or_insert(ClosedSince { since: now, rebuilding: false }).since;
        if epoch == 0 || now.duration_since(since) > ABANDONED {
            self.rebuild(root, epoch);
        }
    }

    /// Begins a rebuild, unless this process is at it.
    pub(crate) fn rebuild(self: &Arc<Self>, root: ResourceId, epoch: u64) {
        let now = Instant::now();
        let begin = |closed: &mut ClosedSince| !std::mem::replace(&mut closed.rebuilding, true);
        let begins =
            begin(self.closed().entry(root).or_insert(ClosedSince { since: now, rebuilding: false }));
        if begins {
            let keeper = Arc::clone(self);
            tokio::spawn(async move {
                rebuild::run(&keeper.store, &keeper.books, root, epoch).await;
                keeper.closed().remove(&root);
            });
        }
    }
}

fn id(bytes: &[u8], field: &str) -> Result<Uuid, Status> {
    Uuid::from_slice(bytes).map_err(|_| Status::invalid_argument(format!("{field} is no UUID")))
}

fn cap(from: &BudgetCap) -> Result<CapRevision, Status> {
    let budget = BudgetRef { id: ResourceId(id(&from.budget, "budget")?), generation: from.generation };
    if from.cap < 0 {
        return Err(Status::invalid_argument("a cap is negative"));
    }
    Ok(CapRevision { budget, cap: from.cap, revision: from.revision })
}

fn kept(from: Declaration) -> Result<BTreeMap<domain::Account, budget::Units>, Status> {
    let one = |kept: proto::v1::Kept| {
        let account = kept.account.ok_or_else(|| Status::invalid_argument("an amount without account"))?;
        let account =
            proto::account_from(account).map_err(|error| Status::invalid_argument(error.to_string()))?;
        Ok((account, kept.units))
    };
    from.kept.into_iter().map(one).collect()
}

#[allow(clippy::needless_pass_by_value, reason = "for map_err")]
fn unavailable(error: StoreError) -> Status {
    Status::unavailable(error.to_string())
}
