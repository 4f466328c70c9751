//! Limits that the operator set for a provider's credential.

use std::time::Duration;

use coordination::{Claim, OnOutage, Permit, Refusal, Rule, Unit};
use domain::{CredentialLimits, Period, RequestId};
use policy::Credential;

use super::claims::{SLOT_TTL, length, quarter};
use crate::state::ProxyState;

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
        period => Rule::SlidingWindow { n: count, period: length(period) },
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
