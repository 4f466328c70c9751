//! Everything in which SQLite and PostgreSQL differ: addresses, sessions, transactions, error codes, and what only
//! PostgreSQL has: notices between processes, partitions.

pub(crate) mod notices;
mod partitions;

use std::{path::PathBuf, str::FromStr, time::Duration};

use sqlx::{
    AnyConnection, Executor,
    any::{AnyConnectOptions, AnyPoolOptions},
};

use crate::{Result, StoreError, migrations::Migrations};

/// How long anybody waits for a connection or a lock.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);
/// How long a whole call may take: more than any of the waits that the database itself bounds.
pub(crate) const ANSWER: Duration = Duration::from_secs(20);

/// Which database, and where.
#[derive(Clone)]
pub(crate) enum Dialect {
    /// One file.
    Sqlite(PathBuf),
    /// A server; the address may hold a password, so it is never shown.
    Postgres(String),
}

impl Dialect {
    /// Reads `sqlite:PATH` (everything after the scheme is the path, taken literally) or `postgres://…`.
    pub(crate) fn parse(url: &str) -> Result<Self> {
        if let Some(path) = url.strip_prefix("sqlite:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            if path.is_empty() || path.starts_with(":memory:") {
                return Err(StoreError::Bad("the database must be a file: write sqlite:PATH".to_owned()));
            }
            let path = std::path::absolute(path).map_err(|error| StoreError::Bad(error.to_string()))?;
            return Ok(Self::Sqlite(path));
        }
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            return Ok(Self::Postgres(url.to_owned()));
        }
        // The text itself is not repeated: it may hold a password.
        Err(StoreError::Bad("the database address must begin with sqlite: or postgres://".to_owned()))
    }

    /// Where to connect; `mode` is SQLite's (`ro`, `rw`).
    pub(crate) fn connect_options(&self, mode: &str) -> Result<AnyConnectOptions> {
        let url = match self {
            Self::Sqlite(path) => {
                let path = path.to_str().ok_or_else(|| bad_address("the path is not UTF-8"))?;
                format!("sqlite:{}?mode={mode}", percent_encoded(path))
            }
            Self::Postgres(url) => url.clone(),
        };
        AnyConnectOptions::from_str(&url).map_err(|_| bad_address("it is malformed"))
    }

    /// Bounds of the pool and the settings of each of its sessions.
    pub(crate) fn pool_options(&self) -> AnyPoolOptions {
        let (session, connections) = match self {
            // journal_mode is kept in the file, the rest is per connection.
            Self::Sqlite(_) => {
                ("PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA busy_timeout = 5000", 5)
            }
            Self::Postgres(_) => (
                "SET lock_timeout = '5s'; SET statement_timeout = '15s'; \
                 SET idle_in_transaction_session_timeout = '60s'",
                10,
            ),
        };
        AnyPoolOptions::new()
            .max_connections(connections)
            .acquire_timeout(PATIENCE)
            .after_connect(move |connection, _| Box::pin(async move { run(connection, session).await }))
    }

    /// How many writers may be at work at once in this process: SQLite has one write lock and hands it out
    /// by polling, which is unfair, so its writers queue before they ask for it.
    pub(crate) const fn writers(&self) -> usize {
        match self {
            Self::Sqlite(_) => 1,
            Self::Postgres(_) => 8,
        }
    }

    /// Begins a transaction that will write: in SQLite the lock is taken at once, because a read lock
    /// that is upgraded later fails at once when another writer came first.
    pub(crate) const fn begin_write(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => "BEGIN IMMEDIATE",
            Self::Postgres(_) => "BEGIN",
        }
    }

    /// Begins a transaction that sees one moment of the database.
    pub(crate) const fn begin_read(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => "BEGIN DEFERRED",
            Self::Postgres(_) => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
        }
    }

    /// What the session that migrates is told first: how long it waits for the others that migrate now, and that
    /// what is there already is no news.
    pub(crate) const fn before_migrating(&self) -> &'static str {
        match self {
            // A second process waits for the whole migration of the first, as on PostgreSQL.
            Self::Sqlite(_) => {
                "PRAGMA busy_timeout = 60000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL"
            }
            Self::Postgres(_) => "SET lock_timeout = '60s'; SET client_min_messages = warning",
        }
    }

    /// Counts the tables in the database, and those among them that are there only if it is ours. The migrations'
    /// own table does not count: it is there before anything else.
    pub(crate) const fn count_tables(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => {
                "SELECT COUNT(*) AS tables, COUNT(*) FILTER (WHERE name = 'store_meta') AS ours \
                 FROM sqlite_master WHERE type = 'table' AND name NOT IN ('_sqlx_migrations', 'sqlite_sequence')"
            }
            Self::Postgres(_) => {
                "SELECT COUNT(*) AS tables, COUNT(*) FILTER (WHERE relname = 'store_meta') AS ours \
                 FROM pg_class WHERE relkind IN ('r', 'p') AND relname <> '_sqlx_migrations' \
                 AND relnamespace = current_schema()::regnamespace"
            }
        }
    }

    /// The folder of migrations for it.
    pub(crate) const fn migrations(&self) -> Migrations {
        match self {
            Self::Sqlite(_) => crate::migrations::SQLITE,
            Self::Postgres(_) => crate::migrations::POSTGRES,
        }
    }
}

fn bad_address(why: &str) -> StoreError {
    StoreError::Bad(format!("the database address cannot be used: {why}"))
}

/// Runs statements that answer nothing, several at once.
pub(crate) async fn run(connection: &mut AnyConnection, statements: &'static str) -> sqlx::Result<()> {
    connection.execute(sqlx::raw_sql(statements)).await.map(|_| ())
}

fn percent_encoded(path: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-_.~".contains(&byte);
    let encode = |byte: u8| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    path.bytes().map(encode).collect()
}
