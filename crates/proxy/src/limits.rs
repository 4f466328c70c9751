//! The shared limits of a request, charged before anything is sent and held until its last byte.

use std::time::Duration;

use coordination::{Claim, Denied, OnOutage, Permit, Refusal, Rule, Unit};
use domain::{
    Attribution, CredentialLimits, ErrorKind, LimitSpec, OnStoreLoss, Per, Period, RequestId, ResourceId,
};
use policy::{Caller, Credential};

use crate::{
    error::{GatewayError, retry_after_seconds},
    state::ProxyState,
};

/// How long a concurrency slot outlives a proxy that died with it.
const SLOT_TTL: Duration = Duration::from_secs(60);

/// Charges every limit of the tenant, all or none; a tenant without limits costs nothing.
pub(crate) async fn reserve(
    proxy: &ProxyState,
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
    proxy.coordination.acquire(request, &claims).await.map_err(|refusal| refused(caller, &refusal))
}

/// Charges the limits that the operator set for a credential; one without limits costs nothing.
///
/// # Errors
/// How long until the credential may be used.
pub(crate) async fn acquire_for_credential(
    proxy: &ProxyState,
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
        period => Rule::Ring { n: count, period: Duration::from_secs(period.seconds()) },
    };
    let requests = limits.requests.map(|limit| (rate(limit.count, limit.period), Unit::Requests, 1));
    // A request that is larger than the whole limit would never be admitted; the provider may know better.
    let tokens =
        limits.tokens.map(|limit| (rate(limit.count, limit.period), Unit::Tokens, tokens.min(limit.count)));
    let slots = limits.concurrent.map(|n| (Rule::Slots { n, ttl: SLOT_TTL }, Unit::Requests, 1));
    let claim = |(rule, unit, cost)| Claim {
        limit: credential.id,
        subject: String::new(),
        tenant: credential.id,
        rule,
        unit,
        cost,
        // The provider still enforces its own limit.
        on_loss: OnOutage::Bounded { per_replica: quarter(rule) },
    };
    let claims: Vec<Claim> = requests.into_iter().chain(tokens).chain(slots).map(claim).collect();
    proxy.coordination.acquire(request, &claims).await.map_err(|refusal| match refusal {
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
        period => Rule::Ring { n: rate.count, period: Duration::from_secs(period.seconds()) },
    });
    let slots = spec.concurrent.map(|n| Rule::Slots { n, ttl: SLOT_TTL });
    let on_store_loss = spec.on_store_loss;
    let per_replica = spec.per_replica;
    rate.into_iter().chain(slots).map(move |rule| {
        let on_loss = match on_store_loss {
            OnStoreLoss::Closed => OnOutage::Closed,
            OnStoreLoss::Open => OnOutage::Open,
            OnStoreLoss::Bounded => {
                OnOutage::Bounded { per_replica: per_replica.unwrap_or_else(|| quarter(rule)) }
            }
        };
        Claim { limit, subject: subject.clone(), tenant, rule, unit: Unit::Requests, cost: 1, on_loss }
    })
}

/// What one proxy admits by itself where the limit does not say: a quarter, which suits four proxies, and at least one.
const fn quarter(rule: Rule) -> u64 {
    match rule {
        Rule::Ring { n, .. } | Rule::Slots { n, .. } | Rule::Gcra { per_second: n, .. } => n.div_ceil(4),
    }
}

fn refused(caller: &Caller, refusal: &Refusal) -> GatewayError {
    match refusal {
        Refusal::Denied(Denied { limit, retry_after, kind }) => {
            let mut limits = caller.key.tenant.limits.iter();
            let what = limits.find(|(id, _)| id == limit).map(|(_, spec)| describe(spec, kind));
            let text = format!("a limit of this tenant is reached: {}", what.unwrap_or_default());
            GatewayError::new(ErrorKind::RateLimited, text)
                .with_limit(kind)
                .retry_after(retry_after_seconds(*retry_after))
        }
        Refusal::StoreUnavailable { .. } => {
            let text =
                "the shared rate-limit store is unavailable, and this limit is configured to fail closed";
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
