//! The stage that decides which targets are tried, in which order, and why.

use std::cell::OnceCell;

use domain::{Attribution, Timestamp};
use policy::{RoutingContext, RoutingError};
use wire::Shape;

use super::call::Call;
use crate::{
    error::GatewayError,
    rate_limits::retry_after_seconds,
    request::{LlmRequest, TRANSLATION, Unrouted, check_origin},
    response::RoutingTrace,
    state::ProxyState,
};

/// Plans the attempts of a request.
pub(super) fn route_request(
    call: &Call<'_>,
    request: LlmRequest<Unrouted>,
    attribution: &Attribution,
) -> Result<LlmRequest, GatewayError> {
    let shape = || wire::shape(request.api, request.path.borrowed(), &request.body);
    let context = routing_context(&request, attribution, call.proxy, &shape);
    let plan = policy::plan(&call.client.snapshot, &call.proxy.live, &call.client.caller, &context)
        .map_err(|error| routing_failed(&error, &request))?;
    check_origin(call.incoming.request.headers(), plan.terms.cors_origins.as_ref(), "route")
        .map_err(|refused| refused.with_route(&plan.route))?;
    Ok(request.routed(plan))
}

/// A request as routing sees it, at this moment.
fn routing_context<'a>(
    request: &'a LlmRequest<Unrouted>,
    attribution: &'a Attribution,
    proxy: &'a ProxyState,
    shape: &'a dyn Fn() -> Shape,
) -> RoutingContext<'a> {
    RoutingContext {
        api: request.api.name(),
        facts: &request.facts,
        input_tokens: request.input_estimate(),
        tags: &attribution.tags,
        user: attribution.user.as_deref(),
        feature: attribution.feature.as_deref(),
        session: request.options.session.as_deref(),
        translation: request.options.translation,
        region: proxy.region.as_deref(),
        shape,
        seen: OnceCell::new(),
        now: proxy.now(),
        at: Timestamp::now(),
        draw: proxy.live.draw(),
        explain: request.options.explain,
    }
}

/// What the client is told of a request without a plan.
fn routing_failed(error: &RoutingError, request: &LlmRequest<Unrouted>) -> GatewayError {
    let trace = request.options.explain.then(|| RoutingTrace::refusal(error, &request.facts.model));
    let explanation = trace.map(|trace| trace.object(Vec::new(), &[]));
    let refused = GatewayError::new(error.kind(), error.to_string()).with_explanation(explanation);
    match error {
        RoutingError::NoAvailableTarget { route, retry_after, .. } => {
            refused.with_route(route).retry_after(retry_after_seconds(*retry_after))
        }
        RoutingError::TranslationForbidden { .. } => refused.param(Some(TRANSLATION)),
        _ => refused.param(Some("model")),
    }
}
