//! The edge: one router line per client API, and what every request passes before and after its handler.

use std::{convert::Infallible, sync::Arc};

use domain::ErrorKind;
use http::{Method, Request, Response};
use hyper::body::Incoming;
use wire::Api;

use crate::{
    gateway::Gateway,
    models,
    observe::Passage,
    pipeline,
    relay::ReplyBody,
    reply::{Notes, Trouble},
    trace::TraceContext,
};

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
    let passage = Passage::new(Arc::clone(&gateway), TraceContext::read(request.headers()));
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
        trouble.response(Notes { overhead, ..Notes::new(passage.id) })
    }))
}

/// The router.
async fn route(gateway: &Arc<Gateway>, arrival: &mut Arrival) -> Result<Response<ReplyBody>, Trouble> {
    // Cheap: a share of the head's buffer.
    let uri = arrival.request.uri().clone();
    let path = uri.path();
    // SDKs of this dialect may have the dialect's prefix in their base URL.
    let path = path.strip_prefix("/openai").unwrap_or(path);
    match (arrival.request.method(), path) {
        (&Method::POST, "/v1/chat/completions") => pipeline::handle(gateway, Api::Chat, arrival).await,
        (&Method::POST, "/v1/embeddings") => pipeline::handle(gateway, Api::Embeddings, arrival).await,
        (&Method::GET, "/v1/models") => models::list(gateway, arrival),
        (&Method::GET, _) if path.starts_with("/v1/models/") => models::show(gateway, arrival, &path[11..]),
        (_, path) if is_known(path) => {
            let text = format!("{path} does not take {}", arrival.request.method());
            let methods = if path.starts_with("/v1/models") { "GET" } else { "POST" };
            Err(Trouble::new(ErrorKind::InvalidRequest, text).allow(methods))
        }
        _ => Err(Trouble::new(ErrorKind::RouteNotFound, format!("no API at {path}"))),
    }
}

fn is_known(path: &str) -> bool {
    matches!(path, "/v1/chat/completions" | "/v1/embeddings" | "/v1/models")
        || path.starts_with("/v1/models/")
}
