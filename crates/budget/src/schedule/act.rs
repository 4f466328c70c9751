//! One step: a message arrives, a proxy or a ledger does something, or a fault happens.

use domain::Money;

use super::{
    node::Nodes,
    world::{Message, World, event, shared_folder},
};
use crate::{Hold, MemberState, Reservation, Wanted};

impl<N: Nodes> World<N> {
    /// One step, and the sums are checked.
    pub(super) async fn step(&mut self) {
        self.steps += 1;
        let faults = !self.quiet;
        let x = self.random.unit();
        if x < 0.36 && !self.messages.is_empty() {
            self.deliver().await;
        } else if x < 0.85 {
            self.proxy_acts(faults);
        } else if x < 0.95 {
            self.ledger_acts().await;
        } else if faults && x < 0.95 + 0.05 * self.chaos {
            self.fault().await;
        }
        self.check().await;
    }

    async fn deliver(&mut self) {
        let count = self.messages.len();
        let at = match self.random.chance(0.8) {
            true => count - 1 - self.random.below(count.min(6)),
            false => self.random.below(count),
        };
        // Else it stays, and arrives once more.
        let message = match self.random.chance(0.8) {
            true => self.messages.remove(at),
            false => self.messages[at].clone(),
        };
        match message {
            Message::Store { node, operation } => {
                self.execute(node, &operation).await;
            }
            Message::Reply { proxy, sequence, reply } => self.on_reply(proxy, sequence, &reply),
            Message::Report { to, events } => {
                let mut requests = Vec::new();
                for (proxy, request, entry) in events {
                    if self.booked.insert(request) {
                        self.ledger.report(proxy, &entry.accounts, entry.amount);
                    }
                    requests.push(request);
                }
                self.send(Message::Acknowledge { to, requests });
            }
            Message::Acknowledge { to, requests } => {
                let Some(process) = self.find(to).filter(|process| !process.paused) else { return };
                for request in requests {
                    if let Some(entry) = process.folder.acknowledge(request) {
                        process.holder.acknowledge(&entry.accounts, entry.amount);
                    }
                    for older in &process.older {
                        older.acknowledge(request);
                    }
                }
            }
            Message::Declare { proxy, epoch, kept } => self.ledger.declare(proxy, epoch, kept),
            Message::Told { proxy, told } => {
                let Some(process) = self.find(proxy).filter(|process| !process.paused && !process.cut) else {
                    return;
                };
                process.holder.told(told.epoch, told.token.as_ref()).unwrap();
                for cap in told.caps {
                    process.holder.set_cap(cap);
                }
            }
        }
    }

    fn proxy_acts(&mut self, faults: bool) {
        let at = self.random.below(self.proxies.len());
        if self.proxies[at].paused {
            if self.random.chance(if faults { 0.05 } else { 1.0 }) {
                self.proxies[at].paused = false;
            }
            return;
        }
        let y = self.random.unit();
        if y < 0.22 && !self.quiet {
            self.request(at);
        } else if y < 0.46 {
            self.lease(at);
        } else if y < 0.64 {
            self.progress(at);
        } else if y < 0.96 && self.proxies[at].cut {
            self.proxies[at].cut = faults && self.random.chance(0.98);
        } else if y < 0.80 {
            self.report(at);
        } else if y < 0.96 {
            self.heartbeat(at);
        } else if faults {
            self.proxy_fails(at, y);
        }
    }

    fn proxy_fails(&mut self, at: usize, y: f64) {
        match y {
            y if y < 0.972 => self.proxies[at].paused = true,
            y if y < 0.980 => self.crash(at),
            y if y < 0.983 => self.proxies[at].cut = true,
            y if y < 0.986 => self.proxies[at].skew = [-2, -1, -1, 0, 0, 0, 0, 1][self.random.below(8)],
            y if y < 0.988 && !self.proxies[at].leaving => {
                self.proxies[at].holder.close().unwrap();
                self.proxies[at].leaving = true;
            }
            _ => {}
        }
    }

