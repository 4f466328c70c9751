//! Sums of usage, by any dimensions, from the hourly table.

use std::{fmt, str::FromStr};

use domain::{Money, ResourceId, Timestamp, Usage};
use sqlx::{AssertSqlSafe, Row, any::AnyRow};

use super::rollup::OWN;
use crate::{
    Result, Store, StoreError,
    connect::with_timeout,
    row::{self, bigint, unreadable},
};

const MICROS_PER_HOUR: i64 = 3_600_000_000;
/// Most groups of one answer.
const MAX_GROUPS: usize = 10_000;
/// Most tenants that one question names; databases bound the values of a statement.
const MAX_TENANTS: usize = 10_000;

/// What usage can be grouped by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Dimension {
    /// The tenant's id.
    Tenant,
    /// The key's id.
    Key,
    /// The end user.
    User,
    /// The application's feature.
    Feature,
    /// The model at the provider.
    Model,
    /// The provider resource's name.
    Provider,
    /// The route the client named.
    Route,
    /// The UTC day in which requests were accepted, `2027-12-31`.
    Day,
    /// The UTC hour in which requests were accepted, `2027-12-31T23:00:00Z`.
    Hour,
}

impl Dimension {
    /// Every dimension.
    pub const ALL: [Self; 9] = [
        Self::Tenant,
        Self::Key,
        Self::User,
        Self::Feature,
        Self::Model,
        Self::Provider,
        Self::Route,
        Self::Day,
        Self::Hour,
    ];

    /// The name in queries and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tenant => "tenant",
            Self::Key => "key",
            Self::User => "user",
            Self::Feature => "feature",
            Self::Model => "model",
            Self::Provider => "provider",
            Self::Route => "route",
            Self::Day => "day",
            Self::Hour => "hour",
        }
    }

    /// The expression over `usage_rollup`.
    const fn column(self) -> &'static str {
        match self {
            Self::Tenant => "tenant_id",
            Self::Key => "key_id",
            Self::User => "user_id",
            Self::Feature => "feature",
            Self::Model => "model",
            Self::Provider => "provider",
            Self::Route => "route",
            Self::Day => "hour / 24",
            Self::Hour => "hour",
        }
    }

    /// The text of one group's value.
    fn value(self, row: &AnyRow, column: usize) -> Result<Option<String>> {
        let hours = match self {
            Self::Day => 24,
            Self::Hour => 1,
            _ => return Ok(Some(row.try_get::<String, _>(column)?).filter(|text| !text.is_empty())),
        };
        let begin = row.try_get::<i64, _>(column)? * hours * MICROS_PER_HOUR;
        let text = Timestamp::from_micros(begin).to_string();
        Ok(Some(if self == Self::Day { text.split('T').next().unwrap_or_default().to_owned() } else { text }))
    }
}

impl fmt::Display for Dimension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Dimension {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let names = Self::ALL.map(Self::as_str).join(", ");
        let named = Self::ALL.into_iter().find(|dimension| dimension.as_str() == text);
        named.ok_or_else(|| format!("usage cannot be grouped by {text:?}; possible are {names}"))
    }
}

/// Which usage, and how to group it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UsageQuery {
    /// Requests accepted from the hour of this moment on.
    pub from: Option<Timestamp>,
    /// Requests accepted before this moment; the hour it lies in counts whole, its very start not.
    pub to: Option<Timestamp>,
    /// One row per combination of these; none: a single row of everything.
    pub group_by: Vec<Dimension>,
    /// Of these tenants only; none: of all.
    pub tenants: Vec<ResourceId>,
}

/// Sums over attempts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Attempts at providers.
    pub attempts: u64,
    /// Requests; each counts where its last attempt went.
    pub requests: u64,
    /// Requests that ended in an error, a cut stream or the proxy's death.
    pub errors: u64,
    /// Attempts with estimated usage.
    pub estimated: u64,
    /// Attempts that used tokens of a model without a price: their cost is missing in `cost`, not zero.
    pub unpriced: u64,
    /// Tokens.
    pub usage: Usage,
    /// What it cost, as far as it had a price.
    pub cost: Money,
}

/// One group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageRow {
    /// Its values in the order of [`UsageQuery::group_by`]; a user or feature that was not named has none.
    pub group: Vec<Option<String>>,
    /// Its sums.
    pub totals: Totals,
}

