//! The authority that this proxy holds under one topmost tenant, and the requests that wait for more.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use budget::{
    CapRevision, Folder, Hold, Holder, Keep, LeaseCommand, LeaseOutcome, LeaseReply, Refused, Reservation,
    Sequence, Token, Units, Wanted, units_up,
};
use domain::{Account, BudgetRef, Draw, Money, RequestId, ResourceId};
use policy::{Budget, health::Micros};
use tokio::{
    sync::{Notify, oneshot},
    time::Instant,
};
use usage_spool::BudgetJournal;

use super::draw;

/// How long a request waits for the store of budgets, or for a book that is rebuilt.
const PATIENCE: Duration = Duration::from_secs(3);
/// A request that did not fit is tried once more after so long, when others have given back what they do not need.
const ONCE_MORE: Duration = Duration::from_millis(300);
/// An account that was refused at its cap is not asked for again for so long.
const REFUSED_FOR: Duration = Duration::from_millis(100);
/// Accounts of which that is kept.
const MAX_REFUSED: usize = 10_000;
/// Requests in one command.
const MAX_WANTS: usize = 200;
/// Spare authority that is asked for, as a multiple of the largest request.
const SPARE: Units = 32;
/// What was not drawn from for so long is given back, in microseconds.
const IDLE: i64 = 1_000_000;

/// The book of one topmost tenant.
pub(super) struct Book {
    pub(super) root: ResourceId,
    state: Mutex<State>,
    /// Wakes the task that asks for authority.
    pub(super) work: Notify,
    heartbeat: Arc<Notify>,
}

struct State {
    holder: Holder<BudgetJournal>,
    queue: VecDeque<Waiting>,
    /// Requests in the command that is not answered yet.
    asked: HashMap<RequestId, Waiting>,
    /// The store gave no answer to the last command.
    away: bool,
    /// The token under which the store says that data is missing.
    lost: Option<Token>,
    /// Accounts that were refused lately, with what was left.
    refused: HashMap<Account, (Instant, Money)>,
    /// Budgets that the ledger has not heard of in this epoch.
    unannounced: BTreeMap<BudgetRef, CapRevision>,
    announced: BTreeMap<BudgetRef, u64>,
    /// The proxy is about to leave: everything that is free is given back.
    leaving: bool,
}

/// A request that waits for authority.
struct Waiting {
    wanted: Wanted,
    since: Instant,
    /// It did not fit once, and is tried again then.
    again: Option<Instant>,
    answer: oneshot::Sender<Result<Hold, Refusal>>,
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
}

impl BudgetHold {
    /// Where the attempt is drawn from.
    pub(crate) const fn draw(&self) -> &Draw {
        &self.draw
    }

    /// Ends the hold of an attempt that costs nothing, of which the spool says that it was never sent.
    pub(crate) fn release(self) {
        let mut state = self.book.state();
        if let Err((_, error)) = state.holder.release(self.hold) {
            tracing::error!(%error, "a reservation stays drawn");
        }
        drop(state);
        self.book.work.notify_one();
    }