    fn request(&mut self, at: usize) {
        if self.closing || self.proxies[at].leaving {
            return;
        }
        let wanted = self.wanted(self.proxies[at].skew);
        let now = i64::try_from(self.steps).unwrap();
        if let Reservation::Held(hold) = self.proxies[at].holder.reserve(wanted, now).unwrap() {
            let proxy = self.proxies[at].folder.proxy();
            self.note_hold(proxy, &hold);
            self.proxies[at].holds.push((hold, false));
        }
    }

    /// A request is sent, answered, fails or is cancelled.
    fn progress(&mut self, at: usize) {
        if self.proxies[at].holds.is_empty() {
            return;
        }
        let which = self.random.below(self.proxies[at].holds.len());
        if !self.proxies[at].holds[which].1 && self.random.chance(0.7) {
            self.proxies[at].holds[which].1 = true;
            return;
        }
        let (hold, sent) = self.proxies[at].holds.swap_remove(which);
        if !sent {
            self.note_end(at, hold.wanted(), Money::ZERO);
            self.proxies[at].holder.release(hold).unwrap();
            return;
        }
        let most = hold.wanted().amount.nanos();
        let cost = match self.random.below(6) {
            0 | 1 => 0,
            2 => 1,
            3 => most / 2,
            4 if self.random.chance(0.1) => most + 700,
            _ => most,
        };
        self.settle(at, hold, Money::from_nanos(cost));
    }

    fn settle(&mut self, at: usize, hold: Hold, cost: Money) {
        let wanted = hold.wanted().clone();
        self.note_end(at, &wanted, cost);
        let overrun = self.proxies[at].holder.settle(hold, cost).unwrap().overrun;
        for account in wanted.accounts.iter() {
            *self.truth.beyond.entry(account.clone()).or_default() += overrun.nanos();
        }
        let proxy = self.proxies[at].folder.proxy();
        self.truth.costs.insert(wanted.request, (proxy, event(&wanted.accounts, cost)));
    }

    fn note_end(&mut self, at: usize, wanted: &Wanted, cost: Money) {
        let proxy = self.proxies[at].folder.proxy();
        for account in wanted.accounts.iter() {
            *self.truth.drawn.entry((proxy, account.clone())).or_default() +=
                cost.nanos() - wanted.amount.nanos();
        }
    }

    fn report(&mut self, at: usize) {
        let to = self.proxies[at].folder.proxy();
        let folders: Vec<_> =
            [&self.proxies[at].folder].into_iter().chain(&self.proxies[at].older).cloned().collect();
        let mut events = Vec::new();
        for folder in folders {
            for (request, entry) in folder.events() {
                if self.random.chance(0.7) {
                    events.push((folder.proxy(), request, entry));
                }
            }
        }
        if !events.is_empty() {
            self.send(Message::Report { to, events });
        }
        self.proxies[at].older.retain(|older| !older.is_empty());
    }

    fn heartbeat(&mut self, at: usize) {
        let proxy = self.proxies[at].folder.proxy();
        if self.ledger.state(proxy) == Some(MemberState::WrittenOff) && self.ledger.token.is_some() {
            // It is alive after all: everybody declares.
            self.rebuild();
        }
        let told = self.ledger.hello(proxy);
        self.send(Message::Told { proxy, told });
        let holder = &self.proxies[at].holder;
        let epoch = holder.epoch();
        if self.ledger.token.is_none()
            && epoch == self.ledger.epoch
            && let Some(kept) = holder.declaration()
        {
            self.send(Message::Declare { proxy, epoch, kept });
        }
        let node = if self.random.chance(0.8) { self.master } else { self.random.below(2) };
        self.proxies[at].node = node;
        self.leave(at);
    }

    fn leave(&mut self, at: usize) {
        let process = &self.proxies[at];
        let proxy = process.folder.proxy();
        if process.leaving && process.holder.is_drained() && process.older.is_empty() {
            self.ledger.close(proxy);
        }
        // The answer may be lost: it is asked again.
        if self.ledger.state(proxy) == Some(MemberState::Closed) && self.random.chance(0.5) {
            self.proxies[at] = self.new_proxy();
        }
    }

