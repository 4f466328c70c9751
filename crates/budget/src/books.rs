//! The store's side: four scripts over one book per root tenant.

use std::future::Future;

use domain::{Account, BudgetRef, IncarnationId, ResourceId};

use crate::{CapRevision, LeaseCommand, LeaseReply, Token, Units};

/// Where the books are. Every operation is atomic and acts on the book of one root tenant.
///
/// An operation may be carried out although its answer is lost, and copies of it may arrive at any time later: each
/// checks by itself that it still applies.
pub trait Books {
    /// Writes down what a proxy keeps, and grants what it wants while the sum of all rows stays within the cap.
    ///
    /// # Errors
    /// When the store gave no answer.
    fn lease(
        &self,
        root: ResourceId,
        command: &LeaseCommand,
    ) -> impl Future<Output = Result<LeaseReply, BooksError>> + Send;

    /// Begins an empty book of a new epoch; nothing where a book of that epoch or a later one is there.
    ///
    /// # Errors
    /// When the store gave no answer.
    fn begin(
        &self,
        root: ResourceId,
        begin: &Begin,
    ) -> impl Future<Output = Result<Option<Token>, BooksError>> + Send;

    /// Puts rows into a book that was begun. Accounts that are there, or of a budget that is complete, are left alone.
    /// False when the book is not the one that the token names, or lost data.
    ///
    /// # Errors
    /// When the store gave no answer.
    fn load(&self, root: ResourceId, load: &Load) -> impl Future<Output = Result<bool, BooksError>> + Send;

    /// Ends a book: it grants nothing more. Answers what it held, or nothing where it is another book, was not loaded
    /// completely, or lost data.
    ///
    /// # Errors
    /// When the store gave no answer.
    fn close(
        &self,
        root: ResourceId,
        token: &Token,
    ) -> impl Future<Output = Result<Option<ClosedBook>, BooksError>> + Send;
}

/// A new book.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Begin {
    /// Its epoch.
    pub epoch: u64,
    /// The caps of all budgets.
    pub caps: Vec<CapRevision>,
    /// Per budget, the start of the newest window in which nothing is granted any more.
    pub edges: Vec<(BudgetRef, i64)>,
}

/// Rows for a book that was begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Load {
    /// The book.
    pub token: Token,
    /// What proxies hold.
    pub rows: Vec<Row>,
    /// Budgets of which every account above zero is in the book with these rows and those before them.
    pub complete: Vec<BudgetRef>,
}

/// The authority of one proxy in one account.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Row {
    /// The account.
    pub account: Account,
    /// The proxy.
    pub proxy: IncarnationId,
    /// Its authority.
    pub amount: Units,
}

/// What a book held when it was closed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClosedBook {
    /// All rows above zero.
    pub rows: Vec<Row>,
    /// Per budget, the newest window that was dropped.
    pub edges: Vec<(BudgetRef, i64)>,
}

/// The store gave no answer; what was asked may have been done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the store of budgets: {0}")]
pub struct BooksError(pub String);
