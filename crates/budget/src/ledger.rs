//! The root: which proxies there are, what each of them reported, and what a new book is loaded with.
//!
//! Each method is one transaction over the tables of one root tenant; the store keeps them between transactions.

use std::collections::BTreeMap;

use domain::{Account, BudgetRef, IncarnationId, Money, Window};
use uuid::Uuid;

use crate::{CapRevision, ClosedBook, Row, Token, Units, units::units_up};

/// Under which proxies that are gone for good have their rows together.
const GONE: IncarnationId = IncarnationId(Uuid::nil());

/// The tables of one root tenant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    /// The current epoch.
    pub epoch: u64,
    /// What its book is loaded with was decided.
    pub sealed: bool,
    /// Of the epoch's book, once it may be used.
    pub token: Option<Token>,
    /// The newest book that was open: its epoch and token.
    pub last: Option<(u64, Token)>,
    /// Every proxy that ever registered.
    pub members: BTreeMap<IncarnationId, Member>,
    /// Reported costs, in nano-dollars.
    pub spent: BTreeMap<IncarnationId, BTreeMap<Account, i64>>,
    /// The cap of every budget that was ever drawn from, and its revision.
    pub caps: BTreeMap<BudgetRef, (Units, u64)>,
    /// Per budget, the start of the newest window in which nothing is granted any more.
    pub edges: BTreeMap<BudgetRef, i64>,
}

/// What is known of one proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// What the ledger thinks of it.
    pub state: MemberState,
    /// The newest epoch of which it got the token.
    pub joined: u64,
    /// The newest epoch in which it declared, or the store did so for it.
    pub declared: u64,
    /// What it declared that it keeps.
    pub kept: BTreeMap<Account, Units>,
}

/// What the ledger thinks of a proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemberState {
    /// It may hold authority.
    Open,
    /// It gave everything back and reported everything.
    Closed,
    /// An operator gave it up: what it may have drawn beyond its reports is on record.
    WrittenOff,
}

impl Default for Member {
    fn default() -> Self {
        Self { state: MemberState::Open, joined: 0, declared: 0, kept: BTreeMap::new() }
    }
}

/// The answer to a heartbeat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// The epoch.
    pub epoch: u64,
    /// The token, once the epoch's book is open, for a proxy that is a member.
    pub token: Option<Token>,
    /// The caps of all budgets.
    pub caps: Vec<CapRevision>,
}

/// What a new book is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seal {
    /// The rows.
    pub rows: Vec<Row>,
    /// The caps of all budgets.
    pub caps: Vec<CapRevision>,
    /// Per budget, the start of the newest window in which nothing is granted any more.
    pub edges: Vec<(BudgetRef, i64)>,
}

/// Whether it could be decided what a book is loaded with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SealOutcome {
    /// It was.
    Sealed(Seal),
    /// A member may hold unknown authority: once more when it has declared.
    Unknown,
    /// The epoch is over, or sealed by somebody else.
    Over,
}

impl Ledger {
    /// The newest book that was open.
    #[must_use]
    pub fn last_token(&self) -> Option<&Token> {
        self.last.as_ref().map(|(_, token)| token)
    }

    /// A new proxy, known before it learns the epoch.
    pub fn register(&mut self, proxy: IncarnationId) -> u64 {
        self.members.entry(proxy).or_default();
        self.epoch
    }

    /// A budget's cap.
    pub fn set_cap(&mut self, CapRevision { budget, cap, revision }: CapRevision) {
        let known = self.caps.entry(budget).or_insert((cap, revision));
        if revision > known.1 {
            *known = (cap, revision);
        }
    }

    /// Takes the next epoch: from here on no member joins an older one.
    pub fn next_epoch(&mut self) -> u64 {
        self.epoch += 1;
        self.sealed = false;
        self.token = None;
        self.epoch
    }

    /// A heartbeat. That the proxy joins is committed before the token leaves.
    pub fn hello(&mut self, proxy: IncarnationId) -> Told {
        let (epoch, caps) = (self.epoch, self.caps());
        let member = self.members.get_mut(&proxy).filter(|member| member.state == MemberState::Open);
        let token = match (member, &self.token) {
            (Some(member), Some(token)) => {
                member.joined = epoch;
                Some(token.clone())
            }
            _ => None,
        };
        Told { epoch, token, caps }
    }

    /// What a proxy declares that it keeps.
    pub fn declare(&mut self, proxy: IncarnationId, epoch: u64, kept: BTreeMap<Account, Units>) {
        if let Some(member) = self.members.get_mut(&proxy)
            && epoch >= member.declared
            && member.state != MemberState::Closed
        {
            member.declared = epoch;
            member.kept = kept;
        }
    }

    /// Books what an event that was not booked before cost in its accounts.
    pub fn report(&mut self, proxy: IncarnationId, accounts: &[Account], cost: Money) {
        let spent = self.spent.entry(proxy).or_default();
        for account in accounts {
            *spent.entry(account.clone()).or_default() += cost.nanos();
        }
    }

    /// A drained proxy leaves.
    pub fn close(&mut self, proxy: IncarnationId) {
        if let Some(member) = self.members.get_mut(&proxy)
            && member.state == MemberState::Open
        {
            member.state = MemberState::Closed;
        }
    }

    /// An operator gives a proxy up.
    pub fn write_off(&mut self, proxy: IncarnationId) {
        if let Some(member) = self.members.get_mut(&proxy)
            && member.state == MemberState::Open
        {
            member.state = MemberState::WrittenOff;
        }
    }

