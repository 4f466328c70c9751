//! Where requests go by path and method, and what each one passes before and after its handler.

use std::{convert::Infallible, sync::Arc};

use domain::ErrorKind;
use http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use wire::Dialect;

use super::cors;
use crate::{
    context::{IncomingRequest, RequestContext},
    error::GatewayError,
    models, pipeline,
    request::{RouteMatch, dialect_of, match_path},
    response::{Refusal, ResponseBody},
    state::ProxyState,
};

/// Serves one request. Here, and nowhere else, a refusal becomes a response.
pub(super) async fn serve(
    proxy: Arc<ProxyState>,
    request: Request<Incoming>,
) -> Result<Response<ResponseBody>, Infallible> {
    let context = RequestContext::new(Arc::clone(&proxy.observers), &proxy.propagation, &request);
    let mut incoming = IncomingRequest { context, request };
    let page = cors::page(&proxy.edge, &incoming.request);
    let origin = page.as_ref().ok().cloned().flatten();
    let served = match page.and_then(|_| proxy.acquire_in_flight()) {
        Ok(permit) if origin.is_some() && cors::is_preflight(&incoming.request) => {
            incoming.context.answered(StatusCode::NO_CONTENT.as_u16());
            Ok(cors::preflight(incoming.request.headers()).map(|body| body.with_permit(permit)))
        }
        Ok(permit) => dispatch(&proxy, &mut incoming)
            .await
            .map(|response| response.map(|body| body.with_permit(permit))),
        Err(error) => Err(error.into()),
    };
    let mut response = served.unwrap_or_else(|refusal| refusal.into_response(&mut incoming.context));
    if let Some(origin) = origin {
        cors::expose(response.headers_mut(), origin);
    }
    Ok(response)
}

/// Hands a request to the handler of its path and method.
async fn dispatch(
    proxy: &Arc<ProxyState>,
    incoming: &mut IncomingRequest,
) -> Result<Response<ResponseBody>, Refusal> {
    let uri = incoming.request.uri();
    let Some(found) = match_path(uri.path(), uri.query()) else {
        let text = format!("no API at {}", uri.path());
        incoming.context.dialect = dialect_of(uri.path());
        return Err(GatewayError::new(ErrorKind::RouteNotFound, text).into());
    };
    match (found, incoming.request.method()) {
        (RouteMatch::Call(call), &Method::POST) => pipeline::handle(proxy, call, incoming).await,
        (RouteMatch::Models, &Method::GET) => Ok(models::list(proxy, incoming)?),
        (RouteMatch::Model(name), &Method::GET) => Ok(models::show(proxy, incoming, &name)?),
        (RouteMatch::Model(name), &Method::POST) if name.ends_with(":streamGenerateContent") => {
            incoming.context.dialect = Dialect::Gemini;
            let text = "streams are sent as events: add the parameter alt=sse";
            Err(GatewayError::new(ErrorKind::InvalidRequest, text).param(Some("alt")).into())
        }
        (found, method) => {
            let text = format!("{} does not take {method}", uri.path());
            let methods = if matches!(found, RouteMatch::Call(_)) { "POST" } else { "GET" };
            Err(GatewayError::new(ErrorKind::InvalidRequest, text).allow(methods).into())
        }
    }
}
