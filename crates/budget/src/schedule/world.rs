//! What there is: proxies, nodes of a store, ledgers, and messages on their way.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
    sync::Arc,
};

use domain::{Account, IncarnationId, Money, RequestId, Window};
use uuid::Uuid;

use super::{
    budget,
    folder::{Entry, Shared},
    node::{Nodes, ROOT},
    random::Random,
};
use crate::{
    Begin, Books, CapRevision, Hold, Holder, Keep, LeaseCommand, LeaseOutcome, LeaseReply, Ledger, Load,
    Rebuild, RebuildStep, Sequence, Token, Units, Wanted,
};

/// Windows of a world.
const WINDOWS: i64 = 5;
/// Length of a window in seconds.
const LENGTH: i64 = 100;
/// Most messages on their way.
const MESSAGES: usize = 40;

/// A message on its way.
#[derive(Clone, Debug)]
pub(super) enum Message {
    Store { node: usize, operation: Operation },
    Reply { proxy: IncarnationId, sequence: Sequence, reply: LeaseReply },
    Report { to: IncarnationId, events: Vec<(IncarnationId, RequestId, Entry)> },
    Acknowledge { to: IncarnationId, requests: Vec<RequestId> },
    Declare { proxy: IncarnationId, epoch: u64, kept: BTreeMap<Account, Units> },
    Told { proxy: IncarnationId, told: crate::Told },
}

/// A script with its arguments.
#[derive(Clone, Debug)]
pub(super) enum Operation {
    Lease(LeaseCommand),
    Begin(Begin),
    Load(Load),
    Close(Token),
}

/// What a script answered to a ledger.
pub(super) enum Answer {
    Lease,
    Begun(Option<Token>),
    Loaded(bool),
    Closed(Option<crate::ClosedBook>),
}

/// A proxy process on its folder.
pub(super) struct Proxy {
    pub(super) holder: Holder<Shared>,
    pub(super) folder: Shared,
    pub(super) holds: Vec<(Hold, bool)>,
    /// The node that it takes for the master.
    pub(super) node: usize,
    /// By how many windows its clock is wrong.
    pub(super) skew: i64,
    pub(super) paused: bool,
    /// It reaches the store, not the ledger.
    pub(super) cut: bool,
    pub(super) leaving: bool,
    /// Folders it reports the events of for their owners.
    pub(super) older: Vec<Shared>,
    pub(super) wants: Vec<Wanted>,
}

/// Everything.
pub(super) struct World<N> {
    pub(super) random: Random,
    pub(super) nodes: N,
    pub(super) histories: [u64; 2],
    newest_history: u64,
    pub(super) master: usize,
    /// The window by the right clock.
    pub(super) window: i64,
    pub(super) messages: Vec<Message>,
    pub(super) ledger: Ledger,
    /// Events that the ledger booked.
    pub(super) booked: BTreeSet<RequestId>,
    pub(super) rebuilds: Vec<Rebuild>,
    /// What ledgers sent to the store lately; late copies of it arrive.
    pub(super) sent: Vec<(usize, Operation)>,
    pub(super) proxies: Vec<Proxy>,
    pub(super) caps: [Units; 3],
    pub(super) revision: u64,
    first_caps: [Units; 3],
    pub(super) chaos: f64,
    pub(super) quiet: bool,
    /// All are draining.
    pub(super) closing: bool,
    pub(super) steps: usize,
    pub(super) admitted: usize,
    next_id: u128,
    /// Every reply of the store, in order.
    pub(super) replies: Vec<LeaseReply>,
    pub(super) truth: Truth,
}

/// What really happened, which no part of the world knows.
#[derive(Default)]
pub(super) struct Truth {
    /// Open holds and settled costs, in nano-dollars.
    pub(super) drawn: BTreeMap<(IncarnationId, Account), i64>,
    /// What may be drawn beyond the cap, because it was recorded: overruns, and write-offs.
    pub(super) beyond: BTreeMap<Account, i64>,
    /// The largest sum that may be out, in units.
    pub(super) allowed: BTreeMap<Account, Units>,
    /// What each request cost in the end.
    pub(super) costs: BTreeMap<RequestId, (IncarnationId, Entry)>,
    /// Proxies of which records are lost.
    pub(super) lost: BTreeSet<IncarnationId>,
}

