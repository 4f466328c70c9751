//! Hourly sums of new attempts, added to what the hours hold already.

use std::collections::BTreeMap;

use domain::{RequestOutcome, Usage};
use sqlx::{AnyConnection, AssertSqlSafe};

use super::{
    insert::Line,
    values::{placeholders, text},
};
use crate::{Result, row::bigint};

const MICROS_PER_HOUR: i64 = 3_600_000_000;
const CHUNK: usize = 100;
/// What the sums are grouped by, as the table's key names it after the hour.
const TEXTS: usize = 7;
const SUMS: usize = 13;
const INTO: &str = "INSERT INTO usage_rollup (hour, tenant_id, key_id, user_id, feature, provider, model, route, \
    attempts, requests, errors, estimated, unpriced, input_uncached, cache_read, cache_write, output_visible, \
    reasoning, audio_in, audio_out, cost_nanos) VALUES ";
const OR_ADD: &str = " ON CONFLICT (hour, tenant_id, key_id, user_id, feature, provider, model, route) DO UPDATE SET \
    attempts = usage_rollup.attempts + excluded.attempts, \
    requests = usage_rollup.requests + excluded.requests, \
    errors = usage_rollup.errors + excluded.errors, \
    estimated = usage_rollup.estimated + excluded.estimated, \
    unpriced = usage_rollup.unpriced + excluded.unpriced, \
    input_uncached = usage_rollup.input_uncached + excluded.input_uncached, \
    cache_read = usage_rollup.cache_read + excluded.cache_read, \
    cache_write = usage_rollup.cache_write + excluded.cache_write, \
    output_visible = usage_rollup.output_visible + excluded.output_visible, \
    reasoning = usage_rollup.reasoning + excluded.reasoning, \
    audio_in = usage_rollup.audio_in + excluded.audio_in, \
    audio_out = usage_rollup.audio_out + excluded.audio_out, \
    cost_nanos = usage_rollup.cost_nanos + excluded.cost_nanos";

/// Sums by hour and group; sorted, so that two ledgers lock rows in the same order.
#[derive(Default)]
pub(super) struct Rollup {
    sums: BTreeMap<(i64, [String; TEXTS]), [i64; SUMS]>,
}

impl Rollup {
    /// Counts one new attempt, in the hour in which its request was accepted.
    pub(super) fn add(&mut self, line: &Line<'_>) {
        let (event, attempt) = (line.event, &line.attempt);
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
        let usage = &attempt.usage;
        let more = [
            1,
            i64::from(line.last),
            i64::from(line.last && !blameless),
            i64::from(attempt.estimated),
            i64::from(attempt.price.is_none() && *usage != Usage::default()),
            bigint(usage.input_uncached),
            bigint(usage.cache_read),
            bigint(usage.cache_write),
            bigint(usage.output_visible),
            bigint(usage.reasoning),
            bigint(usage.audio_in),
            bigint(usage.audio_out),
            attempt.cost.nanos(),
        ];
        let sums = self.sums.entry((hour, texts)).or_insert([0; SUMS]);
        for (sum, more) in sums.iter_mut().zip(more) {
            *sum = sum.saturating_add(more);
        }
    }

    /// Adds everything to the table.
    pub(super) async fn write(self, connection: &mut AnyConnection) -> Result<()> {
        let groups: Vec<_> = self.sums.into_iter().collect();
        for chunk in groups.chunks(CHUNK) {
            let statement = format!("{INTO}{}{OR_ADD}", placeholders(chunk.len(), 1 + TEXTS + SUMS));
            let mut query = sqlx::query(AssertSqlSafe(statement)).persistent(chunk.len() == CHUNK);
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
