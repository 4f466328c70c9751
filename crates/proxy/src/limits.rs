//! The shared limits of a request, charged before anything is sent and held until its last byte.
//!
//! A tenant's limits are its own and those of the tenants above it. They are charged in two steps. [`admit`] charges those
//! that the head of the request is enough for, before the body is read: limits on requests per tenant, key, feature and
//! session, and those per user where the key or a header names the user. [`reserve`] charges the rest once the body is
//! known: limits on requests per user where only the body can name the user, those per model, and all limits on tokens,
//! by an estimate that is put right when the request is settled. Each step is one round trip to the shared store, all or
//! nothing, and a step with nothing to charge is none.
//!
//! What was charged stays charged when the request is refused later; slots and estimated tokens are given back.

mod claims;
mod credential;
mod refusal;

use coordination::{Coordinator, Permit, Unit};
use domain::{Attribution, RequestId};
use policy::Caller;

use self::{claims::Claims, refusal::refused};
pub(crate) use self::{claims::TokenCounts, credential::acquire_for_credential};
use crate::{error::GatewayError, rate_limits::RateLimits, state::ProxyState};

/// What limits count separately, as far as it is known.
#[derive(Clone, Copy)]
pub(crate) struct Subjects<'a> {
    pub(crate) attribution: &'a Attribution,
    pub(crate) session: Option<&'a str>,
}

/// What a tenant's limits admitted before the body was read.
pub(crate) struct Admission {
    permits: Permits,
    /// Whether the head named the user, so that limits per user are charged.
    user_named: bool,
}

/// What a request is charged for once its body is known.
pub(crate) struct Reserve<'a> {
    pub(crate) subjects: Subjects<'a>,
    /// The model or route that the client asks for.
    pub(crate) model: &'a str,
    /// The tokens that it may be expected to use.
    pub(crate) expected: TokenCounts,
}

/// A request's slots under its tenant's limits, and the tokens that it was charged by an estimate; dropping them gives
/// back both.
#[must_use = "dropping them gives them back"]
pub(crate) struct HeldLimits {
    coordination: Coordinator,
    permits: Permits,
    used: TokenCounts,
}

/// What was charged in one or more steps.
#[derive(Default)]
struct Permits(Vec<Permit>);

impl HeldLimits {
    /// What the request used: tokens that it was charged without using are free again, what it used besides is charged.
    pub(crate) fn settle(mut self, used: TokenCounts) {
        self.used = used;
    }

    /// How full the limits were once the request was charged.
    pub(crate) fn rate_limits(&self) -> RateLimits {
        self.permits.0.iter().flat_map(Permit::levels).fold(RateLimits::NONE, RateLimits::with)
    }
}

impl Drop for HeldLimits {
    fn drop(&mut self) {
        let TokenCounts { input, output } = self.used;
        for permit in &mut self.permits.0 {
            self.coordination.correct(permit, |unit| match unit {
                Unit::Requests => 1,
                Unit::Tokens => input.saturating_add(output),
                Unit::InputTokens => input,
                Unit::OutputTokens => output,
            });
        }
    }
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
    subjects: Subjects<'_>,
) -> Result<Admission, GatewayError> {
    let tenant = &caller.key.tenant;
    let user_named = subjects.attribution.user.is_some();
    let mut due = Claims::new(tenant.root());
    for limit in &tenant.limits {
        if claims::is_known_from_head(limit.spec.per, user_named) {
            due.requests(limit, &claims::subject(limit.spec.per, subjects, None));
        }
    }
    Ok(Admission { permits: charge(proxy, caller, request, due).await?, user_named })
}

/// Charges the tenant's limits that could not be charged before the body was known, all or none.
///
/// # Errors
/// As [`admit`]; the slots of the admission are given back.
pub(crate) async fn reserve(
    proxy: &ProxyState,
    caller: &Caller,
    request: RequestId,
    admission: Admission,
    reserve: Reserve<'_>,
) -> Result<HeldLimits, GatewayError> {
    let tenant = &caller.key.tenant;
    let Admission { mut permits, user_named } = admission;
    let mut due = Claims::new(tenant.root());
    for limit in &tenant.limits {
        let subject = claims::subject(limit.spec.per, reserve.subjects, Some(reserve.model));
        if !claims::is_known_from_head(limit.spec.per, user_named) {
            due.requests(limit, &subject);
        }
        due.tokens(limit, &subject, reserve.expected);
    }
    permits.0.extend(charge(proxy, caller, request, due).await?.0);
    Ok(HeldLimits { coordination: proxy.coordination.clone(), permits, used: TokenCounts::default() })
}

/// Charges claims, all that are enforced or none; those of limits that only observe refuse nothing.
async fn charge(
    proxy: &ProxyState,
    caller: &Caller,
    request: RequestId,
    claims: Claims,
) -> Result<Permits, GatewayError> {
    let mut permits = Permits::default();
    if !claims.enforced.is_empty() {
        let acquired = proxy.coordination.acquire(request, &claims.enforced).await;
        permits.0.push(acquired.map_err(|refusal| refused(caller, &refusal))?);
    }
    // Each by itself: one that would refuse keeps the others from nothing.
    for claim in claims.observed {
        match proxy.coordination.acquire(request, &[claim]).await {
            Ok(permit) => permits.0.push(permit.without_levels()),
            Err(refusal) => proxy.observed_limits.count(request, &refused(caller, &refusal)),
        }
    }
    Ok(permits)
}
