//! Which error of the store an error of the driver or of the database is.

use super::StoreError;

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::Database(database) => database_error(database.code().as_deref(), database.message()),
            sqlx::Error::PoolTimedOut => Self::Unreachable("no connection became free in time".to_owned()),
            sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::PoolClosed => {
                Self::Unreachable(Self::line(&error))
            }
            sqlx::Error::Configuration(why) => {
                let why = Self::line(why);
                let why = why.trim_start_matches("error with configuration: ");
                Self::Bad(format!("the database address cannot be used: {why}"))
            }
            sqlx::Error::Protocol(_) => {
                Self::Unreachable(format!("the server is not PostgreSQL: {}", Self::line(&error)))
            }
            sqlx::Error::WorkerCrashed | sqlx::Error::BeginFailed => Self::Failed(Self::line(&error)),
            _ => Self::Failed(Self::line(&error)),
        }
    }
}

/// Classifies an error that a database reports, by SQLite's result code or PostgreSQL's SQLSTATE.
fn database_error(code: Option<&str>, message: &str) -> StoreError {
    let message = StoreError::line(message);
    let code = code.unwrap_or_default();
    if code.len() == 5 {
        return match code {
            "40001" | "40P01" | "23505" => StoreError::Conflict,
            "55P03" | "57014" | "53300" | "25P03" => StoreError::Busy(message),
            "23503" => StoreError::Bad("the owner does not exist".to_owned()),
            "25006" => {
                StoreError::Unreachable("it is read-only; this must be the primary's address".to_owned())
            }
            // A partition was attached while the row was on its way to the default one.
            "23514" => StoreError::Conflict,
            // Connection exceptions, shutdown and start-up, authorisation, unknown database.
            _ if ["08", "57", "28", "3D"].iter().any(|class| code.starts_with(class)) => {
                StoreError::Unreachable(message)
            }
            _ => StoreError::Failed(format!("{message} (SQLSTATE {code})")),
        };
    }
    let extended: i64 = code.parse().unwrap_or_default();
    match (extended, extended & 0xff) {
        (787, _) => StoreError::Bad("the owner does not exist".to_owned()),
        (1555 | 2067, _) => StoreError::Conflict,
        (_, 5 | 6) => StoreError::Busy("another process holds its lock".to_owned()),
        (_, 11 | 26) => StoreError::Damaged { file: "the database file".to_owned(), detail: message },
        (_, 3 | 8 | 14) => StoreError::Unreachable(message),
        _ => StoreError::Failed(format!("{message} (SQLite {extended})")),
    }
}
