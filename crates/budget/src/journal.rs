//! What a proxy writes down before it acts on it: its folder, which outlives the process.

use domain::{Account, Money, RequestId};

use crate::Token;

/// What is written down.
#[derive(Clone, Debug, PartialEq)]
pub enum Record<'a> {
    /// An account, before the first command that names it.
    Account(&'a Account),
    /// A request, before it is sent: what it may cost at most, and where it is drawn.
    Intent {
        /// The request.
        request: RequestId,
        /// Where.
        accounts: &'a [Account],
        /// How much at most.
        amount: Money,
    },
    /// A request that was never sent.
    Void {
        /// The request.
        request: RequestId,
    },
    /// What a request cost, drawn from the accounts of its intent.
    Event {
        /// The request.
        request: RequestId,
        /// Where.
        accounts: &'a [Account],
        /// How much.
        cost: Money,
    },
    /// The epoch that the proxy is in, and the token once it has it, before it declares or sends a command.
    Epoch {
        /// The epoch.
        epoch: u64,
        /// The book's token.
        token: Option<&'a Token>,
    },
    /// The folder will not be started on again, before the ledger is asked to close it.
    Closing,
}

/// Where records go. A record is in the page cache when `append` returns.
pub trait Journal {
    /// Writes a record down.
    ///
    /// # Errors
    /// When it could not be written: then nothing may be done that depends on it.
    fn append(&mut self, record: Record<'_>) -> Result<(), JournalError>;
}

/// A record could not be written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the folder of budgets cannot be written: {0}")]
pub struct JournalError(pub String);
