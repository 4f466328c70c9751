//! What a book holds and who waits for more: every change is one locked step.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use budget::{
    CapRevision, Hold, Holder, Keep, LeaseCommand, LeaseOutcome, LeaseReply, Refused, Reservation, Sequence,
    Token, Units, Wanted, units_up,
};
use domain::{Account, BudgetRef, Money, RequestId};
use tokio::{sync::oneshot, time::Instant};
use usage_spool::BudgetJournal;

use super::{Book, Next, Purses, Refusal};

/// How long a request waits for the store of budgets, or for a book that is rebuilt.
pub(super) const PATIENCE: Duration = Duration::from_secs(3);
/// The longest that a request waits, wherever it is.
pub(super) const LONGEST: Duration = Duration::from_secs(4);
/// A request that did not fit is tried once more after so long, when others have given back what they do not need.
const ONCE_MORE: Duration = Duration::from_millis(300);
/// An account that was refused at its cap is not asked for again for so long.
const REFUSED_FOR: Duration = Duration::from_millis(100);
/// Accounts of which that is kept.
pub(super) const MAX_REFUSED: usize = 10_000;
/// Accounts that are not loaded after so long will not be.
const LOADING: Duration = Duration::from_secs(10);
/// Requests in one command.
const MAX_WANTS: usize = 200;
/// Spare authority that is asked for, as a multiple of the largest request.
const SPARE: Units = 32;
/// What was not drawn from for so long is given back, in microseconds.
const IDLE: i64 = 1_000_000;

/// The state of a book, behind its lock.
pub(super) struct State {
    pub(super) holder: Holder<BudgetJournal>,
    pub(super) queue: VecDeque<Waiting>,
    /// Requests in the command that is not answered yet.
    pub(super) asked: HashMap<RequestId, Waiting>,
    /// The store gave no answer to the last command.
    pub(super) away: bool,
    /// The token under which the store says that data is missing.
    pub(super) lost: Option<Token>,
    /// Accounts that were refused lately, with what was left.
    pub(super) refused: HashMap<Account, (Instant, Money)>,
    /// Budgets that the ledger has not heard of in this epoch.
    pub(super) unannounced: BTreeMap<BudgetRef, CapRevision>,
    pub(super) announced: BTreeMap<BudgetRef, u64>,
    /// The proxy is about to leave: everything that is free is given back.
    pub(super) leaving: bool,
    /// Since when there is no book to work with.
    pub(super) closed: Option<Instant>,
    /// What was spent without the store, by account, in nano-dollars.
    pub(super) purses: HashMap<Account, i64>,
    /// What all proxies may still be granted of the accounts that are flat, as the store last said it.
    pub(super) left: BTreeMap<Account, Units>,
    /// Since when the store says that accounts are not loaded yet.
    pub(super) loading: Option<Instant>,
}

/// A request that waits for authority.
pub(super) struct Waiting {
    pub(super) wanted: Wanted,
    pub(super) since: Instant,
    /// It did not fit once, and is tried again then.
    pub(super) again: Option<Instant>,
    pub(super) answer: oneshot::Sender<Result<Granted, Refusal>>,
    pub(super) book: Arc<Book>,
}

/// A hold on its way to its request; one that is gone when it arrives gives it back.
pub(super) struct Granted {
    book: Arc<Book>,
    hold: Option<Hold>,
}

impl Granted {
    pub(super) fn take(mut self) -> Option<Hold> {
        self.hold.take()
    }
}

impl Drop for Granted {
    fn drop(&mut self) {
        if let Some(hold) = self.hold.take() {
            self.book.give_back(hold);
        }
    }
}

impl State {
    /// Takes caps; true where the ledger does not know one of the budgets yet.
    pub(super) fn learn(&mut self, caps: impl Iterator<Item = CapRevision>) -> bool {
        let mut new = false;
        for cap in caps {
            if self.announced.get(&cap.budget).is_none_or(|known| *known < cap.revision) {
                self.holder.set_cap(cap);
                let known = self.unannounced.entry(cap.budget).or_insert(cap);
                new |= known.revision <= cap.revision;
                if known.revision < cap.revision {
                    *known = cap;
                }
            }
        }
        new
    }

