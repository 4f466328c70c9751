//! One proxy's side: it draws requests from the authority that it holds, and gives back what it does not need.
//!
//! `drawn ≤ held` in every account, always; and what is held is never more than the proxy's row in the book whose token
//! it uses. Only the owner lowers its row, and it lowers what it holds before the command leaves.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use domain::{Account, BudgetRef, IncarnationId, Money, Window};

use crate::{
    CapRevision, Hold, Journal, JournalError, LeaseCommand, LeaseReply, NamedAccount, Record, Refused,
    Reservation, Sequence, Settled, Token, Units, Want, Wanted,
    units::{money, units_up},
};

/// Most accounts in one command beside those that its wants name: a script holds the store up meanwhile.
const MAX_NAMED: usize = 200;

/// The authority of one proxy under one root tenant. Callers put it behind a lock.
#[derive(Debug)]
pub struct Holder<J> {
    proxy: IncarnationId,
    sequence: Sequence,
    epoch: u64,
    token: Option<Token>,
    accounts: HashMap<Account, Authority>,
    open_holds: usize,
    /// Events that the ledger has not acknowledged; they may have cost nothing.
    unreported: usize,
    in_flight: Option<InFlight>,
    /// Accounts that no command of this boot and epoch has named yet; empty: the store's rows are as they should be.
    sweep: BTreeSet<Account>,
    /// Accounts in which more was taken than was reserved: the row is raised by the next command.
    overrun: BTreeSet<Account>,
    /// Accounts in which more may be held than was drawn: the only ones that have something to give back.
    loose: BTreeSet<Account>,
    caps: BTreeMap<BudgetRef, Cap>,
    closing: bool,
    journal: J,
}

/// What is held of one account.
#[derive(Clone, Copy, Debug, Default)]
struct Authority {
    /// In nano-dollars. Whole units, but after an overrun and a restart: then it is what was drawn, since the fraction
    /// of a unit above that was not granted to any holder.
    held: i64,
    /// Open holds and settled costs, since ever, in nano-dollars.
    drawn: i64,
    /// Costs that the ledger has acknowledged, in nano-dollars.
    acknowledged: i64,
    /// When something was last drawn, by the caller's clock in microseconds.
    drawn_at: i64,
    /// Little is left for all proxies together.
    tight: bool,
}

#[derive(Clone, Copy, Debug)]
struct Cap {
    cap: Units,
    revision: u64,
    /// The book of this epoch knows it.
    told: bool,
}

#[derive(Debug)]
struct InFlight {
    command: LeaseCommand,
    wanted: Vec<Wanted>,
}

/// What to give back with the next command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// What is free in accounts that are tight, and where nothing was drawn since then (the caller's clock).
    UsedSince(i64),
    /// Nothing that is free: the proxy is about to leave.
    Drawn,
}

/// What became of a command.
#[derive(Debug, PartialEq)]
pub enum LeaseOutcome {
    /// It was carried out.
    Done {
        /// Requests that may be sent.
        admitted: Vec<Hold>,
        /// Requests that do not fit.
        refused: Vec<Refused>,
    },
    /// The store does not know the book: ask the ledger. The command is sent again until another epoch comes.
    Lost,
    /// The same command again, a little later.
    Wait,
    /// A reply to another command: it means nothing.
    Ignored,
    /// The store knows later commands under the proxy's name: another process uses a copy of its folder.
    Stale,
}

impl<J: Journal> Holder<J> {
    /// Starts on a folder that says what was drawn; everything that is not drawn is dropped.
    ///
    /// `drawn` has, per account ever named, what was drawn and what of it the ledger acknowledged, in nano-dollars.
    pub fn start(folder: Folder, journal: J) -> Self {
        let accounts: HashMap<Account, Authority> = folder
            .accounts
            .into_iter()
            .map(|(account, Drawn { drawn, acknowledged })| {
                (account, Authority { held: drawn, drawn, acknowledged, ..Authority::default() })
            })
            .collect();
        Self {
            proxy: folder.proxy,
            sequence: Sequence { boot: folder.boot, number: 0 },
            epoch: folder.epoch,
            token: folder.token,
            sweep: accounts.keys().cloned().collect(),
            accounts,
            open_holds: 0,
            unreported: folder.unreported,
            in_flight: None,
            overrun: BTreeSet::new(),
            loose: BTreeSet::new(),
            caps: BTreeMap::new(),
            closing: folder.closing,
            journal,
        }
    }

