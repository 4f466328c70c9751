//! Committing usage events: new attempts and their sums in one transaction, repeats without effect.

use std::collections::{BTreeMap, HashSet};

use domain::{RequestId, ServiceTier, Usage, UsageEvent};
use sqlx::{Any, AssertSqlSafe, Row, any::AnyArguments, query::Query};

use super::{
    rollup::Rollup,
    row::AttemptRow,
    values::{bounded, count_columns, placeholders, text},
};
use crate::{Result, Store, StoreError, books::Spent, connect::with_timeout, row::bigint};

/// Most events of one batch.
pub const MAX_BATCH: usize = 1_000;
/// Most attempts of one event; far more than any route leads to.
pub const MAX_ATTEMPTS: usize = 256;
/// Most accounts of one attempt; budgets of four tenants above each other are fewer.
const MAX_ACCOUNTS: usize = 256;

/// Rows of one statement: with some 50 columns each far below what either database takes.
const CHUNK: usize = 100;
const COLUMNS: usize = 33 + Usage::NAMES.len();
const INTO: &str = "INSERT INTO usage_events (day, request_id, attempt, final, incarnation_id, at, tenant_id, \
    key_id, user_id, feature, tags, api, stream, route, request_outcome, request_status, cache, \
    request_duration_us, overhead_us, ttft_us, provider, model, outcome, status, started_at, duration_us, \
    cost_nanos, price_id, estimated, service_tier, rule, pool, reason, ";
const OR_NOTHING: &str = " ON CONFLICT (day, request_id, attempt) DO NOTHING RETURNING request_id, attempt";

/// Why an event is one that no correct proxy sends.
///
/// # Errors
/// When its request id is not a UUIDv7, its attempts are none, too many or out of order, a cost is negative, or it is
/// drawn from too many accounts.
pub fn check_event(event: &UsageEvent) -> Result<(), String> {
    let numbers = event.attempts.iter().map(|attempt| attempt.number);
    let mut draws = event.attempts.iter().filter_map(|attempt| attempt.draw.as_ref());
    if event.request.0.get_version_num() != 7 {
        Err("the request id is not a UUIDv7".to_owned())
    } else if event.attempts.is_empty() || event.attempts.len() > MAX_ATTEMPTS {
        Err(format!("{} attempts; 1 to {MAX_ATTEMPTS} are possible", event.attempts.len()))
    } else if event.attempts[0].number == 0 || !numbers.is_sorted_by(|one, next| one < next) {
        Err("the attempts are not numbered upwards from 1".to_owned())
    } else if event.attempts.iter().any(|attempt| attempt.cost.nanos() < 0) {
        Err("a cost is negative".to_owned())
    } else if draws.any(|draw| draw.accounts.len() > MAX_ACCOUNTS) {
        Err(format!("an attempt is drawn from more than {MAX_ACCOUNTS} accounts"))
    } else {
        Ok(())
    }
}

impl Store {
    /// Commits events with all their attempts and returns how many attempts were new. Attempts that were
    /// committed before, in whatever batch, change nothing; sums grow by the new ones only.
    ///
    /// Counts and costs beyond belief are stored bounded and marked as estimated, texts longer than an index
    /// takes are cut: a ledger that refuses an event for ever would lose it.
    ///
    /// # Errors
    /// [`StoreError::Bad`] when there are more than [`MAX_BATCH`] events or [`check_event`] objects to one;
    /// else what the database met. Nothing of the batch is kept then.
    pub async fn insert_usage(&self, events: &[UsageEvent]) -> Result<u64> {
        with_timeout(async {
            if events.len() > MAX_BATCH {
                let what = format!("{} usage events at once; at most {MAX_BATCH}", events.len());
                return Err(StoreError::Bad(what));
            }
            // Sorted, so that two ledgers committing the same events lock rows in the same order.
            let mut lines = BTreeMap::new();
            for (index, event) in events.iter().enumerate() {
                check_event(event).map_err(|why| StoreError::Bad(format!("usage event {index}: {why}")))?;
                for (position, attempt) in event.attempts.iter().enumerate() {
                    let last = position + 1 == event.attempts.len();
                    let key = (event.request, attempt.number);
                    lines.entry(key).or_insert_with(|| AttemptRow {
                        event,
                        attempt: bounded(event, attempt),
                        last,
                    });
                }
            }
            if lines.is_empty() {
                return Ok(0);
            }
            let lines: Vec<_> = lines.into_values().collect();
            let (mut tx, _turn) = self.write().await?;
            let (mut rollup, mut spent) = (Rollup::default(), Spent::default());
            let mut inserted = 0;
            for chunk in lines.chunks(CHUNK) {
                let new = insert(&mut tx, chunk).await?;
                for line in
                    chunk.iter().filter(|line| new.contains(&(line.event.request, line.attempt.number)))
                {
                    rollup.add(line);
                    if let Some(draw) = &line.attempt.draw {
                        spent.add(draw, line.attempt.cost);
                    }
                    inserted += 1;
                }
            }
            rollup.write(&mut tx).await?;
            spent.write(&mut tx).await?;
            tx.commit().await?;
            Ok(inserted)
        })
        .await
    }
}

