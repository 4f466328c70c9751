//! Hourly sums of new attempts, added to what the hours hold already.

use std::collections::BTreeMap;

use domain::{RequestOutcome, Usage};
use sqlx::{AnyConnection, AssertSqlSafe};

use super::{
    row::AttemptRow,
    values::{placeholders, text},
};
use crate::{Result, row::bigint};

const MICROS_PER_HOUR: i64 = 3_600_000_000;
const CHUNK: usize = 100;
/// What the sums are grouped by, as the table's key names it after the hour.
const TEXTS: usize = 7;
/// The sums that are no count of usage.
pub(super) const OWN: [&str; 6] = ["attempts", "requests", "errors", "estimated", "unpriced", "cost_nanos"];
const SUMS: usize = OWN.len() + Usage::NAMES.len();
const KEY: &str = "hour, tenant_id, key_id, user_id, feature, provider, model, route";

/// Inserts sums, or adds them to those of the same hour and group.
fn statement(rows: usize) -> String {
    let columns: Vec<_> = OWN.iter().chain(&Usage::NAMES).copied().collect();
    let add = |name: &&str| format!("{name} = usage_rollup.{name} + excluded.{name}");
    format!(
        "INSERT INTO usage_rollup ({KEY}, {}) VALUES {} ON CONFLICT ({KEY}) DO UPDATE SET {}",
        columns.join(", "),
        placeholders(rows, 1 + TEXTS + SUMS),
        columns.iter().map(add).collect::<Vec<_>>().join(", "),
    )
}

/// Sums by hour and group; sorted, so that two ledgers lock rows in the same order.
#[derive(Default)]
pub(super) struct Rollup {
    sums: BTreeMap<(i64, [String; TEXTS]), [i64; SUMS]>,
}

impl Rollup {
    /// Counts one new attempt, in the hour in which its request was accepted.
    pub(super) fn add(&mut self, line: &AttemptRow<'_>) {
        let event = line.event;
        let attempt = &line.attempt;
        let who = &event.attribution;
        let optional = |value: &Option<String>| text(value.as_deref().unwrap_or_default()).into_owned();
        let texts = [
            who.tenant.to_string(),
            who.key.to_string(),
            optional(&who.user),
            optional(&who.feature),
            text(&attempt.provider).into_owned(),
            text(&attempt.model).into_owned(),
            text(&event.route).into_owned(),
        ];
        let hour = event.request.unix_micros().div_euclid(MICROS_PER_HOUR);
        let blameless = matches!(event.outcome, RequestOutcome::Ok | RequestOutcome::Cancelled);
        let own = [
            1,
            i64::from(line.last),
            i64::from(line.last && !blameless),
            i64::from(attempt.estimated),
            i64::from(attempt.price.is_none() && !attempt.usage.is_nothing()),
            attempt.cost.nanos(),
        ];
        let more = own.into_iter().chain(attempt.usage.counts().map(bigint));
        let sums = self.sums.entry((hour, texts)).or_insert([0; SUMS]);
        for (sum, more) in sums.iter_mut().zip(more) {
            *sum = sum.saturating_add(more);
        }
    }

    /// Adds everything to the table.
    pub(super) async fn write(self, connection: &mut AnyConnection) -> Result<()> {
        let groups: Vec<_> = self.sums.into_iter().collect();
        for chunk in groups.chunks(CHUNK) {
            let statement = AssertSqlSafe(statement(chunk.len()));
            let mut query = sqlx::query(statement).persistent(chunk.len() == CHUNK);
            for ((hour, texts), sums) in chunk {
                query = query.bind(*hour);
                query = texts.iter().fold(query, |query, text| query.bind(text.clone()));
                query = sums.iter().fold(query, |query, sum| query.bind(*sum));
            }
            query.execute(&mut *connection).await?;
        }
        Ok(())
    }
}