    /// The epoch of the book that the proxy works with, or waits for.
    pub const fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Whether the proxy may send commands.
    pub const fn has_token(&self) -> bool {
        self.token.is_some()
    }

    /// The token of the book that it works with.
    pub const fn token(&self) -> Option<&Token> {
        self.token.as_ref()
    }

    /// The caps that it was told of.
    pub fn caps(&self) -> impl Iterator<Item = CapRevision> {
        let caps = self.caps.iter();
        caps.map(|(budget, cap)| CapRevision { budget: *budget, cap: cap.cap, revision: cap.revision })
    }

    /// Draws a request from every one of its accounts, or from none.
    ///
    /// # Errors
    /// When the intent cannot be written down: then nothing was drawn.
    pub fn reserve(&mut self, wanted: Wanted, now: i64) -> Result<Reservation, JournalError> {
        let nanos = wanted.amount.nanos();
        let fits = |account: &Account| {
            let known = self.accounts.get(account);
            known.is_some_and(|known| known.drawn + nanos <= known.held)
        };
        if self.closing || !wanted.accounts.iter().all(fits) {
            return Ok(Reservation::Short(wanted));
        }
        self.draw(wanted, now).map(Reservation::Held)
    }

    fn draw(&mut self, wanted: Wanted, now: i64) -> Result<Hold, JournalError> {
        let Wanted { request, accounts, amount } = &wanted;
        self.journal.append(Record::Intent { request: *request, accounts, amount: *amount })?;
        for account in accounts.iter() {
            if let Some(known) = self.accounts.get_mut(account) {
                known.drawn += amount.nanos();
                known.drawn_at = now;
            }
        }
        self.open_holds += 1;
        Ok(Hold { wanted })
    }

    /// Ends a hold with what the request cost.
    ///
    /// # Errors
    /// When the event cannot be written down: the hold comes back, and stays drawn.
    pub fn settle(&mut self, hold: Hold, cost: Money) -> Result<Settled, (Hold, JournalError)> {
        let Wanted { request, accounts, amount } = &hold.wanted;
        if let Err(error) = self.journal.append(Record::Event { request: *request, accounts, cost }) {
            return Err((hold, error));
        }
        self.end(&hold.wanted, cost);
        self.unreported += 1;
        Ok(Settled { overrun: Money::from_nanos((cost.nanos() - amount.nanos()).max(0)) })
    }

    /// Counts a cost in accounts that are counted and never enforced, as part of a settled event: their rows follow.
    ///
    /// # Errors
    /// When an account cannot be written down before it is named; the rest was counted.
    pub fn count(&mut self, accounts: &[Account], cost: Money, now: i64) -> Result<(), JournalError> {
        for account in accounts {
            if !self.accounts.contains_key(account) {
                self.journal.append(Record::Account(account))?;
            }
            let known = self.accounts.entry(account.clone()).or_default();
            known.drawn += cost.nanos();
            known.drawn_at = now;
            if known.drawn > known.held {
                known.held = known.drawn;
                self.overrun.insert(account.clone());
            }
        }
        Ok(())
    }

    /// Ends the hold of a request that was never sent.
    ///
    /// # Errors
    /// When that cannot be written down: the hold comes back, and stays drawn.
    pub fn release(&mut self, hold: Hold) -> Result<(), (Hold, JournalError)> {
        match self.journal.append(Record::Void { request: hold.wanted.request }) {
            Ok(()) => {
                self.end(&hold.wanted, Money::ZERO);
                Ok(())
            }
            Err(error) => Err((hold, error)),
        }
    }

    fn end(&mut self, wanted: &Wanted, cost: Money) {
        for account in wanted.accounts.iter() {
            let Some(known) = self.accounts.get_mut(account) else { continue };
            known.drawn += cost.nanos() - wanted.amount.nanos();
            if known.drawn > known.held {
                known.held = known.drawn;
                self.overrun.insert(account.clone());
            }
            if known.drawn < known.held && !self.loose.contains(account) {
                self.loose.insert(account.clone());
            }
        }
        self.open_holds -= 1;
    }

