//! The root: which proxies there are, what each of them reported, and what a new book is loaded with.
//!
//! Each method is one transaction. This one holds its tables in memory; it is what a gateway without a database uses.

use std::collections::{BTreeMap, BTreeSet};

use domain::{IncarnationId, Money, RequestId};
use uuid::Uuid;

use crate::{Account, BudgetRef, CapRevision, ClosedBook, Row, Token, Units, account::units_up};

/// Under which proxies that are gone for good have their rows together.
const GONE: IncarnationId = IncarnationId(Uuid::nil());

/// The tables of one root tenant.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    epoch: u64,
    sealed: bool,
    /// Of the epoch's book, once it may be used.
    token: Option<Token>,
    /// The newest book that was open.
    last: Option<(u64, Token)>,
    proxies: BTreeMap<IncarnationId, Proxy>,
    /// Reported costs, in nano-dollars.
    spent: BTreeMap<IncarnationId, BTreeMap<Account, i64>>,
    events: BTreeSet<RequestId>,
    caps: BTreeMap<BudgetRef, (Units, u64)>,
    edges: BTreeMap<BudgetRef, i64>,
}

#[derive(Clone, Debug)]
struct Proxy {
    state: MemberState,
    /// The newest epoch of which it got the token.
    joined: u64,
    /// The newest epoch in which it declared, or the store did so for it.
    declared: u64,
    kept: BTreeMap<Account, Units>,
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

impl Ledger {
    /// The current epoch.
    #[must_use]
    pub const fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The token of the epoch's book, once it is open.
    #[must_use]
    pub const fn token(&self) -> Option<&Token> {
        self.token.as_ref()
    }

    /// The newest book that was open.
    #[must_use]
    pub fn last_token(&self) -> Option<&Token> {
        self.last.as_ref().map(|(_, token)| token)
    }

    /// A new proxy, known before it learns the epoch.
    pub fn register(&mut self, proxy: IncarnationId) -> u64 {
        let new = Proxy { state: MemberState::Open, joined: 0, declared: 0, kept: BTreeMap::new() };
        self.proxies.entry(proxy).or_insert(new);
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
        let member = self.proxies.get_mut(&proxy).filter(|member| member.state == MemberState::Open);
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
        if let Some(member) = self.proxies.get_mut(&proxy)
            && epoch >= member.declared
            && member.state != MemberState::Closed
        {
            member.declared = epoch;
            member.kept = kept;
        }
    }

    /// Books an event, once.
    pub fn report(&mut self, proxy: IncarnationId, request: RequestId, accounts: &[Account], cost: Money) {
        if self.events.insert(request) {
            let spent = self.spent.entry(proxy).or_default();
            for account in accounts {
                *spent.entry(account.clone()).or_default() += cost.nanos();
            }
        }
    }

    /// A drained proxy leaves.
    pub fn close(&mut self, proxy: IncarnationId) {
        if let Some(member) = self.proxies.get_mut(&proxy)
            && member.state == MemberState::Open
        {
            member.state = MemberState::Closed;
        }
    }

    /// An operator gives a proxy up.
    pub fn write_off(&mut self, proxy: IncarnationId) {
        if let Some(member) = self.proxies.get_mut(&proxy)
            && member.state == MemberState::Open
        {
            member.state = MemberState::WrittenOff;
        }
    }

    /// What the ledger thinks of a proxy.
    #[must_use]
    pub fn state(&self, proxy: IncarnationId) -> Option<MemberState> {
        self.proxies.get(&proxy).map(|member| member.state)
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

    /// Whether the event of a request was booked.
    #[must_use]
    pub fn has_event(&self, request: RequestId) -> bool {
        self.events.contains(&request)
    }

    /// Decides what the book of an epoch is loaded with; nothing while a member may hold unknown authority, or
    /// when the epoch is over.
    ///
    /// `closed` is what the last open book held when it was closed, with the token that it was closed by. `edges` are by
    /// the clock: per budget, the start of the newest window before the previous one.
    pub fn seal(
        &mut self,
        epoch: u64,
        closed: Option<(&Token, &ClosedBook)>,
        edges: &[(BudgetRef, i64)],
    ) -> Option<Seal> {
        if epoch != self.epoch || self.sealed {
            return None;
        }
        self.take_back(epoch);
        if let Some((token, book)) = closed {
            self.declare_by_store(epoch, token, book);
        }
        if self.proxies.values().any(Proxy::is_unknown) {
            return None;
        }
        for (budget, edge) in edges {
            let known = self.edges.entry(*budget).or_insert(*edge);
            *known = (*known).max(*edge);
        }
        self.sealed = true;
        let edges = self.edges.iter().map(|(budget, edge)| (*budget, *edge)).collect();
        Some(Seal { rows: self.rows(), caps: self.caps(), edges })
    }

    /// Proxies that were written off, and have declared in this epoch, are members again.
    fn take_back(&mut self, epoch: u64) {
        for member in self.proxies.values_mut() {
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
        for (proxy, member) in &mut self.proxies {
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
        for (proxy, member) in &self.proxies {
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

impl Proxy {
    /// It has joined a book since it last declared: it may hold whatever that book granted.
    fn is_unknown(&self) -> bool {
        self.state == MemberState::Open && self.joined > 0 && self.joined >= self.declared
    }
}
