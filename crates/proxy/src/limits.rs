//! The shared limits a request meets before anything is sent, held until its last byte.

use std::time::Duration;

use coordination::{Claim, Denied, OnOutage, Permit, Refusal, Rule, Unit};
use domain::{
    Attribution, CredentialLimits, ErrorKind, LimitSpec, OnStoreLoss, Per, Period, RequestId, ResourceId,
};
use policy::{Caller, Credential};

use crate::{gateway::ProxyState, reply::GatewayError};

/// How long a concurrency slot outlives a proxy that died with it (MONEY.md).
const SLOT_TTL: Duration = Duration::from_secs(60);

/// Charges every limit of the tenant, all or none; a tenant without limits costs nothing.
pub(crate) async fn reserve(
    gateway: &ProxyState,
    caller: &Caller,
    request: RequestId,
    attribution: &Attribution,
) -> Result<Permit, GatewayError> {
    let tenant = &caller.key.tenant;
    if tenant.limits.is_empty() {
        return Ok(Permit::default());
    }
    let claims: Vec<Claim> =
        tenant.limits.iter().flat_map(|(id, spec)| claims(*id, spec, tenant.id, attribution)).collect();
    gateway.coordination.acquire(request, &claims).await.map_err(|refusal| refused(caller, &refusal))
}

/// Charges what the operator wrote that a provider grants a key; a key without limits costs nothing.
///
/// # Errors
/// How long until it may be used.
pub(crate) async fn of_key(
    gateway: &ProxyState,
    credential: &Credential,
    request: RequestId,
    tokens: u64,
) -> Result<Permit, Duration> {
    let limits = &credential.limits;
    if *limits == CredentialLimits::default() {
        return Ok(Permit::default());
    }
    let rate = |count, period: Period| match period {
        Period::Second => Rule::Gcra { per_second: count, burst: count },
        period => Rule::SlidingWindow { n: count, period: Duration::from_secs(period.seconds()) },
    };
    let requests = limits.requests.map(|limit| (rate(limit.count, limit.period), Unit::Requests, 1));
    // What is larger than the whole limit would wait for ever; the provider may know better.
    let tokens =
        limits.tokens.map(|limit| (rate(limit.count, limit.period), Unit::Tokens, tokens.min(limit.count)));
    let slots = limits.concurrent.map(|n| (Rule::Concurrency { n, ttl: SLOT_TTL }, Unit::Requests, 1));
    let claim = |(rule, unit, cost)| Claim {
        limit: credential.id,
        subject: String::new(),
        tenant: credential.id,
        rule,
        unit,
        cost,
        // The provider still says no by itself.
        on_outage: OnOutage::Bounded { per_replica: quarter(rule) },
    };
    let claims: Vec<Claim> = requests.into_iter().chain(tokens).chain(slots).map(claim).collect();
    gateway.coordination.acquire(request, &claims).await.map_err(|refusal| match refusal {
        Refusal::Denied(denied) => denied.retry_after,
        Refusal::StoreUnavailable { .. } => Duration::from_secs(1),
    })
}

/// The claims of one limit: its rate, its concurrency, or both.
fn claims(
    limit: ResourceId,
    spec: &LimitSpec,
    tenant: ResourceId,
    attribution: &Attribution,
) -> impl Iterator<Item = Claim> {
    let subject = match spec.per {
        Per::Tenant => String::new(),
        Per::User => attribution.user.clone().unwrap_or_default(),
        Per::Key => attribution.key.to_string(),
    };
    let rate = spec.requests.map(|rate| match rate.period {
        Period::Second => Rule::Gcra { per_second: rate.count, burst: rate.count },
        period => Rule::SlidingWindow { n: rate.count, period: Duration::from_secs(period.seconds()) },
    });
    let slots = spec.concurrent.map(|n| Rule::Concurrency { n, ttl: SLOT_TTL });
    let (on_store_loss, per_replica) = (spec.on_store_loss, spec.per_replica);
    rate.into_iter().chain(slots).map(move |rule| {
        let on_outage = match on_store_loss {
            OnStoreLoss::Closed => OnOutage::Closed,
            OnStoreLoss::Open => OnOutage::Open,
            OnStoreLoss::Bounded => {
                OnOutage::Bounded { per_replica: per_replica.unwrap_or_else(|| quarter(rule)) }
            }
        };
        Claim { limit, subject: subject.clone(), tenant, rule, unit: Unit::Requests, cost: 1, on_outage }
    })
}

/// What one proxy admits by itself where nobody said: right for four proxies, and never nothing.
const fn quarter(rule: Rule) -> u64 {
    match rule {
        Rule::SlidingWindow { n, .. } | Rule::Concurrency { n, .. } | Rule::Gcra { per_second: n, .. } => n.div_ceil(4),
    }
}

fn refused(caller: &Caller, refusal: &Refusal) -> GatewayError {
    match refusal {
        Refusal::Denied(Denied { limit, retry_after, kind }) => {
            let of_it = |(id, _): &&(ResourceId, LimitSpec)| id == limit;
            let what = caller.key.tenant.limits.iter().find(of_it).map(|(_, spec)| describe(spec, kind));
            let text = format!("a limit of this tenant is reached: {}", what.unwrap_or_default());
            GatewayError::new(ErrorKind::RateLimited, text)
                .limited_by(kind)
                .retry_after(retry_after.as_millis().div_ceil(1_000).try_into().unwrap_or(1))
        }
        Refusal::StoreUnavailable { .. } => {
            let text =
                "the store that shares this tenant's limits is away, and the limit is closed without it";
            GatewayError::new(ErrorKind::StoreUnavailable, text).retry_after(1)
        }
    }
}

fn describe(spec: &LimitSpec, kind: &str) -> String {
    let per = match spec.per {
        Per::Tenant => "",
        Per::User => " per user",
        Per::Key => " per key",
    };
    match (kind, spec.requests, spec.concurrent) {
        ("requests", Some(rate), _) => format!("{rate} requests{per}"),
        (_, _, Some(most)) => format!("{most} concurrent requests{per}"),
        _ => kind.to_owned(),
    }
}