    /// What the ledger thinks of a proxy.
    #[must_use]
    pub fn state(&self, proxy: IncarnationId) -> Option<MemberState> {
        self.members.get(&proxy).map(|member| member.state)
    }

    /// What a proxy reported in an account.
    #[must_use]
    pub fn spent(&self, proxy: IncarnationId, account: &Account) -> Money {
        let nanos = self.spent.get(&proxy).and_then(|spent| spent.get(account));
        Money::from_nanos(nanos.copied().unwrap_or(0))
    }

    /// All that was reported in an account.
    #[must_use]
    pub fn spent_by_all(&self, account: &Account) -> Money {
        Money::from_nanos(self.spent.values().filter_map(|spent| spent.get(account)).sum())
    }

    /// Decides what the book of an epoch is loaded with.
    ///
    /// `closed` is what the last open book held when it was closed, with the token that it was closed by.
    pub fn seal(&mut self, epoch: u64, closed: Option<(&Token, &ClosedBook)>) -> SealOutcome {
        if epoch != self.epoch || self.sealed {
            return SealOutcome::Over;
        }
        self.take_back(epoch);
        if let Some((token, book)) = closed {
            self.declare_by_store(epoch, token, book);
        }
        if self.members.values().any(Member::is_unknown) {
            return SealOutcome::Unknown;
        }
        self.move_edges();
        self.sealed = true;
        let edges = self.edges.iter().map(|(budget, edge)| (*budget, *edge)).collect();
        SealOutcome::Sealed(Seal { rows: self.rows(), caps: self.caps(), edges })
    }

    /// Of each budget, windows before the one that precedes the newest known one are over.
    fn move_edges(&mut self) {
        let mut newest: BTreeMap<BudgetRef, Window> = BTreeMap::new();
        let kept = self.members.values().flat_map(|member| member.kept.keys());
        for account in kept.chain(self.spent.values().flat_map(BTreeMap::keys)) {
            let window = newest.entry(account.budget).or_insert(account.window);
            *window = (*window).max(account.window);
        }
        for (budget, window) in newest {
            let edge = window.previous.saturating_sub(1);
            let known = self.edges.entry(budget).or_insert(edge);
            *known = (*known).max(edge);
        }
    }

    /// Proxies that were written off, and have declared in this epoch, are members again.
    fn take_back(&mut self, epoch: u64) {
        for member in self.members.values_mut() {
            if member.state == MemberState::WrittenOff && member.declared == epoch && epoch > member.joined {
                member.state = MemberState::Open;
            }
        }
    }

    /// The closed book declares for those of its members that did not: it grants no more, and no row is too low.
    fn declare_by_store(&mut self, epoch: u64, token: &Token, book: &ClosedBook) {
        let Some((closed_epoch, _)) = self.last.as_ref().filter(|(_, last)| last == token) else { return };
        for (budget, edge) in &book.edges {
            let known = self.edges.entry(*budget).or_insert(*edge);
            *known = (*known).max(*edge);
        }
        for (proxy, member) in &mut self.members {
            if member.is_unknown() && member.joined == *closed_epoch {
                let rows = book.rows.iter().filter(|row| row.proxy == *proxy);
                member.kept = rows.map(|row| (row.account.clone(), row.amount)).collect();
                member.declared = epoch;
            }
        }
    }

    /// What each proxy is known to have at most.
    fn rows(&self) -> Vec<Row> {
        let mut known: BTreeMap<(Account, IncarnationId), Units> = BTreeMap::new();
        let mut gone: BTreeMap<&Account, i64> = BTreeMap::new();
        let nothing = BTreeMap::new();
        for (proxy, member) in &self.members {
            let spent = self.spent.get(proxy).unwrap_or(&nothing);
            if member.state != MemberState::Open {
                spent.iter().for_each(|(account, nanos)| *gone.entry(account).or_default() += nanos);
                continue;
            }
            let spent = spent.iter().map(|(account, nanos)| (account, units_up(Money::from_nanos(*nanos))));
            let kept = member.kept.iter().map(|(account, units)| (account, *units));
            for (account, units) in spent.chain(kept) {
                let row = known.entry((account.clone(), *proxy)).or_default();
                *row = (*row).max(units);
            }
        }
        for (account, nanos) in gone {
            known.insert((account.clone(), GONE), units_up(Money::from_nanos(nanos)));
        }
        let alive = |account: &Account| {
            self.edges.get(&account.budget).is_none_or(|edge| account.window.start > *edge)
        };
        let rows = known.into_iter().filter(|((account, _), amount)| *amount > 0 && alive(account));
        rows.map(|((account, proxy), amount)| Row { account, proxy, amount }).collect()
    }

    fn caps(&self) -> Vec<CapRevision> {
        let caps = self.caps.iter();
        caps.map(|(budget, (cap, revision))| CapRevision { budget: *budget, cap: *cap, revision: *revision })
            .collect()
    }

    /// The book of the epoch may be used: the token that is committed here is the only one that ever grants.
    pub fn open(&mut self, epoch: u64, token: &Token) -> bool {
        let opens = epoch == self.epoch && self.sealed && self.token.is_none();
        if opens {
            self.token = Some(token.clone());
            self.last = Some((epoch, token.clone()));
        }
        opens
    }
}

impl Member {
    /// Whether it has joined a book since it last declared: it may hold whatever that book granted.
    #[must_use]
    pub const fn is_unknown(&self) -> bool {
        matches!(self.state, MemberState::Open) && self.joined > 0 && self.joined >= self.declared
    }
}