    /// The ledger has acknowledged the event of a cost that was drawn from these accounts.
    pub fn acknowledge(&mut self, accounts: &[Account], cost: Money) {
        self.unreported = self.unreported.saturating_sub(1);
        for account in accounts {
            if let Some(known) = self.accounts.get_mut(account) {
                known.acknowledged += cost.nanos();
            }
        }
    }

    /// The command to send now: the one that is not answered yet, or a new one with these wants. Nothing where there is
    /// nothing to say, or no book.
    ///
    /// Wants are taken only into a new command; `wants` keeps those that were not.
    ///
    /// # Errors
    /// When an account cannot be written down before it is named.
    pub fn command(
        &mut self,
        wants: &mut Vec<Wanted>,
        slice: Option<Units>,
        keep: Keep,
    ) -> Result<Option<&LeaseCommand>, JournalError> {
        let Some(token) = self.token.clone() else { return Ok(None) };
        if self.in_flight.is_none() {
            let named = self.names(wants, keep);
            for account in
                named.iter().filter(|account| !self.accounts.contains_key(*account)).collect::<Vec<_>>()
            {
                self.journal.append(Record::Account(account))?;
            }
            let news = self
                .caps
                .iter()
                .any(|(budget, cap)| !cap.told && named.iter().any(|account| account.budget == *budget));
            if named.is_empty() && !news {
                return Ok(None);
            }
            self.sequence.number += 1;
            self.in_flight = Some(self.compose(named, std::mem::take(wants), slice, keep, token));
        }
        Ok(self.in_flight.as_ref().map(|flight| &flight.command))
    }

    /// The accounts of a command: those that are wanted, and some of those that there is something to say about.
    fn names(&self, wants: &[Wanted], keep: Keep) -> BTreeSet<Account> {
        let wanted = wants.iter().flat_map(|wanted| wanted.accounts.iter());
        let mut named: BTreeSet<Account> = wanted.cloned().collect();
        let idle = self.loose.iter().filter(|account| {
            self.accounts.get(*account).is_some_and(|known| known.keep(keep) < known.row())
        });
        let more = self.overrun.iter().chain(&self.sweep).chain(idle);
        named.extend(more.take(MAX_NAMED).cloned());
        named
    }

    fn compose(
        &mut self,
        named: BTreeSet<Account>,
        wanted: Vec<Wanted>,
        slice: Option<Units>,
        keep: Keep,
        token: Token,
    ) -> InFlight {
        let named: Vec<Account> = named.into_iter().collect();
        let place = |account: &Account| named.binary_search(account).ok();
        let wants = wanted.iter().map(|wanted| Want {
            accounts: wanted.accounts.iter().filter_map(place).collect(),
            amount: units_up(wanted.amount),
        });
        let wants = wants.collect();
        let mut budgets: BTreeSet<BudgetRef> = named.iter().map(|account| account.budget).collect();
        budgets.retain(|budget| self.caps.get(budget).is_some_and(|cap| !cap.told));
        let caps = budgets.iter().filter_map(|budget| {
            let Cap { cap, revision, .. } = *self.caps.get(budget)?;
            Some(CapRevision { budget: *budget, cap, revision })
        });
        let caps = caps.collect();
        let accounts = named.into_iter().map(|account| {
            let known = self.accounts.entry(account.clone()).or_default();
            let keep = known.keep(keep);
            // What is given back is gone before the command leaves.
            known.held = known.held.min(money(keep).nanos());
            if known.row() == known.keep(Keep::Drawn) {
                self.loose.remove(&account);
            }
            NamedAccount { account, keep }
        });
        let accounts = accounts.collect();
        let (proxy, sequence) = (self.proxy, self.sequence);
        InFlight { command: LeaseCommand { proxy, sequence, token, accounts, wants, slice, caps }, wanted }
    }