/// Inserts what is not there and says which those were.
async fn insert(
    connection: &mut sqlx::AnyConnection,
    lines: &[AttemptRow<'_>],
) -> Result<HashSet<(RequestId, u32)>> {
    let statement =
        format!("{INTO}{}) VALUES {}{OR_NOTHING}", count_columns(), placeholders(lines.len(), COLUMNS));
    // Only the full chunk comes again and again; the others would fill the cache of statements.
    let mut query = sqlx::query(AssertSqlSafe(statement)).persistent(lines.len() == CHUNK);
    for line in lines {
        query = bind_attempt(bind_request(query, line), line);
    }
    let rows = query.fetch_all(connection).await?;
    let key = |row: &sqlx::any::AnyRow| {
        let attempt = u32::try_from(row.try_get::<i64, _>("attempt")?).map_err(crate::row::unreadable)?;
        Ok((crate::row::parsed(row, "request_id")?, attempt))
    };
    rows.iter().map(key).collect()
}

fn optional(value: Option<&str>) -> Option<String> {
    value.map(|value| text(value).into_owned())
}

type Binding<'q> = Query<'q, Any, AnyArguments>;

fn bind_request<'q>(query: Binding<'q>, line: &AttemptRow<'_>) -> Binding<'q> {
    let event = line.event;
    let who = &event.attribution;
    query
        .bind(event.request.day())
        .bind(event.request.to_string())
        .bind(i64::from(line.attempt.number))
        .bind(i64::from(line.last))
        .bind(event.incarnation.to_string())
        .bind(event.at.micros())
        .bind(who.tenant.to_string())
        .bind(who.key.to_string())
        .bind(optional(who.user.as_deref()))
        .bind(optional(who.feature.as_deref()))
        .bind(serde_json::json!(who.tags).to_string())
        .bind(text(&event.api).into_owned())
        .bind(i64::from(event.stream))
        .bind(text(&event.route).into_owned())
        .bind(event.outcome.as_str())
        .bind(i64::from(event.status))
        .bind(event.cache.as_str())
        .bind(bigint(event.duration_us))
        .bind(bigint(event.overhead_us))
        .bind(event.ttft_us.map(bigint))
}

fn bind_attempt<'q>(query: Binding<'q>, AttemptRow { event, attempt, .. }: &AttemptRow<'_>) -> Binding<'q> {
    let tier = Some(attempt.usage.service_tier).filter(|tier| !tier.is_standard());
    let query = query
        .bind(text(&attempt.provider).into_owned())
        .bind(text(&attempt.model).into_owned())
        .bind(attempt.outcome.as_str())
        .bind(i64::from(attempt.status))
        .bind(attempt.at.micros())
        .bind(bigint(attempt.duration_us))
        .bind(attempt.cost.nanos())
        .bind(attempt.price.map(|id| id.to_string()))
        .bind(i64::from(attempt.estimated))
        .bind(tier.map_or("", ServiceTier::as_str))
        .bind(optional(event.rule.as_deref()))
        .bind(optional(event.pool.as_deref()))
        .bind(optional(attempt.reason.as_deref()));
    attempt.usage.counts().into_iter().fold(query, |query, count| query.bind(bigint(count)))
}