    /// Whether it is known already that the request will not be admitted now.
    pub(super) fn refuse_at_once(&self, wanted: &Wanted) -> Option<Refusal> {
        // The time-out is paid once.
        if self.away || self.closed.is_some_and(|since| since.elapsed() > PATIENCE) {
            return Some(Refusal::Unavailable);
        }
        let refused = wanted.accounts.iter().find_map(|account| {
            let (at, left) = self.refused.get(account)?;
            (at.elapsed() < REFUSED_FOR && *left < wanted.amount).then_some((account, *left))
        });
        refused.map(|(account, left)| Refusal::AtCap { account: Some(account.clone()), left })
    }

    /// What the store says is left of accounts without a dimension; of windows before the newest, nothing is kept.
    pub(super) fn note_left(&mut self, command: &LeaseCommand, reply: &LeaseReply) {
        let LeaseReply::Done { left, .. } = reply else { return };
        for (named, left) in command.accounts.iter().zip(left).filter(|(named, _)| named.account.is_flat()) {
            let account = &named.account;
            self.left.retain(|known, _| known.budget != account.budget || known.window >= account.window);
            let is_newest = !self.left.keys().any(|known| known.budget == account.budget && known > account);
            if is_newest {
                self.left.insert(account.clone(), *left);
            }
        }
    }

    /// Gives back what a request did not take of what the proxy may spend by itself.
    pub(super) fn settle_purse(&mut self, purse: Option<Purses>, cost: Money) {
        if let Some(Purses { accounts, amount }) = purse {
            for account in accounts {
                *self.purses.entry(account).or_default() += cost.nanos() - amount.nanos();
            }
        }
    }

    pub(super) fn refuse_all(&mut self) {
        let asked = self.asked.drain().map(|(_, waiting)| waiting);
        for waiting in self.queue.drain(..).chain(asked) {
            // Who asked may have gone.
            let _ = waiting.answer.send(Err(Refusal::Unavailable));
        }
    }

    pub(super) fn command(&mut self, now: i64) -> Option<LeaseCommand> {
        let mut wants = self.take_wants(now);
        let largest = wants.iter().map(|wanted| units_up(wanted.amount)).max();
        // Only where a flat account is the reason to ask: else every first use of a long-tail one would pile spare up.
        let is_short = |wanted: &Wanted| {
            let flat = wanted.accounts.iter().filter(|account| account.is_flat());
            flat.into_iter().any(|account| self.holder.free(account) < wanted.amount)
        };
        let asks = !self.leaving && wants.iter().any(is_short);
        let slice = largest.filter(|_| asks).map(|largest| largest.saturating_mul(SPARE));
        let keep = if self.leaving { Keep::Drawn } else { Keep::UsedSince(now.saturating_sub(IDLE)) };
        let command = match self.holder.command(&mut wants, slice, keep) {
            Ok(command) => command.cloned(),
            Err(error) => {
                tracing::error!(%error, "cannot ask for authority under a budget");
                None
            }
        };
        // A command that is not answered yet takes no more.
        self.ask_again(wants);
        command
    }

    /// The requests that a new command may ask for. Those that fit by now are drawn, and those that waited too long are
    /// refused.
    pub(super) fn take_wants(&mut self, now: i64) -> Vec<Wanted> {
        let mut wants = Vec::new();
        let moment = Instant::now();
        for _ in 0..self.queue.len() {
            let Some(waiting) = self.queue.pop_front() else { break };
            if waiting.answer.is_closed() {
                continue;
            }
            let Waiting { wanted, since, again, answer, book } = waiting;
            match self.holder.reserve(wanted, now) {
                Ok(Reservation::Held(hold)) => self.answer(answer, book, hold),
                Ok(Reservation::Short(_)) if since + PATIENCE <= moment => {
                    let _ = answer.send(Err(Refusal::Unavailable));
                }
                Ok(Reservation::Short(wanted)) => {
                    let waiting = Waiting { wanted: wanted.clone(), since, again, answer, book };
                    let ripe = again.is_none_or(|again| again <= moment) && wants.len() < MAX_WANTS;
                    match ripe && self.holder.has_token() {
                        true => {
                            self.asked.insert(wanted.request, waiting);
                            wants.push(wanted);
                        }
                        false => self.queue.push_back(waiting),
                    }
                }
                Err(error) => {
                    tracing::error!(%error, "cannot reserve under a budget");
                    let _ = answer.send(Err(Refusal::Unavailable));
                }
            }
        }
        wants
    }

    /// Puts requests back that no command asked for.
    pub(super) fn ask_again(&mut self, wants: Vec<Wanted>) {
        for wanted in wants.into_iter().rev() {
            if let Some(waiting) = self.asked.remove(&wanted.request) {
                self.queue.push_front(waiting);
            }
        }
    }

