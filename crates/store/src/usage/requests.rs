//! The request log: finished requests with all their attempts, newest first.

use std::str::FromStr;

use domain::{
    Attempt, AttemptOutcome, Attribution, CacheHit, Money, RequestId, RequestOutcome, ResourceId,
    ServiceTier, Timestamp, Usage, UsageEvent,
};
use sqlx::{Row, any::AnyRow};

use crate::{
    Page, Result, Store, StoreError,
    connect::with_timeout,
    page::bounded,
    row::{self, bigint, flag, maybe, parsed, small, unreadable},
};

/// Which requests, and which page of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequestQuery {
    /// [`Page::next`] of the page before.
    pub after: Option<String>,
    /// Most requests of the page, 1 to 1,000.
    pub limit: u32,
    /// One tenant's only.
    pub tenant: Option<ResourceId>,
    /// This request only.
    pub request: Option<RequestId>,
}

/// Picks requests by their last attempt, then reads all attempts of those.
macro_rules! select_requests {
    ($which:literal) => {
        concat!(
            "SELECT * FROM usage_events WHERE (day, request_id) IN (",
            "SELECT day, request_id FROM usage_events WHERE final = 1 AND ",
            $which,
            " ORDER BY day DESC, request_id DESC LIMIT $3) ",
            "ORDER BY day DESC, request_id DESC, attempt"
        )
    };
}

impl RequestQuery {
    pub(super) const fn statement(&self) -> &'static str {
        match (self.request.is_some(), self.tenant.is_some()) {
            (true, false) => select_requests!("day = $1 AND request_id = $2"),
            (true, true) => select_requests!("day = $1 AND request_id = $2 AND tenant_id = $4"),
            (false, false) => select_requests!("(day, request_id) < ($1, $2)"),
            (false, true) => select_requests!("(day, request_id) < ($1, $2) AND tenant_id = $4"),
        }
    }
}

impl Store {
    /// Finished requests, the one accepted last first.
    ///
    /// # Errors
    /// When the cursor is not one of this listing's, or the database cannot be read.
    pub async fn requests(&self, query: &RequestQuery) -> Result<Page<UsageEvent>> {
        with_timeout(async {
            let limit = bounded(query.limit);
            let bad = |_| StoreError::Bad("the cursor is not one of this listing's".to_owned());
            let after = query.after.as_deref().map(RequestId::from_str).transpose().map_err(bad)?;
            let id = query.request.or(after);
            let (day, id) = id.map_or((i64::MAX, String::new()), |id| (id.day(), id.to_string()));
            let mut statement =
                sqlx::query(query.statement()).bind(day).bind(id).bind(bigint(limit as u64 + 1));
            if let Some(tenant) = query.tenant {
                statement = statement.bind(tenant.to_string());
            }
            let rows = statement.fetch_all(self.pool()).await?;
            let mut events: Vec<UsageEvent> = Vec::new();
            for found in &rows {
                let request: RequestId = parsed(found, "request_id")?;
                match events.last_mut().filter(|event| event.request == request) {
                    Some(event) => event.attempts.push(attempt(found)?),
                    None => events.push(event(request, found)?),
                }
            }
            Ok(Page::new(events, limit, |last| last.request.to_string()))
        })
        .await
    }
}

fn event(request: RequestId, found: &AnyRow) -> Result<UsageEvent> {
    let named = |column| found.try_get::<&str, _>(column);
    let unknown = |column| unreadable(format!("unknown {column}"));
    let tags = serde_json::from_str(named("tags")?).map_err(unreadable)?;
    let attribution = Attribution {
        tenant: parsed(found, "tenant_id")?,
        key: parsed(found, "key_id")?,
        user: found.try_get("user_id")?,
        feature: found.try_get("feature")?,
        tags,
    };
    let ttft: Option<i64> = found.try_get("ttft_us")?;
    Ok(UsageEvent {
        request,
        incarnation: parsed(found, "incarnation_id")?,
        at: Timestamp::from_micros(found.try_get("at")?),
        attribution,
        api: found.try_get("api")?,
        stream: flag(found, "stream")?,
        route: found.try_get("route")?,
        rule: found.try_get("rule")?,
        pool: found.try_get("pool")?,
        outcome: RequestOutcome::from_name(named("request_outcome")?).ok_or_else(|| unknown("outcome"))?,
        status: small(found, "request_status")?,
        cache: CacheHit::from_name(named("cache")?).ok_or_else(|| unknown("cache result"))?,
        duration_us: row::count(found, "request_duration_us")?,
        overhead_us: row::count(found, "overhead_us")?,
        ttft_us: ttft.map(|micros| u64::try_from(micros).map_err(unreadable)).transpose()?,
        attempts: vec![attempt(found)?],
    })
}

fn attempt(found: &AnyRow) -> Result<Attempt> {
    let outcome = AttemptOutcome::from_name(found.try_get("outcome")?);
    Ok(Attempt {
        number: small(found, "attempt")?,
        provider: found.try_get("provider")?,
        model: found.try_get("model")?,
        outcome: outcome.ok_or_else(|| unreadable("unknown outcome of an attempt"))?,
        status: small(found, "status")?,
        at: Timestamp::from_micros(found.try_get("started_at")?),
        duration_us: row::count(found, "duration_us")?,
        usage: usage(found)?,
        cost: Money::from_nanos(found.try_get("cost_nanos")?),
        price: maybe(found, "price_id")?,
        estimated: flag(found, "estimated")?,
        reason: found.try_get("reason")?,
        draw: None,
    })
}

fn usage(found: &AnyRow) -> Result<Usage> {
    let mut counts = [0; Usage::NAMES.len()];
    for (name, count) in Usage::NAMES.iter().zip(&mut counts) {
        *count = row::count(found, name)?;
    }
    let tier = match found.try_get::<&str, _>("service_tier")? {
        "" => ServiceTier::Standard,
        named => named.parse().map_err(unreadable)?,
    };
    Ok(Usage { service_tier: tier, ..Usage::from_counts(counts) })
}
