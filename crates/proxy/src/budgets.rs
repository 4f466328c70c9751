//! Budgets on the request path: what an attempt may cost is reserved before it is sent, and settled when it ended.
//!
//! The protocol is `docs/spec/money.md`. Each topmost tenant has a [`Book`]: the authority that this proxy holds, which
//! most requests are drawn from without a round trip. Its [`leases`] ask the shared store for more, and the
//! [`heartbeat`] keeps the ledger and the book on one epoch.

mod book;
mod counts;
mod draw;
mod heartbeat;
mod leases;
mod refusal;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use budget::{BookStore, Holder, Wanted};
use config_client::Session;
use domain::{Draw, IncarnationId, Money, RequestId, ResourceId, Timestamp};
use policy::{BudgetFacts, Snapshot, Tenant, health::Micros};
use tokio::{
    sync::{Notify, mpsc},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;
use usage_spool::{Listener, Spool};

use self::{
    book::{Book, Refusal},
    draw::Draft,
    refusal::AtCap,
};
pub(crate) use self::{
    book::{BookState, BudgetHold},
    counts::Counts,
    heartbeat::leave,
};
use crate::error::GatewayError;

/// All books of the proxy.
pub(crate) struct Budgets {
    store: BookStore,
    spool: Spool,
    books: Mutex<HashMap<ResourceId, Arc<Book>>>,
    /// Books that have no task yet.
    new: mpsc::UnboundedSender<Arc<Book>>,
    unattended: Mutex<Option<mpsc::UnboundedReceiver<Arc<Book>>>>,
    /// Wakes the heartbeat.
    heartbeat: Arc<Notify>,
    counts: Arc<Counts>,
    /// Earlier ids of the folder, with how many of their costs the ledger has not acknowledged: closed at none.
    left: Mutex<HashMap<IncarnationId, usize>>,
}

/// What an attempt is to be reserved for.
pub(crate) struct Reserve<'a> {
    pub(crate) request: RequestId,
    pub(crate) tenant: &'a Tenant,
    pub(crate) facts: BudgetFacts<'a>,
    /// When the request arrived, which decides on its windows.
    pub(crate) at: Timestamp,
    /// What the attempt may cost at most; none where the model has no price.
    pub(crate) amount: Option<Money>,
    /// The proxy's clock.
    pub(crate) now: Micros,
}

impl Budgets {
    /// Books in `store`; what earlier processes drew is in the spool's folder.
    pub(crate) fn new(store: BookStore, spool: Spool) -> Arc<Self> {
        let (new, unattended) = mpsc::unbounded_channel();
        let budgets = Arc::new(Self {
            store,
            spool,
            books: Mutex::default(),
            new,
            unattended: Mutex::new(Some(unattended)),
            heartbeat: Arc::default(),
            counts: Arc::default(),
            left: Mutex::default(),
        });
        budgets.left().extend(budgets.spool.left_holders());
        for root in budgets.spool.budget_roots() {
            budgets.book(root);
        }
        budgets.spool.on_acknowledged(Box::new(Acknowledged(Arc::clone(&budgets))));
        budgets
    }

    /// Makes the books of tenants that have budgets, so that the first request need not wait for one.
    pub(crate) fn prepare(&self, snapshot: &Snapshot) {
        for tenant in snapshot.tenants().filter(|tenant| !tenant.budgets().is_empty()) {
            self.book(tenant.root()).configure(tenant.budgets());
        }
    }

    /// Reserves what an attempt may cost under all of its tenant's budgets, or under none of them. Nothing where no budget
    /// counts it.
    ///
    /// # Errors
    /// A budget that has no room for it, a model without a price, or a store of budgets that is away.
    pub(crate) async fn reserve(&self, asked: Reserve<'_>) -> Result<Option<BudgetHold>, GatewayError> {
        if asked.tenant.budgets().is_empty() {
            return Ok(None);
        }
        let draft = Draft::of(asked.tenant.budgets(), &asked.facts, asked.at);
        if draft.is_empty() {
            return Ok(None);
        }
        let Some(amount) = asked.amount else {
            return Err(refusal::unpriced(&draft, asked.facts.model));
        };
        let book = self.book(asked.tenant.root());
        let accounts = draft.enforced.clone();
        let wanted = Wanted { request: asked.request, accounts, amount };
        let accounts = draft.enforced.iter().chain(draft.observed.iter()).cloned().collect();
        let draw = Draw { root: asked.tenant.root(), holder: self.spool.holder(), accounts };
        let reserved = book.reserve(wanted, draft.caps(), asked.now).await;
        let (hold, observed, purse) = match reserved {
            Ok(hold) => (hold, draft.observed, None),
            Err(Refusal::Unavailable) => match book.without_store(asked.request, &draft, amount) {
                // Everything is only counted, and claimed when the store is back.
                Some((hold, purse)) => (hold, Arc::clone(&draw.accounts), Some(purse)),
                None => return Err(refusal::unavailable()),
            },
            Err(Refusal::AtCap { account, left }) => {
                let at_cap = AtCap { account, left, amount };
                return Err(refusal::at_cap(&at_cap, &draft, asked.at));
            }
        };
        Ok(Some(BudgetHold { book, hold, draw, observed, purse }))
    }

    /// What was reserved, refused and asked for.
    pub(crate) const fn counts(&self) -> &Arc<Counts> {
        &self.counts
    }

    /// The state of each book.
    pub(crate) fn states(&self) -> Vec<BookState> {
        self.all().iter().map(|book| book.book_state()).collect()
    }

    fn book(&self, root: ResourceId) -> Arc<Book> {
        let mut books = self.books.lock().unwrap_or_else(PoisonError::into_inner);
        let book = books.entry(root).or_insert_with(|| {
            let (folder, journal) = self.spool.budget_folder(root);
            let book = Arc::new(Book::new(
                root,
                Holder::start(folder, journal),
                Arc::clone(&self.heartbeat),
                Arc::clone(&self.counts),
            ));
            // The receiver lives as long as the process; without it nothing is granted, and requests are refused.
            let _ = self.new.send(Arc::clone(&book));
            book
        });
        Arc::clone(book)
    }

    fn left(&self) -> MutexGuard<'_, HashMap<IncarnationId, usize>> {
        self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn all(&self) -> Vec<Arc<Book>> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }
}

/// Asks for authority, and tells the ledger of the books, until `stop`.
pub(crate) async fn run(
    budgets: Arc<Budgets>,
    session: Session,
    clock: impl Fn() -> Micros + Clone + Send + Sync + 'static,
    stop: CancellationToken,
) {
    let unattended = budgets.unattended.lock().unwrap_or_else(PoisonError::into_inner).take();
    let Some(mut unattended) = unattended else { return };
    let mut tasks = JoinSet::new();
    tasks.spawn(heartbeat::run(Arc::clone(&budgets), session, stop.clone()));
    while let Some(Some(book)) = stop.run_until_cancelled(unattended.recv()).await {
        tasks.spawn(leases::run(book, budgets.store.clone(), clock.clone(), stop.clone()));
    }
    tasks.join_all().await;
}

/// Passes acknowledgements on to the books.
struct Acknowledged(Arc<Budgets>);

impl Listener for Acknowledged {
    fn acknowledged(&self, draw: &Draw, cost: Money) {
        if draw.holder == self.0.spool.holder() {
            self.0.book(draw.root).acknowledge(&draw.accounts, cost);
        } else if let Some(unreported) = self.0.left().get_mut(&draw.holder) {
            *unreported = unreported.saturating_sub(1);
        }
    }
}
