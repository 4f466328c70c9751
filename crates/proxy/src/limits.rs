//! The shared limits of a request, charged before anything is sent and held until its last byte.
//!
//! A tenant's limits are its own and those of the tenants above it. They are charged in two steps. [`admit`] charges those that the head of the request is enough for,
//! before the body is read: the limits per tenant and per key, and those per user where the key or a header
//! names the user. [`reserve`] charges the rest once the body is known: the limits per user where only the body can name
//! the user. Each step is one round trip to the shared store, all or nothing, and a step with nothing to charge is none:
//! two round trips are made only for a tenant that has limits of both kinds, and only where no header names the user.
//! A limit that depends on what is in the body, such as one of tokens, belongs in [`reserve`].
//!
//! What was charged stays charged when the request is refused later; slots are given back.

use std::time::Duration;

use coordination::{Claim, Denied, OnOutage, Permit, Refusal, Rule, Unit};
use domain::{
    Attribution, CredentialLimits, ErrorKind, LimitSpec, OnStoreLoss, Per, Period, RequestId, ResourceId,
};
use policy::{Caller, Credential, Limit};

use crate::{
    error::{GatewayError, retry_after_seconds},
    state::ProxyState,
};

/// How long a concurrency slot outlives a proxy that died with it.
const SLOT_TTL: Duration = Duration::from_secs(60);

/// What a tenant's limits admitted before the body was read.
pub(crate) struct Admission {
    permit: Permit,
    per_user: PerUserLimits,
}

/// How far the limits per user are.
#[derive(Clone, Copy)]
enum PerUserLimits {
    /// They are charged.
    Charged,
    /// They are to be charged when the body is known, which may name the user.
    AwaitBody,
}

/// A request's slots under its tenant's limits; dropping them gives them back.
#[must_use = "dropping the slots gives them back"]
pub(crate) struct HeldLimits {
    _admitted: Permit,
    _reserved: Permit,
}

/// Charges the tenant's limits as far as the head of the request tells their subject, all or none. A tenant without
/// limits costs nothing.
///
/// # Errors
/// A limit that is reached, or one that fails closed while the shared store is unavailable.
pub(crate) async fn admit(
    proxy: &ProxyState,
    caller: &Caller,
    request: RequestId,
    attribution: &Attribution,
) -> Result<Admission, GatewayError> {
    let tenant = &caller.key.tenant;
    let user = attribution.user.as_deref();
    let mut due = Vec::new();
    for limit in &tenant.limits {
        match (limit.spec.per, user) {
            (Per::Tenant, _) => due.extend(claims(limit, tenant.root(), "")),
            (Per::Key, _) => due.extend(claims(limit, tenant.root(), &attribution.key.to_string())),
            (Per::User, Some(user)) => due.extend(claims(limit, tenant.root(), user)),
            (Per::User, None) => {}
        }
    }
    let per_user = if user.is_some() { PerUserLimits::Charged } else { PerUserLimits::AwaitBody };
    Ok(Admission { permit: charge(proxy, caller, request, &due).await?, per_user })
}

/// Charges the tenant's limits that could not be charged before the body was known, all or none.
///
/// # Errors
/// As [`admit`]; the slots of the admission are given back.
pub(crate) async fn reserve(
    proxy: &ProxyState,
    caller: &Caller,
    request: RequestId,
    attribution: &Attribution,
    admission: Admission,
) -> Result<HeldLimits, GatewayError> {
    let tenant = &caller.key.tenant;
    let mut due = Vec::new();
    if matches!(admission.per_user, PerUserLimits::AwaitBody) {
        // Requests that name no user are counted together.
        let user = attribution.user.as_deref().unwrap_or_default();
        for limit in tenant.limits.iter().filter(|limit| limit.spec.per == Per::User) {
            due.extend(claims(limit, tenant.root(), user));
        }
    }
    let reserved = charge(proxy, caller, request, &due).await?;
    Ok(HeldLimits { _admitted: admission.permit, _reserved: reserved })
}

/// Charges claims in one round trip, all or none.
async fn charge(
    proxy: &ProxyState,
    caller: &Caller,
    request: RequestId,
    claims: &[Claim],
) -> Result<Permit, GatewayError> {
    if claims.is_empty() {
        return Ok(Permit::default());
    }
    proxy.coordination.acquire(request, claims).await.map_err(|refusal| refused(caller, &refusal))
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
        period => Rule::SlidingWindow { n: count, period: Duration::from_secs(period.seconds()) },
    };
    let requests = limits.requests.map(|limit| (rate(limit.count, limit.period), Unit::Requests, 1));
    // A request that is larger than the whole limit would never be admitted; the provider may know better.
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
        // The provider still enforces its own limit.
        on_outage: OnOutage::Bounded { per_replica: quarter(rule) },
    };
    let claims: Vec<Claim> = requests.into_iter().chain(tokens).chain(slots).map(claim).collect();
    proxy.coordination.acquire(request, &claims).await.map_err(|refusal| match refusal {
        Refusal::Denied(denied) => denied.retry_after,
        Refusal::StoreUnavailable { .. } => Duration::from_secs(1),
    })
}

/// The claims of one limit: its rate, its concurrency, or both. All claims of a request lie with the topmost tenant, so
/// that one script sees them.
fn claims(limit: &Limit, root: ResourceId, subject: &str) -> impl Iterator<Item = Claim> {
    let Limit { id, spec, .. } = limit;
    let rate = spec.requests.map(|rate| match rate.period {
        Period::Second => Rule::Gcra { per_second: rate.count, burst: rate.count },
        period => Rule::SlidingWindow { n: rate.count, period: Duration::from_secs(period.seconds()) },
    });
    let slots = spec.concurrent.map(|n| Rule::Concurrency { n, ttl: SLOT_TTL });
    let on_store_loss = spec.on_store_loss;
    let per_replica = spec.per_replica;
    rate.into_iter().chain(slots).map(move |rule| {
        let on_outage = match on_store_loss {
            OnStoreLoss::Closed => OnOutage::Closed,
            OnStoreLoss::Open => OnOutage::Open,
            OnStoreLoss::Bounded => {
                OnOutage::Bounded { per_replica: per_replica.unwrap_or_else(|| quarter(rule)) }
            }
        };
        let subject = subject.to_owned();
        Claim { limit: *id, subject, tenant: root, rule, unit: Unit::Requests, cost: 1, on_outage }
    })
}

/// What one proxy admits by itself where the limit does not say: a quarter, which suits four proxies, and at least one.
const fn quarter(rule: Rule) -> u64 {
    match rule {
        Rule::SlidingWindow { n, .. } | Rule::Concurrency { n, .. } | Rule::Gcra { per_second: n, .. } => {
            n.div_ceil(4)
        }
    }
}

fn refused(caller: &Caller, refusal: &Refusal) -> GatewayError {
    match refusal {
        Refusal::Denied(Denied { limit, retry_after, kind }) => {
            let tenant = &caller.key.tenant;
            let text = match tenant.limits.iter().find(|known| known.id == *limit) {
                Some(limit) if limit.tenant_name != tenant.name => {
                    let what = describe(&limit.spec, kind);
                    format!("a limit of the tenant {} above this one is reached: {what}", limit.tenant_name)
                }
                limit => {
                    let what = limit.map(|limit| describe(&limit.spec, kind)).unwrap_or_default();
                    format!("a limit of this tenant is reached: {what}")
                }
            };
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