    /// Takes the reply to the command of that number.
    ///
    /// # Errors
    /// When an intent cannot be written down: the rest of the reply was taken, and requests without a hold are refused
    /// by the caller.
    pub fn reply(
        &mut self,
        sequence: Sequence,
        reply: &LeaseReply,
        now: i64,
    ) -> Result<LeaseOutcome, JournalError> {
        match (&self.in_flight, reply) {
            (Some(flight), _) if flight.command.sequence != sequence => return Ok(LeaseOutcome::Ignored),
            (None, _) => return Ok(LeaseOutcome::Ignored),
            (Some(_), LeaseReply::Lost) => return Ok(LeaseOutcome::Lost),
            (Some(_), LeaseReply::Wait) => return Ok(LeaseOutcome::Wait),
            (Some(_), LeaseReply::Stale) => return Ok(LeaseOutcome::Stale),
            (Some(_), LeaseReply::Done { .. }) => {}
        }
        let (Some(InFlight { command, wanted }), LeaseReply::Done { granted, admitted, tight, left }) =
            (self.in_flight.take(), reply)
        else {
            return Ok(LeaseOutcome::Ignored);
        };
        for ((named, granted), tight) in command.accounts.iter().zip(granted).zip(tight) {
            self.sweep.remove(&named.account);
            if let Some(known) = self.accounts.get_mut(&named.account) {
                known.tight = *tight;
                if known.row() <= named.keep {
                    self.overrun.remove(&named.account);
                }
                known.held += money(*granted).nanos();
                if *granted > 0 && !self.loose.contains(&named.account) {
                    self.loose.insert(named.account.clone());
                }
            }
        }
        for told in &command.caps {
            if let Some(cap) = self.caps.get_mut(&told.budget) {
                cap.told = cap.revision == told.revision;
            }
        }
        let (mut holds, mut refused) = (Vec::new(), Vec::new());
        for (wanted, admitted) in wanted.into_iter().zip(admitted) {
            match *admitted {
                true => holds.extend(self.draw_granted(wanted, now)?),
                false => refused.push(Refused::of(wanted, &command, left)),
            }
        }
        Ok(LeaseOutcome::Done { admitted: holds, refused })
    }

    /// Draws what was granted for it, at once: else another request would take it.
    fn draw_granted(&mut self, wanted: Wanted, now: i64) -> Result<Option<Hold>, JournalError> {
        match self.reserve(wanted, now)? {
            Reservation::Held(hold) => Ok(Some(hold)),
            Reservation::Short(_) => Ok(None),
        }
    }

    /// The ledger tells the epoch and, once its book is open, the token. Returns wants of a command that was dropped.
    ///
    /// # Errors
    /// When that cannot be written down: then the proxy stays where it was.
    pub fn told(&mut self, epoch: u64, token: Option<&Token>) -> Result<Vec<Wanted>, JournalError> {
        let mut dropped = Vec::new();
        if epoch > self.epoch {
            // Written down before anything is declared in it.
            self.journal.append(Record::Epoch { epoch, token: None })?;
            self.epoch = epoch;
            self.token = None;
            if !self.sweep.is_empty() {
                // What was named in an older epoch does not count.
                self.sweep = self.accounts.keys().cloned().collect();
            }
            if let Some(InFlight { command, wanted }) = self.in_flight.take() {
                // It may have been carried out: then the row is above what is held, and the new book may know it.
                self.sweep.extend(command.accounts.into_iter().map(|named| named.account));
                dropped = wanted;
            }
            self.caps.values_mut().for_each(|cap| cap.told = false);
        }
        if let (true, None, Some(token)) = (epoch == self.epoch, &self.token, token) {
            self.journal.append(Record::Epoch { epoch, token: Some(token) })?;
            self.token = Some(token.clone());
        }
        Ok(dropped)
    }

    /// A budget's cap, of a snapshot of that revision.
    pub fn set_cap(&mut self, CapRevision { budget, cap, revision }: CapRevision) {
        let known = self.caps.entry(budget).or_insert(Cap { cap, revision, told: false });
        if revision > known.revision {
            *known = Cap { cap, revision, told: false };
        }
    }

