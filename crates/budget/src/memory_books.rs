//! Books in the memory of one process: for a gateway without a shared store, and what the scripts are compared with.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use domain::{Account, BudgetRef, IncarnationId, ResourceId, Window};

use crate::{
    Begin, Books, BooksError, CapRevision, ClosedBook, LeaseCommand, LeaseReply, Load, Row, Sequence, Token,
    Units, Want,
};

/// How long a refused want makes an account tight, in microseconds.
const REFUSED_LATELY: i64 = 1_000_000;
/// What is left in a window that was dropped: not even nothing fits.
const NO_ROOM: Units = -1;
/// How far ahead of the store's clock a window may begin, in seconds.
const AHEAD: i64 = 60;

/// Books in memory; cheap to clone.
#[derive(Clone)]
pub struct MemoryBooks {
    shared: Arc<Mutex<Shared>>,
    /// Microseconds since the Unix epoch.
    now: Arc<dyn Fn() -> i64 + Send + Sync>,
}

/// What a store process holds.
#[derive(Clone, Debug)]
struct Shared {
    /// Changes whenever the data may have changed behind the scripts' back.
    history: String,
    /// The newest token's time.
    minted: i64,
    books: BTreeMap<ResourceId, Book>,
}

/// One root's book.
#[derive(Clone, Debug, Default)]
struct Book {
    epoch: u64,
    token: Option<Token>,
    closed: bool,
    replies: BTreeMap<IncarnationId, (Sequence, LeaseReply)>,
    budgets: BTreeMap<BudgetRef, Budget>,
    /// What each window of a budget holds; one that is named and missing was lost.
    sheets: BTreeMap<(BudgetRef, Window), Sheet>,
}

#[derive(Clone, Debug, Default)]
struct Budget {
    cap: Option<(Units, u64)>,
    complete: bool,
    /// Windows that were made in this life of the data.
    windows: BTreeSet<Window>,
    /// Start of the newest window in which nothing is granted any more.
    edge: Option<i64>,
}

/// The accounts of one window, by value of the dimension.
type Sheet = BTreeMap<Box<str>, Entry>;

#[derive(Clone, Debug, Default)]
struct Entry {
    sum: Units,
    rows: BTreeMap<IncarnationId, Units>,
    refused: Option<i64>,
}

impl MemoryBooks {
    /// No book; `now` reads the wall clock in microseconds.
    pub fn new(now: impl Fn() -> i64 + Send + Sync + 'static) -> Self {
        let shared = Shared { history: "memory".to_owned(), minted: 0, books: BTreeMap::new() };
        Self { shared: Arc::new(Mutex::new(shared)), now: Arc::new(now) }
    }

    fn with<T>(&self, act: impl FnOnce(&mut Shared, i64) -> T) -> T {
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        act(&mut shared, (self.now)())
    }
}

impl Books for MemoryBooks {
    async fn lease(&self, root: ResourceId, command: &LeaseCommand) -> Result<LeaseReply, BooksError> {
        Ok(self.with(|shared, now| match shared.book(root, &command.token) {
            Some(book) if !book.closed => book.lease(command, now),
            _ => LeaseReply::Lost,
        }))
    }

    async fn begin(&self, root: ResourceId, begin: &Begin) -> Result<Option<Token>, BooksError> {
        Ok(self.with(|shared, now| {
            if shared.books.get(&root).is_some_and(|book| book.epoch >= begin.epoch) {
                return None;
            }
            shared.minted = now.max(shared.minted + 1);
            let token = Token::of(&shared.history, shared.minted);
            shared.books.insert(root, Book::begun(begin, token.clone()));
            Some(token)
        }))
    }

    async fn load(&self, root: ResourceId, load: &Load) -> Result<bool, BooksError> {
        Ok(self.with(|shared, _| match shared.book(root, &load.token) {
            Some(book) if !book.closed => book.load(load),
            _ => false,
        }))
    }

