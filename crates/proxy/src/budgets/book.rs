//! The authority that this proxy holds under one topmost tenant, and the requests that wait for more.

mod state;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use budget::{CapRevision, Hold, Holder, LeaseCommand, LeaseReply, Reservation, Token, Units, Wanted};
use domain::{Account, BudgetRef, Draw, Money, RequestId, ResourceId};
use policy::{Budget, health::Micros};
use tokio::{
    sync::{Notify, oneshot},
    time::{Instant, timeout},
};
use usage_spool::BudgetJournal;

use self::state::{LONGEST, MAX_REFUSED, State, Waiting};
use super::{
    counts::{Counts, Path},
    draw::{self, Draft, Purse},
};

/// The book of one topmost tenant.
pub(super) struct Book {
    pub(super) root: ResourceId,
    state: Mutex<State>,
    /// Wakes the task that asks for authority.
    pub(super) work: Notify,
    heartbeat: Arc<Notify>,
    counts: Arc<Counts>,
}

/// A book as metrics tell of it.
pub(crate) struct BookState {
    /// Whether it can grant: not while it is rebuilt, or the store is away.
    pub(crate) open: bool,
    /// Per flat account, what was still free when the store was last asked, and the cap.
    pub(crate) accounts: Vec<(BudgetRef, Units, Units)>,
}

/// Why a request could not be reserved.
#[derive(Clone, Debug)]
pub(super) enum Refusal {
    /// No room.
    AtCap {
        /// The account in which the least is left.
        account: Option<Account>,
        /// What is left there.
        left: Money,
    },
    /// The store or the book did not become available in time.
    Unavailable,
}

impl Refusal {
    const fn path(&self) -> Path {
        match self {
            Self::AtCap { .. } => Path::Refused,
            Self::Unavailable => Path::Unavailable,
        }
    }
}

/// What the leases do next.
pub(super) enum Next {
    /// Look for more to ask.
    Go,
    /// The same command again, a little later.
    Later,
    /// Nothing before another epoch.
    Epoch,
}

/// What the ledger is told of a book.
pub(super) struct View {
    pub(super) epoch: u64,
    pub(super) lost: Option<Token>,
    pub(super) declaration: Option<BTreeMap<Account, Units>>,
    pub(super) budgets: Vec<CapRevision>,
}

/// What an attempt was reserved, until it is settled. One that is dropped stays drawn: its intent is in the spool, and a
/// later process books it at its bound.
#[must_use = "a hold that is not settled stays drawn"]
pub(crate) struct BudgetHold {
    pub(super) book: Arc<Book>,
    pub(super) hold: Hold,
    pub(super) draw: Draw,
    /// Accounts that count and are not enforced.
    pub(super) observed: Arc<[Account]>,
    /// Taken from what the proxy may spend by itself while the store is away.
    pub(super) purse: Option<Purses>,
}

/// What a request takes of what the proxy may spend by itself.
pub(super) struct Purses {
    accounts: Vec<Account>,
    amount: Money,
}

impl BudgetHold {
    /// Where the attempt is drawn from.
    pub(crate) const fn draw(&self) -> &Draw {
        &self.draw
    }

    /// Ends the hold of an attempt that costs nothing, of which the spool says that it was never sent.
    pub(crate) fn release(self) {
        let mut state = self.book.state();
        state.settle_purse(self.purse, Money::ZERO);
        if let Err((_, error)) = state.holder.release(self.hold) {
            tracing::error!(%error, "a reservation stays drawn");
        }
        drop(state);
        self.book.work.notify_one();
    }

    /// Ends the hold with what the attempt cost, once the spool has its event. Says what was taken beyond the reserve.
    pub(crate) fn settle(self, cost: Money, now: Micros) -> Money {
        let Self { book, hold, observed, purse, .. } = self;
        let mut state = book.state();
        state.settle_purse(purse, cost);
        let overrun = match state.holder.settle(hold, cost) {
            Ok(settled) => settled.overrun,
            Err((_, error)) => {
                tracing::error!(%error, "a reservation stays drawn");
                return Money::ZERO;
            }
        };
        if let Err(error) = state.holder.count(&observed, cost, moment(now)) {
            tracing::error!(%error, "a budget that only counts misses a cost");
        }
        let waits = !state.queue.is_empty();
        drop(state);
        book.counts.overrun(overrun);
        if waits {
            book.work.notify_one();
        }
        overrun
    }
}

