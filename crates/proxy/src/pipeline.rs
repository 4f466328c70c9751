//! The life of a call of a model, from its head to its response; read this file first.
//!
//! The stages, in order: authenticate, read the headers, parse the body, attribute, route, open the account, reserve
//! limits, send, respond. A cache of responses would be looked up between routing and the account: behind everything
//! that may refuse a request, before anything is reserved or sent. Each stage is a function over [`Call`] that either
//! returns what it found out or refuses the request; a refusal becomes a response in one place, at the edge.

mod account;
mod parse;
mod route;

use std::{sync::Arc, time::Duration};

use http::Response;

use self::{account::open_account, parse::parse_request, route::route_request};
use crate::{
    attempt,
    attempt::UpstreamResponse,
    auth::{Authenticated, authenticate},
    context::IncomingRequest,
    error::GatewayError,
    limits,
    meter::Meter,
    relay,
    request::{ApiCall, LlmRequest, read_headers},
    response::{Refusal, ResponseBody},
    state::ProxyState,
};

/// What the stages of one call share.
struct Call<'a> {
    proxy: &'a Arc<ProxyState>,
    incoming: &'a mut IncomingRequest,
    client: Authenticated,
    /// Time spent waiting for the client to send its body.
    upload: Duration,
}

/// Serves one call of a model.
pub(crate) async fn handle(
    proxy: &Arc<ProxyState>,
    target: ApiCall,
    incoming: &mut IncomingRequest,
) -> Result<Response<ResponseBody>, Refusal> {
    incoming.context.api = Some(target.api.name());
    incoming.context.dialect = target.api.dialect();
    let client = authenticate(proxy, incoming)?;
    let mut call = Call { proxy, incoming, client, upload: Duration::ZERO };
    let headers = read_headers(call.incoming.request.headers(), &call.client.caller)?;
    let request = parse_request(&mut call, target, headers.options).await?;
    let attribution = headers.attribution.complete(&call.client.caller, &request.facts);
    let request = route_request(&call, request, &attribution)?;
    let mut meter = open_account(&mut call, &request, attribution);
    match reserve_and_send(&call, &request, &mut meter).await {
        Ok(answer) => Ok(relay::respond(answer, &request, meter)),
        Err(error) => Err(meter.fail(error)),
    }
}

/// The stages that are accounted for.
async fn reserve_and_send(
    call: &Call<'_>,
    request: &LlmRequest,
    meter: &mut Meter,
) -> Result<UpstreamResponse, GatewayError> {
    let permit =
        limits::reserve(call.proxy, &call.client.caller, meter.request(), meter.attribution()).await?;
    meter.hold(permit);
    attempt::first_success(call.proxy, request, meter).await
}