    /// Hands a hold to the request; one that has gone gives it back.
    fn answer(&mut self, answer: oneshot::Sender<Result<Granted, Refusal>>, book: Arc<Book>, hold: Hold) {
        // Not by dropping it: the state is locked here.
        if let Err(Ok(granted)) = answer.send(Ok(Granted { book, hold: Some(hold) }))
            && let Some(hold) = granted.take()
        {
            self.give_back(hold);
        }
    }

    /// Ends the hold of a request that was never sent, and of which no intent was written.
    pub(super) fn give_back(&mut self, hold: Hold) {
        if let Err((_, error)) = self.holder.release(hold) {
            tracing::error!(%error, "a reservation stays drawn");
        }
    }

    pub(super) fn reply(&mut self, sequence: Sequence, reply: &LeaseReply, now: i64) -> Next {
        self.away = false;
        match self.holder.reply(sequence, reply, now) {
            Ok(LeaseOutcome::Done { admitted, refused }) => {
                self.loading = None;
                for hold in admitted {
                    match self.asked.remove(&hold.wanted().request) {
                        Some(waiting) => self.answer(waiting.answer, waiting.book, hold),
                        None => self.give_back(hold),
                    }
                }
                self.refuse(refused);
                // Granted, and drawn by others meanwhile: asked for again.
                let left: Vec<Wanted> = self.asked.values().map(|waiting| waiting.wanted.clone()).collect();
                self.ask_again(left);
                Next::Go
            }
            Ok(LeaseOutcome::Ignored) => Next::Go,
            Ok(LeaseOutcome::Wait) => {
                let since = *self.loading.get_or_insert_with(Instant::now);
                if since.elapsed() > LOADING {
                    // The ledger that loaded the book has died: another one has to begin anew.
                    self.loading = None;
                    self.lose();
                    return Next::Epoch;
                }
                self.unannounced = self.holder.caps().map(|cap| (cap.budget, cap)).collect();
                Next::Later
            }
            Ok(LeaseOutcome::Lost) => {
                self.lose();
                Next::Epoch
            }
            Ok(LeaseOutcome::Stale) => {
                tracing::error!(
                    "another process uses a copy of this proxy's folder: its budgets are not served"
                );
                self.refuse_all();
                Next::Epoch
            }
            Err(error) => {
                tracing::error!(%error, "cannot take authority under a budget");
                self.refuse_all();
                Next::Later
            }
        }
    }

    /// The book has to be rebuilt; the next heartbeat says so.
    fn lose(&mut self) {
        self.lost = self.holder.token().cloned();
        self.closed.get_or_insert_with(Instant::now);
    }

    /// When something is to be done without being woken: a request that did not fit is tried again, or waited too long.
    pub(super) fn wakes_at(&self) -> Option<Instant> {
        let now = Instant::now();
        let due = |waiting: &Waiting| {
            let again = waiting.again.filter(|again| *again > now);
            again.unwrap_or(waiting.since + PATIENCE)
        };
        self.queue.iter().map(due).min()
    }

    /// Forgets what windows that are over left behind.
    pub(super) fn forget_old_windows(&mut self) {
        self.holder.forget_old_windows();
        self.refused.retain(|_, (at, _)| at.elapsed() < REFUSED_FOR);
        let mut newest: HashMap<BudgetRef, i64> = HashMap::new();
        for account in self.purses.keys() {
            let start = newest.entry(account.budget).or_insert(account.window.start);
            *start = (*start).max(account.window.start);
        }
        self.purses.retain(|account, _| account.window.start == newest[&account.budget]);
    }

    /// A request that did not fit is tried once more, then refused.
    pub(super) fn refuse(&mut self, refused: Vec<Refused>) {
        let now = Instant::now();
        for Refused { wanted, account, left } in refused {
            let Some(waiting) = self.asked.remove(&wanted.request) else { continue };
            if waiting.again.is_none() {
                self.queue.push_back(Waiting { again: Some(now + ONCE_MORE), ..waiting });
                continue;
            }
            if let Some(account) = &account {
                if self.refused.len() >= MAX_REFUSED {
                    self.refused.retain(|_, (at, _)| at.elapsed() < REFUSED_FOR);
                }
                if self.refused.len() < MAX_REFUSED {
                    self.refused.insert(account.clone(), (now, left));
                }
            }
            let _ = waiting.answer.send(Err(Refusal::AtCap { account, left }));
        }
    }
}