    async fn close(&self, root: ResourceId, token: &Token) -> Result<Option<ClosedBook>, BooksError> {
        Ok(self.with(|shared, _| shared.book(root, token).and_then(Book::close)))
    }
}

impl Shared {
    /// The book, if it is the one that the token names and its data is as the scripts left it.
    fn book(&mut self, root: ResourceId, token: &Token) -> Option<&mut Book> {
        let same = token.history() == self.history;
        self.books.get_mut(&root).filter(|book| same && book.token.as_ref() == Some(token))
    }
}

impl Book {
    fn begun(begin: &Begin, token: Token) -> Self {
        let mut book = Self { epoch: begin.epoch, token: Some(token), ..Self::default() };
        book.raise_caps(&begin.caps);
        for (budget, edge) in &begin.edges {
            book.budgets.entry(*budget).or_default().edge = Some(*edge);
        }
        book
    }

    fn raise_caps(&mut self, caps: &[CapRevision]) {
        for CapRevision { budget, cap, revision } in caps {
            let known = &mut self.budgets.entry(*budget).or_default().cap;
            if known.is_none_or(|(_, newest)| *revision > newest) {
                *known = Some((*cap, *revision));
            }
        }
    }

    fn lease(&mut self, command: &LeaseCommand, now: i64) -> LeaseReply {
        match self.replies.get(&command.proxy) {
            Some((seen, reply)) if *seen == command.sequence => return reply.clone(),
            Some((seen, _)) if *seen > command.sequence => return LeaseReply::Stale,
            _ => {}
        }
        let mut live = Vec::with_capacity(command.accounts.len());
        for named in &command.accounts {
            match self.find(&named.account, now) {
                Found::Dead => live.push(false),
                Found::Lost => return LeaseReply::Lost,
                Found::Unloaded => return LeaseReply::Wait,
                Found::Usable => live.push(true),
            }
        }
        // From here on nothing fails.
        self.raise_caps(&command.caps);
        for (named, live) in command.accounts.iter().zip(&live) {
            if *live {
                self.make(&named.account);
            }
        }
        for (named, live) in command.accounts.iter().zip(&mut live) {
            // A newer window of the same command may have dropped an older one.
            *live = *live && !self.is_beyond_edge(&named.account);
            if let Some(entry) = live.then(|| self.entry(&named.account)).flatten() {
                entry.keep(command.proxy, named.keep);
            }
        }
        let reply = self.grant(command, &live, now);
        self.replies.insert(command.proxy, (command.sequence, reply.clone()));
        reply
    }

    fn grant(&mut self, command: &LeaseCommand, live: &[bool], now: i64) -> LeaseReply {
        let mut granted = vec![0; command.accounts.len()];
        let mut refused_now = vec![false; command.accounts.len()];
        let mut admitted = Vec::with_capacity(command.wants.len());
        let largest = command.wants.iter().map(|want| want.amount).max().unwrap_or(0);
        for Want { accounts, amount } in &command.wants {
            let room = |book: &Self, at: usize| {
                let named = command.accounts.get(at).filter(|_| live.get(at) == Some(&true));
                named.map_or(NO_ROOM, |named| book.room(&named.account))
            };
            let fits = accounts.iter().all(|&at| room(self, at) >= *amount);
            for &at in accounts {
                if !fits {
                    refused_now[at] = room(self, at) < *amount;
                } else if let Some(entry) = self.entry(&command.accounts[at].account) {
                    entry.add(command.proxy, *amount);
                    granted[at] += amount;
                }
            }
            admitted.push(fits);
        }
        let mut tight = vec![false; command.accounts.len()];
        for (at, named) in command.accounts.iter().enumerate().filter(|(at, _)| live[*at]) {
            let room = self.room(&named.account);
            let Some(entry) = self.entry(&named.account) else { continue };
            if refused_now[at] {
                entry.refused = Some(now);
            }
            let refused = entry.refused.is_some_and(|then| now - then < REFUSED_LATELY);
            tight[at] = refused || room < 8 * largest;
            let holders = Units::try_from(entry.rows.len().max(1)).unwrap_or(Units::MAX / 2);
            let spare = command.slice.map_or(0, |most| most.min(room / (2 * holders)));
            if named.account.is_flat() && !refused && spare > 0 {
                entry.add(command.proxy, spare);
                granted[at] += spare;
            }
        }
        let left = command.accounts.iter().zip(live).map(|(named, live)| match live {
            true => self.room(&named.account),
            false => NO_ROOM,
        });
        LeaseReply::Done { granted, admitted, tight, left: left.collect() }
    }

