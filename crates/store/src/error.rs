//! Why the store could not do what it was asked; closed, one clear line each, never with a credential.

mod classify;

use domain::Kind;

/// The result of every call into the store.
pub type Result<T, E = StoreError> = std::result::Result<T, E>;

/// Why a call into the store failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// No connection to the database; the same call may work later.
    #[error("the database cannot be reached: {0}")]
    Unreachable(String),
    /// Somebody else holds what is needed for longer than the store waits; the same call may work later.
    #[error("the database is busy: {0}")]
    Busy(String),
    /// Another write got in the way; the whole transaction may be tried again.
    #[error("another write got in the way; try again")]
    Conflict,
    /// The file is no database, or not a whole one; nothing was changed in it.
    #[error("{file} is damaged ({detail}); restore it from a backup, or move it away to start anew")]
    Damaged {
        /// The file.
        file: String,
        /// What SQLite found.
        detail: String,
    },
    /// A newer binary has been here; nothing was changed.
    #[error("the database has schema {found}, this binary knows {known}; start the newer binary again")]
    NewerSchema {
        /// The schema's number.
        found: i64,
        /// The newest one that this binary knows.
        known: i64,
    },
    /// The schema is not the one that this binary's migrations lead to.
    #[error("the schema of the database does not fit this binary: {0}")]
    Schema(String),
    /// A live resource of that kind and owner has the name already.
    #[error("{kind} {name:?} already exists")]
    Taken {
        /// Its kind.
        kind: Kind,
        /// Its name.
        name: String,
    },
    /// The caller's own fault: nothing that trying again could mend.
    #[error("{0}")]
    Bad(String),
    /// Anything else: a full disk, a row that cannot be read.
    #[error("the database failed: {0}")]
    Failed(String),
}

impl StoreError {
    /// Whether the same call may work later without anybody changing anything.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        matches!(self, Self::Unreachable(_) | Self::Busy(_) | Self::Conflict | Self::Failed(_))
    }

    /// One line of an error's text.
    pub(crate) fn line(error: impl std::fmt::Display) -> String {
        error.to_string().split_whitespace().collect::<Vec<_>>().join(" ")
    }
}