impl<N: Nodes> World<N> {
    pub(super) fn new(seed: u64, nodes: N) -> Self {
        let mut random = Random::new(seed);
        let big = [6, 10, 10, 20, 30, 60][random.below(6)];
        let chaos = [0.05, 0.1, 0.3, 1.0][random.below(4)];
        let caps = [big, big * 2 / 3, big / 3 + 1];
        let mut world = Self {
            random,
            nodes,
            histories: [1, 2],
            newest_history: 2,
            master: 0,
            window: 0,
            messages: Vec::new(),
            ledger: Ledger::default(),
            booked: BTreeSet::new(),
            rebuilds: Vec::new(),
            sent: Vec::new(),
            proxies: Vec::new(),
            caps,
            revision: 1,
            first_caps: caps,
            chaos,
            quiet: false,
            closing: false,
            steps: 0,
            admitted: 0,
            next_id: 1,
            replies: Vec::new(),
            truth: Truth::default(),
        };
        world.announce_caps();
        world.rebuild();
        for _ in 0..2 + seed % 2 {
            let proxy = world.new_proxy();
            world.proxies.push(proxy);
        }
        world
    }

    fn id(&mut self) -> Uuid {
        self.next_id += 1;
        Uuid::from_u128(self.next_id)
    }

    pub(super) fn new_proxy(&mut self) -> Proxy {
        let id = IncarnationId(self.id());
        let epoch = self.ledger.register(id);
        self.start(Shared::new(id, epoch))
    }

    /// A process starts on a folder.
    pub(super) fn start(&mut self, folder: Shared) -> Proxy {
        let proxy = folder.proxy();
        let (said, orphans) = folder.start();
        for (request, entry) in orphans {
            self.truth.costs.insert(request, (proxy, entry));
        }
        let mut holder = Holder::start(said, folder.clone());
        for cap in self.cap_revisions() {
            holder.set_cap(cap);
        }
        Proxy {
            holder,
            folder,
            holds: Vec::new(),
            node: self.master,
            skew: 0,
            paused: false,
            cut: false,
            leaving: false,
            older: Vec::new(),
            wants: Vec::new(),
        }
    }

    pub(super) fn cap_revisions(&self) -> [CapRevision; 3] {
        [0, 1, 2].map(|number| CapRevision {
            budget: budget(number as u128),
            cap: self.caps[number],
            revision: self.revision,
        })
    }

    fn announce_caps(&mut self) {
        for cap in self.cap_revisions() {
            self.ledger.set_cap(cap);
        }
    }

    /// An operator changes a cap.
    pub(super) fn change_cap(&mut self) {
        let number = self.random.below(3);
        self.revision += 1;
        self.caps[number] = (self.first_caps[number] + self.random.between(-6, 4)).max(0);
        self.announce_caps();
        let cap = self.caps[number];
        for (account, allowed) in &mut self.truth.allowed {
            if account.budget == budget(number as u128) {
                *allowed = (*allowed).max(cap);
            }
        }
    }

    pub(super) fn history(&mut self, node: usize) {
        self.newest_history += 1;
        self.histories[node] = self.newest_history;
    }

    pub(super) fn history_text(&self, node: usize) -> String {
        format!("h{}", self.histories[node])
    }

    pub(super) fn send(&mut self, message: Message) {
        self.messages.push(message);
        if self.messages.len() > MESSAGES {
            // Older ones are lost more often.
            let (one, other) = (self.random.below(MESSAGES), self.random.below(MESSAGES));
            self.messages.remove(one.min(other));
        }
    }

    /// A request of a user: its accounts and its amount.
    pub(super) fn wanted(&mut self, skew: i64) -> Wanted {
        let window = (self.window + skew).clamp(0, WINDOWS - 1);
        let window = Window { start: window * LENGTH, previous: (window - 1) * LENGTH };
        let account = |number, value: &str| Account { budget: budget(number), window, value: value.into() };
        let mut accounts = vec![account(0, "")];
        let x = self.random.unit();
        if x < 0.5 {
            accounts.push(account(1, ""));
        }
        if x > 0.3 {
            let user = ["ada", "bob:1"][self.random.below(2)];
            accounts.push(account(2, user));
        }
        // Seldom whole units, so that rounding shows.
        let nanos = self.random.between(1, 3) * 1_000 - [0, 0, 1, 500, 999][self.random.below(5)];
        Wanted { request: RequestId(self.id()), accounts: accounts.into(), amount: Money::from_nanos(nanos) }
    }

