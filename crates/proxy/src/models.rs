//! `GET /v1/models`: what the caller's key may put into `model`.

use domain::ErrorKind;
use http::{Response, StatusCode};
use policy::{Caller, Snapshot, identify, visible_models};
use std::sync::Arc;
use wire::Dialect;

use crate::{
    ask,
    gateway::ProxyState,
    http::IncomingRequest,
    relay::ResponseBody,
    reply::{GatewayError, ResponseMetadata, json_response},
};

/// The name in records and metrics.
const API: &str = "models";

/// Who asks, by which configuration; and whether there is room for such a caller.
pub(crate) fn sign_in(
    gateway: &ProxyState,
    arrival: &mut IncomingRequest,
) -> Result<(Arc<Snapshot>, Caller), GatewayError> {
    let snapshot = gateway.snapshot()?;
    let presented = ask::presented(arrival.request.headers(), arrival.request.uri());
    let caller = identify(&snapshot, &gateway.keyring, presented, arrival.passage.at)
        .map_err(|error| GatewayError::new(error.kind(), error.to_string()))?;
    arrival.passage.key = Some(Arc::clone(&caller.key));
    gateway.admit(caller.key.priority())?;
    Ok((snapshot, caller))
}

/// The list.
pub(crate) fn list(
    gateway: &ProxyState,
    arrival: &mut IncomingRequest,
) -> Result<Response<ResponseBody>, GatewayError> {
    let dialect = arrive(arrival);
    let (snapshot, caller) = sign_in(gateway, arrival)?;
    let names = visible_models(&snapshot, &caller);
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    Ok(answer(arrival, wire::models::list(dialect, &names)))
}

/// One of it.
pub(crate) fn show(
    gateway: &ProxyState,
    arrival: &mut IncomingRequest,
    name: &str,
) -> Result<Response<ResponseBody>, GatewayError> {
    let dialect = arrive(arrival);
    let (snapshot, caller) = sign_in(gateway, arrival)?;
    // SDKs percent-encode the slash of `provider/model`.
    let unknown = || GatewayError::new(ErrorKind::RouteNotFound, "no such model").param(Some("model"));
    let name = wire::percent::decode(name).ok_or_else(unknown)?;
    if !visible_models(&snapshot, &caller).contains(&name) {
        return Err(unknown());
    }
    Ok(answer(arrival, wire::models::show(dialect, &name)))
}

/// Notes what is asked for and in which dialect.
fn arrive(arrival: &mut IncomingRequest) -> Dialect {
    let dialect = wire::models::dialect_of(arrival.request.uri(), arrival.request.headers());
    arrival.passage.api = Some(API);
    arrival.passage.dialect = dialect;
    dialect
}

fn answer(arrival: &mut IncomingRequest, body: Vec<u8>) -> Response<ResponseBody> {
    let mut response = json_response(StatusCode::OK, body);
    let mut notes = ResponseMetadata::new(arrival.passage.id, arrival.passage.dialect);
    notes.overhead = arrival.passage.started.elapsed();
    notes.write(response.headers_mut());
    arrival.passage.answered(response.status().as_u16());
    response
}