    fn find(&self, account: &Account, now: i64) -> Found {
        if self.is_beyond_edge(account) || account.window.start > now / 1_000_000 + AHEAD {
            return Found::Dead;
        }
        let budget = self.budgets.get(&account.budget);
        let named = budget.is_some_and(|budget| budget.windows.contains(&account.window));
        match self.sheets.get(&(account.budget, account.window)).filter(|_| named) {
            None if named => Found::Lost,
            Some(sheet) if sheet.contains_key(&account.value) => Found::Usable,
            _ if budget.is_some_and(|budget| budget.complete) => Found::Usable,
            _ => Found::Unloaded,
        }
    }

    fn is_beyond_edge(&self, account: &Account) -> bool {
        let edge = self.budgets.get(&account.budget).and_then(|budget| budget.edge);
        edge.is_some_and(|edge| account.window.start <= edge)
    }

    /// Makes an account that is not there; a new window drops those before the one before it.
    fn make(&mut self, account: &Account) {
        if self.is_beyond_edge(account) {
            return;
        }
        let Account { budget, window, value } = account;
        let known = self.budgets.entry(*budget).or_default();
        if known.windows.insert(*window) {
            self.sheets.insert((*budget, *window), Sheet::new());
            let gone: Vec<Window> =
                known.windows.iter().copied().filter(|old| old.start < window.previous).collect();
            for old in gone {
                known.windows.remove(&old);
                known.edge = known.edge.max(Some(old.start));
                self.sheets.remove(&(*budget, old));
            }
        }
        if let Some(sheet) = self.sheets.get_mut(&(*budget, *window)) {
            sheet.entry(value.clone()).or_default();
        }
    }

    fn entry(&mut self, account: &Account) -> Option<&mut Entry> {
        self.sheets.get_mut(&(account.budget, account.window))?.get_mut(&account.value)
    }

    /// What may still be granted.
    fn room(&self, account: &Account) -> Units {
        let cap = self.budgets.get(&account.budget).and_then(|budget| budget.cap).map_or(0, |(cap, _)| cap);
        let sheet = self.sheets.get(&(account.budget, account.window));
        cap - sheet.and_then(|sheet| sheet.get(&account.value)).map_or(0, |entry| entry.sum)
    }

    fn load(&mut self, load: &Load) -> bool {
        let fresh: BTreeSet<Account> = load
            .rows
            .iter()
            .map(|row| &row.account)
            .filter(|account| !self.is_beyond_edge(account))
            .filter(|account| !self.budgets.get(&account.budget).is_some_and(|budget| budget.complete))
            .filter(|account| self.entry_of(account).is_none())
            .cloned()
            .collect();
        let lost = |account: &Account| {
            let named =
                self.budgets.get(&account.budget).is_some_and(|b| b.windows.contains(&account.window));
            named && !self.sheets.contains_key(&(account.budget, account.window))
        };
        if fresh.iter().any(lost) {
            return false;
        }
        for row in load.rows.iter().filter(|row| fresh.contains(&row.account)) {
            let Account { budget, window, value } = &row.account;
            self.budgets.entry(*budget).or_default().windows.insert(*window);
            let sheet = self.sheets.entry((*budget, *window)).or_default();
            sheet.entry(value.clone()).or_default().add(row.proxy, row.amount);
        }
        for budget in &load.complete {
            self.budgets.entry(*budget).or_default().complete = true;
        }
        true
    }

