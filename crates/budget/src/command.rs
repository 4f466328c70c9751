//! The one command that proxies send to the store, and its reply.

use std::{fmt, sync::Arc};

use domain::{Account, BudgetRef};

use crate::Units;

/// Names one life of the store's data: its history, and when the book was begun in it.
///
/// The history changes when the store restarts, is promoted or fails back; the time differs between two books of one
/// history. Both are read inside the script that begins a book, so no token can be made up.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Token(Arc<str>);

/// Numbers the commands of one proxy: repeats meet their stored reply, commands of a former boot are stale.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sequence {
    /// How often the proxy's folder was started on.
    pub boot: u64,
    /// The command of that boot.
    pub number: u64,
}

/// What a proxy asks of the store; sent again, unchanged, until it is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseCommand {
    /// The proxy's folder.
    pub proxy: domain::IncarnationId,
    /// Which command of the proxy.
    pub sequence: Sequence,
    /// The life of the data in which it may act.
    pub token: Token,
    /// What the proxy keeps of each account that it names. In order, each once.
    pub accounts: Vec<NamedAccount>,
    /// What it wants beyond that, in order of arrival.
    pub wants: Vec<Want>,
    /// Ask for spare authority on the flat accounts as well, at most so much on each.
    pub slice: Option<Units>,
    /// Caps that the store may not know yet.
    pub caps: Vec<CapRevision>,
}

/// An account and the authority that the proxy keeps there, which becomes its row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedAccount {
    /// The account.
    pub account: Account,
    /// Never below what was drawn; above the row it claims an overrun.
    pub keep: Units,
}

/// The amount of one request, from all of its accounts or from none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Want {
    /// Places in [`LeaseCommand::accounts`].
    pub accounts: Vec<usize>,
    /// What it may cost at most.
    pub amount: Units,
}

/// A budget's cap as of a revision of the configuration; the store keeps the newest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CapRevision {
    /// The budget.
    pub budget: BudgetRef,
    /// What may be drawn in a window, by all proxies together.
    pub cap: Units,
    /// The revision.
    pub revision: u64,
}

/// What the store says to a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LeaseReply {
    /// It was carried out.
    Done {
        /// Authority granted, per named account.
        granted: Vec<Units>,
        /// Whether each want was granted.
        admitted: Vec<bool>,
        /// Per named account: little is left, so give back what is free.
        tight: Vec<bool>,
        /// Per named account: what all proxies together may still be granted; below 0 where the window is over, or the
        /// cap was lowered.
        left: Vec<Units>,
    },
    /// The book is not the one that the token names, or part of its data is gone. Nothing was done.
    Lost,
    /// The proxy has sent a later command. Nothing was done.
    Stale,
    /// An account is not loaded yet. Nothing was done.
    Wait,
}

impl Token {
    /// From its text.
    #[must_use]
    pub fn new(text: impl Into<Arc<str>>) -> Self {
        Self(text.into())
    }

    /// A token of a history, begun at a time in microseconds.
    #[must_use]
    pub fn of(history: &str, micros: i64) -> Self {
        Self(format!("{history}/{micros}").into())
    }

    /// As it stands in the book.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The history that it was begun in.
    #[must_use]
    pub fn history(&self) -> &str {
        self.0.rsplit_once('/').map_or("", |(history, _)| history)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