fn moment(now: Micros) -> i64 {
    i64::try_from(now).unwrap_or(i64::MAX)
}

impl Book {
    pub(super) fn new(
        root: ResourceId,
        holder: Holder<BudgetJournal>,
        heartbeat: Arc<Notify>,
        counts: Arc<Counts>,
    ) -> Self {
        let state = State {
            holder,
            queue: VecDeque::new(),
            asked: HashMap::new(),
            away: false,
            lost: None,
            refused: HashMap::new(),
            unannounced: BTreeMap::new(),
            announced: BTreeMap::new(),
            leaving: false,
            closed: Some(Instant::now()),
            purses: HashMap::new(),
            left: BTreeMap::new(),
            loading: None,
        };
        heartbeat.notify_one();
        Self { root, state: Mutex::new(state), work: Notify::new(), heartbeat, counts }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the caps of a new configuration.
    pub(super) fn configure(&self, budgets: &[Arc<Budget>]) {
        if self.state().learn(budgets.iter().map(|budget| draw::cap(budget))) {
            self.heartbeat.notify_one();
        }
    }

    /// The ledger has committed a cost.
    pub(super) fn acknowledge(&self, accounts: &[Account], cost: Money) {
        self.state().holder.acknowledge(accounts, cost);
    }

    /// Draws a request, at once where the authority in hand is enough.
    pub(super) async fn reserve(
        self: &Arc<Self>,
        wanted: Wanted,
        caps: impl Iterator<Item = CapRevision>,
        now: Micros,
    ) -> Result<Hold, Refusal> {
        let answer = {
            let mut state = self.state();
            if state.learn(caps) {
                self.heartbeat.notify_one();
            }
            let wanted = match state.holder.reserve(wanted, moment(now)) {
                Ok(Reservation::Held(hold)) => {
                    self.counts.reserved(Path::Local);
                    return Ok(hold);
                }
                Ok(Reservation::Short(wanted)) => wanted,
                Err(error) => {
                    tracing::error!(%error, "cannot reserve under a budget");
                    self.counts.reserved(Path::Unavailable);
                    return Err(Refusal::Unavailable);
                }
            };
            if let Some(refusal) = state.refuse_at_once(&wanted) {
                self.counts.reserved(refusal.path());
                return Err(refusal);
            }
            let (answer, answered) = oneshot::channel();
            let (since, book) = (Instant::now(), Arc::clone(self));
            state.queue.push_back(Waiting { wanted, since, again: None, answer, book });
            answered
        };
        self.work.notify_one();
        // One that is in a command without an answer is not in the queue. The sender is dropped when the process stops.
        let answer = match timeout(LONGEST, answer).await {
            Ok(Ok(Ok(granted))) => granted.take().ok_or(Refusal::Unavailable),
            Ok(Ok(Err(refusal))) => Err(refusal),
            Ok(Err(_)) | Err(_) => Err(Refusal::Unavailable),
        };
        self.counts.reserved(answer.as_ref().map_or_else(Refusal::path, |_| Path::Lease));
        answer
    }

    /// Lets a request through that the store could not be asked for, if every budget allows that: within what this proxy
    /// may spend by itself.
    pub(super) fn without_store(
        &self,
        request: RequestId,
        draft: &Draft<'_>,
        amount: Money,
    ) -> Option<(Hold, Purses)> {
        let purses = draft.purses()?;
        let mut state = self.state();
        let spent = |state: &State, purse: &Purse| state.purses.get(&purse.account).copied().unwrap_or(0);
        let fits = purses.iter().all(|purse| {
            purse.most.is_none_or(|most| spent(&state, purse).saturating_add(amount.nanos()) <= most.nanos())
        });
        if !fits || state.purses.len() > MAX_REFUSED {
            return None;
        }
        let wanted = Wanted { request, accounts: Arc::new([]), amount };
        let Ok(Reservation::Held(hold)) = state.holder.reserve(wanted, 0) else { return None };
        let bounded = purses.into_iter().filter(|purse| purse.most.is_some());
        let accounts: Vec<Account> = bounded.map(|purse| purse.account).collect();
        for account in &accounts {
            *state.purses.entry(account.clone()).or_default() += amount.nanos();
        }
        self.counts.reserved(Path::Policy);
        Some((hold, Purses { accounts, amount }))
    }

    /// The book as metrics tell of it.
    pub(super) fn book_state(&self) -> BookState {
        let state = self.state();
        let caps: BTreeMap<BudgetRef, Units> = state.holder.caps().map(|cap| (cap.budget, cap.cap)).collect();
        let account =
            |(account, left): (&Account, &Units)| Some((account.budget, *left, *caps.get(&account.budget)?));
        BookState {
            open: state.closed.is_none() && !state.away,
            accounts: state.left.iter().filter_map(account).collect(),
        }
    }

    /// The command to send now, if there is anything to say.
    pub(super) fn command(&self, now: Micros) -> Option<LeaseCommand> {
        self.state().command(moment(now))
    }

    /// When something is to be done without being woken.
    pub(super) fn wakes_at(&self) -> Option<Instant> {
        self.state().wakes_at()
    }

    /// Ends a hold that its request did not take.
    fn give_back(&self, hold: Hold) {
        self.state().give_back(hold);
        self.work.notify_one();
    }

    /// Forgets what windows that are over left behind.
    pub(super) fn forget_old_windows(&self) {
        self.state().forget_old_windows();
    }

    /// Takes the reply to a command.
    pub(super) fn reply(&self, command: &LeaseCommand, reply: &LeaseReply, now: Micros) -> Next {
        self.counts.leased(reply);
        let mut state = self.state();
        state.note_left(command, reply);
        let next = state.reply(command.sequence, reply, moment(now));
        drop(state);
        if !matches!(next, Next::Go) {
            self.heartbeat.notify_one();
        }
        next
    }

    /// The store gave no answer.
    pub(super) fn store_is_away(&self) {
        self.counts.unanswered();
        let mut state = self.state();
        state.away = true;
        // The time-out is paid once: who waits is told, and the command is sent again until it is answered.
        state.refuse_all();
    }

    /// What the ledger is to be told.
    pub(super) fn view(&self) -> View {
        let state = self.state();
        View {
            epoch: state.holder.epoch(),
            lost: state.lost.clone(),
            declaration: state.holder.declaration(),
            budgets: state.unannounced.values().copied().collect(),
        }
    }

    /// Whether the heartbeat has to hurry: there is no book to work with.
    pub(super) fn is_waiting(&self) -> bool {
        let state = self.state();
        !state.holder.has_token() || state.lost.is_some()
    }

    /// Takes what the ledger says; `told` are the budgets that it was told of.
    pub(super) fn told(&self, epoch: u64, token: Option<&Token>, told: &[CapRevision]) {
        let mut state = self.state();
        let before = (state.holder.epoch(), state.holder.has_token());
        match state.holder.told(epoch, token) {
            Ok(dropped) => state.ask_again(dropped),
            Err(error) => {
                tracing::error!(%error, "cannot go on to another epoch of budgets");
                return;
            }
        }
        if (state.holder.epoch(), state.holder.has_token()) != before {
            state.lost = None;
        }
        state.closed = match state.holder.has_token() && state.lost.is_none() {
            true => None,
            false => state.closed.or_else(|| Some(Instant::now())),
        };
        if token.is_some() {
            state.announced.extend(told.iter().map(|cap| (cap.budget, cap.revision)));
            for cap in told {
                if state.unannounced.get(&cap.budget) == Some(cap) {
                    state.unannounced.remove(&cap.budget);
                }
            }
        }
        drop(state);
        self.work.notify_one();
    }

    /// Starts to leave: everything that is free is given back.
    pub(super) fn leave(&self) {
        self.state().leaving = true;
        self.work.notify_one();
    }

    /// Whether everything is settled, acknowledged and given back.
    pub(super) fn is_given_back(&self) -> bool {
        self.state().holder.is_idle()
    }

    /// Marks the folder as left, if that still is so.
    pub(super) fn has_left(&self) -> bool {
        let mut state = self.state();
        let holder = &mut state.holder;
        if !holder.is_idle() {
            return false;
        }
        match holder.close() {
            Ok(()) => holder.is_drained(),
            Err(error) => {
                tracing::error!(%error, "the folder of budgets cannot be closed");
                false
            }
        }
    }
}