    fn entry_of(&self, account: &Account) -> Option<&Entry> {
        self.sheets.get(&(account.budget, account.window))?.get(&account.value)
    }

    fn close(&mut self) -> Option<ClosedBook> {
        let whole = self.budgets.iter().all(|(id, budget)| {
            budget.complete && budget.windows.iter().all(|window| self.sheets.contains_key(&(*id, *window)))
        });
        if !whole {
            return None;
        }
        self.closed = true;
        let mut closed = ClosedBook::default();
        for ((budget, window), sheet) in &self.sheets {
            for (value, entry) in sheet {
                let account = Account { budget: *budget, window: *window, value: value.clone() };
                let rows = entry.rows.iter().filter(|(_, amount)| **amount > 0);
                closed.rows.extend(rows.map(|(proxy, amount)| Row {
                    account: account.clone(),
                    proxy: *proxy,
                    amount: *amount,
                }));
            }
        }
        closed.edges = self.budgets.iter().filter_map(|(id, b)| b.edge.map(|edge| (*id, edge))).collect();
        closed.rows.sort();
        Some(closed)
    }
}

/// Where an account that a command names stands.
enum Found {
    /// There, or about to be made.
    Usable,
    /// In a window that was dropped, or lies ahead: nothing is granted there.
    Dead,
    /// Its window was made in this life of the data, and is not there.
    Lost,
    /// Not loaded yet.
    Unloaded,
}

impl Entry {
    fn keep(&mut self, proxy: IncarnationId, amount: Units) {
        let row = self.rows.entry(proxy).or_default();
        self.sum += amount - *row;
        *row = amount;
    }

    fn add(&mut self, proxy: IncarnationId, amount: Units) {
        *self.rows.entry(proxy).or_default() += amount;
        self.sum += amount;
    }
}

impl fmt::Debug for MemoryBooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MemoryBooks")
    }
}

/// The data of a store, at one moment.
#[cfg(test)]
#[derive(Clone)]
pub(crate) struct Image(BTreeMap<ResourceId, Book>);

/// What tests do to a store behind the scripts' back, and how they look into it.
#[cfg(test)]
impl MemoryBooks {
    pub(crate) fn set_history(&self, history: &str) {
        self.with(|shared, _| history.clone_into(&mut shared.history));
    }

    pub(crate) fn image(&self) -> Option<Image> {
        self.with(|shared, _| Some(Image(shared.books.clone())))
    }

    pub(crate) fn restore(&self, image: Option<Image>) {
        self.with(|shared, _| shared.books = image.map(|image| image.0).unwrap_or_default());
    }

    pub(crate) fn sheets(&self, root: ResourceId) -> Vec<(BudgetRef, Window)> {
        self.with(|shared, _| {
            shared.books.get(&root).map_or(Vec::new(), |book| book.sheets.keys().copied().collect())
        })
    }

    pub(crate) fn evict(&self, root: ResourceId, sheet: (BudgetRef, Window)) {
        self.with(|shared, _| shared.books.get_mut(&root).and_then(|book| book.sheets.remove(&sheet)));
    }

    pub(crate) fn token(&self, root: ResourceId) -> Option<Token> {
        self.with(|shared, _| shared.books.get(&root).filter(|book| !book.closed)?.token.clone())
    }

    pub(crate) fn peek(&self, root: ResourceId, account: &Account) -> Option<(Units, Units)> {
        self.with(|shared, _| {
            let book = shared.books.get(&root)?;
            let cap = book.budgets.get(&account.budget)?.cap.map_or(0, |(cap, _)| cap);
            Some((cap, book.entry_of(account)?.sum))
        })
    }

    pub(crate) fn is_complete(&self, root: ResourceId) -> bool {
        self.with(|shared, _| {
            shared.books.get(&root).is_some_and(|book| book.budgets.values().all(|budget| budget.complete))
        })
    }
}