    /// Ends the hold with what the attempt cost, once the spool has its event. Says what was taken beyond the reserve.
    pub(crate) fn settle(self, cost: Money, now: Micros) -> Money {
        let Self { book, hold, observed, .. } = self;
        let mut state = book.state();
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
        folder: Folder,
        journal: BudgetJournal,
        heartbeat: Arc<Notify>,
    ) -> Self {
        let state = State {
            holder: Holder::start(folder, journal),
            queue: VecDeque::new(),
            asked: HashMap::new(),
            away: false,
            lost: None,
            refused: HashMap::new(),
            unannounced: BTreeMap::new(),
            announced: BTreeMap::new(),
            leaving: false,
        };
        heartbeat.notify_one();
        Self { root, state: Mutex::new(state), work: Notify::new(), heartbeat }
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
                Ok(Reservation::Held(hold)) => return Ok(hold),
                Ok(Reservation::Short(wanted)) => wanted,
                Err(error) => {
                    tracing::error!(%error, "cannot reserve under a budget");
                    return Err(Refusal::Unavailable);
                }
            };
            if let Some(refusal) = state.refuse_at_once(&wanted) {
                return Err(refusal);
            }
            let (answer, answered) = oneshot::channel();
            state.queue.push_back(Waiting { wanted, since: Instant::now(), again: None, answer });
            answered
        };
        self.work.notify_one();
        // The sender is dropped when the process stops.
        answer.await.unwrap_or(Err(Refusal::Unavailable))
    }

    /// The command to send now, if there is anything to say.
    pub(super) fn command(&self, now: Micros) -> Option<LeaseCommand> {
        self.state().command(moment(now))
    }

    /// When something is to be done without being woken.
    pub(super) fn wakes_at(&self) -> Option<Instant> {
        let state = self.state();
        state.queue.iter().map(|waiting| waiting.again.unwrap_or(waiting.since + PATIENCE)).min()
    }

    /// Takes the reply to a command.
    pub(super) fn reply(&self, sequence: Sequence, reply: &LeaseReply, now: Micros) -> Next {
        let next = self.state().reply(sequence, reply, moment(now));
        if !matches!(next, Next::Go) {
            self.heartbeat.notify_one();
        }
        next
    }

    /// The store gave no answer.
    pub(super) fn store_is_away(&self) {
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

impl State {
    /// Takes caps; true where the ledger does not know one of the budgets yet.
    fn learn(&mut self, caps: impl Iterator<Item = CapRevision>) -> bool {
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
    fn refuse_at_once(&self, wanted: &Wanted) -> Option<Refusal> {
        if self.away {
            return Some(Refusal::Unavailable);
        }
        let refused = wanted.accounts.iter().find_map(|account| {
            let (at, left) = self.refused.get(account)?;
            (at.elapsed() < REFUSED_FOR && *left < wanted.amount).then_some((account, *left))
        });
        refused.map(|(account, left)| Refusal::AtCap { account: Some(account.clone()), left })
    }

    fn refuse_all(&mut self) {
        let asked = self.asked.drain().map(|(_, waiting)| waiting);
        for waiting in self.queue.drain(..).chain(asked) {
            // Who asked may have gone.
            let _ = waiting.answer.send(Err(Refusal::Unavailable));
        }
    }

    fn command(&mut self, now: i64) -> Option<LeaseCommand> {
        let mut wants = self.take_wants(now);
        let largest = wants.iter().map(|wanted| units_up(wanted.amount)).max();
        let slice = largest.map(|largest| largest.saturating_mul(SPARE)).filter(|_| !self.leaving);
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
    fn take_wants(&mut self, now: i64) -> Vec<Wanted> {
        let mut wants = Vec::new();
        let moment = Instant::now();
        for _ in 0..self.queue.len() {
            let Some(waiting) = self.queue.pop_front() else { break };
            if waiting.answer.is_closed() {
                continue;
            }
            let Waiting { wanted, since, again, answer } = waiting;
            match self.holder.reserve(wanted, now) {
                Ok(Reservation::Held(hold)) => self.answer(answer, hold),
                Ok(Reservation::Short(_)) if since + PATIENCE <= moment => {
                    let _ = answer.send(Err(Refusal::Unavailable));
                }
                Ok(Reservation::Short(wanted)) => {
                    let waiting = Waiting { wanted: wanted.clone(), since, again, answer };
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
    fn ask_again(&mut self, wants: Vec<Wanted>) {
        for wanted in wants.into_iter().rev() {
            if let Some(waiting) = self.asked.remove(&wanted.request) {
                self.queue.push_front(waiting);
            }
        }
    }

    /// Hands a hold to the request; one that has gone gives it back.
    fn answer(&mut self, answer: oneshot::Sender<Result<Hold, Refusal>>, hold: Hold) {
        if let Err(Ok(hold)) = answer.send(Ok(hold))
            && let Err((_, error)) = self.holder.release(hold)
        {
            tracing::error!(%error, "a reservation stays drawn");
        }
    }

    fn reply(&mut self, sequence: Sequence, reply: &LeaseReply, now: i64) -> Next {
        self.away = false;
        match self.holder.reply(sequence, reply, now) {
            Ok(LeaseOutcome::Done { admitted, refused }) => {
                for hold in admitted {
                    match self.asked.remove(&hold.wanted().request) {
                        Some(waiting) => self.answer(waiting.answer, hold),
                        None => {
                            if let Err((_, error)) = self.holder.release(hold) {
                                tracing::error!(%error, "a reservation stays drawn");
                            }
                        }
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
                self.unannounced = self.holder.caps().map(|cap| (cap.budget, cap)).collect();
                Next::Later
            }
            Ok(LeaseOutcome::Lost) => {
                self.lost = self.holder.token().cloned();
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

    /// A request that did not fit is tried once more, then refused.
    fn refuse(&mut self, refused: Vec<Refused>) {
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
