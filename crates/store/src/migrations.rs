//! The numbered migrations of both databases, and bringing a database up to the newest.

use sqlx::{
    AnyConnection, SqlSafeStr,
    migrate::{MigrateError, Migration, MigrationType, Migrator},
};

use crate::{Result, StoreError};

/// Number, name and text of each migration, oldest first. Never edit one that was released.
pub(crate) type Migrations = &'static [(i64, &'static str, &'static str)];

/// `migrations/sqlite`.
pub(crate) const SQLITE: Migrations = &[
    (1, "initial", include_str!("../../../migrations/sqlite/0001_initial.sql")),
    (2, "usage_counts", include_str!("../../../migrations/sqlite/0002_usage_counts.sql")),
    (3, "catalogue", include_str!("../../../migrations/sqlite/0003_catalogue.sql")),
    (4, "decisions", include_str!("../../../migrations/sqlite/0004_decisions.sql")),
    (5, "budgets", include_str!("../../../migrations/sqlite/0005_budgets.sql")),
];

/// `migrations/postgres`.
pub(crate) const POSTGRES: Migrations = &[
    (1, "initial", include_str!("../../../migrations/postgres/0001_initial.sql")),
    (2, "usage_counts", include_str!("../../../migrations/postgres/0002_usage_counts.sql")),
    (3, "catalogue", include_str!("../../../migrations/postgres/0003_catalogue.sql")),
    (4, "decisions", include_str!("../../../migrations/postgres/0004_decisions.sql")),
    (5, "budgets", include_str!("../../../migrations/postgres/0005_budgets.sql")),
];

/// Applies what is missing, each migration in a transaction; concurrent callers wait for one another on
/// PostgreSQL. A database that a newer binary migrated is left alone.
pub(crate) async fn run(migrations: Migrations, connection: &mut AnyConnection) -> Result<()> {
    let known = migrations.last().map_or(0, |(number, ..)| *number);
    let one = |(number, name, text): &(i64, &'static str, &'static str)| {
        Migration::new(*number, (*name).into(), MigrationType::Simple, (*text).into_sql_str(), false)
    };
    let migrator = Migrator::with_migrations(migrations.iter().map(one).collect());
    // Not `run`: the compiler cannot see that its future may change threads.
    migrator.run_direct(None, connection, false).await.map_err(|error| match error {
        MigrateError::VersionMissing(found) if found > known => StoreError::NewerSchema { found, known },
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => error.into(),
        other => StoreError::Schema(StoreError::line(other)),
    })
}