    /// What the proxy declares while it waits for the book of its epoch: the authority that it keeps, where the ledger
    /// does not know it from what was reported.
    pub fn declaration(&self) -> Option<BTreeMap<Account, Units>> {
        let kept = self.accounts.iter().filter(|(_, known)| known.held != known.acknowledged);
        self.token.is_none().then(|| kept.map(|(account, known)| (account.clone(), known.row())).collect())
    }

    /// Starts to leave: nothing more is drawn.
    ///
    /// # Errors
    /// When that cannot be written down.
    pub fn close(&mut self) -> Result<(), JournalError> {
        self.journal.append(Record::Closing)?;
        self.closing = true;
        Ok(())
    }

    /// What is held of an account and not drawn.
    pub fn free(&self, account: &Account) -> Money {
        let known = self.accounts.get(account);
        Money::from_nanos(known.map_or(0, |known| known.held - known.drawn))
    }

    /// Whether the ledger may close the proxy: nothing more is drawn, and it is idle.
    pub fn is_drained(&self) -> bool {
        self.closing && self.is_idle()
    }

    /// Whether everything is settled, acknowledged and given back.
    pub fn is_idle(&self) -> bool {
        let settled = self
            .accounts
            .values()
            .all(|known| known.keep(Keep::Drawn) == known.row() && known.drawn == known.acknowledged);
        let quiet = self.in_flight.is_none() && self.sweep.is_empty() && self.overrun.is_empty();
        let reported = self.open_holds == 0 && self.unreported == 0;
        // A proxy that never had a book holds nothing.
        let known = self.token.is_some() || self.accounts.is_empty();
        known && reported && quiet && settled
    }

    /// Forgets accounts of windows before the one that precedes the newest: nothing is granted there any more. Those with
    /// something that is not settled and acknowledged stay.
    pub fn forget_old_windows(&mut self) {
        let mut newest: HashMap<BudgetRef, Window> = HashMap::new();
        for account in self.accounts.keys() {
            let window = newest.entry(account.budget).or_insert(account.window);
            *window = (*window).max(account.window);
        }
        let named = self.in_flight.as_ref().map(|flight| &flight.command.accounts);
        let is_named =
            |account: &Account| named.is_some_and(|all| all.iter().any(|it| it.account == *account));
        self.accounts.retain(|account, known| {
            let over = account.window.start < newest[&account.budget].previous;
            !over || known.drawn != known.acknowledged || is_named(account)
        });
        self.sweep.retain(|account| self.accounts.contains_key(account));
        self.overrun.retain(|account| self.accounts.contains_key(account));
        self.loose.retain(|account| self.accounts.contains_key(account));
    }

    /// Accounts, with what is held and what is drawn.
    pub fn accounts(&self) -> impl Iterator<Item = (&Account, Money, Money)> {
        let money = Money::from_nanos;
        self.accounts.iter().map(move |(account, known)| (account, money(known.held), money(known.drawn)))
    }
}

impl Authority {
    /// What is held, as the book counts it.
    const fn row(&self) -> Units {
        units_up(Money::from_nanos(self.held))
    }

    /// What is kept of it.
    fn keep(&self, keep: Keep) -> Units {
        let drawn = units_up(Money::from_nanos(self.drawn));
        match keep {
            Keep::UsedSince(then) if self.drawn_at >= then && !self.tight => self.row(),
            Keep::UsedSince(_) | Keep::Drawn => drawn,
        }
    }
}

/// What a folder says of one account, in nano-dollars.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Drawn {
    /// Settled costs and orphaned intents at their bound, since ever.
    pub drawn: i64,
    /// What of it the ledger has acknowledged.
    pub acknowledged: i64,
}

/// What a proxy's folder says when a process starts on it.
#[derive(Clone, Debug)]
pub struct Folder {
    /// The folder.
    pub proxy: IncarnationId,
    /// How often it was started on, this time included.
    pub boot: u64,
    /// The epoch that was last written down.
    pub epoch: u64,
    /// The token of that epoch.
    pub token: Option<Token>,
    /// Every account that was ever named.
    pub accounts: BTreeMap<Account, Drawn>,
    /// Events that the ledger has not acknowledged, orphaned intents included.
    pub unreported: usize,
    /// The folder was being closed.
    pub closing: bool,
}