    pub(super) fn next_window(&mut self) {
        self.window = (self.window + 1).min(WINDOWS - 1);
    }

    pub(super) fn find(&mut self, id: IncarnationId) -> Option<&mut Proxy> {
        self.proxies.iter_mut().find(|proxy| proxy.folder.proxy() == id)
    }

    /// A hold was made: it is in the sums from now on.
    pub(super) fn note_hold(&mut self, proxy: IncarnationId, hold: &Hold) {
        self.admitted += 1;
        let Wanted { accounts, amount, .. } = hold.wanted();
        let written_off = self.ledger.state(proxy) == Some(crate::MemberState::WrittenOff);
        for account in accounts.iter() {
            *self.truth.drawn.entry((proxy, account.clone())).or_default() += amount.nanos();
            let cap = self.largest_cap(account);
            self.truth.allowed.entry(account.clone()).or_insert(cap);
            if written_off {
                *self.truth.beyond.entry(account.clone()).or_default() += amount.nanos();
            }
        }
    }

    fn largest_cap(&self, account: &Account) -> Units {
        let number = (0..3).find(|number| budget(*number as u128) == account.budget).unwrap();
        self.caps[number].max(self.first_caps[number] + 4)
    }

    pub(super) async fn execute(&mut self, node: usize, operation: &Operation) -> Answer {
        let history = self.history_text(node);
        let books = self.nodes.books(node, &history);
        match operation {
            Operation::Lease(command) => {
                let reply = books.lease(ROOT, command).await.unwrap();
                self.replies.push(reply.clone());
                self.note_lease(node, command, &reply).await;
                let (proxy, sequence) = (command.proxy, command.sequence);
                self.send(Message::Reply { proxy, sequence, reply });
                Answer::Lease
            }
            Operation::Begin(begin) => Answer::Begun(books.begin(ROOT, begin).await.unwrap()),
            Operation::Load(load) => Answer::Loaded(books.load(ROOT, load).await.unwrap()),
            Operation::Close(token) => Answer::Closed(books.close(ROOT, token).await.unwrap()),
        }
    }

    /// An edit of a cap binds from the first command that the book of the committed token was told of it by; never below
    /// what is out then.
    async fn note_lease(&mut self, node: usize, command: &LeaseCommand, reply: &LeaseReply) {
        let LeaseReply::Done { .. } = reply else { return };
        if self.ledger.token.as_ref() != Some(&command.token) {
            return;
        }
        for named in &command.accounts {
            if let Some(peek) = self.nodes.peek(node, &named.account).await {
                let number = (0..3).find(|number| budget(*number as u128) == named.account.budget).unwrap();
                let largest = self.largest_cap(&named.account);
                let out = self.truth.allowed.get(&named.account).copied().unwrap_or(largest).min(peek.sum);
                let allowed = peek.cap.max(self.caps[number]).max(out);
                self.truth.allowed.insert(named.account.clone(), allowed);
            }
        }
    }

    /// A ledger calls the store: the call may be late, repeated, or its answer lost.
    async fn call(&mut self, node: usize, operation: Operation) -> Option<Answer> {
        let x = self.random.unit();
        if !self.quiet && x < 0.06 {
            self.send(Message::Store { node, operation });
            return None;
        }
        let answer = self.execute(node, &operation).await;
        if !self.quiet && x > 0.65 {
            self.send(Message::Store { node, operation: operation.clone() });
        }
        if !matches!(operation, Operation::Close(_)) {
            self.sent.push((node, operation));
            if self.sent.len() > 12 {
                self.sent.remove(0);
            }
        }
        (self.quiet || !(0.6..0.65).contains(&x)).then_some(answer)
    }

