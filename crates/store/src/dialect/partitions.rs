//! The daily partitions of `usage_events` on PostgreSQL: made ahead, so that old days can be dropped whole.

use domain::Timestamp;
use sqlx::{AnyConnection, AssertSqlSafe, Executor, Row};

use super::Dialect;
use crate::{Result, Store, connect::with_timeout};

/// Partitions are there so many days ahead.
const AHEAD: i64 = 7;
const DAY_MICROS: i64 = 86_400_000_000;

impl Store {
    /// Makes the partitions for the usage of the day of `now` and the week after it; any number of processes may.
    /// Days without one go to the default partition, and are moved out of it when theirs is made. On SQLite there is
    /// nothing to do.
    ///
    /// # Errors
    /// When the database cannot be written, or somebody else holds the default partition for too long.
    pub async fn make_partitions(&self, now: Timestamp) -> Result<()> {
        with_timeout(async {
            if matches!(self.dialect(), Dialect::Sqlite(_)) {
                return Ok(());
            }
            let today = now.micros().div_euclid(DAY_MICROS);
            for day in today..=today + AHEAD {
                let (mut tx, _turn) = self.write().await?;
                if !is_there(&mut tx, day).await? {
                    make(&mut tx, day).await?;
                    tx.commit().await?;
                }
            }
            Ok(())
        })
        .await
    }
}

/// `usage_events_20261231`.
fn name(day: i64) -> String {
    let date = Timestamp::from_micros(day.saturating_mul(DAY_MICROS)).to_string();
    let digits: String = date.chars().take_while(|c| *c != 'T').filter(char::is_ascii_digit).collect();
    format!("usage_events_{digits}")
}

async fn is_there(connection: &mut AnyConnection, day: i64) -> Result<bool> {
    let found = sqlx::query("SELECT to_regclass($1) IS NOT NULL AS there")
        .bind(name(day))
        .fetch_one(connection)
        .await?;
    Ok(found.try_get("there")?)
}

async fn make(connection: &mut AnyConnection, day: i64) -> Result<()> {
    // Other processes that make partitions wait here, and so do inserts of days without one.
    let lock = "LOCK TABLE usage_events_default IN ACCESS EXCLUSIVE MODE";
    connection.execute(sqlx::raw_sql(lock)).await?;
    if is_there(connection, day).await? {
        return Ok(());
    }
    // Attached rather than made in place: that would lock the whole table against readers and writers.
    let table = name(day);
    let next = day + 1;
    let statements = format!(
        "CREATE TABLE {table} (LIKE usage_events INCLUDING ALL); \
         WITH moved AS (DELETE FROM usage_events_default WHERE day = {day} RETURNING *) \
         INSERT INTO {table} SELECT * FROM moved; \
         ALTER TABLE usage_events ATTACH PARTITION {table} FOR VALUES FROM ({day}) TO ({next})"
    );
    connection.execute(sqlx::raw_sql(AssertSqlSafe(statements))).await?;
    Ok(())
}
