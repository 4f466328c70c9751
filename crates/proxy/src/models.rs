//! `GET /v1/models`: what the caller's key may put into `model`.

use domain::ErrorKind;
use http::{Response, StatusCode};
use policy::{Caller, Snapshot, identify, visible_models};
use std::sync::Arc;

use crate::{
    ask,
    gateway::Gateway,
    http::Arrival,
    relay::ReplyBody,
    reply::{Notes, Trouble, json_response},
};

/// The name in records and metrics.
const API: &str = "models";

/// Who asks, by which configuration.
pub(crate) fn sign_in(gateway: &Gateway, arrival: &mut Arrival) -> Result<(Arc<Snapshot>, Caller), Trouble> {
    let snapshot = gateway.snapshot()?;
    let presented = ask::presented(arrival.request.headers(), arrival.request.uri());
    let caller = identify(&snapshot, &gateway.keyring, presented, arrival.passage.at)
        .map_err(|error| Trouble::new(error.kind(), error.to_string()))?;
    arrival.passage.key = Some(Arc::clone(&caller.key));
    Ok((snapshot, caller))
}

/// The list.
pub(crate) fn list(gateway: &Gateway, arrival: &mut Arrival) -> Result<Response<ReplyBody>, Trouble> {
    arrival.passage.api = Some(API);
    let (snapshot, caller) = sign_in(gateway, arrival)?;
    let names = visible_models(&snapshot, &caller);
    Ok(answer(arrival, wire::models_body(names.iter().map(|name| (name.as_str(), 0, "portcullis")))))
}

/// One of it.
pub(crate) fn show(
    gateway: &Gateway,
    arrival: &mut Arrival,
    name: &str,
) -> Result<Response<ReplyBody>, Trouble> {
    arrival.passage.api = Some(API);
    let (snapshot, caller) = sign_in(gateway, arrival)?;
    // SDKs percent-encode the slash of `provider/model`.
    let name = name.replace("%2F", "/").replace("%2f", "/");
    if !visible_models(&snapshot, &caller).contains(&name) {
        return Err(Trouble::new(ErrorKind::RouteNotFound, format!("no model {name:?}")).param(Some("model")));
    }
    Ok(answer(arrival, wire::model_body(&name, 0, "portcullis")))
}

fn answer(arrival: &mut Arrival, body: Vec<u8>) -> Response<ReplyBody> {
    let mut response = json_response(StatusCode::OK, body);
    let mut notes = Notes::new(arrival.passage.id, arrival.passage.dialect);
    notes.overhead = arrival.passage.started.elapsed();
    notes.write(response.headers_mut());
    arrival.passage.answered(response.status().as_u16());
    response
}
