//! A proxy's folder, in memory: it outlives the process that writes to it.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
    sync::Arc,
};

use domain::{Account, IncarnationId, Money, RequestId};

use crate::{Drawn, Folder, Journal, JournalError, Record, Token};

/// What is written down.
#[derive(Clone, Debug)]
pub(super) struct Written {
    pub(super) proxy: IncarnationId,
    pub(super) boot: u64,
    epoch: u64,
    token: Option<Token>,
    known: BTreeSet<Account>,
    pub(super) requests: BTreeMap<RequestId, Entry>,
    /// Costs that were acknowledged, in nano-dollars.
    acknowledged: BTreeMap<Account, i64>,
    closing: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) accounts: Arc<[Account]>,
    /// The bound of an intent, or the cost of an event.
    pub(super) amount: Money,
    pub(super) settled: bool,
}

/// A handle to a folder.
#[derive(Clone, Debug)]
pub(super) struct Shared(pub(super) Rc<RefCell<Written>>);

impl Shared {
    pub(super) fn new(proxy: IncarnationId, epoch: u64) -> Self {
        Self(Rc::new(RefCell::new(Written {
            proxy,
            boot: 0,
            epoch,
            token: None,
            known: BTreeSet::new(),
            requests: BTreeMap::new(),
            acknowledged: BTreeMap::new(),
            closing: false,
        })))
    }

    /// A process starts: intents become events at their bound. Returns them.
    pub(super) fn start(&self) -> (Folder, Vec<(RequestId, Entry)>) {
        let mut written = self.0.borrow_mut();
        written.boot += 1;
        let mut orphans = Vec::new();
        for (request, entry) in &mut written.requests {
            if !entry.settled {
                entry.settled = true;
                orphans.push((*request, entry.clone()));
            }
        }
        let mut accounts: BTreeMap<Account, Drawn> =
            written.known.iter().map(|account| (account.clone(), Drawn::default())).collect();
        for (account, nanos) in &written.acknowledged {
            let drawn = accounts.entry(account.clone()).or_default();
            (drawn.drawn, drawn.acknowledged) = (*nanos, *nanos);
        }
        for entry in written.requests.values() {
            for account in entry.accounts.iter() {
                accounts.entry(account.clone()).or_default().drawn += entry.amount.nanos();
            }
        }
        let Written { proxy, boot, epoch, closing, .. } = *written;
        let (token, unreported) = (written.token.clone(), written.requests.len());
        (Folder { proxy, boot, epoch, token, accounts, unreported, closing }, orphans)
    }

    /// Events that are not acknowledged.
    pub(super) fn events(&self) -> Vec<(RequestId, Entry)> {
        let written = self.0.borrow();
        let settled = written.requests.iter().filter(|(_, entry)| entry.settled);
        settled.map(|(request, entry)| (*request, entry.clone())).collect()
    }

    /// The ledger has it.
    pub(super) fn acknowledge(&self, request: RequestId) -> Option<Entry> {
        let mut written = self.0.borrow_mut();
        let entry = written.requests.remove(&request)?;
        for account in entry.accounts.iter() {
            *written.acknowledged.entry(account.clone()).or_default() += entry.amount.nanos();
        }
        Some(entry)
    }

    /// The machine died before its last records were on disk.
    pub(super) fn lose_tail(&self, records: usize) {
        let mut written = self.0.borrow_mut();
        for _ in 0..records {
            written.requests.pop_last();
        }
    }

    pub(super) fn proxy(&self) -> IncarnationId {
        self.0.borrow().proxy
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.borrow().requests.is_empty()
    }
}

impl Journal for Shared {
    fn append(&mut self, record: Record<'_>) -> Result<(), JournalError> {
        let mut written = self.0.borrow_mut();
        match record {
            Record::Account(account) => {
                written.known.insert(account.clone());
            }
            Record::Intent { request, accounts, amount } => {
                let entry = Entry { accounts: accounts.into(), amount, settled: false };
                written.requests.insert(request, entry);
            }
            Record::Void { request } => {
                written.requests.remove(&request);
            }
            Record::Event { request, accounts, cost } => {
                let entry = Entry { accounts: accounts.into(), amount: cost, settled: true };
                written.requests.insert(request, entry);
            }
            Record::Epoch { epoch, token } => {
                (written.epoch, written.token) = (epoch, token.cloned());
            }
            Record::Closing => written.closing = true,
        }
        Ok(())
    }
}