impl UsageQuery {
    /// The statement: names of columns and numbers of placeholders only, nothing that a caller wrote.
    pub(super) fn statement(&self) -> String {
        let groups: Vec<_> = self.group_by.iter().map(|dimension| dimension.column()).collect();
        let sum = |name: &&str| format!("CAST(COALESCE(SUM({name}), 0) AS BIGINT) AS sum_{name}");
        let sums = OWN.iter().chain(&Usage::NAMES).map(sum);
        let columns = groups.iter().map(|column| (*column).to_owned()).chain(sums);
        let columns = columns.collect::<Vec<_>>().join(", ");
        let grouping = match groups.is_empty() {
            true => String::new(),
            false => format!("GROUP BY {0} ORDER BY {0}", groups.join(", ")),
        };
        // Written only where it applies, so that the index by tenant can be used.
        let tenants = (4..).take(self.tenants.len()).map(|number| format!("${number}"));
        let tenants = match tenants.collect::<Vec<_>>().join(", ") {
            none if none.is_empty() => none,
            some => format!("AND tenant_id IN ({some})"),
        };
        format!(
            "SELECT {columns} FROM usage_rollup WHERE hour >= $1 AND hour < $2 {tenants} {grouping} LIMIT $3"
        )
    }
}

impl Store {
    /// Sums of usage, ordered by group.
    ///
    /// # Errors
    /// [`StoreError::Bad`] when there are more than 10,000 groups or tenants, or a dimension is named twice; else what the
    /// database met.
    pub async fn usage(&self, query: &UsageQuery) -> Result<Vec<UsageRow>> {
        with_timeout(async {
            let mut seen = query.group_by.clone();
            seen.sort_unstable();
            if let Some(pair) = seen.windows(2).find(|pair| pair[0] == pair[1]) {
                return Err(StoreError::Bad(format!("usage is grouped by {} twice", pair[0])));
            }
            if query.tenants.len() > MAX_TENANTS {
                return Err(StoreError::Bad(format!("usage of more than {MAX_TENANTS} tenants at once")));
            }
            let first = query.from.map_or(i64::MIN, |from| from.micros().div_euclid(MICROS_PER_HOUR));
            let last = query.to.map_or(i64::MAX, |to| (to.micros() - 1).div_euclid(MICROS_PER_HOUR) + 1);
            let mut statement = sqlx::query(AssertSqlSafe(query.statement()))
                .bind(first)
                .bind(last)
                .bind(bigint(MAX_GROUPS as u64 + 1));
            for tenant in &query.tenants {
                statement = statement.bind(tenant.to_string());
            }
            let rows = statement.fetch_all(self.pool()).await?;
            if rows.len() > MAX_GROUPS {
                let what =
                    format!("more than {MAX_GROUPS} groups; ask for a shorter time or fewer dimensions");
                return Err(StoreError::Bad(what));
            }
            rows.iter().map(|row| read(query, row)).collect()
        })
        .await
    }

    /// How many finished requests the ledger holds.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn usage_count(&self) -> Result<u64> {
        with_timeout(async {
            let found = sqlx::query("SELECT COUNT(*) AS requests FROM usage_events WHERE final = 1")
                .fetch_one(self.pool())
                .await?;
            row::count(&found, "requests")
        })
        .await
    }
}

fn read(query: &UsageQuery, found: &AnyRow) -> Result<UsageRow> {
    let value = |(column, dimension): (usize, &Dimension)| dimension.value(found, column);
    let group = query.group_by.iter().enumerate().map(value).collect::<Result<Vec<_>>>()?;
    let sum = |column: usize| u64::try_from(found.try_get::<i64, _>(column)?).map_err(unreadable);
    let mut own = [0; OWN.len()];
    for (column, into) in (group.len()..).zip(&mut own) {
        *into = sum(column)?;
    }
    let mut counts = [0; Usage::NAMES.len()];
    for (column, into) in (group.len() + OWN.len()..).zip(&mut counts) {
        *into = sum(column)?;
    }
    let [attempts, requests, errors, estimated, unpriced, cost] = own;
    let usage = Usage::from_counts(counts);
    let cost = Money::from_nanos(bigint(cost));
    Ok(UsageRow { group, totals: Totals { attempts, requests, errors, estimated, unpriced, usage, cost } })
}
