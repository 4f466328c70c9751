//! The life of a call of a model, from its head to its response; read this file first.
//!
//! | stage | finds out | refuses |
//! |---|---|---|
//! | `authenticate` | the API key, and the configuration to serve by | unknown keys, a full proxy |
//! | `read_headers` | the client's options, tenant, user and feature | headers it cannot read |
//! | `admit` | charges the limits that the head tells | requests over a limit, before a byte of the body is read |
//! | `parse_request` | the body, and what one scan finds in it | bodies that are too large, too slow or wrong |
//! | `attribute` | the user, where only the body names one | |
//! | `route_request` | the targets to try, in order | unknown models, routes without a usable target |
//! | *(cache)* | the place to look up a response: nothing is reserved or sent yet | |
//! | `open_account` | the meter, which from here on reports how the request ends | |
//! | `reserve` | charges the limits that need the body | requests over such a limit |
//! | `failover::send` | the response of the first target that answers | requests that no target answers |
//! | `respond` | the response to the client, and the end of the account | |
//!
//! A stage is a function over [`Call`]. It returns what it found out or refuses the request with an error, and what it
//! holds is given back when it is dropped. An error becomes a response in one place, at the edge.

mod account;
mod admit;
mod attribute;
mod call;
mod parse;
mod reserve;
mod route;

use std::{sync::Arc, time::Duration};

use http::Response;

use self::{
    account::open_account, admit::admit, attribute::attribute, call::Call, parse::parse_request,
    reserve::reserve, route::route_request,
};
use crate::{
    attempt::UpstreamResponse,
    auth::authenticate,
    context::IncomingRequest,
    error::GatewayError,
    failover,
    limits::Admission,
    meter::Meter,
    relay::respond,
    request::{ApiCall, LlmRequest, read_headers},
    response::{Refusal, ResponseBody},
    state::ProxyState,
};

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
    let admission = admit(&mut call, &headers).await?;
    let request = parse_request(&mut call, target, headers.options).await?;
    let attribution = attribute(headers.attribution, &request.facts);
    let request = route_request(&call, request, &attribution)?;
    let mut meter = open_account(&mut call, &request, attribution);
    match reserve_and_send(&call, &request, admission, &mut meter).await {
        Ok(answer) => Ok(respond(answer, &request, meter)),
        Err(error) => Err(meter.fail(error)),
    }
}

/// The stages that a request's account tells of.
async fn reserve_and_send(
    call: &Call<'_>,
    request: &LlmRequest,
    admission: Admission,
    meter: &mut Meter,
) -> Result<UpstreamResponse, GatewayError> {
    reserve(call, request, admission, meter).await?;
    failover::send(call.proxy, request, meter).await
}