    fn crash(&mut self, at: usize) {
        let x = self.random.unit();
        let tail = self.random.below(3) + 1;
        let proxy = self.proxies[at].folder.proxy();
        for (hold, _) in &self.proxies[at].holds {
            let Wanted { request, accounts, amount } = hold.wanted();
            self.truth.costs.insert(*request, (proxy, event(accounts, *amount)));
        }
        let folder = self.proxies[at].folder.clone();
        let older = std::mem::take(&mut self.proxies[at].older);
        let (skew, cut, leaving) = (self.proxies[at].skew, self.proxies[at].cut, self.proxies[at].leaving);
        if x < 0.7 {
            // Killed, and started again on the same folder.
            let next = self.start(folder);
            self.proxies[at] = super::world::Proxy { older, skew, cut, leaving, ..next };
            return;
        }
        // The folder is lost, or its last records are: the id never speaks again.
        self.truth.lost.insert(proxy);
        let next = self.new_proxy();
        let older = match x < 0.85 {
            true => {
                folder.lose_tail(tail);
                let left = shared_folder(folder.0.borrow().clone());
                let (_, orphans) = left.start();
                for (request, entry) in orphans {
                    self.truth.costs.insert(request, (proxy, entry));
                }
                older.into_iter().chain([left]).collect()
            }
            false => Vec::new(),
        };
        self.proxies[at] = super::world::Proxy { older, ..next };
    }

    /// An operator gives a proxy up.
    pub(super) fn write_off(&mut self, proxy: domain::IncarnationId) {
        let drawn: Vec<_> = self.truth.drawn.iter().filter(|((id, _), _)| *id == proxy).collect();
        for ((_, account), nanos) in drawn {
            let unreported = nanos - self.ledger.spent(proxy, account).nanos();
            *self.truth.beyond.entry(account.clone()).or_default() += unreported.max(0);
        }
        self.ledger.write_off(proxy);
    }

    fn write_off_somebody(&mut self) {
        let open = |world: &Self, id| world.ledger.state(id) == Some(MemberState::Open);
        let lost: Vec<_> = self.truth.lost.iter().copied().filter(|id| open(self, *id)).collect();
        let silent = self.proxies.iter().filter(|process| process.paused || process.cut);
        let silent: Vec<_> =
            silent.map(|process| process.folder.proxy()).filter(|id| open(self, *id)).collect();
        let some = if !lost.is_empty() && self.random.chance(0.8) { lost } else { silent };
        if !some.is_empty() {
            let which = self.random.below(some.len());
            self.write_off(some[which]);
        }
    }

    async fn fault(&mut self) {
        let master = self.master;
        match self.random.unit() {
            z if z < 0.18 => {
                self.nodes.replicate(master).await;
                self.history(1 - master);
            }
            z if z < 0.36 => self.nodes.save(master).await,
            z if z < 0.48 => {
                self.master = 1 - master;
                self.history(1 - master);
            }
            z if z < 0.56 => {
                self.nodes.go_back(master).await;
                self.history(master);
            }
            z if z < 0.63 => {
                let node = self.random.below(2);
                self.nodes.flush(node).await;
                if self.random.chance(0.4) {
                    // Late copies of what ledgers sent arrive now, in order.
                    for (at, operation) in self.sent.clone() {
                        if at == node {
                            self.execute(node, &operation).await;
                        }
                    }
                }
            }
            z if z < 0.69 => self.nodes.evict(master, &mut self.random).await,
            z if z < 0.71 => self.write_off_somebody(),
            z if z < 0.79 => self.change_cap(),
            z if z < 0.84 && !self.rebuilds.is_empty() => {
                let at = self.random.below(self.rebuilds.len());
                self.rebuilds.swap_remove(at);
            }
            z if z < 0.88 => self.rebuild(),
            z if z < 0.94 && self.random.chance(0.5) => self.next_window(),
            _ => {}
        }
    }
}
