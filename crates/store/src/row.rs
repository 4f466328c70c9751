//! Reading columns: numbers and ids that the database holds as BIGINT and TEXT.

use std::{fmt::Display, str::FromStr};

use sqlx::{Row, any::AnyRow};

use crate::{Result, StoreError};

/// A row that this version cannot make sense of.
pub(crate) fn unreadable(error: impl Display) -> StoreError {
    StoreError::Failed(format!("a row cannot be read: {}", StoreError::line(error)))
}

/// A count; never negative.
pub(crate) fn count(row: &AnyRow, column: &str) -> Result<u64> {
    u64::try_from(row.try_get::<i64, _>(column)?).map_err(unreadable)
}

/// A small count.
pub(crate) fn small(row: &AnyRow, column: &str) -> Result<u32> {
    u32::try_from(row.try_get::<i64, _>(column)?).map_err(unreadable)
}

/// A flag.
pub(crate) fn flag(row: &AnyRow, column: &str) -> Result<bool> {
    Ok(row.try_get::<i64, _>(column)? != 0)
}

/// Text of a type that parses.
pub(crate) fn parsed<T: FromStr<Err: Display>>(row: &AnyRow, column: &str) -> Result<T> {
    row.try_get::<&str, _>(column)?.parse().map_err(unreadable)
}

/// Likewise, where there may be none.
pub(crate) fn maybe<T: FromStr<Err: Display>>(row: &AnyRow, column: &str) -> Result<Option<T>> {
    let text: Option<&str> = row.try_get(column)?;
    text.map(|text| text.parse().map_err(unreadable)).transpose()
}

/// A number for a BIGINT column; what exceeds it (absurd in every use) is held at its end.
pub(crate) fn bigint(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
