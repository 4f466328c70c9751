//! The edge: one router line per client API, and what every request passes before and after its handler.

use std::{convert::Infallible, sync::Arc};

use crate::{
    gateway::Gateway,
    models,
    observe::Passage,
    pipeline,
    relay::ReplyBody,
    reply::{Notes, Trouble},
    router::{self, Asked},
};
use domain::ErrorKind;
use http::{Method, Request, Response};
use hyper::body::Incoming;
use wire::DialectName;

/// One request on its way in.
pub(crate) struct Arrival {
    pub(crate) passage: Passage,
    pub(crate) request: Request<Incoming>,
}

/// Serves one request.
pub(crate) async fn serve(
    gateway: Arc<Gateway>,
    request: Request<Incoming>,
) -> Result<Response<ReplyBody>, Infallible> {
    let passage = Passage::new(Arc::clone(&gateway), &request);
    let mut arrival = Arrival { passage, request };
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
        trouble.response(Notes { overhead, ..Notes::new(passage.id, passage.dialect) })
    }))
}

/// The router.
async fn route(gateway: &Arc<Gateway>, arrival: &mut Arrival) -> Result<Response<ReplyBody>, Trouble> {
    let uri = arrival.request.uri();
    let Some(asked) = router::read(uri.path(), uri.query()) else {
        return Err(Trouble::new(ErrorKind::RouteNotFound, format!("no API at {}", uri.path())));
    };
    match (asked, arrival.request.method()) {
        (Asked::Call(api, from_path), &Method::POST) => {
            pipeline::handle(gateway, api, from_path, arrival).await
        }
        (Asked::Models, &Method::GET) => models::list(gateway, arrival),
        (Asked::Model(name), &Method::GET) => models::show(gateway, arrival, &name),
        (Asked::Model(name), &Method::POST) if name.ends_with(":streamGenerateContent") => {
            arrival.passage.dialect = DialectName::Gemini;
            let text = "streams are sent as events: add the parameter alt=sse";
            Err(Trouble::new(ErrorKind::InvalidRequest, text).param(Some("alt")))
        }
        (asked, method) => {
            let text = format!("{} does not take {method}", uri.path());
            let methods = if matches!(asked, Asked::Call(..)) { "POST" } else { "GET" };
            Err(Trouble::new(ErrorKind::InvalidRequest, text).allow(methods))
        }
    }
}