    /// One ledger does one thing.
    pub(super) async fn ledger_acts(&mut self) {
        if self.rebuilds.is_empty() {
            if self.ledger.token.is_none() {
                self.rebuild();
            }
            return;
        }
        let at = self.random.below(self.rebuilds.len());
        let mut rebuild = self.rebuilds.swap_remove(at);
        let old = rebuild.epoch() != self.ledger.epoch;
        if old && self.random.chance(0.5) {
            return;
        }
        let node = if self.quiet || self.random.chance(0.9) { self.master } else { self.random.below(2) };
        match rebuild.step() {
            RebuildStep::Seal { close } => {
                if let Some(token) = close.filter(|_| self.random.chance(0.6))
                    && let Some(Answer::Closed(book)) = self.call(self.master, Operation::Close(token)).await
                {
                    rebuild.closed(book);
                }
                let outcome = self.ledger.seal(rebuild.epoch(), rebuild.old_book());
                rebuild.sealed(outcome);
            }
            RebuildStep::Begin(begin) => match self.call(node, Operation::Begin(begin)).await {
                Some(Answer::Begun(token)) => rebuild.begun(token),
                _ => rebuild.begun(None),
            },
            RebuildStep::Open(token) => {
                let committed = self.ledger.open(rebuild.epoch(), &token);
                rebuild.opened(committed);
            }
            RebuildStep::Load(load) => {
                // Where it was begun; elsewhere the token is unknown.
                match self.call(node, Operation::Load(load)).await {
                    Some(Answer::Loaded(done)) => rebuild.loaded(done),
                    _ => rebuild.loaded(false),
                }
            }
            RebuildStep::Done => return,
            RebuildStep::Failed => {
                if rebuild.epoch() == self.ledger.epoch {
                    self.rebuild();
                }
                return;
            }
        }
        self.rebuilds.push(rebuild);
    }

    /// A ledger begins a rebuild.
    pub(super) fn rebuild(&mut self) {
        let old = self.ledger.last_token().cloned();
        let rebuild = Rebuild::new(self.ledger.next_epoch(), old);
        self.rebuilds.push(rebuild);
    }

    /// A proxy takes a reply.
    pub(super) fn on_reply(&mut self, proxy: IncarnationId, sequence: Sequence, reply: &LeaseReply) {
        let steps = i64::try_from(self.steps).unwrap();
        let Some(process) = self.find(proxy).filter(|process| !process.paused) else { return };
        let cut = process.cut;
        match process.holder.reply(sequence, reply, steps).unwrap() {
            LeaseOutcome::Done { admitted, .. } => {
                for hold in admitted {
                    self.note_hold(proxy, &hold);
                    self.find(proxy).unwrap().holds.push((hold, false));
                }
            }
            LeaseOutcome::Lost => {
                let epoch = self.find(proxy).unwrap().holder.epoch();
                let open = self.ledger.token.is_some() && epoch == self.ledger.epoch;
                if !cut && open && self.random.chance(0.3) {
                    self.rebuild();
                }
            }
            LeaseOutcome::Stale => panic!("a folder has one process"),
            LeaseOutcome::Wait | LeaseOutcome::Ignored => {}
        }
    }

    /// A proxy sends its command.
    pub(super) fn lease(&mut self, at: usize) {
        let full = self.closing || self.proxies[at].leaving;
        for _ in 0..if full { 0 } else { self.random.below(3) } {
            let skew = self.proxies[at].skew;
            let wanted = self.wanted(skew);
            self.proxies[at].wants.push(wanted);
        }
        let keep = match full {
            true => Keep::Drawn,
            false if self.random.chance(0.4) => Keep::UsedSince(i64::MIN),
            false => Keep::UsedSince(i64::try_from(self.steps).unwrap() - self.random.between(0, 200)),
        };
        let slice = (!full && self.random.chance(0.5)).then_some(100);
        if self.random.chance(0.2) {
            self.proxies[at].holder.forget_old_windows();
        }
        let process = &mut self.proxies[at];
        let node = process.node;
        if let Some(command) = process.holder.command(&mut process.wants, slice, keep).unwrap() {
            let operation = Operation::Lease(command.clone());
            self.send(Message::Store { node, operation });
        }
        // What waited for a command that was under way is refused.
        self.proxies[at].wants.clear();
    }
}

pub(super) fn shared_folder(written: super::folder::Written) -> Shared {
    Shared(Rc::new(RefCell::new(written)))
}

/// An entry with another amount.
pub(super) fn event(accounts: &Arc<[Account]>, cost: Money) -> Entry {
    Entry { accounts: Arc::clone(accounts), amount: cost, settled: true }
}
