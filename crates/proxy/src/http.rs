//! The edge: one router line per client API, and what every request passes before and after its handler.

use std::{convert::Infallible, sync::Arc};

use crate::{
    gateway::ProxyState,
    models,
    observe::RequestContext,
    pipeline,
    relay::ResponseBody,
    reply::{GatewayError, ResponseMetadata},
    router::{self, Asked},
};
use domain::ErrorKind;
use http::{Method, Request, Response};
use hyper::body::Incoming;
use wire::Dialect;

/// One request on its way in.
pub(crate) struct IncomingRequest {
    pub(crate) passage: RequestContext,
    pub(crate) request: Request<Incoming>,
}

/// Serves one request.
pub(crate) async fn serve(
    gateway: Arc<ProxyState>,
    request: Request<Incoming>,
) -> Result<Response<ResponseBody>, Infallible> {
    let passage = RequestContext::new(Arc::clone(&gateway), &request);
    let mut arrival = IncomingRequest { passage, request };
    let served = match gateway.enter() {
        Ok(place) => {
            route(&gateway, &mut arrival).await.map(|response| response.map(|body| body.holding(place)))
        }
        Err(trouble) => Err(trouble),
    };
    // Troubles of attempts were rendered with what was learned by then; these came before.
    Ok(served.unwrap_or_else(|trouble| {
        let passage = &mut arrival.passage;
        passage.refused(&trouble, None);
        let overhead = passage.started.elapsed();
        trouble.response(ResponseMetadata { overhead, ..ResponseMetadata::new(passage.id, passage.dialect) })
    }))
}

/// The router.
async fn route(
    gateway: &Arc<ProxyState>,
    arrival: &mut IncomingRequest,
) -> Result<Response<ResponseBody>, GatewayError> {
    let uri = arrival.request.uri();
    let Some(asked) = router::read(uri.path(), uri.query()) else {
        return Err(GatewayError::new(ErrorKind::RouteNotFound, format!("no API at {}", uri.path())));
    };
    match (asked, arrival.request.method()) {
        (Asked::Call(api, from_path), &Method::POST) => {
            pipeline::handle(gateway, api, from_path, arrival).await
        }
        (Asked::Models, &Method::GET) => models::list(gateway, arrival),
        (Asked::Model(name), &Method::GET) => models::show(gateway, arrival, &name),
        (Asked::Model(name), &Method::POST) if name.ends_with(":streamGenerateContent") => {
            arrival.passage.dialect = Dialect::Gemini;
            let text = "streams are sent as events: add the parameter alt=sse";
            Err(GatewayError::new(ErrorKind::InvalidRequest, text).param(Some("alt")))
        }
        (asked, method) => {
            let text = format!("{} does not take {method}", uri.path());
            let methods = if matches!(asked, Asked::Call(..)) { "POST" } else { "GET" };
            Err(GatewayError::new(ErrorKind::InvalidRequest, text).allow(methods))
        }
    }
}
