//! The edge: one router line per client API, and what every request passes before and after its handler.

use std::{convert::Infallible, sync::Arc};

use domain::{ErrorKind, RequestId, Timestamp};
use http::{Method, Request, Response};
use hyper::body::Incoming;
use tokio::time::Instant;
use wire::Api;

use crate::{
    gateway::Gateway,
    models, pipeline,
    relay::ReplyBody,
    reply::{Notes, Trouble},
};

/// One request on its way in.
pub(crate) struct Arrival {
    pub(crate) id: RequestId,
    pub(crate) at: Timestamp,
    pub(crate) started: Instant,
    pub(crate) request: Request<Incoming>,
}

/// Serves one request.
pub(crate) async fn serve(
    gateway: Arc<Gateway>,
    request: Request<Incoming>,
) -> Result<Response<ReplyBody>, Infallible> {
    let (id, started) = (RequestId::new(), Instant::now());
    let arrival = Arrival { id, at: Timestamp::now(), started, request };
    let served = match gateway.enter() {
        Ok(place) => route(&gateway, arrival).await.map(|response| response.map(|body| body.holding(place))),
        Err(trouble) => Err(trouble),
    };
    // Troubles of attempts were rendered with what was learned by then; these came before.
    Ok(served
        .unwrap_or_else(|trouble| trouble.response(Notes { overhead: started.elapsed(), ..Notes::new(id) })))
}

/// The router.
async fn route(gateway: &Arc<Gateway>, arrival: Arrival) -> Result<Response<ReplyBody>, Trouble> {
    let path = arrival.request.uri().path();
    // SDKs of this dialect may have the dialect's prefix in their base URL.
    let path = path.strip_prefix("/openai").unwrap_or(path);
    match (arrival.request.method(), path) {
        (&Method::POST, "/v1/chat/completions") => pipeline::handle(gateway, Api::Chat, arrival).await,
        (&Method::POST, "/v1/embeddings") => pipeline::handle(gateway, Api::Embeddings, arrival).await,
        (&Method::GET, "/v1/models") => models::list(gateway, &arrival),
        (&Method::GET, _) if path.starts_with("/v1/models/") => models::show(gateway, &arrival, &path[11..]),
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
